"""Settings of the three workloads, with the checks across settings."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import networkx as nx
from pydantic import Field, ValidationInfo, field_validator, model_validator

from policies.algorithms.matrpo import MatrpoSettings
from testbed.common.settings import SettingError, Settings
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
"""Bytes that a message has at most besides the numbers in it."""

LARGEST_MESSAGE = 10**9
"""Bytes; how large the messages of learners are is not known before they learn."""


class ProblemWorkload(Settings):
    """Consensus on a convex problem with a known optimum: seconds."""

    workload: Literal["problem"] = "problem"
    problem: ProblemSettings = MeanSettings()
    """The problem on which agents agree."""
    network: NetworkSettings = NetworkSettings()
    """Links, and what goes wrong on them."""
    consensus: ConsensusSettings = ConsensusSettings()
    """How the agents agree."""

    @model_validator(mode="after")
    def _algorithm_solves_it(self) -> Self:
        if self.problem.name != "mean":
            _no_averaging(self.consensus, f"not problem {self.problem.name}")
        return self

    @property
    def agents(self) -> int:
        """Number of agents."""
        return self.problem.agents

    def check(self, graph: "nx.Graph[int]") -> None:
        """Raise SettingError if on this graph consensus would never end."""
        size = MESSAGE_OVERHEAD + 8 * self.problem.dimension
        check_budget(self.consensus, self.network, graph, size)


class UpdateSettings(Settings):
    """From which batch the one policy update is made."""

    samples: Annotated[
        int, Field(ge=1, le=10_000_000, description="joint samples collected for the update")
    ] = 10_000
    warmup: Annotated[int, Field(ge=0, description="updates on a perfect network before it")] = 0
    models: Annotated[
        Path | None,
        Field(
            description="models to start from, as a training trial stores them (`models.pt`); null: untrained"
        ),
    ] = None
    batch: Annotated[Path | None, Field(description="a stored batch (.npz) to use instead")] = None


class LearningWorkload(Settings):
    """Settings shared by the workloads that learn policies."""

    environment: EnvironmentSettings = DEFAULT
    """The agents' environment; without a `name` navigation, or the one that `pettingzoo` names."""
    algorithm: AlgorithmSettings = DEFAULT_ALGORITHM
    """How they learn; without a `name` MATRPO."""
    network: NetworkSettings = NetworkSettings()
    """Links, and what goes wrong on them."""
    consensus: ConsensusSettings = ConsensusSettings()
    """How the agents agree on an update; averaging, where the algorithm averages, unless something is
    said."""

    @field_validator("consensus", mode="before")
    @classmethod
    def _averaging_by_default(cls, given: Any, info: ValidationInfo) -> Any:
        """One round of Metropolis averaging, as far as nothing else was said, where vectors are averaged."""
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
        if self.algorithm.communication == "average" and not self.consensus.kind.averages:
            reason = (
                f"{self.consensus.algorithm!r} averages no vectors, as {self.algorithm.name} needs:"
                f" choose {' or '.join(averaging())}"
            )
            raise SettingError(("consensus", "algorithm"), reason)
        return self

    @property
    def agents(self) -> int:
        """Number of agents."""
        return self.environment.agents

    def check(self, graph: "nx.Graph[int]") -> None:
        """Raise SettingError if the algorithm needs a centre that not all agents of the graph can reach.

        Or if on this graph consensus would never end.
        """
        if self.algorithm.communication in ("agree", "average"):
            check_budget(self.consensus, self.network, graph, LARGEST_MESSAGE)
        if self.algorithm.communication == "centralise" and not nx.is_connected(graph):
            name = self.algorithm.name
            reason = f"is not connected, so {name} can have no centre that all agents reach"
            raise SettingError(("topology",), reason, field="topology")


class UpdateWorkload(LearningWorkload):
    """One policy update: iteration budgets, penalties and losses in isolation; a minute."""

    workload: Literal["update"] = "update"
    algorithm: MatrpoSettings = MatrpoSettings()
    """MATRPO's settings."""
    update: UpdateSettings = UpdateSettings()
    """The update's starting point."""


class TrainingWorkload(LearningWorkload):
    """Training from start to finish: the effect of communication on returns; minutes to hours."""

    workload: Literal["training"] = "training"
    training: LoopSettings = LoopSettings()
    """How long, from how much, and how it is evaluated."""

    def essence(self) -> dict[str, Any]:
        """Differences from the defaults; a number of parallel episodes that equals the default is none."""
        found = differing(self)
        loop, steps = self.training, self.environment.episode_length
        anyway = loop.model_copy(update={"batch": None})
        if loop.batch is not None and loop.shape(steps) == anyway.shape(steps):
            del found["training"]["batch"]
        return found


def _no_averaging(consensus: ConsensusSettings, what: str) -> None:
    if consensus.kind.averages:
        others = " or ".join(name for name, kind in ALGORITHMS.members().items() if not kind.averages)
        reason = f"{consensus.algorithm!r} solves the mean problem only, {what}: choose {others}"
        raise SettingError(("consensus", "algorithm"), reason)


Workload = Annotated[ProblemWorkload | UpdateWorkload | TrainingWorkload, Field(discriminator="workload")]
