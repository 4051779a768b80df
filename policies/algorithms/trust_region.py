"""Natural policy gradients under a trust region: the common base of MATRPO, I-TRPO and C-TRPO.

All three learn G policies of H heads from G private rewards. They differ in a policy's
observation, in the actions of its heads, and in the agreement before a step is taken:

    MATRPO   G = N, H = N   each agent's own observation, all agents' actions; neighbours agree on the ratio
    I-TRPO   G = N, H = 1   each agent's own observation, its own action; nothing is agreed
    C-TRPO   G = 1, H = N   all agents' observations, all agents' actions, the sum of the rewards
"""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from policies.advantages import explained_variance, gae, normalised, returns_vary
from policies.algorithms.adoption import move
from policies.algorithms.learner import Communication, Stopwatch
from policies.algorithms.models import Models
from policies.algorithms.subproblem import KL_SLACK, Curvature, PolicyProblem, Step, totals
from policies.batch import Batch
from policies.natural_gradient.kfac import Kfac
from policies.natural_gradient.linearisation import Linearisation
from policies.natural_gradient.solver import Audit


class TrustRegion(Models):
    """The update of G policies; shapes are in G learners, H heads and M samples."""

    step: Step = "boundary"
    """Kind of step of a solve under a penalty; without one all kinds coincide, except line search."""

    curvature: Curvature = "fisher"
    """Estimate of V^T H^-1 V in the length of a step to the boundary."""

    @property
    def delta(self) -> float:
        """KL radius of one policy's step."""
        return self.settings.delta_per_agent

    @property
    def limit(self) -> float:
        """The largest KL of one policy's step that is not halved."""
        return KL_SLACK * self.delta if self.settings.kl_safeguard else math.inf

    @abstractmethod
    def agree(
        self, problems: Sequence[PolicyProblem], batch: Batch, communication: Communication
    ) -> Mapping[str, float]:
        """Have the problems solved; returns the measurements."""

    def rewarded(self, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rewards, terminations and boundaries, [T, B, G] each."""
        return batch.rewards, batch.terminations, batch.boundaries

    def learn(
        self,
        batch: Batch,
        communication: Communication,
        generator: np.random.Generator,
        lap: Stopwatch | None = None,
    ) -> dict[str, float]:
        """One policy update: advantages, value fit, agreement, adoption. Returns the measurements.

        ``lap(name)`` is called at the end of each phase, for timing.
        """
        lap = lap or (lambda _: None)
        self.by_agent = {}
        observations = self.policy_inputs(batch.observations)
        advantages, targets, fit_quality = self.estimate_advantages(batch)
        fit = self.settings.values
        value_loss = self.critics.fit(
            observations,
            targets,
            generator,
            epochs=fit.epochs,
            batch_size=fit.batch_size,
            measured=self._paid(batch),
        )
        lap("values")
        problems = self.build_subproblems(batch, advantages, generator)
        measured = dict(self.agree(problems, batch, communication))
        lap("consensus")
        before = self.theta.clone()
        measured |= self.apply_steps(problems)
        del problems  # gigabytes with many agents
        measured["played_gain"] = self.played_gain(batch, advantages, before)
        measured |= {"value_loss": value_loss, "explained_variance": fit_quality}
        measured |= {"entropy": self.mean_entropy(batch), "acting_share": batch.acting_share}
        lap("adopt")
        return measured

    @torch.no_grad()
    def build_subproblems(
        self, batch: Batch, advantages: Tensor, generator: np.random.Generator
    ) -> list[PolicyProblem]:
        """One trust-region subproblem per policy, linearised where it is now; advantages are [G, M]."""
        solver = self.settings.solver
        observations, actions, masks = self.policy_inputs(batch.observations), *self.heads(batch)
        acting = self.can_act(batch)
        # Drawn even if not needed, so that trials with other solvers draw the same other numbers.
        draws = self.precision.tensor(generator.random((self.learners, batch.samples, self.policy.draws)))

        def linearised(kind: torch.dtype, products: torch.dtype) -> Linearisation:
            point = self.theta.to(kind), observations.to(kind), actions, masks
            options = solver.damping, products, acting, self.settings.fisher
            return Linearisation(self.policy, *point, *options)

        at = linearised(self.precision.dtype, self.precision.products)
        # Products with the Fisher matrix use some of the samples, or all.
        some = None if solver.every == 1 else self.precision.place(batch.thinned(solver.every))
        fisher = at.thinned(some)
        drawn = draws if some is None else draws[:, some]
        kfac = Kfac(fisher, drawn) if solver.preconditioner == "kfac" else None
        audits: list[Audit | None] = [None] * self.learners
        if solver.audit:
            finer = linearised(torch.float64, torch.float64)
            finest = finer.thinned(some)
            factors = Kfac(finest, drawn)
            audits = [Audit(finer.agent(q), factors.agent(q), finest.agent(q)) for q in range(self.learners)]
        bonus = self.entropy_bonus(batch)
        agents = [at.agent(q) for q in range(self.learners)]
        solved = agents if some is None else [fisher.agent(q) for q in range(self.learners)]
        return [
            PolicyProblem(
                agents[q],
                advantages[q],
                bonus=None if bonus is None else bonus[q],
                delta=self.delta,
                step=self.step,
                curvature=self.curvature,
                solver=solver.at(solved[q], kfac and kfac.agent(q)),
                warm_start=solver.warm_start,
                audit=audits[q],
            )
            for q in range(self.learners)
        ]

    @torch.no_grad()
    def apply_steps(self, problems: Sequence[PolicyProblem]) -> dict[str, float]:
        """Move every policy to theta_old + x, under the KL safeguard, and measure the move on the batch.

        A policy whose problem was never solved (no exchange reached its agent) does not move. Means over
        policies exclude those whose heads could never act.

        Raises:
            FloatingPointError: a step, or its KL, is not finite.
        """
        moves = [move(problem, f"agent {q}", self.limit) for q, problem in enumerate(problems)]
        for q, (problem, moved) in enumerate(zip(problems, moves, strict=True)):
            self.theta[q] = problem.at.theta + moved.x
        by_head = torch.stack([moved.kl for moved in moves])  # [G, H]
        took_part = [problem.at.acting is None or bool(problem.at.acting.any()) for problem in problems]
        bound = [problem.binding for problem, there in zip(problems, took_part, strict=True) if there]
        of_policies = by_head.sum(-1)
        own_kl = self.own_heads(by_head[:, None, :, None])
        if self.learners == self.spaces.agents:
            of_agents = of_policies.double().cpu().numpy()
            self.by_agent["kl"] = np.where(took_part, of_agents, np.nan)
        self.by_agent["kl_played"] = own_kl.flatten().double().cpu().numpy()
        by_policy = of_policies[took_part]
        return {
            "kl": float(by_policy.mean()),
            "kl_max": float(by_policy.max()) if bound else math.nan,
            "kl_played": float(own_kl.sum()),
            "kl_halvings": float(sum(moved.halvings for moved in moves)),
            "steps_refused": float(sum(moved.refused for moved in moves)),
            "binding": sum(bound) / len(bound) if bound else math.nan,
            "surrogate_gain": float(np.sum([moved.gain for moved in moves])),
            **totals(
                [problem.statistics for problem in problems],
                audited=self.settings.solver.audit,
                searched=self.step == "line_search",
            ),
        }

    def estimate_advantages(self, batch: Batch) -> tuple[Tensor, Tensor, float]:
        """Normalised advantages [G, M], value targets [G, M] and the mean explained variance.

        If each agent has a critic, the explained variances [N] go to ``by_agent``.
        """
        rewards, terminations, boundaries = self.rewarded(batch)
        values = self.values_of(batch.observations).reshape(rewards.shape)
        following = self.values_of(batch.next_observations).reshape(rewards.shape)
        raw = gae(
            rewards,
            values,
            following,
            terminations,
            boundaries,
            gamma=self.settings.gamma,
            lam=self.settings.lam,
        )
        targets = (raw + values).reshape(-1, self.learners)
        counted = self._counted(batch)
        quality = explained_variance(targets, values.reshape(-1, self.learners), counted)
        quality = np.where(self._paid(batch), quality, np.nan)
        if self.learners == batch.agents:
            self.by_agent["explained_variance"] = quality
        quality = quality[~np.isnan(quality)]
        fit_quality = float(quality.mean()) if len(quality) else math.nan
        advantages = normalised(
            raw.reshape(-1, self.learners),
            counted,
            centre=self.settings.advantage_mean,
            shared=self.settings.advantage_scale == "shared",
        )
        return self.precision.tensor(advantages.T), self.precision.tensor(targets.T), fit_quality

    def _paid(self, batch: Batch) -> np.ndarray:
        """Learners whose returns can differ, [G] bool; measurements of critics are means over these."""
        rewards, terminations, _ = self.rewarded(batch)
        return returns_vary(rewards, terminations)

    def _counted(self, batch: Batch) -> np.ndarray | None:
        """Samples at which some head of each policy acts, [M, G]; None if at all of them."""
        acting = self.can_act(batch)
        if acting is None:
            return None
        anybody = acting.any(-1).cpu().numpy()
        return np.broadcast_to(anybody, (self.learners, batch.samples)).T


def solve_independently(problems: Sequence[PolicyProblem]) -> dict[str, float]:
    """Solve every problem by itself: no pull, no penalty, the step to the boundary of the trust region."""
    for problem in problems:
        problem.solve(problem.zeros(), 0.0)
    return {}
