"""MATRPO: every agent improves the joint policy on its private reward, and neighbours agree on the ratio.

Li & He, "Multi-Agent Trust Region Policy Optimization", arXiv 2010.07916. The network carries the
agreement; this module never sees it.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from policies.algorithms.adoption import factor_to, own_divergence, played_divergence
from policies.algorithms.learner import Communication, Kind, Spaces
from policies.algorithms.relaying import RelayingProblem
from policies.algorithms.subproblem import Curvature, PolicyProblem, Step
from policies.algorithms.trust_region import TrustRegion
from policies.algorithms.trust_region_settings import TrustRegionSettings
from policies.batch import Batch
from policies.natural_gradient.linearisation import Linearisation


class MatrpoSettings(TrustRegionSettings):
    """MATRPO's settings; defaults are the paper's for cooperative navigation with three agents."""

    communication: ClassVar[Kind] = "agree"
    name: Literal["matrpo"] = "matrpo"
    step: Annotated[
        Step,
        Field(
            description="result of a solve under a penalty: the optimum of the local problem; or the"
            " paper's Eq. 22, which always goes to the boundary of the trust region; or that of the"
            " authors' code: the same step, halved until neither the true KL nor the augmented Lagrangian"
            " of the batch is too large, and the true log ratio there instead of a linearised one"
        ),
    ] = "optimal"
    radius: Annotated[
        Literal["joint", "played", "own"],
        Field(
            description="the KL that `delta_per_agent` bounds: that of each agent's model of all actions (the"
            " paper's); or that of the policy that is played, which moves by N times as much: all steps are"
            " multiplied by one factor, for which agents must exchange one number each; or that of each"
            " agent's own action, to which each agent brings its step by a factor of its own"
        ),
    ] = "joint"
    where_inactive: Annotated[
        Literal["modelled", "relayed"],
        Field(
            description="samples in which an agent cannot act because it is dead: its model of the others"
            " counts as elsewhere (as in the authors' code), or they are left out of its problem and it"
            " relays its neighbours' signals, which costs less. Needs `average_over: acting`"
        ),
    ] = "modelled"
    curvature: Annotated[
        Curvature,
        Field(
            description="V^T H^-1 V in the length of a step to the boundary, estimated from the solution u of"
            " H u = V: u^T H u without damping, or V^T u (as in the authors' code: damping, and what a"
            " truncated solve leaves out, shorten or lengthen the step)"
        ),
    ] = "fisher"

    @model_validator(mode="after")
    def _knows_who_acts(self) -> Self:
        if self.where_inactive == "relayed" and self.average_over == "all":
            raise ValueError(
                "where_inactive 'relayed' with average_over 'all': must be average_over 'acting'"
            )
        if self.where_inactive == "relayed" and self.step == "line_search":
            raise ValueError("where_inactive 'relayed' with step 'line_search': must be optimal or boundary")
        if self.where_inactive == "relayed" and self.solver.every > 1:
            raise ValueError(f"where_inactive 'relayed' with solver.every {self.solver.every}: must be 1")
        return self

    def make(self, spaces: Spaces, generator: np.random.Generator) -> "Matrpo":
        """Its agents."""
        return Matrpo(self, spaces, generator)


class Matrpo(TrustRegion):
    """N agents, each with its own model of the joint policy, which acts by its own head alone."""

    def __init__(self, settings: MatrpoSettings, spaces: Spaces, generator: np.random.Generator) -> None:
        """Draw initial networks."""
        self.step, self.curvature, self.radius = settings.step, settings.curvature, settings.radius
        self.where_inactive = settings.where_inactive
        super().__init__(
            settings,
            spaces,
            generator,
            learners=spaces.agents,
            heads=spaces.agents,
            observation_size=spaces.observation_size,
        )

    @torch.no_grad()
    def build_subproblems(
        self, batch: Batch, advantages: Tensor, generator: np.random.Generator
    ) -> list[PolicyProblem]:
        """One subproblem per agent, over all samples or over those at which it can act."""
        acting = self.can_act(batch)
        if self.where_inactive == "modelled" or acting is None:
            return super().build_subproblems(batch, advantages, generator)
        observations, actions, masks = self.policy_inputs(batch.observations), *self.heads(batch)
        draws = self.precision.tensor(generator.random((self.learners, batch.samples, self.policy.draws)))
        solver, dtype = self.settings.solver, self.precision.dtype
        bonus = self.entropy_bonus(batch)

        def linearise(q: int, rows: Tensor, root: Tensor, kind: torch.dtype | None) -> Linearisation:
            seen = self.theta[q].to(kind or dtype), observations[q, rows].to(kind or dtype)
            return Linearisation(
                *(self.policy, *seen, actions[rows], None if masks is None else masks[rows]),
                damping=solver.damping,
                products=kind or self.precision.products,
                acting=acting[rows],
                fisher=self.settings.fisher,
                root=root[rows].to(kind or dtype),
            )

        return [
            RelayingProblem(
                *(partial(linearise, q), advantages[q], acting, draws[q], q),
                bonus=None if bonus is None else bonus[q],
                delta=self.delta,
                step=self.step,
                curvature=self.curvature,
                solver=solver,
            )
            for q in range(self.learners)
        ]

    @property
    def delta(self) -> float:
        """KL radius of one agent's model: if models agree, its heads move as the played heads do."""
        share = 1 if self.radius == "joint" else self.spaces.agents
        return share * self.settings.delta_per_agent

    @property
    def limit(self) -> float:
        """The common limit; none if steps are scaled to what is played, which halving would undo."""
        return super().limit if self.radius == "joint" else math.inf

    @torch.no_grad()
    def apply_steps(self, problems: Sequence[PolicyProblem]) -> dict[str, float]:
        """Move every model; if the radius is that of what is played, scale steps by one factor or by N."""
        if self.radius == "joint":
            return super().apply_steps(problems)
        factors = [1.0] * len(problems)
        sizes = [float(torch.linalg.vector_norm(problem.x)) for problem in problems]
        if all(map(math.isfinite, sizes)) and self.radius == "own":
            radius = self.settings.delta_per_agent
            factors = [
                factor_to(radius, partial(own_divergence, problem, q)) if sizes[q] else 1.0
                for q, problem in enumerate(problems)
            ]
        elif all(map(math.isfinite, sizes)) and any(sizes):
            factors = [factor_to(self.delta, partial(played_divergence, problems))] * len(problems)
        for problem, factor in zip(problems, factors, strict=True):
            problem.x = factor * problem.x
        measured = super().apply_steps(problems)
        self.by_agent["step_factor"] = np.array(factors)
        return measured | {"step_factor": sum(factors) / len(factors)}

    def agree(
        self, problems: Sequence[PolicyProblem], batch: Batch, communication: Communication
    ) -> Mapping[str, float]:
        """Let neighbours agree on the ratio over the network."""
        return communication.agree(problems)

    def to_policy_inputs(self, observations: np.ndarray) -> np.ndarray:
        """Each agent's own observation, [N, M, d]."""
        return observations.swapaxes(0, 1)

    def to_heads(self, actions: np.ndarray) -> np.ndarray:
        """The entries of all agents, which all know, [M, N, ...]."""
        return actions

    def own_heads(self, rows: Tensor) -> Tensor:
        """Agent n acts by head n of model n."""
        own = torch.arange(self.learners, device=rows.device)
        return rows[own, :, own]
