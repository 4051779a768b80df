"""Results of a study from Python: tables, curves, costs to reach thresholds, and figures."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any

from studies import text
from studies.formatting import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from studies.analysis.overview import Overview
    from studies.figures.plan import FigureData
    from studies.spec.manifest import StudyRecord
    from studies.storage.store import Store


class Results:
    """The results of a study so far, as data frames and figures; each :func:`studies.load` reads them again.

    Attributes:
        study: the study: ``name``, ``question``, ``workload``, ``varied``, ``trials`` and ``document``.
        folder: the results folder.
    """

    def __init__(self, study: StudyRecord, store: Store) -> None:
        self.study = study
        self.folder = store.folder
        self._store = store

    @cached_property
    def summary(self) -> pd.DataFrame:
        """A row per finished trial: ``trial`` (hash), varied settings, ``seed``, and every final number."""
        return self._store.summary(self.study)

    @cached_property
    def statistics(self) -> pd.DataFrame:
        """For training: conditions over their seeds, and their comparisons, as in ``statistics.csv``.

        Seeds are summarised by the mean and the interquartile mean; ``estimator`` names the latter, which is
        the mean with fewer than four seeds.
        """
        from studies.figures.from_store import statistics

        return statistics(self.study, self.summary)

    @property
    def curves(self) -> list[str]:
        """The names of the trials' curves: ``consensus``, ``links``, for training ``training``, ``agents``.

        ``agents`` has a row per agent, and ``links`` one per direction of a link, at each point.
        """
        from studies.storage.store import CURVES, SERIES

        return self._having((*CURVES, *SERIES))

    @property
    def tables(self) -> list[str]:
        """The names of the trials' other tables: ``traffic`` and, with faults, ``faults``."""
        from studies.storage.store import TABLES

        return self._having(TABLES)

    def curve(self, name: str) -> pd.DataFrame:
        """The rows of all trials of one curve, by a name in ``curves``.

        Raises:
            ValueError: no trial has a curve of this name.
        """
        return self._read("curve", name, self.curves)

    def table(self, name: str) -> pd.DataFrame:
        """The rows of all trials of one of the other tables, by a name in ``tables``.

        Raises:
            ValueError: no trial has a table of this name.
        """
        return self._read("table", name, self.tables)

    def _having(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if self._store.having(self.study, name)]

    def _read(self, kind: str, name: str, known: Sequence[str]) -> pd.DataFrame:
        if name not in known:
            raise ValueError(
                f"{kind}: no trial has one named {name!r}; there are {', '.join(known) or 'none'}"
            )
        return self._store.curve(self.study, name)

    def reach(self, *, over_seeds: bool = False, **thresholds: Any) -> pd.DataFrame:
        """Cost until a column of the curves is at most, or at least, so much.

        :mod:`studies.analysis.reach` says when a threshold is reached.

        Args:
            over_seeds: whether to summarise each condition over its seeds, by medians that respect trials
                which did not reach the threshold.
            thresholds: as under ``reach`` in a study file: ``error=[0.1, 0.01]`` or
                ``message_age={"at_most": [1]}``; none: those of the study.

        Returns:
            A row per trial and threshold, with ``reached`` (bool), or per condition and threshold.

        Raises:
            StudyError: a threshold is invalid, or no curve has this column; one line. (A ValueError.)
        """
        from studies.analysis.reach import cost_to_reach, reach_medians
        from studies.spec.manifest import STUDY_FILE
        from studies.spec.presentation import stored_reach

        document = {"reach": thresholds} if thresholds else self.study.document
        wanted = stored_reach(document, "reach" if thresholds else str(self.folder / STUDY_FILE))
        table = cost_to_reach(self.study, self._store, wanted)
        return reach_medians(table, self.study.varied) if over_seeds else table

    def plot(self, name: str | None = None, **columns: Any) -> Figure:
        """One figure of the study, or one of any columns.

        Args:
            name: of a figure under ``figures/``, without the extension.
            columns: instead of it, keys of an entry of ``figures`` in a study file: ``x``, ``y``, and perhaps
                ``hue``, ``style``, ``col``, ``kind``, ``estimator``, ``log``, ``width``, ``title``. A study
                file draws the same figure. ``figure.savefig("error.pdf")`` writes it.

        Raises:
            ValueError: the results allow no such figure; one line.
        """
        if columns:
            return self._plot_columns({"name": name or "figure", **columns})
        if name is None:
            raise ValueError("plot: name a figure, or columns: plot(x='bytes', y='error', hue='topology')")
        from studies.figures import draw

        with closing(draw.drawings(self._gathered, name)) as drawn:
            for _, figure in drawn:
                return figure
        names = ", ".join(self.figures)
        raise ValueError(f"plot: these results have no figure {name!r}; there are {names or 'none'}")

    def _plot_columns(self, data: Mapping[str, Any]) -> Figure:
        from studies.figures import draw
        from studies.spec.document import StudyError
        from studies.spec.presentation import FigureSettings, checked, column_faults

        settings = checked(FigureSettings, data, "plot")
        for key, reason in column_faults(settings, self.study.varied, self.study.workload).items():
            raise StudyError(f"plot: {key} = {getattr(settings, key)!r}: {reason}")
        return draw.draw_own(self._gathered, settings)

    @property
    def figures(self) -> list[str]:
        """The names of the figures that ``plot`` can draw. Draws all of them, which takes seconds."""
        import matplotlib.pyplot as plt

        from studies.figures import draw

        names = []
        for name, figure in draw.drawings(self._gathered):
            plt.close(figure)
            names.append(name)
        return names

    def overview(self, metrics: Sequence[str] | None = None) -> Overview:
        """Each condition with metrics over its seeds, as ``testbed table`` prints them.

        ``overview().numbers`` is a data frame; ``markdown()`` and ``latex()`` are for papers.

        Args:
            metrics: columns of ``summary``; None: the main ones of the workload.

        Raises:
            StudyError: there is no such metric. (A ValueError.)
        """
        from studies.analysis.overview import overview

        if isinstance(metrics, str):
            metrics = [metrics]
        return overview(self.study, self.summary, metrics, option="metrics")

    def __repr__(self) -> str:
        return f"<results of {self._text()}>"

    def _repr_html_(self) -> str:
        if self.summary.empty:
            return f"<p>{html.escape(self._text())}</p>"
        shown: str = self.overview()._repr_html_()
        return f"<p>{html.escape(self._text())}</p>{shown}"

    def _text(self) -> str:
        done = f"{len(self.summary)} of {counted(len(self.study.trials), 'trial')} finished"
        return f"{text.label(self.study.name)} in {text.visible(str(self.folder))}: {done}"

    @cached_property
    def _gathered(self) -> FigureData:
        from studies.analysis import baselines
        from studies.figures.from_store import figure_data

        return figure_data(self.study, self._store, self.summary, baselines.kept(self.study, self._store))
