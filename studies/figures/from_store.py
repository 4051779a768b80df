"""Tables and figures from the stored trials of a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from warnings import warn

import pandas as pd

from studies.analysis import agent_names, baselines, comparisons, fastest_penalty, fault_windows, series
from studies.analysis.reach import cost_to_reach
from studies.figures import draw
from studies.figures.plan import FigureData
from studies.spec.document import StudyError
from studies.spec.manifest import STUDY_FILE, StudyRecord
from studies.spec.presentation import FigureSettings, stored_figures, stored_reach
from studies.spec.study import Study
from studies.storage.store import CURVES, Store
from testbed.training.baselines import Baseline


def draw_figures(study: Study, store: Store, complain: Callable[[str], None] = warn) -> list[Path]:
    """Writes the summary tables, draws the figures the study's results allow, and returns the PNG files.

    ``complain`` receives a line about anything left out of them, and about figures that cannot be drawn; see
    :func:`studies.figures.draw.draw`.
    """
    summary = store.summarise(study)
    if study.workload == "training":
        store.write_table("statistics.csv", statistics(study, summary))
    found = figure_data(study, store, summary, baselines.by_trial(study, store, complain), complain)
    if len(found.reach):
        store.write_table("reach.csv", found.reach)
    return draw.draw(found, store.folder / "figures", complain)


def statistics(study: StudyRecord, summary: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``statistics.csv``; see :func:`studies.analysis.comparisons.statistics_table`."""
    return comparisons.statistics_table(summary, study.varied, study.comparison_factor)


def figure_data(
    study: StudyRecord,
    store: Store,
    summary: pd.DataFrame,
    measured: Mapping[str, Sequence[Baseline]],
    complain: Callable[[str], None] = warn,
) -> FigureData:
    """The data of a study's figures; ``measured`` are the baselines by trial.

    ``complain`` receives a line if the study's ``reach`` or ``figures`` do not suit its results.
    """
    curves = {name: store.curve(study, name) for name in CURVES}
    source = str(store.folder / STUDY_FILE)
    reach = pd.DataFrame()
    own: Sequence[FigureSettings] = ()
    try:
        reach = cost_to_reach(study, store, stored_reach(study.document, source))
    except StudyError as error:
        complain(str(error))
    try:
        own = stored_figures(study.document, source, study.varied)
    except StudyError as error:
        complain(str(error))
    return FigureData(
        workload=study.workload,
        question=study.question,
        varied=study.varied,
        summary=summary,
        curves={
            **curves,
            "agents": series.agents(study, store),
            "links": series.links(study, store),
        },
        baselines=measured,
        environment_factors=study.environment_factors,
        comparison_factor=study.comparison_factor,
        faults=fault_windows.by_trial(study, store, curves["training"]),
        reach=reach,
        own=own,
        names=agent_names.shared(study, store),
        fastest_penalty=fastest_penalty.by_trial(study, store),
    )
