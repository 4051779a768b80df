"""Estimates of the time and memory that the remaining trials of a study will take, from measurements."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from studies.execution import pieces, requirements
from studies.execution.pieces import Cost
from studies.formatting import counted, duration
from studies.spec.document import StudyError
from studies.spec.study import Study, TrialSpec
from studies.storage.store import Store
from testbed.common.errors import first_line

PATIENCE = 60.0
"""Wall seconds after which no further condition is measured."""


@dataclass(frozen=True)
class TrialEstimate:
    """The time and memory that one trial will take.

    Attributes:
        trial: the trial.
        status: ``finished``, ``failed`` or ``missing``.
        seconds: time on one core; None if unknown.
        bytes: peak memory; None if it is unknown until the games have been started.
        basis: the source of the time estimate.
    """

    trial: TrialSpec
    status: str
    seconds: float | None
    bytes: int | None
    basis: str


def estimate(
    study: Study,
    store: Store,
    trying: Callable[[TrialSpec], None],
    *,
    measure: Callable[[TrialSpec], Cost] = pieces.measure,
    clock: Callable[[], float] = time.monotonic,
) -> list[TrialEstimate]:
    """Estimates the time and memory of each trial.

    Trials that differ only in their seed and number of updates are assumed to take the same time per update.
    If one of them has finished, its time is used; otherwise one is measured. Conditions that are left after
    ``PATIENCE`` take the mean of those that differ from them only in network and graph.

    Args:
        study, store: the study and its stored results.
        trying: called with each trial that is measured.
        measure: measures a piece of a trial.
        clock: wall seconds, for ``PATIENCE``.

    Raises:
        StudyError: a measured trial fails; one line.
    """
    status = {trial.hash: store.status(trial) for trial in study.trials}
    found = _finished(study, store, status)
    missing = [trial for trial in study.trials if status[trial.hash] != "finished"]
    begun = clock()
    for trial in _one_of_each(missing):
        if pieces.condition(trial) in found:
            continue
        if clock() - begun >= PATIENCE:
            break
        trying(trial)
        try:
            found[pieces.condition(trial)] = measure(trial), "measured"
        except Exception as error:  # a trial can fail in any way
            raise StudyError(f"a trial run of {trial.title} failed: {first_line(error)}") from error
    like = _means(study, found)
    peak = requirements.peaks()
    started = {
        name for trial in study.trials if (name := pieces.start(trial)) and (store.batches / name).exists()
    }
    estimates = []
    for trial in study.trials:
        alike = like.get(pieces.similar(trial), (None, "not measured"))
        cost, basis = found.get(pieces.condition(trial), alike)
        state, shared = status[trial.hash], pieces.start(trial)
        seconds = None if cost is None else cost.seconds(trial, starts=shared not in started)
        if state != "finished" and shared is not None:
            started.add(shared)
        estimates.append(TrialEstimate(trial, state, seconds, peak(trial), basis))
    return estimates


def _finished(study: Study, store: Store, status: Mapping[str, str]) -> dict[str, tuple[Cost, str]]:
    """Costs by condition from finished trials."""
    seconds: dict[str, list[float]] = {}
    for trial in study.trials:
        if status[trial.hash] == "finished":
            each = store.wall_seconds(trial) / pieces.pieces(trial)
            seconds.setdefault(pieces.condition(trial), []).append(each)
    return {
        condition: (Cost(sum(each) / len(each)), counted(len(each), "finished trial"))
        for condition, each in seconds.items()
    }


def _one_of_each(trials: Sequence[TrialSpec]) -> list[TrialSpec]:
    """A trial of each condition, beginning with conditions that differ in more than network and graph."""
    first = list({pieces.condition(trial): trial for trial in reversed(trials)}.values())[::-1]
    apart = {pieces.similar(trial): trial.hash for trial in reversed(first)}
    return sorted(first, key=lambda trial: apart[pieces.similar(trial)] != trial.hash)


def _means(study: Study, found: Mapping[str, tuple[Cost, str]]) -> dict[str, tuple[Cost, str]]:
    """Mean costs of the conditions that differ only in network and graph."""
    costs: dict[str, dict[str, Cost]] = {}
    for trial in study.trials:
        condition = pieces.condition(trial)
        if condition in found:
            costs.setdefault(pieces.similar(trial), {})[condition] = found[condition][0]
    return {
        name: (pieces.mean(list(each.values())), f"mean of {counted(len(each), 'similar condition')}")
        for name, each in costs.items()
    }


def estimate_table(estimates: Sequence[TrialEstimate]) -> Table:
    """A table with one line per trial."""
    drawn = Table(box=None, pad_edge=False)
    for name in ("", "trial", "state"):
        drawn.add_column(name)
    for name in ("memory", "time"):
        drawn.add_column(name, justify="right")
    drawn.add_column("by")
    for number, one in enumerate(estimates, 1):
        peak = "?" if one.bytes is None else f"{one.bytes / 2**20:,.0f} MiB"
        took = "?" if one.seconds is None else duration(one.seconds)
        drawn.add_row(f"{number}", escape(one.trial.title), one.status, peak, took, f"[dim]{one.basis}[/]")
    return drawn


def remaining(estimates: Sequence[TrialEstimate], jobs: int, startup: float = 0.0) -> str:
    """The remaining work, in one sentence.

    Args:
        estimates: of all trials.
        jobs: maximum number of concurrent trials.
        startup: seconds that a process takes to start.
    """
    left = [one for one in estimates if one.status != "finished"]
    known = [one.seconds for one in left if one.seconds is not None]
    text = f"{len(left)} of {len(estimates)} trials to run"
    if known:
        at_once = min(jobs, len(left))
        work = sum(known) + at_once * startup
        longest = max(work / at_once, startup + max(known))
        text += f": about {duration(longest)} by {at_once} at once, {duration(work)} of work"
    if len(known) < len(left):
        text += f"; the time of {len(left) - len(known)} is not known"
    return text
