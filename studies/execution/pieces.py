"""The pieces of a trial's work, and measurements of one piece of a trial.

A training run has one piece per update. Any other trial is one piece.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from studies.spec.study import TrialSpec
from testbed import workloads
from testbed.training import warm_start

Clock = Callable[[], float]

ENOUGH = 1.0
"""Seconds of measured updates or problems after which no further one is measured."""

MOST_PIECES = 4
"""Maximum number of updates or problems measured in one trial."""

WARMUP = 2
"""Updates of a longer warm-up that are measured."""


@dataclass(frozen=True)
class Cost:
    """Seconds that the parts of a trial take on one core.

    Attributes:
        piece: an update of a training run, or the whole of another trial without ``start``.
        setup: the time before the first piece.
        evaluation: one evaluation.
        start: making the starting point of an update, which trials share.
    """

    piece: float
    setup: float = 0.0
    evaluation: float = 0.0
    start: float = 0.0

    def seconds(self, trial: TrialSpec, *, starts: bool = True) -> float:
        """The time of a trial.

        Args:
            trial: a trial of the kind that was measured.
            starts: whether it makes the starting point that it shares with others.
        """
        shared = self.start if starts else 0.0
        return self.setup + shared + pieces(trial) * self.piece + _evaluations(trial) * self.evaluation


def mean(costs: Sequence[Cost]) -> Cost:
    """The mean of each part of some costs; raises ZeroDivisionError if there are none."""
    parts = {field.name for field in fields(Cost)}
    return Cost(**{part: sum(getattr(cost, part) for cost in costs) / len(costs) for part in parts})


def pieces(trial: TrialSpec) -> int:
    """The number of pieces of a trial."""
    return trial.settings.training.updates if isinstance(trial.settings, workloads.TrainingWorkload) else 1


def condition(trial: TrialSpec) -> str:
    """All that determines how long a piece takes: the settings without seeds and the number of updates."""
    return _without(trial, "seed")


def similar(trial: TrialSpec) -> str:
    """The same without network and graph, which often matter less than the rest."""
    return _without(trial, "seed", "network", "topology")


def start(trial: TrialSpec) -> str | None:
    """The name of the starting point that an update shares with other trials; None if it has none."""
    settings = trial.settings
    if not isinstance(settings, workloads.UpdateWorkload):
        return None
    wanted = settings.update
    return warm_start.identity(
        settings.environment,
        settings.algorithm,
        samples=wanted.samples,
        warmup=wanted.warmup,
        seed=trial.seed,
        models=wanted.models,
        batch=wanted.batch,
    )


def _without(trial: TrialSpec, *left_out: str) -> str:
    kept = {key: value for key, value in trial.resolved.items() if key not in left_out}
    if "topology" in kept:
        kept["topology"] = {key: value for key, value in kept["topology"].items() if key != "seed"}
    if isinstance(trial.settings, workloads.TrainingWorkload):
        kept["training"] = {key: value for key, value in kept["training"].items() if key != "updates"}
    return json.dumps(kept, sort_keys=True)


def _evaluations(trial: TrialSpec) -> int:
    if not isinstance(trial.settings, workloads.TrainingWorkload):
        return 0
    loop = trial.settings.training
    return 0 if loop.evaluation is None else -(-loop.updates // loop.evaluation.every)


def measure(trial: TrialSpec, clock: Clock = time.perf_counter) -> Cost:
    """Measures a few updates of a training run, an update, or a problem, and stores nothing.

    The first piece also pays for what a process does once, so short pieces are repeated, and the shortest
    one counts.
    """
    torch.set_num_threads(1)
    if isinstance(trial.settings, workloads.TrainingWorkload):
        return _training(trial, trial.settings, clock)
    if isinstance(trial.settings, workloads.UpdateWorkload):
        return _update(trial, trial.settings, clock)
    return Cost(_shortest(lambda: _run(trial, trial.settings), MOST_PIECES, clock))


def _training(trial: TrialSpec, settings: workloads.TrainingWorkload, clock: Clock) -> Cost:
    loop = settings.training
    apart = settings.model_copy(update={"training": loop.model_copy(update={"evaluation": None})})
    begun = clock()
    with closing(workloads.make_trainer(apart, seed=trial.seed, graph=trial.graph())) as trainer:
        trainer.collector.begin()
        setup = clock() - begun
        update = _shortest(trainer.advance, min(loop.updates, MOST_PIECES), clock)
        begun = clock()
        if loop.evaluation is not None:
            trainer.evaluate(loop.evaluation)
        evaluation = clock() - begun
    return Cost(update, setup=setup, evaluation=evaluation)


def _update(trial: TrialSpec, settings: workloads.UpdateWorkload, clock: Clock) -> Cost:
    """The starting point, after a short warm-up, and updates from it."""
    wanted = settings.update
    short = settings.model_copy(
        update={"update": wanted.model_copy(update={"warmup": min(wanted.warmup, WARMUP)})}
    )
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        begun = clock()
        warm_start.prepare(
            settings.environment,
            settings.algorithm,
            samples=wanted.samples,
            warmup=short.update.warmup,
            seed=trial.seed,
            models=wanted.models,
            batch=wanted.batch,
            folder=Path(folder),
            progress=lambda *_: times.append(clock()),
        )
        began = clock() - begun
        if len(times) > 1:  # the last one, because the first also pays for what a process does once
            began += (wanted.warmup - len(times)) * (times[-1] - times[-2])
        update = _shortest(lambda: _run(trial, short, Path(folder)), MOST_PIECES, clock)
    return Cost(update, start=began)


def _run(trial: TrialSpec, settings: workloads.Workload, batches: Path | None = None) -> None:
    workloads.run(settings, seed=trial.seed, graph=trial.graph(), batches=batches)


def _shortest(work: Callable[[], object], most: int, clock: Clock) -> float:
    spent: list[float] = []
    while len(spent) < most and sum(spent) < ENOUGH:
        begun = clock()
        work()
        spent.append(clock() - begun)
    return min(spent)
