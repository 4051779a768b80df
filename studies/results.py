"""From the stored trials of a study to its tables and figures."""

from __future__ import annotations

from pathlib import Path

from studies import figures
from studies.spec import Study
from studies.store import Store

CURVES = ("consensus", "training")


def draw_figures(study: Study, store: Store) -> list[Path]:
    """Writes the summary tables, draws the figures the study's results allow, and returns the PNG files."""
    results = figures.Results(
        workload=study.workload,
        question=study.question,
        varied=study.varied,
        summary=store.summarise(study),
        curves={name: store.curve(study, name) for name in CURVES},
    )
    return figures.draw(results, store.folder / "figures")
