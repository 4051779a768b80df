"""Recordings of a trial run again: the network trace and each agent's distance from its neighbours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import networkx as nx
import torch

from studies.execution import requirements
from studies.spec.document import StudyError
from studies.spec.study import TrialSpec
from testbed import workloads
from testbed.common.errors import WorldError
from testbed.consensus.consensus_run import ConsensusRun
from testbed.consensus.measures import mean_square
from testbed.consensus.problems.base import Signal
from testbed.network import Trace
from testbed.network.link_names import Link
from testbed.network.trace.excerpt import Excerpt, Full

EVENTS = 20_000
"""Number of events at which a recording ends: some megabytes, and more than anybody will view."""


@dataclass(frozen=True)
class Recording:
    """The data of a replay.

    Attributes:
        trial: the trial that was run again.
        update: the policy update of a training run that was recorded, from 1; None in other workloads.
        graph: its topology.
        trace: the network trace.
        agents: ``(events before, agent, value)``: from then on the root mean square of s_i - s_j over the
            links of an agent has this value.
        network: ``(events before, value)``: the same over all links.
        complete: whether all of its events are there, and it was not cut off by the limit on events.
        numbers: its results, under the names of the tables; empty if the run ended at that limit.
    """

    trial: TrialSpec
    update: int | None
    graph: nx.Graph[int]
    trace: Trace
    agents: list[tuple[int, int, float]]
    network: list[tuple[int, float]]
    complete: bool
    numbers: Mapping[str, float]


@dataclass
class Onlooker:
    """An observer of consensus runs that records each agent's distance from its neighbours as it changes."""

    trace: Trace
    agents: list[tuple[int, int, float]] = field(default_factory=list)
    network: list[tuple[int, float]] = field(default_factory=list)
    _agreement: ConsensusRun | None = None
    _signals: list[Signal] = field(default_factory=list)
    _at: list[list[Link]] = field(default_factory=list)
    _gaps: dict[Link, float] = field(default_factory=dict)

    def __call__(self, agreement: ConsensusRun) -> None:
        """Records the current signals of the agents, which are replaced and never modified in place."""
        if isinstance(self.trace, Excerpt) and self.trace.full:
            return
        before, self._signals = self._signals, agreement.signals()
        agents = range(len(self._signals))
        if agreement is self._agreement:
            moved = [q for q in agents if self._signals[q] is not before[q]]
        else:
            self._agreement, self._gaps, moved = agreement, {}, list(agents)
            self._at = [[link for link in agreement.links if q in link] for q in agents]
        links = dict.fromkeys(link for q in moved for link in self._at[q])
        for i, j in links:
            self._gaps[i, j] = mean_square(self._signals[i] - self._signals[j])
        now = len(self.trace.events)
        for q in sorted({*moved, *(end for link in links for end in link)}):
            own = [self._gaps[link] for link in self._at[q]]
            self.agents.append((now, q, math.sqrt(sum(own) / len(own)) if own else 0.0))
        if links:
            self.network.append((now, math.sqrt(sum(self._gaps.values()) / len(self._gaps))))


def record(trial: TrialSpec, *, batches: Path | None = None, limit: int = EVENTS) -> Recording:
    """Runs a trial again: consensus on a problem, one policy update, or the first of a training run.

    Args:
        trial: the trial to run.
        batches: folder of the stored starting points of updates.
        limit: number of events after which the recording is cut off.

    Raises:
        StudyError: this machine lacks what the trial needs, or its environment failed; one line.
    """
    if isinstance(trial.settings, workloads.TrainingWorkload):
        return record_updates(trial, [1], limit=limit)[0]
    trace = Excerpt(limit)
    trace.begin(last=True)
    onlooker, graph = Onlooker(trace), trial.graph()
    numbers: Mapping[str, float] = {}
    with _running(trial) as settings, suppress(Full):
        numbers = workloads.run(
            settings, seed=trial.seed, graph=graph, batches=batches, trace=trace, observer=onlooker
        ).metrics
    complete = not trace.full
    return Recording(trial, None, graph, trace.take(), onlooker.agents, onlooker.network, complete, numbers)


def record_updates(trial: TrialSpec, updates: Sequence[int], *, limit: int = EVENTS) -> list[Recording]:
    """Trains up to the last of some policy updates, from 1, and returns a recording of each, in their order.

    Args:
        trial: a training trial.
        updates: the numbers of the updates.
        limit: number of events after which each recording is cut off.

    Raises:
        StudyError: this machine lacks what the trial needs, or its environment failed; one line.
    """
    onlookers: dict[int, Onlooker] = {}

    def observe(number: int, trace: Trace) -> Onlooker:
        onlookers[number] = Onlooker(trace)
        return onlookers[number]

    graph, found = trial.graph(), []
    with _running(trial) as settings:
        if not isinstance(settings, workloads.TrainingWorkload):
            raise TypeError(f"workload {settings.workload}: only a training trial has several policy updates")
        for one in workloads.record_updates(
            settings, seed=trial.seed, graph=graph, updates=updates, limit=limit, observe=observe
        ):
            seen = onlookers.pop(one.update)
            found.append(
                Recording(
                    trial, one.update, graph, one.trace, seen.agents, seen.network, one.complete, one.row
                )
            )
    return found


@contextmanager
def _running(trial: TrialSpec) -> Iterator[workloads.Workload]:
    """The settings of a trial that can run here; an environment that fails raises StudyError."""
    requirements.check_trial(trial)
    requirements.check_game(trial)
    torch.set_num_threads(1)
    try:
        # A copy, because settings may cache computed values.
        yield trial.settings.model_copy(deep=True)
    except WorldError as error:
        raise StudyError(f"environment: {' '.join(str(error).split())}") from error
