"""Settings of the three workloads, with the checks across settings."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import networkx as nx
from pydantic import Field, ValidationInfo, field_validator, model_validator

from policies.algorithms.matrpo import MatrpoSettings
from testbed.common.settings import SettingError, Settings
from testbed.consensus.coding import DAMAGED, LIES
from testbed.consensus.pace import check_budget
from testbed.consensus.problems.mean import MeanSettings
from testbed.consensus.problems.registry import ProblemSettings
from testbed.consensus.settings import ConsensusSettings
from testbed.consensus.traits import ALGORITHMS, averaging
from testbed.environments import DEFAULT, EnvironmentSettings
from testbed.identity import differing
from testbed.network import NetworkSettings
from testbed.training.learners import DEFAULT as DEFAULT_ALGORITHM
from testbed.training.learners import AlgorithmSettings
from testbed.training.trainer import LoopSettings

MESSAGE_OVERHEAD = 64
"""Most bytes of a message in addition to its numbers."""

LARGEST_MESSAGE = 10**9
"""Assumed bytes of learners' messages, whose size is not known before they learn."""


class ProblemWorkload(Settings):
    """Consensus on a convex problem with a known optimum: seconds."""

    workload: Literal["problem"] = "problem"
    problem: ProblemSettings = MeanSettings()
    """The problem that the agents solve together."""
    network: NetworkSettings = NetworkSettings()
    """The simulated network: links, impairments and faults."""
    consensus: ConsensusSettings = ConsensusSettings()
    """The consensus algorithm and its budget."""

    @model_validator(mode="after")
    def _algorithm_solves_it(self) -> Self:
        if self.problem.name != "mean":
            _no_averaging(self.consensus, f"not problem {self.problem.name}")
        if not self.problem.smooth:
            _no_gradients(self.consensus, f"problem {self.problem.name} is not")
        if "batch" in self.consensus.kind.options and self.consensus.batch > self.problem.terms:
            reason = (
                f"batch {self.consensus.batch} with problem {self.problem.name}: must be at most"
                f" {self.problem.terms}, the rows or samples of each agent"
            )
            raise SettingError(("consensus", "batch"), reason)
        return self

    @property
    def agents(self) -> int:
        """Number of agents."""
        return self.problem.agents

    def check(self, graph: "nx.Graph[int]") -> None:
        """Raise SettingError if consensus would never end on this graph, or copies could not agree."""
        size = MESSAGE_OVERHEAD + 8 * self.consensus.kind.vectors * self.problem.dimension
        check_budget(self.consensus, self.network, graph, size)
        _check_copies(self.consensus, self.network, graph)


class UpdateSettings(Settings):
    """The batch and the models from which the one policy update is made."""

    samples: Annotated[
        int,
        Field(
            ge=1,
            le=10_000_000,
            description="joint samples collected for the update, and as many for `heldout_gain`",
        ),
    ] = 10_000
    warmup: Annotated[int, Field(ge=0, description="updates on a perfect network before it")] = 0
    models: Annotated[
        Path | None,
        Field(
            description="models to start from, as a training trial stores them (`models.pt`); null: untrained"
        ),
    ] = None
    batch: Annotated[Path | None, Field(description="a stored batch (.npz) to learn from instead")] = None


class LearningWorkload(Settings, ABC):
    """Settings shared by the workloads that learn policies."""

    environment: EnvironmentSettings = DEFAULT
    """The agents' environment; without a `name` navigation, or the one that `pettingzoo` names."""
    algorithm: AlgorithmSettings = DEFAULT_ALGORITHM
    """The learning algorithm; without a `name` MATRPO."""
    network: NetworkSettings = NetworkSettings()
    """The simulated network: links, impairments and faults."""
    consensus: ConsensusSettings = ConsensusSettings()
    """The consensus algorithm for an update; by default averaging, where the learning algorithm averages."""

    @field_validator("consensus", mode="before")
    @classmethod
    def _averaging_by_default(cls, given: Any, info: ValidationInfo) -> Any:
        """Default to one round of Metropolis averaging where vectors are averaged."""
        algorithm, environment = info.data.get("algorithm"), info.data.get("environment")
        if algorithm is None or environment is None or algorithm.communication != "average":
            return given
        if isinstance(given, ConsensusSettings):
            given = given.model_dump(include=given.model_fields_set)
        if isinstance(given, dict):
            return {"algorithm": "metropolis", "budget": {"activations": environment.agents}} | given
        return given

    @model_validator(mode="after")
    def _consensus_serves_the_algorithm(self) -> Self:
        if self.algorithm.communication == "agree":
            _no_averaging(self.consensus, "not policies")
            _no_gradients(self.consensus, "policies are not")
        if self.algorithm.communication == "average" and not self.consensus.kind.averages:
            reason = (
                f"{self.consensus.algorithm!r} does not average vectors, as {self.algorithm.name} needs:"
                f" choose {' or '.join(averaging())}"
            )
            raise SettingError(("consensus", "algorithm"), reason)
        return self

    @model_validator(mode="after")
    def _algorithm_knows_the_actions(self) -> Self:
        kind, known = self.environment.action_space, self.algorithm.action_spaces
        if kind not in known:
            reason = (
                f"{self.algorithm.name!r} cannot learn {kind} actions, which agents of"
                f" {self.environment.name} have here; it learns only {' and '.join(known)}"
            )
            raise SettingError(("algorithm", "name"), reason)
        return self

    @property
    def agents(self) -> int:
        """Number of agents."""
        return self.environment.agents

    @property
    @abstractmethod
    def loop(self) -> LoopSettings:
        """The number of updates, and of the samples and parallel episodes of their batches."""

    def check(self, graph: "nx.Graph[int]") -> None:
        """Raise SettingError if the algorithm needs a centre that some agents of the graph cannot reach.

        Also if consensus would never end on this graph, or copies at the ends of a link could not agree.
        """
        if self.algorithm.over_links:
            check_budget(self.consensus, self.network, graph, LARGEST_MESSAGE)
            _check_copies(self.consensus, self.network, graph)
        if self.algorithm.communication == "centralise" and not nx.is_connected(graph):
            name = self.algorithm.name
            reason = f"is not connected, so {name} cannot have a centre that all agents reach"
            raise SettingError(("topology",), reason, field="topology")


class UpdateWorkload(LearningWorkload):
    """One policy update: iteration budgets, penalties and losses in isolation; a minute."""

    workload: Literal["update"] = "update"
    algorithm: MatrpoSettings = MatrpoSettings()
    """The learning algorithm, MATRPO."""
    update: UpdateSettings = UpdateSettings()
    """The update's starting point."""

    @property
    def loop(self) -> LoopSettings:
        """The updates before the one that is studied, and this one."""
        return LoopSettings(updates=self.update.warmup + 1, samples=self.update.samples)


class TrainingWorkload(LearningWorkload):
    """Training from start to finish: the effect of communication on returns; minutes to hours."""

    workload: Literal["training"] = "training"
    training: LoopSettings = LoopSettings()
    """Length of training, batch sizes and evaluation."""

    @property
    def loop(self) -> LoopSettings:
        """The same as ``training``."""
        return self.training

    def essence(self) -> dict[str, Any]:
        """Differences from the defaults; a number of parallel episodes that equals the default is none."""
        found = differing(self)
        loop = self.training
        sizes = self.environment.episode_length, self.environment.most_parallel
        anyway = loop.model_copy(update={"batch": None})
        if loop.batch is not None and loop.shape(*sizes) == anyway.shape(*sizes):
            del found["training"]["batch"]
        return found


def _no_averaging(consensus: ConsensusSettings, what: str) -> None:
    if consensus.kind.averages:
        others = _for_all_problems()
        reason = f"{consensus.algorithm!r} solves only the mean problem, {what}: choose {others}"
        raise SettingError(("consensus", "algorithm"), reason)


def _no_gradients(consensus: ConsensusSettings, what: str) -> None:
    if consensus.kind.needs_gradients:
        reason = (
            f"{consensus.algorithm!r} applies to smooth convex problems, {what}: choose {_for_all_problems()}"
        )
        raise SettingError(("consensus", "algorithm"), reason)


def _for_all_problems() -> str:
    """The names of the algorithms that solve all problems, for a message."""
    members = ALGORITHMS.members().items()
    return " or ".join(name for name, kind in members if not kind.averages and not kind.needs_gradients)


def _check_copies(consensus: ConsensusSettings, network: NetworkSettings, graph: "nx.Graph[int]") -> None:
    """Raise SettingError if differences travel and the copies that they are added to would not stay equal."""
    if consensus.memory_of_codec != "difference":
        return
    for number, fault in enumerate(network.faults):
        if fault.lies:
            raise SettingError(("network", "faults", number), LIES)
    for (source, destination), link in network.by_direction(graph).items():
        if link.corruption.random > 0 and not link.corruption.detected:
            reason = f"random {link.corruption.random:g}, detected false on {source}>{destination}: {DAMAGED}"
            raise SettingError(("network", "link", "corrupt"), reason)


Workload = Annotated[ProblemWorkload | UpdateWorkload | TrainingWorkload, Field(discriminator="workload")]
