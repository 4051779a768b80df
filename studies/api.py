"""Studies from Python: defined, run, read and plotted, in a notebook or a script.

Trials run in separate processes, which import the script that started them: a script that calls ``run``
must do so under ``if __name__ == "__main__":``. Notebooks need nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studies.results_api import Results

if TYPE_CHECKING:
    from studies.analysis.compare_runs import Comparison
    from studies.report.build import Report
    from studies.spec.study import Study


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
    if on == backends.LOCAL:  # the devices of a cluster are on its nodes
        requirements.check(checked)
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
