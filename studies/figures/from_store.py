"""From the stored trials of a study to its tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from warnings import warn

import pandas as pd

from studies.analysis import baselines, comparisons
from studies.figures import draw
from studies.figures.plan import Results
from studies.spec.manifest import StudyOutline
from studies.spec.study import Study
from studies.storage.store import CURVES, Store
from testbed.training.baselines import Reference


def draw_figures(study: Study, store: Store, complain: Callable[[str], None] = warn) -> list[Path]:
    """Writes the summary tables, draws the figures the study's results allow, and returns the PNG files.

    ``complain`` is told in a line what had to be left out of them, and which of them cannot be drawn; see
    :func:`studies.figures.draw.draw`.
    """
    summary = store.summarise(study)
    if study.workload == "training":
        store.write_table("statistics.csv", statistics(study, summary))
    found = gathered(study, store, summary, baselines.by_trial(study, store, complain))
    return draw.draw(found, store.folder / "figures", complain)


def statistics(study: StudyOutline, summary: pd.DataFrame) -> pd.DataFrame:
    """Each condition of a training study over its seeds; see :func:`studies.analysis.comparisons.table`."""
    return comparisons.table(summary, study.varied, study.compared)


def gathered(
    study: StudyOutline,
    store: Store,
    summary: pd.DataFrame,
    measured: Mapping[str, Sequence[Reference]],
) -> Results:
    """What figures are made from; ``measured`` are the references by trial."""
    return Results(
        workload=study.workload,
        question=study.question,
        varied=study.varied,
        summary=summary,
        curves={name: store.curve(study, name) for name in CURVES},
        references=measured,
        worlds=study.worlds,
        compared=study.compared,
    )
