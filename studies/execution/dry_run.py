"""Estimates of the time and memory that the remaining trials of a study will take, from measurements."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import torch
from rich.markup import escape
from rich.table import Table

from studies.execution import requirements
from studies.formatting import duration
from studies.spec.document import StudyError
from studies.spec.study import Study, TrialSpec
from studies.storage.store import Store
from testbed import workloads
from testbed.common.errors import first_line

PATIENCE = 60.0
"""Wall seconds after which no further kind of trial is measured."""


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


def estimate(study: Study, store: Store, trying: Callable[[TrialSpec], None]) -> list[TrialEstimate]:
    """Estimates the time and memory of each trial.

    Trials that differ only in network, topology and seed are assumed to take the same time. If one of a kind
    has finished, its time is used; otherwise one is measured: one update of a training run, or a whole
    problem or single update.

    Args:
        study, store: the study and its stored results.
        trying: called with each trial that is measured.

    Raises:
        StudyError: a measured trial fails; one line.
    """
    begun = time.monotonic()
    measured: dict[str, list[float]] = {}
    for trial in study.trials:
        if store.status(trial) == "finished":
            measured.setdefault(_kind(trial), []).append(store.wall_seconds(trial) / _pieces(trial))
    found = {kind: (sum(each) / len(each), _trials(len(each))) for kind, each in measured.items()}
    peak = requirements.peaks()
    estimates = []
    for trial in study.trials:
        status, kind = store.status(trial), _kind(trial)
        if status != "finished" and kind not in found and time.monotonic() - begun < PATIENCE:
            trying(trial)
            try:
                found[kind] = _tried(trial), "one try"
            except Exception as error:  # a trial can fail in any way
                raise StudyError(f"a trial run of {trial.title} failed: {first_line(error)}") from error
        piece, basis = found.get(kind, (None, "not tried"))
        seconds = None if piece is None else piece * _pieces(trial)
        estimates.append(TrialEstimate(trial, status, seconds, peak(trial), basis))
    return estimates


def _trials(number: int) -> str:
    return "a finished trial" if number == 1 else f"{number} finished trials"


def _kind(trial: TrialSpec) -> str:
    """The settings that determine how long an update takes; networks and graphs matter little."""
    said = {key: value for key, value in trial.resolved.items() if key not in ("seed", "network", "topology")}
    if isinstance(trial.settings, workloads.TrainingWorkload):
        said["training"] = {key: value for key, value in said["training"].items() if key != "updates"}
    return json.dumps(said, sort_keys=True)


def _pieces(trial: TrialSpec) -> int:
    return trial.settings.training.updates if isinstance(trial.settings, workloads.TrainingWorkload) else 1


def _tried(trial: TrialSpec) -> float:
    torch.set_num_threads(1)
    begun = time.perf_counter()
    if isinstance(trial.settings, workloads.TrainingWorkload):
        with closing(workloads.make_trainer(trial.settings, seed=trial.seed, graph=trial.graph())) as trainer:
            trainer.advance()
    else:
        workloads.run(trial.settings, seed=trial.seed, graph=trial.graph())
    return time.perf_counter() - begun


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


def remaining(estimates: Sequence[TrialEstimate], jobs: int) -> str:
    """The remaining work, in one sentence."""
    left = [one for one in estimates if one.status != "finished"]
    known = [one.seconds for one in left if one.seconds is not None]
    text = f"{len(left)} of {len(estimates)} trials to run"
    if known:
        work = sum(known)
        at_once = min(jobs, len(left))
        longest = max(work / at_once, *known)
        text += f": about {duration(longest)} by {at_once} at once, {duration(work)} of work"
    if len(known) < len(left):
        text += f"; the time of {len(left) - len(known)} is not known"
    return text
