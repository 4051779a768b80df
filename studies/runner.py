"""Runs the trials of a study that have not been run yet, and shows how they get on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from studies.display import Display
from studies.executors import Executor, Failed, Finished, Held, Progressed, Report, Retried, Started
from studies.spec import Study, TrialSpec
from studies.store import Store
from studies.versions import versions
from testbed import workloads


@dataclass(frozen=True)
class Task:
    """A trial to run, where to store it, and which code runs it."""

    trial: TrialSpec
    folder: Path
    versions: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """How a study went: trials run now, found finished from before, and failed."""

    run: int
    kept: int
    failed: tuple[TrialSpec, ...]


def perform(task: Task, report: Report) -> None:
    """Runs one trial and stores it. Runs in a worker process, or in this one for ``testbed train``."""
    torch.set_num_threads(1)
    trial, store = task.trial, Store(task.folder)
    begin = time.perf_counter()
    checkpoint = store.checkpoint(trial) if isinstance(trial.settings, workloads.TrainingWorkload) else None
    result = workloads.run(
        trial.settings,
        seed=trial.seed,
        graph=trial.graph(),
        progress=report,
        checkpoint=checkpoint,
        batches=store.batches,
    )
    wall = time.perf_counter() - begin
    store.write(trial, result.metrics, result.curves, task.versions, wall, result.models)


def run(study: Study, store: Store, *, executor: Executor[Task], console: Console) -> Outcome:
    """Runs what is missing of a study; a trial that fails is recorded and the others go on.

    Args:
        study: the trials; those the store has finished are not run again.
        store: where results go.
        executor: where trials are run, and by what: :func:`perform`.
        console: where progress is shown.
    """
    now = versions()
    missing = [trial for trial in study.trials if store.status(trial) != "finished"]
    kept = len(study.trials) - len(missing)
    others = _made_elsewhere([trial for trial in study.trials if trial not in missing], store, now)
    if others:
        console.print(f"{others} of the {kept} finished trials were made by another version of the code")
    failed: list[TrialSpec] = []
    tasks = [Task(trial, store.folder.absolute(), now) for trial in missing]
    with (
        Display(console, total=len(study.trials), kept=kept) as display,
        closing(executor.run(tasks)) as events,
    ):
        for event in events:
            if isinstance(event, Held):
                display.held(event.reason)
                continue
            trial = missing[event.index]
            match event:
                case Started():
                    display.started(trial)
                case Progressed():
                    display.progressed(trial, event.phase, event.done, event.total, event.latest)
                case Retried():
                    display.retried(trial, event.reason)
                case Finished():
                    display.finished(trial)
                case Failed():
                    store.write_failure(trial, now, event.trace)
                    failed.append(trial)
                    display.failed(trial, event.trace)
    return Outcome(len(missing) - len(failed), kept, tuple(failed))


def _made_elsewhere(trials: Sequence[TrialSpec], store: Store, now: dict[str, str]) -> int:
    keys = ("consensus-testbed", "commit")
    return sum(any(store.versions(trial).get(key) != now.get(key) for key in keys) for trial in trials)
