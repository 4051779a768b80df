"""C-TRPO: one learner that observes everything, acts for all agents, and is paid the sum of all rewards.

Trust region policy optimisation (Schulman et al. 2015, arXiv 1502.05477) at a centre: a baseline of Li & He
2020 (arXiv 2010.07916), which uses no network; here the bytes sent to and from a centre are charged.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from policies.algorithms.learner import Communication, Kind, Spaces, experience_bytes
from policies.algorithms.subproblem import PolicyProblem
from policies.algorithms.trust_region import TrustRegion, solve_independently
from policies.algorithms.trust_region_settings import TrustRegionSettings
from policies.batch import Batch


class CtrpoSettings(TrustRegionSettings):
    """C-TRPO's settings: those of MATRPO. Its only policy moves as far as all agents together, delta."""

    communication: ClassVar[Kind] = "centralise"
    name: Literal["ctrpo"] = "ctrpo"
    radius: Annotated[
        Literal["delta", "delta_per_agent"],
        Field(
            description="KL radius of its policy: N times `delta_per_agent`, or only that of one agent, as"
            " in the code of MATRPO's authors"
        ),
    ] = "delta"

    def make(self, spaces: Spaces, generator: np.random.Generator) -> "Ctrpo":
        """Its agents."""
        return Ctrpo(self, spaces, generator)


class Ctrpo(TrustRegion):
    """One policy of N heads over the joint observation."""

    def __init__(self, settings: CtrpoSettings, spaces: Spaces, generator: np.random.Generator) -> None:
        """Draw initial networks."""
        self.radius = settings.radius
        super().__init__(
            settings,
            spaces,
            generator,
            learners=1,
            heads=spaces.agents,
            observation_size=spaces.agents * spaces.observation_size,
        )

    @property
    def delta(self) -> float:
        """N times delta/N, because its policy acts for all agents; or delta/N."""
        share = self.spaces.agents if self.radius == "delta" else 1
        return share * self.settings.delta_per_agent

    def agree(
        self, problems: Sequence[PolicyProblem], batch: Batch, communication: Communication
    ) -> Mapping[str, float]:
        """Charge the experience sent to the centre, and its answers, the actions."""
        sent = experience_bytes(self.spaces, batch)
        charged = communication.centralise(
            sent, [batch.samples * self.spaces.action_bytes] * self.spaces.agents
        )
        return {**solve_independently(problems), **charged}

    def to_policy_inputs(self, observations: np.ndarray) -> np.ndarray:
        """All observations concatenated, [1, M, N d]."""
        return observations.reshape(1, len(observations), -1)

    def to_heads(self, actions: np.ndarray) -> np.ndarray:
        """The entries of all agents, [M, N, ...]."""
        return actions

    def rewarded(self, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The sum of all rewards, [T, B, 1], until the task, or the episode, has ended for all."""
        ended = [np.all(each, axis=-1, keepdims=True) for each in (batch.terminations, batch.boundaries)]
        return batch.rewards.sum(axis=-1, keepdims=True), ended[0], ended[1]

    def own_heads(self, rows: Tensor) -> Tensor:
        """Head n acts for agent n."""
        return rows[0].transpose(0, 1)
