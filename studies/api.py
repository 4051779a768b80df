"""Studies from Python: defined, run, read and plotted, in a notebook or a script.

Trials run in processes of their own, which import the script that started them: a script that calls ``run``
must do so under ``if __name__ == "__main__":``. Notebooks need nothing.
"""

from __future__ import annotations

import html
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studies import text
from studies.formatting import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from studies.analysis.compare_runs import Comparison
    from studies.analysis.overview import Overview
    from studies.figures.plan import FigureData
    from studies.report.build import Report
    from studies.spec.manifest import StudyRecord
    from studies.spec.study import Study
    from studies.storage.store import Store


class Results:
    """The results of a study so far, as data frames and figures; each :func:`load` reads them again.

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
        from studies.spec.presentation import stored_reach

        document = {"reach": thresholds} if thresholds else self.study.document
        wanted = stored_reach(document, "reach" if thresholds else str(self.folder / "study.json"))
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
        for key, reason in column_faults(settings, self.study.varied).items():
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


def define(
    study: str | PathLike[str] | Mapping[str, Any],
    *,
    name: str = "study",
    overrides: Sequence[str] = (),
    quick: bool = False,
) -> Study:
    """Checks a study: a file, the name of a built-in study, or plain data as a file would have it.

    Args:
        study: the study to check.
        name: name of a study given as data; a file has its own.
        overrides: settings ``a.b=value`` that replace others, as with ``--set``.
        quick: whether to use its quick form.

    Raises:
        StudyError: the study is invalid; one line. (A ValueError.)
    """
    from studies.spec import loading

    if isinstance(study, Mapping):
        return loading.define(study, name=name, overrides=overrides, quick=quick)
    return loading.load(str(_path("study", study)), overrides=overrides, quick=quick)


def _path(what: str, given: object) -> Path:
    """The given path; StudyError if it is not one."""
    if not isinstance(given, str | PathLike):
        from studies.spec.document import StudyError

        allowed = "a path, the name of a built-in study, or a mapping" if what == "study" else "a path"
        raise StudyError(f"{what}: got {type(given).__name__}, must be {allowed}")
    return Path(given)


def run(
    study: Study | str | PathLike[str] | Mapping[str, Any],
    folder: str | PathLike[str] | None = None,
    *,
    jobs: int | None = None,
    on: str = "local",
) -> Results:
    """Runs the missing trials of a study, showing progress, and returns the results.

    A terminal has bars; notebooks and logs get at most some hundred lines, however many trials there are.

    Args:
        study: from :func:`define`, or anything it accepts.
        folder: the results folder; None: ``runs/<name>``, where characters of the name that would lead
            elsewhere are escaped as ``%2E``.
        jobs: concurrent trials; None: one per processor.
        on: ``local``, ``ray``, or the address of a Ray cluster, as for ``testbed run --on``.

    Raises:
        StudyError: the study is invalid or needs more memory than this machine has, or the backend is
            unknown.
        RuntimeError: trials failed; the others are stored, and ``load`` reads them.
    """
    from studies.execution import backends, requirements, runner
    from studies.spec.study import Study
    from studies.storage.store import Store, default_folder
    from studies.terminal import lines_console

    checked = study if isinstance(study, Study) else define(study)
    requirements.check(checked)
    if on == backends.LOCAL:
        requirements.check_games(checked)
        requirements.check_memory(checked)
    out = lines_console()
    store = Store(_path("folder", folder) if folder is not None else default_folder(checked.name))
    executor = backends.executor(on, jobs, store.folder)
    for line in store.remember(checked):
        out.print(line, markup=False)
    outcome = runner.run(checked, store, executor=executor, console=out, brief=True)
    if outcome.failed:
        first = outcome.failed[0]
        raise RuntimeError(
            f"{len(outcome.failed)} of {len(checked.trials)} trials failed, {first.title} with"
            f" {outcome.reasons[0]} (traceback: {store.traceback(first)})"
        )
    return Results(checked, store)


def load(folder: str | PathLike[str]) -> Results:
    """The results in a folder written by ``testbed run --out FOLDER`` or :func:`run`.

    Raises:
        StudyError: it holds no results of a study. (A ValueError.)
    """
    from studies.storage.store import Store

    store = Store(_path("folder", folder))
    study = store.study()
    for line in store.damages(study):
        warnings.warn(f"damaged: {line}", stacklevel=2)
    return Results(study, store)


def compare(
    first: Results | str | PathLike[str], second: Results | str | PathLike[str], *, metric: str | None = None
) -> Comparison:
    """Compares two results: whether equal trials agree, and the effect of other settings, by seed.

    ``compare(...).table`` is a data frame with a row for each condition that both have with other settings.

    Args:
        first, second: results, or their folders.
        metric: column of ``summary`` to compare; None: the first main one that both have.

    Raises:
        StudyError: a folder holds no finished trials, or not this metric. (A ValueError.)
    """
    from studies.analysis import compare_runs

    one, two = (each if isinstance(each, Results) else load(each) for each in (first, second))
    by = compare_runs.metric_of_both(one._store, two._store, metric, option="metric")
    return compare_runs.compare(one._store, two._store, by)


def write_report(
    results: Results | str | PathLike[str],
    file: str | PathLike[str] | None = None,
    *,
    trial: int | None = None,
    updates: Sequence[int] = (),
    replay: bool = True,
    trust: bool = False,
    force: bool = False,
) -> Report:
    """Writes results as one HTML page, as ``testbed report`` does.

    Args:
        results: results, or their folder.
        file: the page; None: ``report.html`` in the folder.
        trial: number of the trial whose network is replayed, from 1; None: the one that lost most messages.
        updates: policy updates of a training trial that are replayed in any case, from 1; the page opens on
            the first of them. Empty: it opens on the one in which most faults were active.
        replay: whether the page has a replay, for which that trial is run again.
        trust: whether code from outside the testbed that the trial names may be run for the replay.
        force: whether a file that is no report may be replaced.

    Returns:
        The page's ``file``, what its replay shows, and ``warnings`` for the reader.

    Raises:
        StudyError: there are no results, no such trial or update, or the file cannot be written. (A
            ValueError.)
    """
    from studies.report import write

    place = None if file is None else _path("file", file)
    return write(
        _folder(results),
        place,
        number=trial,
        updates=updates,
        replayed=replay,
        trust=trust,
        force=force,
    )


def _folder(results: Results | str | PathLike[str]) -> Path:
    return results.folder if isinstance(results, Results) else _path("results", results)
