"""Natural policy gradients under a trust region: what MATRPO, I-TRPO and C-TRPO have in common.

All three learn G policies of H categorical heads from G private rewards. They differ in what a policy
observes, in whose actions its heads are, and in what is agreed before a step is taken:

    MATRPO   G = N, H = N   each agent's own observation, everybody's actions; neighbours agree on the ratio
    I-TRPO   G = N, H = 1   each agent's own observation, its own action; nothing is agreed
    C-TRPO   G = 1, H = N   everybody's observations, everybody's actions, the sum of the rewards
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from policies.advantages import explained_variance, gae
from policies.algorithms.learner import Communication, Spaces, Stopwatch
from policies.algorithms.local_problem import PolicyProblem, Step, totals
from policies.algorithms.trust_region_settings import TrustRegionSettings
from policies.arithmetic import Arithmetic
from policies.batch import Batch
from policies.critics import Critics
from policies.distributions import choose, chosen, entropy, kl
from policies.kfac import Kfac
from policies.linearisation import JointPolicy, Linearisation
from policies.networks import stack_initial
from policies.solver import Audit


class TrustRegion(ABC):
    """G policies of H heads and a critic for each; shapes below are in G learners and M samples."""

    step: Step = "boundary"
    """What a solve under a penalty answers; without one both are the same."""

    def __init__(
        self,
        settings: TrustRegionSettings,
        spaces: Spaces,
        generator: np.random.Generator,
        *,
        learners: int,
        heads: int,
        observation_size: int,
    ) -> None:
        """Draw initial networks: ``learners`` G of ``heads`` H; ``observation_size`` is what one sees."""
        self.settings, self.spaces, self.learners = settings, spaces, learners
        self.arithmetic = Arithmetic.of(settings.device, settings.precision)
        self.policy = JointPolicy.build(
            observation_size, settings.hidden, heads, spaces.actions, settings.activation
        )
        self.theta = self.arithmetic.tensor(stack_initial(self.policy.network, learners, generator))
        self.critics = Critics(
            learners,
            observation_size,
            settings.hidden,
            generator,
            learning_rate=settings.values.learning_rate,
            activation=settings.activation,
            arithmetic=self.arithmetic,
        )

    # --- in what the algorithms differ -----------------------------------------------------------------

    @property
    def delta(self) -> float:
        """KL radius of one policy's step."""
        return self.settings.delta_per_agent

    @abstractmethod
    def agree(
        self, problems: Sequence[PolicyProblem], batch: Batch, communication: Communication
    ) -> Mapping[str, float]:
        """See to it that the problems are solved; returns what was measured."""

    @abstractmethod
    def observed(self, observations: np.ndarray) -> np.ndarray:
        """[M, N, d] as the policies see it, [G, M, d']."""

    @abstractmethod
    def of_heads(self, actions: np.ndarray) -> np.ndarray:
        """What each agent has of something, [M, N, ...], as [G, M, H, ...]; or [M, H, ...] if all alike."""

    @abstractmethod
    def acting(self, log_p: Tensor) -> Tensor:
        """The heads that act, [N, M, A], of all heads [G, M, H, A]."""

    def rewarded(self, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rewards, terminations and boundaries, [T, B, G] each."""
        return batch.rewards, batch.terminations, batch.boundaries

    # --- what they share -------------------------------------------------------------------------------

    @torch.no_grad()
    def act(
        self, observations: np.ndarray, masks: np.ndarray | None, generator: np.random.Generator | None
    ) -> np.ndarray:
        """Actions [B, N] for observations [B, N, d]: every agent samples the head that acts for it.

        Without a generator the most probable action is taken.
        """
        return choose(self._acting(observations, masks), generator)

    def learn(
        self,
        batch: Batch,
        communication: Communication,
        generator: np.random.Generator,
        lap: Stopwatch | None = None,
    ) -> dict[str, float]:
        """One policy update: advantages, value fit, agreement, adoption. Returns what was measured.

        ``lap(name)`` is called at the end of each phase, for timing.
        """
        lap = lap or (lambda _: None)
        observations = self._observed(batch.observations)
        advantages, targets, fit_quality = self._advantages(batch)
        fit = self.settings.values
        value_loss = self.critics.fit(
            observations, targets, generator, epochs=fit.epochs, batch_size=fit.batch_size
        )
        lap("values")
        problems = self.pose(batch, advantages, generator)
        measured = dict(self.agree(problems, batch, communication))
        lap("consensus")
        measured |= self.adopt(problems)
        del problems  # gigabytes with many agents
        measured |= {"value_loss": value_loss, "explained_variance": fit_quality}
        measured["entropy"] = self._entropy(batch)
        lap("adopt")
        return measured

    @torch.no_grad()
    def pose(self, batch: Batch, advantages: Tensor, generator: np.random.Generator) -> list[PolicyProblem]:
        """One trust-region subproblem per policy, linearised where it is now; advantages are [G, M]."""
        solver = self.settings.solver
        observations, actions, masks = self._observed(batch.observations), *self._heads(batch)
        # Drawn whether they are needed or not, so that trials with other solvers draw all else alike.
        draws = self.arithmetic.tensor(generator.random((self.learners, batch.samples, self.policy.agents)))

        def linearised(kind: torch.dtype, products: torch.dtype) -> Linearisation:
            point = self.theta.to(kind), observations.to(kind)
            return Linearisation(self.policy, *point, actions, masks, solver.damping, products)

        at = linearised(self.arithmetic.dtype, self.arithmetic.products)
        kfac = Kfac(at, draws) if solver.preconditioner == "kfac" else None
        audits: list[Audit | None] = [None] * self.learners
        if solver.audit:
            finer = linearised(torch.float64, torch.float64)
            factors = Kfac(finer, draws)
            audits = [Audit(finer.agent(q), factors.agent(q)) for q in range(self.learners)]
        return [
            PolicyProblem(
                at.agent(q),
                advantages[q],
                delta=self.delta,
                step=self.step,
                solver=solver.at(at.agent(q), kfac and kfac.agent(q)),
                warm_start=solver.warm_start,
                audit=audits[q],
            )
            for q in range(self.learners)
        ]

    @torch.no_grad()
    def adopt(self, problems: Sequence[PolicyProblem]) -> dict[str, float]:
        """Move every policy to theta_old + x, under the KL safeguard, and measure the move on the batch.

        A policy whose problem was never solved (no exchange reached its agent) stays where it is.
        """
        divergences, gains, halvings = [], [], 0  # divergences [G, H]
        for q, problem in enumerate(problems):
            x, at = problem.x, problem.at
            while True:
                log_p = self.policy.log_probabilities(at.theta + x, at.observations, at.mask)
                of_heads = kl(at.log_p, log_p).mean(0)
                divergence = float(of_heads.sum())
                if not math.isfinite(divergence):
                    raise FloatingPointError(f"agent {q}: the KL of its policy step is {divergence}")
                if not self.settings.kl_safeguard or divergence <= 1.5 * self.delta:
                    break
                x, halvings = x / 2, halvings + 1
            log_ratio = (chosen(log_p, at.actions) - chosen(at.log_p, at.actions)).sum(-1)
            gains.append(float((problem.advantages.squeeze(-1) * torch.expm1(log_ratio)).mean()))
            divergences.append(of_heads)
            self.theta[q] = at.theta + x
        by_head = torch.stack(divergences)
        by_policy = by_head.sum(-1)
        return {
            "kl": float(by_policy.mean()),
            "kl_max": float(by_policy.max()),
            "kl_played": float(self.acting(by_head[:, None, :, None]).sum()),
            "kl_halvings": float(halvings),
            "binding": sum(problem.binding for problem in problems) / len(problems),
            "surrogate_gain": float(np.sum(gains)),
            **totals([problem.statistics for problem in problems], audited=self.settings.solver.audit),
        }

    @torch.no_grad()
    def gain(self, batch: Batch, before: Tensor) -> float:
        """Surrogate gain of the policies over those ``before`` [G, D] on a batch that these played.

        Summed over policies, as ``surrogate_gain`` is, but on any batch: one that taught them nothing, say.
        """
        observations, actions, masks = self._observed(batch.observations), *self._heads(batch)
        actions = actions.expand(self.learners, -1, -1)
        ratios = [
            chosen(self.policy.log_probabilities(theta, observations, masks), actions).sum(-1)
            for theta in (self.theta, before)
        ]
        advantages = self._advantages(batch)[0]
        return float((advantages * torch.expm1(ratios[0] - ratios[1])).mean(-1).sum())

    def state_dict(self) -> dict[str, object]:
        """Policies, critics and their optimiser, for an exact resume."""
        return {"theta": self.theta.clone(), "critics": self.critics.state_dict()}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take back what ``state_dict`` gave."""
        theta, critics = state["theta"], state["critics"]
        if not isinstance(theta, Tensor) or theta.shape != self.theta.shape or not isinstance(critics, dict):
            raise ValueError(f"theta: the stored models do not fit {tuple(self.theta.shape)}")
        self.theta = theta.to(self.arithmetic.device, self.arithmetic.dtype, copy=True)
        self.critics.load_state_dict(critics)

    def _advantages(self, batch: Batch) -> tuple[Tensor, Tensor, float]:
        """Normalised advantages [G, M], value targets [G, M] and the mean explained variance."""
        rewards, terminations, boundaries = self.rewarded(batch)
        values = self._values(batch.observations).reshape(rewards.shape)
        following = self._values(batch.next_observations).reshape(rewards.shape)
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
        quality = explained_variance(targets, values.reshape(-1, self.learners))
        fit_quality = float(np.nanmean(quality)) if np.isfinite(quality).any() else math.nan
        advantages = raw.reshape(-1, self.learners)
        if self.settings.advantage_mean == "per_agent":
            advantages = advantages - advantages.mean(axis=0)
        spread = advantages.std(axis=0 if self.settings.advantage_scale == "per_agent" else None)
        advantages = advantages / np.where(spread > 1e-8, spread, 1.0)
        return self.arithmetic.tensor(advantages.T), self.arithmetic.tensor(targets.T), fit_quality

    def _values(self, observations: np.ndarray) -> np.ndarray:
        """Values [M, G] in float64 for observations [..., N, d]."""
        return self.critics.values(self._observed(observations)).double().mT.cpu().numpy()

    @torch.no_grad()
    def _entropy(self, batch: Batch) -> float:
        return float(entropy(self._acting(batch.observations, batch.flat_masks)).mean())

    def _acting(self, observations: np.ndarray, masks: np.ndarray | None) -> Tensor:
        """Log probabilities [N, M, A] of every own action; observations [..., N, d], masks [M, N, A]."""
        seen = self._observed(observations), self._available(masks)
        return self.acting(self.policy.log_probabilities(self.theta, *seen))

    def _observed(self, observations: np.ndarray) -> Tensor:
        """[..., N, d] as [G, M, d']."""
        return self.arithmetic.tensor(self.observed(observations.reshape(-1, *observations.shape[-2:])))

    def _heads(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Actions [(G,) M, H] and which were available, [(G,) M, H, A]."""
        actions = self.arithmetic.place(self.of_heads(batch.actions.reshape(batch.samples, -1)))
        return actions, self._available(batch.flat_masks)

    def _available(self, masks: np.ndarray | None) -> Tensor | None:
        """[M, N, A] as [(G,) M, H, A]."""
        return None if masks is None else self.arithmetic.place(self.of_heads(masks))


def alone(problems: Sequence[PolicyProblem]) -> dict[str, float]:
    """Solve every problem by itself: no pull, no penalty, the step to the boundary of the trust region."""
    for problem in problems:
        problem.solve(problem.zeros(), 0.0)
    return {}
