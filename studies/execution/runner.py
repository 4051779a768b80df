"""Runs the missing trials of a study and shows their progress."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from studies.columns import shown
from studies.execution import pieces
from studies.execution.executor import (
    Event,
    Executor,
    Failed,
    Finished,
    Held,
    ProgressCallback,
    Progressed,
    Retried,
    Started,
)
from studies.execution.frozen import frozen
from studies.execution.pace import STARTING
from studies.execution.progress import Display
from studies.execution.tensorboard import Board
from studies.execution.weights_and_biases import WandbRun
from studies.formatting import last_line
from studies.spec.study import Study, TrialSpec
from studies.storage.provenance import OWN, versions
from studies.storage.store import Store
from testbed import workloads
from testbed.training.trainer import Row


@dataclass(frozen=True)
class Task:
    """A trial to run, the folder to store it in, and the versions of the code that runs it."""

    trial: TrialSpec
    folder: Path
    versions: dict[str, str]
    wait: bool = False
    """Whether to wait for another process that is running the trial, or to leave the trial to it."""
    tensorboard: bool = False
    """Whether to write the reported numbers for TensorBoard, too."""
    wandb: str | None = None
    """The project of Weights & Biases that gets the reported numbers, too."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run: trials run now, finished earlier, failed, and finished by other processes."""

    run: int
    kept: int
    failed: tuple[TrialSpec, ...]
    others: int = 0
    reasons: tuple[str, ...] = ()
    """The reason for each failure, one line each."""
    foreign: bool = False
    """Whether every failure is of an environment or of another package, and none of the testbed."""


ELSEWHERE, BY_OTHERS = "run by another process", "finished by another process"
"""Last reports of `perform` for trials that it did not run."""


def perform(task: Task, report: ProgressCallback) -> None:
    """Runs one trial and stores it, unless another process is running it or has finished it.

    Called in a worker process, or in the main one for ``testbed train``.
    """
    torch.set_num_threads(1)
    report(STARTING, 0, 0, {})
    trial, store = task.trial, Store(task.folder)

    def waiting() -> None:
        report("waiting for another process", 0, 0, {})

    with store.claims.claim(trial, waiting if task.wait else None) as mine:
        if not mine:
            report(ELSEWHERE, 0, 0, {})
        elif store.status(trial) == "finished":
            store.claims.clear(trial)  # the file of this claim, made after those of the trial were removed
            report(BY_OTHERS, 0, 0, {})
        else:
            with ExitStack() as stack:
                last: ProgressCallback = _recording(task, store, report)
                dashboards: list[Board | WandbRun] = []
                if task.tensorboard:
                    dashboards.append(stack.enter_context(closing(Board(task.folder, trial, last))))
                    last = dashboards[-1]
                if task.wandb is not None:
                    run = WandbRun(task.folder, task.wandb, trial, last)
                    dashboards.append(stack.enter_context(closing(run)))
                    last = run
                _perform(task, store, last, dashboards)


WRITE_PROGRESS_EVERY = 2.0
"""Wall seconds between two records of a trial's progress, for `testbed status`."""


def _recording(task: Task, store: Store, report: ProgressCallback) -> ProgressCallback:
    """Reports progress, and periodically writes it to the store, where other processes find it."""
    last = -math.inf

    def both(phase: str, done: int, total: int, latest: dict[str, float]) -> None:
        nonlocal last
        report(phase, done, total, latest)
        if time.monotonic() - last >= WRITE_PROGRESS_EVERY:
            last = time.monotonic()
            watched = {name: latest[name] for name in shown("progress") if name in latest}
            store.claims.write_progress(
                task.trial, {"phase": phase, "done": done, "total": total, "latest": watched}
            )

    return both


def _perform(
    task: Task, store: Store, report: ProgressCallback, dashboards: Sequence[Board | WandbRun] = ()
) -> None:
    trial, begin = task.trial, time.perf_counter()

    def series(update: int, agents: Sequence[Row], links: Sequence[Row]) -> None:
        for dashboard in dashboards:
            dashboard.series(update, agents, links)

    checkpoint = (
        store.claims.checkpoint(trial) if isinstance(trial.settings, workloads.TrainingWorkload) else None
    )
    with frozen(trial) as same:
        result = workloads.run(
            same.settings,
            seed=same.seed,
            graph=same.graph(),
            progress=report,
            checkpoint=checkpoint,
            batches=store.batches,
            series=series if dashboards else None,
        )
    wall = time.perf_counter() - begin
    versions_played = {**task.versions, **result.versions}
    store.write(trial, result.metrics, result.curves, versions_played, wall, result.models)


def run(
    study: Study,
    store: Store,
    *,
    executor: Executor[Task],
    console: Console,
    tensorboard: bool = False,
    wandb: str | None = None,
    brief: bool = False,
) -> Outcome:
    """Runs the missing trials of a study; a failed trial is recorded and the others continue.

    Args:
        study: the study; trials that have finished in the store are not run again.
        store: the results store.
        executor: runs the trials, by :func:`perform`.
        console: the console that shows progress.
        tensorboard: whether trials write the reported numbers for TensorBoard.
        wandb: the project of Weights & Biases that gets the reported numbers, too; None: none does.
        brief: whether to print few lines where there is no terminal.
    """
    now = versions()
    finished: list[TrialSpec] = []
    missing: list[TrialSpec] = []
    for trial in study.trials:
        (finished if store.status(trial) == "finished" else missing).append(trial)
    kept = len(finished)
    for trial in missing:
        if (line := store.damage(trial)) is not None:
            console.print(
                f"damaged: {trial.title}: {line}; it will be run again, and this folder is set aside",
                markup=False,
            )
    others = _made_elsewhere(finished, store, now)
    if others:
        console.print(f"{others} of the {kept} finished trials were made by another version of the code")
    rounds, folder = _Rounds(store, now), store.folder.absolute()
    known = _known(finished, missing, store)
    with Display(console, missing, kept, known=known, brief=brief) as display:
        left = _each_condition_first(missing)
        for wait in (False, True):  # first the trials nobody runs, then those that others did not finish
            tasks = [Task(trial, folder, now, wait, tensorboard, wandb) for trial in left]
            left = rounds.follow(executor.run(tasks), left, display) if tasks else []
    run = len(missing) - len(left) - len(rounds.failed) - rounds.others
    failed = [trial for trial in missing if trial.hash in rounds.failed]
    reasons = tuple(rounds.failed[trial.hash] for trial in failed)
    return Outcome(run, kept, tuple(failed), rounds.others, reasons, bool(failed) and not rounds.own)


def _each_condition_first(trials: Sequence[TrialSpec]) -> list[TrialSpec]:
    """The first trial of each condition, then the others: so the remaining time is soon known."""
    first = {pieces.condition(trial): trial.hash for trial in reversed(trials)}
    return sorted(trials, key=lambda trial: first[pieces.condition(trial)] != trial.hash)


def _known(finished: Sequence[TrialSpec], missing: Sequence[TrialSpec], store: Store) -> dict[str, float]:
    """Seconds of a piece, by condition, from one finished trial of each that has others to run."""
    wanted = {pieces.condition(trial) for trial in missing}
    one = {pieces.condition(trial): trial for trial in finished}
    return {
        condition: store.wall_seconds(trial) / pieces.pieces(trial)
        for condition, trial in one.items()
        if condition in wanted
    }


class _Rounds:
    """The outcome of the trials."""

    def __init__(self, store: Store, now: dict[str, str]) -> None:
        self.store, self.now = store, now
        self.failed: dict[str, str] = {}
        """Hash of each failed trial -> the reason, one line."""
        self.own = False
        """Whether a trial failed for another reason than an environment or another package."""
        self.others = 0

    def follow(
        self, running: Generator[Event, None, None], trials: Sequence[TrialSpec], display: Display
    ) -> list[TrialSpec]:
        """Shows progress and records failures; returns the trials that another process is running."""
        left, by_others = [], set()
        with closing(running) as events:
            for event in events:
                if isinstance(event, Held):
                    display.held(event.reason)
                    continue
                trial = trials[event.index]
                match event:
                    case Started():
                        display.started(trial)
                    case Progressed():
                        if event.phase in (ELSEWHERE, BY_OTHERS):
                            by_others.add(event.index)
                        display.progressed(trial, event.phase, event.done, event.total, event.latest)
                    case Retried():
                        display.retried(trial, event.reason)
                    case Finished() if self.store.status(trial) != "finished":
                        left.append(trial)
                        display.left(trial, ELSEWHERE)
                    case Finished():
                        self.others += event.index in by_others
                        display.finished(trial, self.store.metrics(trial), here=event.index not in by_others)
                    case Failed():
                        self._record(trial, event.trace)
                        self.failed[trial.hash] = last_line(event.trace)
                        self.own |= not event.foreign
                        display.failed(trial, event.trace)
        return left

    def _record(self, trial: TrialSpec, trace: str) -> None:
        """Stores why a trial failed; if even that cannot be written, the message shown must suffice."""
        with suppress(OSError):
            self.store.write_failure(trial, self.now, trace)


def _made_elsewhere(trials: Sequence[TrialSpec], store: Store, now: dict[str, str]) -> int:
    return sum(any(store.versions(trial).get(key) != now.get(key) for key in OWN) for trial in trials)
