"""I-TRPO: every agent learns by itself, from its private reward and its own observation.

Trust region policy optimisation (Schulman et al. 2015, arXiv 1502.05477) of N agents, for each of which the
others are a part of the environment: a baseline of Li & He 2020 (arXiv 2010.07916).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from policies.algorithms.learner import Communication, Kind, Spaces
from policies.algorithms.subproblem import PolicyProblem
from policies.algorithms.trust_region import TrustRegion, solve_independently
from policies.algorithms.trust_region_settings import TrustRegionSettings
from policies.batch import Batch


class ItrpoSettings(TrustRegionSettings):
    """I-TRPO's settings: those of MATRPO."""

    communication: ClassVar[Kind] = "none"
    name: Literal["itrpo"] = "itrpo"

    def make(self, spaces: Spaces, generator: np.random.Generator) -> "Itrpo":
        """Its agents."""
        return Itrpo(self, spaces, generator)


class Itrpo(TrustRegion):
    """N agents, each with a policy for its own action."""

    def __init__(self, settings: ItrpoSettings, spaces: Spaces, generator: np.random.Generator) -> None:
        """Draw initial networks."""
        super().__init__(
            settings,
            spaces,
            generator,
            learners=spaces.agents,
            heads=1,
            observation_size=spaces.observation_size,
        )

    def agree(
        self, problems: Sequence[PolicyProblem], batch: Batch, communication: Communication
    ) -> Mapping[str, float]:
        """Solve every problem independently; nothing is agreed."""
        return solve_independently(problems)

    def to_policy_inputs(self, observations: np.ndarray) -> np.ndarray:
        """Each agent's own observation, [N, M, d]."""
        return observations.swapaxes(0, 1)

    def to_heads(self, actions: np.ndarray) -> np.ndarray:
        """Each agent's own entries, [N, M, 1, ...]."""
        return actions.swapaxes(0, 1)[:, :, None]

    def own_heads(self, rows: Tensor) -> Tensor:
        """Every agent acts by its only head."""
        return rows[:, :, 0]
