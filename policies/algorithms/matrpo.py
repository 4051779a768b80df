"""MATRPO: every agent improves the joint policy on its private reward, and neighbours agree on the ratio.

Li & He, "Multi-Agent Trust Region Policy Optimization", arXiv 2010.07916. The agreement itself is the
network's: this module never sees one.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from policies.algorithms.learner import Communication, Kind, Spaces
from policies.algorithms.local_problem import Curvature, PolicyProblem, Step
from policies.algorithms.trust_region import TrustRegion
from policies.algorithms.trust_region_settings import TrustRegionSettings
from policies.batch import Batch


class MatrpoSettings(TrustRegionSettings):
    """MATRPO's settings; defaults are the paper's for cooperative navigation with three agents."""

    communication: ClassVar[Kind] = "agree"
    name: Literal["matrpo"] = "matrpo"
    step: Annotated[
        Step,
        Field(
            description="what a solve under a penalty answers: the optimum of the local problem; or the"
            " paper's Eq. 22, which always goes to the boundary of the trust region; or the authors' code's:"
            " that step, halved until neither the true KL nor the augmented Lagrangian of the batch is too"
            " large, and the true log ratio there instead of a linearised one"
        ),
    ] = "optimal"
    curvature: Annotated[
        Curvature,
        Field(
            description="what V^T H^-1 V is in the length of a step to the boundary, of the solution u of"
            " H u = V: u^T H u without damping, or V^T u (the authors' code's: damping and what a truncated"
            " solve leaves out shorten or lengthen the step)"
        ),
    ] = "fisher"


class Matrpo(TrustRegion):
    """N agents, each with its own model of the joint policy, which acts by its own head alone."""

    def __init__(self, settings: MatrpoSettings, spaces: Spaces, generator: np.random.Generator) -> None:
        """Draw initial networks."""
        self.step, self.curvature = settings.step, settings.curvature
        super().__init__(
            settings,
            spaces,
            generator,
            learners=spaces.agents,
            heads=spaces.agents,
            observation_size=spaces.observation_size,
        )

    def agree(
        self, problems: Sequence[PolicyProblem], batch: Batch, communication: Communication
    ) -> Mapping[str, float]:
        """Neighbours agree on the ratio over the network."""
        return communication.agree(problems)

    def observed(self, observations: np.ndarray) -> np.ndarray:
        """Each agent's own observation, [N, M, d]."""
        return observations.swapaxes(0, 1)

    def of_heads(self, actions: np.ndarray) -> np.ndarray:
        """All agents know everybody's actions, [M, N, ...]."""
        return actions

    def acting(self, log_p: Tensor) -> Tensor:
        """Agent n acts by head n of model n."""
        own = torch.arange(self.learners, device=log_p.device)
        return log_p[own, :, own]
