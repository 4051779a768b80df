"""From the stored trials of a study to its tables and figures."""

from __future__ import annotations

from pathlib import Path

from studies import comparisons, figures, references
from studies.spec import Study
from studies.store import Store

CURVES = ("consensus", "training")


def warnings(study: Study, store: Store) -> list[str]:
    """What a reader of the results must know, a line each: faults that tested nothing."""
    table = store.summarise(study)
    if "faults_untouched" not in table:
        return []
    idle = set(table.loc[table["faults_untouched"] > 0, "trial"])
    if not idle:
        return []
    titles = [trial.title for trial in study.trials if trial.hash in idle]
    named = ", ".join(titles[:3]) + (", ..." if len(titles) > 3 else "")
    return [
        f"in {len(titles)} of {len(table)} trials a fault touched no message and so tested nothing: {named}"
    ]


def draw_figures(study: Study, store: Store) -> list[Path]:
    """Writes the summary tables, draws the figures the study's results allow, and returns the PNG files."""
    summary = store.summarise(study)
    if study.workload == "training":
        store.write_table("statistics.csv", comparisons.table(summary, study.varied, study.compared))
    results = figures.Results(
        workload=study.workload,
        question=study.question,
        varied=study.varied,
        summary=summary,
        curves={name: store.curve(study, name) for name in CURVES},
        references=references.by_trial(study, store),
        worlds=study.worlds,
        compared=study.compared,
    )
    return figures.draw(results, store.folder / "figures")
