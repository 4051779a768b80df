"""Natural policy gradients under a trust region: the common base of MATRPO, I-TRPO and C-TRPO.

All three learn G policies of H categorical heads from G private rewards. They differ in a policy's
observation, in the actions of its heads, and in the agreement before a step is taken:

    MATRPO   G = N, H = N   each agent's own observation, all agents' actions; neighbours agree on the ratio
    I-TRPO   G = N, H = 1   each agent's own observation, its own action; nothing is agreed
    C-TRPO   G = 1, H = N   all agents' observations, all agents' actions, the sum of the rewards
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from policies.acting import mean_gain, mean_over_acting, of_joint
from policies.advantages import explained_variance, gae, normalised, returns_vary
from policies.algorithms.adoption import move
from policies.algorithms.learner import Communication, Spaces, Stopwatch
from policies.algorithms.subproblem import KL_SLACK, Curvature, PolicyProblem, Step, totals
from policies.algorithms.trust_region_settings import TrustRegionSettings
from policies.batch import Batch
from policies.critics.value_critics import Critics
from policies.natural_gradient.kfac import Kfac
from policies.natural_gradient.linearisation import JointPolicy, Linearisation
from policies.natural_gradient.solver import Audit
from policies.nn.categorical import choose, chosen, entropy
from policies.nn.mlp import stack_initial
from policies.nn.precision import Precision


class TrustRegion(ABC):
    """G policies of H heads and a critic for each; shapes below are in G learners and M samples."""

    step: Step = "boundary"
    """Kind of step of a solve under a penalty; without one all kinds coincide, except line search."""

    curvature: Curvature = "fisher"
    """Estimate of V^T H^-1 V in the length of a step to the boundary."""

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
        """Draw initial networks: ``learners`` G of ``heads`` H; ``observation_size`` is that of one."""
        self.settings, self.spaces, self.learners = settings, spaces, learners
        self.precision = Precision.of(settings.device, settings.precision)
        self.policy = JointPolicy.build(
            observation_size, settings.hidden, heads, spaces.actions, settings.activation
        )
        self.theta = self.precision.tensor(stack_initial(self.policy.network, learners, generator))
        self.critics = Critics(
            learners,
            observation_size,
            settings.hidden,
            generator,
            learning_rate=settings.values.learning_rate,
            activation=settings.activation,
            precision=self.precision,
        )

    # --- differences between the algorithms -----------------------------------------------------------------

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

    @abstractmethod
    def to_policy_inputs(self, observations: np.ndarray) -> np.ndarray:
        """[M, N, d] as inputs of the policies, [G, M, d']."""

    @abstractmethod
    def to_heads(self, actions: np.ndarray) -> np.ndarray:
        """Each agent's entries [M, N, ...], as [G, M, H, ...]; or [M, H, ...] where policies share them."""

    @abstractmethod
    def own_heads(self, log_p: Tensor) -> Tensor:
        """The heads that act, [N, M, A], of all heads [G, M, H, A]."""

    def rewarded(self, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rewards, terminations and boundaries, [T, B, G] each."""
        return batch.rewards, batch.terminations, batch.boundaries

    # --- common methods -------------------------------------------------------------------------------

    @torch.no_grad()
    def act(
        self, observations: np.ndarray, masks: np.ndarray | None, generator: np.random.Generator | None
    ) -> np.ndarray:
        """Actions [B, N] for observations [B, N, d]: every agent samples the head that acts for it.

        Without a generator the most probable action is taken.
        """
        return choose(self.own_action_log_probs(observations, masks), generator)

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
        measured |= self.apply_steps(problems)
        del problems  # gigabytes with many agents
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
        observations, actions, masks = self.policy_inputs(batch.observations), *self._heads(batch)
        acting = self._can_act(batch)
        # Drawn even if not needed, so that trials with other solvers draw the same other numbers.
        draws = self.precision.tensor(generator.random((self.learners, batch.samples, self.policy.agents)))

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
        agents = [at.agent(q) for q in range(self.learners)]
        solved = agents if some is None else [fisher.agent(q) for q in range(self.learners)]
        return [
            PolicyProblem(
                agents[q],
                advantages[q],
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
        by_policy = by_head.sum(-1)[took_part]
        return {
            "kl": float(by_policy.mean()),
            "kl_max": float(by_policy.max()) if bound else math.nan,
            "kl_played": float(self.own_heads(by_head[:, None, :, None]).sum()),
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

    @torch.no_grad()
    def gain(self, batch: Batch, before: Tensor) -> float:
        """Surrogate gain of the policies over those ``before`` [G, D] on a batch played by the latter.

        Summed over policies, as ``surrogate_gain`` is, but on any batch, such as one not learnt from.
        """
        observations, actions, masks = self.policy_inputs(batch.observations), *self._heads(batch)
        actions, acting = actions.expand(self.learners, -1, -1), self._can_act(batch)
        ratios = [
            of_joint(chosen(self.policy.log_probabilities(theta, observations, masks), actions), acting)
            for theta in (self.theta, before)
        ]
        return float(mean_gain(self.estimate_advantages(batch)[0], ratios[0] - ratios[1], acting).sum())

    def state_dict(self) -> dict[str, object]:
        """Policies, critics and their optimiser, for an exact resume."""
        return {"theta": self.theta.clone(), "critics": self.critics.state_dict()}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Restore the state that ``state_dict`` gave."""
        theta, critics = state["theta"], state["critics"]
        if not isinstance(theta, Tensor) or theta.shape != self.theta.shape or not isinstance(critics, dict):
            raise ValueError(f"theta: the stored models do not fit {tuple(self.theta.shape)}")
        self.theta = theta.to(self.precision.device, self.precision.dtype, copy=True)
        self.critics.load_state_dict(critics)

    def estimate_advantages(self, batch: Batch) -> tuple[Tensor, Tensor, float]:
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
        counted = self._counted(batch)
        quality = explained_variance(targets, values.reshape(-1, self.learners), counted)
        quality = quality[self._paid(batch) & ~np.isnan(quality)]
        fit_quality = float(quality.mean()) if len(quality) else math.nan
        advantages = normalised(
            raw.reshape(-1, self.learners),
            counted,
            centre=self.settings.advantage_mean,
            shared=self.settings.advantage_scale == "shared",
        )
        return self.precision.tensor(advantages.T), self.precision.tensor(targets.T), fit_quality

    def _values(self, observations: np.ndarray) -> np.ndarray:
        """Values [M, G] in float64 for observations [..., N, d]."""
        return self.critics.values(self.policy_inputs(observations)).double().mT.cpu().numpy()

    @torch.no_grad()
    def mean_entropy(self, batch: Batch) -> float:
        """Entropy of agents' own actions in nats: mean over agents and over the samples used for means."""
        of_actions = entropy(self.own_action_log_probs(batch.observations, batch.flat_masks))
        acting = batch.averaged(self.settings.average_over)
        if acting is None:
            return float(of_actions.mean())
        own = self.precision.place(acting.T)
        return float(mean_over_acting(of_actions, own)[own.any(-1)].mean())

    def _paid(self, batch: Batch) -> np.ndarray:
        """Learners whose returns can differ, [G] bool; measurements of critics are means over these."""
        rewards, terminations, _ = self.rewarded(batch)
        return returns_vary(rewards, terminations)

    def _can_act(self, batch: Batch) -> Tensor | None:
        """Heads that can act, [(G,) M, H] bool; None where all can, or where means are over all samples."""
        return self._available(batch.averaged(self.settings.average_over))

    def _counted(self, batch: Batch) -> np.ndarray | None:
        """Samples at which some head of each policy acts, [M, G]; None if at all of them."""
        acting = self._can_act(batch)
        if acting is None:
            return None
        anybody = acting.any(-1).cpu().numpy()
        return np.broadcast_to(anybody, (self.learners, batch.samples)).T

    def own_action_log_probs(self, observations: np.ndarray, masks: np.ndarray | None) -> Tensor:
        """Log probabilities [N, M, A] of agents' own actions; observations [..., N, d], masks [M, N, A]."""
        seen = self.policy_inputs(observations), self._available(masks)
        return self.own_heads(self.policy.log_probabilities(self.theta, *seen))

    def policy_inputs(self, observations: np.ndarray) -> Tensor:
        """[..., N, d] as [G, M, d']."""
        return self.precision.tensor(
            self.to_policy_inputs(observations.reshape(-1, *observations.shape[-2:]))
        )

    def _heads(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Actions [(G,) M, H] and masks of available ones, [(G,) M, H, A]."""
        actions = self.precision.place(self.to_heads(batch.actions.reshape(batch.samples, -1)))
        return actions, self._available(batch.flat_masks)

    def _available(self, masks: np.ndarray | None) -> Tensor | None:
        """[M, N, ...] as [(G,) M, H, ...]."""
        return None if masks is None else self.precision.place(self.to_heads(masks))


def solve_independently(problems: Sequence[PolicyProblem]) -> dict[str, float]:
    """Solve every problem by itself: no pull, no penalty, the step to the boundary of the trust region."""
    for problem in problems:
        problem.solve(problem.zeros(), 0.0)
    return {}
