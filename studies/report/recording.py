"""A recording of one trial run again: its network trace and each agent's distance from its neighbours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
from testbed.network import Message, Trace
from testbed.network.link_names import Link
from testbed.network.trace.trace import LinkChange, PacketFate

EVENTS = 20_000
"""Number of events at which a recording ends: some megabytes, and more than anybody will view."""


@dataclass(frozen=True)
class Recording:
    """The data of a replay.

    Attributes:
        trial: the trial that was run again, completely or, in a training run, for its first policy update.
        graph: its topology.
        trace: the network trace.
        agents: ``(events before, agent, value)``: from then on the root mean square of s_i - s_j over the
            links of an agent has this value.
        network: ``(events before, value)``: the same over all links.
        complete: whether it ran to its end, and was not cut off by the limit on events.
        numbers: its results, under the names of the tables; empty if it was cut off.
    """

    trial: TrialSpec
    graph: nx.Graph[int]
    trace: Trace
    agents: list[tuple[int, int, float]]
    network: list[tuple[int, float]]
    complete: bool
    numbers: Mapping[str, float]


class Full(Exception):
    """The trace has reached its limit of events."""


class Recorder(Trace):
    """A trace that ends the run when it has ``limit`` events."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def packet(self, time: float, event: PacketFate, message: Message, reason: str | None = None) -> None:
        super().packet(time, event, message, reason)
        self._end()

    def link(self, time: float, event: LinkChange, source: int, destination: int) -> None:
        super().link(time, event, source, destination)
        self._end()

    def record(self, time: float, event: str, **fields: Any) -> None:
        super().record(time, event, **fields)
        self._end()

    def _end(self) -> None:
        if len(self.events) >= self._limit:
            raise Full


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
    requirements.check_trial(trial)
    requirements.check_game(trial)
    torch.set_num_threads(1)
    trace = Recorder(limit)
    onlooker, graph = Onlooker(trace), trial.graph()
    # A copy, because settings may cache computed values.
    settings = trial.settings.model_copy(deep=True)
    numbers: Mapping[str, float] = {}
    try:
        if isinstance(settings, workloads.TrainingWorkload):
            with closing(
                workloads.make_trainer(settings, seed=trial.seed, graph=graph, trace=trace)
            ) as trainer:
                trainer.communication.consensus.observer = onlooker
                numbers = trainer.advance()
        else:
            numbers = workloads.run(
                settings, seed=trial.seed, graph=graph, batches=batches, trace=trace, observer=onlooker
            ).metrics
    except Full:
        pass
    except WorldError as error:
        raise StudyError(f"environment: {' '.join(str(error).split())}") from error
    return Recording(trial, graph, trace, onlooker.agents, onlooker.network, bool(numbers), numbers)
