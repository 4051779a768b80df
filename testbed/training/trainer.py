"""The training loop: collect, learn, agree over the network, evaluate."""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from policies.algorithms.learner import MeasuredByAgent, OnlineLearner, Spaces, check_finite
from policies.batch import Batch
from testbed.common import checkpoints
from testbed.common.finite import learning_from, named_errors
from testbed.common.settings import SettingError, Settings
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.environments import BaseEnvironmentSettings, BatchedEnvironment, EnvironmentSettings
from testbed.network import Network, NetworkSettings, Streams, Trace
from testbed.network.link_series import LinkSeries
from testbed.training.communication import NetworkCommunication
from testbed.training.learners import AlgorithmSettings
from testbed.training.rollout import Collector
from testbed.training.stored_models import START_FROM, TrainedTrial, load_models

if TYPE_CHECKING:
    import networkx as nx

Row = dict[str, float]
Progress = Callable[[str, int, int, Row], None]
Series = Callable[[int, Sequence[Row], Sequence[Row]], None]
"""Receives, after each update, its number, a row of each agent, and one of each direction of a link."""


class EvaluationSettings(Settings):
    """Whole episodes played separately from learning, with the most probable actions.

    Their means have the same names as in training, with the prefix ``evaluation_``.
    """

    every: Annotated[int, Field(ge=1, description="updates between evaluations")] = 10
    episodes: Annotated[int, Field(ge=1, description="episodes per evaluation")] = 32

    def parallel(self, environment: BaseEnvironmentSettings) -> int:
        """Episodes played side by side: all of them, or as many as the environment allows."""
        return min(self.episodes, environment.most_parallel or self.episodes)


class LoopSettings(Settings):
    """The amounts of collection, learning and evaluation."""

    updates: Annotated[int, Field(ge=1, description="policy updates")] = 100
    samples: Annotated[int, Field(ge=1, le=10_000_000, description="joint samples per update")] = 10_000
    batch: Annotated[
        int | None,
        Field(ge=1, description="parallel episodes; null: whole episodes, about samples / length"),
    ] = None
    evaluation: Annotated[
        EvaluationSettings | None, Field(description="evaluation, separate from learning; null: none")
    ] = None
    start_from: Annotated[
        Path | TrainedTrial | None,
        Field(
            description="finished training to continue from: a results folder (its trial with the same"
            " seed is taken), a trial's folder, or its `models.pt`; null: untrained models"
        ),
    ] = None

    def shape(self, episode_length: int, limit: int | None = None) -> tuple[int, int]:
        """(steps, parallel episodes) of one batch.

        Unless ``batch`` gives their number, there are as many as can play a whole episode each and
        ``limit`` allows, or a few fewer so that the samples divide evenly.

        Args:
            episode_length: steps of a whole episode.
            limit: most parallel episodes of the environment; None: no limit.

        Raises:
            SettingError: the samples do not divide evenly, or ``batch`` is more than ``limit``.
        """
        most = max(self.samples // episode_length, 1)
        if limit is not None:
            if self.batch is not None and self.batch > limit:
                reason = f"{self.batch} is more than the {limit} episodes that environment.games allows"
                raise SettingError(("batch",), reason, field="batch")
            most = min(most, limit)
        whole = (n for n in range(most, most // 2, -1) if self.samples % n == 0)
        batch = self.batch or next(whole, most)
        if self.samples % batch:
            reason = f"{self.samples} is not a multiple of the {batch} parallel episodes"
            raise SettingError(("samples",), reason, field="samples")
        return self.samples // batch, batch


class Trainer:
    """One training run: learner, environment, network and one simulated clock, from one seed."""

    def __init__(
        self,
        *,
        environment: EnvironmentSettings,
        algorithm: AlgorithmSettings,
        network: NetworkSettings,
        consensus: ConsensusSettings,
        loop: LoopSettings,
        graph: "nx.Graph[int]",
        seed: int,
        trace: Trace | None = None,
    ) -> None:
        self.loop, self.algorithm = loop, algorithm.name
        self.streams = Streams(seed)
        self.steps, batch = loop.shape(environment.episode_length, environment.most_parallel)
        self.collector = Collector(environment.make(batch), self._seed("environment"))
        kind = self.collector.environment.action_spaces.kind
        if kind != environment.action_space:
            reason = (
                f"its settings have action_space {environment.action_space!r}, but its actions are {kind}"
            )
            raise ValueError(f"{environment.name}: {reason}")
        self.learner = algorithm.make(spaces(self.collector.environment), self.streams.generator("initial"))
        if loop.start_from is not None:
            self._start_from(loop.start_from)
        if trace is not None:
            trace.announce_update(1)  # faults from 0 s begin before the first update is announced
        self.network = Network(graph, network, self.streams, trace=trace)
        self.links = LinkSeries(self.network.measure_traffic())
        self.communication = NetworkCommunication(make_consensus(self.network, consensus, self.streams))
        self.environment_settings = environment
        self.rows: list[Row] = []
        self.consensus_rows: list[Row] = []
        self.agent_rows: list[Row] = []
        """One for each agent after each update."""

    def _start_from(self, models: Path | TrainedTrial) -> None:
        if not isinstance(models, Path):
            raise SettingError(START_FROM, "a trainer needs the file itself, models.pt", field="start_from")
        load_models(models, self.learner, START_FROM)

    @property
    def update(self) -> int:
        """Updates done."""
        return len(self.rows)

    def train(
        self,
        progress: Progress | None = None,
        checkpoint: Path | None = None,
        identity: str = "",
        series: Series | None = None,
    ) -> None:
        """Continue until all updates are done, saving ``checkpoint`` for ``identity`` after each."""
        while self.update < self.loop.updates:
            row = self.advance()
            if checkpoint is not None:
                checkpoints.keep(checkpoint, self.state_dict(), identity)
            if series is not None:
                agents = self.agent_rows[-self.collector.environment.agents :]
                series(
                    self.update,
                    agents,
                    [link for link in self.links.newest() if link["update"] == self.update],
                )
            if progress is not None:
                progress("training", self.update, self.loop.updates, row)

    def advance(self) -> Row:
        """One update: collect, learn, agree, measure."""
        self.network.announce_update(self.update + 1)
        watch, dropped = Stopwatch(), sum(self.network.ledger.dropped.values())
        with named_errors(self.algorithm, self.update + 1):
            batch, returns = self.collector.collect(
                self.learner, self.steps, self.streams.generator("actions"), self._listener()
            )
            watch.lap("rollout")
            learning = self.streams.generator("learning")
            with learning_from(batch, self.collector.environment.name):
                learnt = self.learner.learn(batch, self.communication, learning, watch.lap)
                check_finite(self.learner.state_dict(), learnt, batch.agents)
        self.consensus_rows += [
            {"update": float(self.update + 1), **row} for row in self.communication.take_curve()
        ]
        row: Row = {
            "update": self.update + 1,
            "steps": (self.update + 1) * batch.samples,
            "seconds": self.network.clock.now,
            "bytes": self.communication.sent_bytes,
            "dropped": sum(self.network.ledger.dropped.values()) - dropped,
            **returns,
            **learnt,
            **self._evaluation(),
        }
        row |= {f"wall_{name}": seconds for name, seconds in watch.laps.items()}
        row = {name: float(value) for name, value in row.items()}
        self.rows.append(row)
        when = {name: row[name] for name in ("update", "steps", "seconds")}
        self.agent_rows += self._agents(when, batch)
        self.links.mark(when, last=self.update == self.loop.updates)
        return row

    def _agents(self, when: Row, batch: Batch) -> list[Row]:
        """Each agent's return, time in the game, and measurements of the learner, as far as it has them."""
        columns = {"return": self.collector.returns_by_agent, "acting_share": batch.acting_shares}
        if isinstance(self.learner, MeasuredByAgent):
            columns |= self.learner.by_agent
        return [
            {**when, "agent": float(agent), **{name: float(each[agent]) for name, each in columns.items()}}
            for agent in range(self.collector.environment.agents)
        ]

    def _listener(self) -> Callable[[Batch], None] | None:
        """Callback for learners that learn from each step of a rollout; its time counts as the rollout's."""
        learner = self.learner
        return (
            partial(learner.observe, communication=self.communication)
            if isinstance(learner, OnlineLearner)
            else None
        )

    def _evaluation(self) -> Row:
        settings = self.loop.evaluation
        if settings is None:
            return {}
        if (self.update + 1) % settings.every and self.update + 1 != self.loop.updates:
            return {f"evaluation_{name}": math.nan for name in self.collector.running}
        return self.evaluate(settings)

    def evaluate(self, settings: EvaluationSettings) -> Row:
        """Mean numbers of whole episodes with the most probable actions; learning goes on unchanged.

        The episodes are the same whenever this is called after the same number of updates.
        """
        # A fresh environment with a stream of its own: evaluation never changes learning.
        seed = int(self.streams.fresh("evaluation", self.update).integers(2**31))
        described = self.environment_settings
        with described.make(settings.parallel(described)) as world:
            means = Collector(world, seed).finish(self.learner, None, settings.episodes)
        return {f"evaluation_{name}": mean for name, mean in means.items()}

    def close(self) -> None:
        """Release the resources that the environment holds outside this process."""
        self.collector.environment.close()

    def _seed(self, *name: str) -> int:
        return int(self.streams.fresh(*name).integers(2**31))

    # --- resuming --------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly, between two updates."""
        return {
            "learner": self.learner.state_dict(),
            "collector": self.collector.state_dict(),
            "streams": self.streams.state_dict(),
            "network": self.network.state_dict(),
            "communication": self.communication.state_dict(),
            "rows": _table(self.rows),
            "consensus_rows": _table(self.consensus_rows),
            "agent_rows": _table(self.agent_rows),
            "links": self.links.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that ``state_dict`` gave."""
        self.learner.load_state_dict(state["learner"])
        self.collector.load_state_dict(state["collector"])
        self.streams.load_state_dict(state["streams"])
        self.network.load_state_dict(state["network"])
        self.communication.load_state_dict(state["communication"])
        self.rows, self.consensus_rows = _rows(state["rows"]), _rows(state["consensus_rows"])
        # Checkpoints of earlier versions have neither: these tables begin with the next update.
        self.agent_rows = _rows(state["agent_rows"]) if "agent_rows" in state else []
        self.links.load_state_dict(state.get("links"))


def spaces(world: BatchedEnvironment) -> Spaces:
    """The sizes of an environment's spaces."""
    return Spaces(
        world.agents,
        world.observation_size,
        world.action_size,
        world.observation_sizes,
        world.action_spaces.kind,
        world.action_spaces.categories,
    )


class Stopwatch:
    """Wall seconds by phase."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.since = time.perf_counter()

    def lap(self, name: str) -> None:
        """End the phase ``name``."""
        now = time.perf_counter()
        self.laps[name], self.since = now - self.since, now


def _table(rows: list[Row]) -> dict[str, Any]:
    columns = list(dict.fromkeys(name for row in rows for name in row))  # later code may measure more
    values = [[row.get(name, math.nan) for name in columns] for row in rows]
    return {"columns": columns, "values": np.array(values, dtype=float)}


def _rows(table: dict[str, Any]) -> list[Row]:
    return [dict(zip(table["columns"], map(float, values), strict=True)) for values in table["values"]]
