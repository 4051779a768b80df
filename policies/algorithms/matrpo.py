"""MATRPO: every agent improves the joint policy on its private reward, and neighbours agree on the ratio.

Li & He, "Multi-Agent Trust Region Policy Optimization", arXiv 2010.07916. The agreement itself is a
function handed in: this module never sees a network.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from policies.advantages import explained_variance, gae
from policies.algorithms.local_problem import PolicyProblem, Step, totals
from policies.arithmetic import Arithmetic, Device, Precision
from policies.batch import Batch
from policies.critics import Critics
from policies.distributions import chosen, entropy, kl, sample
from policies.kfac import Kfac
from policies.linearisation import JointPolicy, Linearisation
from policies.networks import Activation, stack_initial
from policies.settings import Settings
from policies.solver import Audit, SolverSettings

Agree = Callable[[Sequence[PolicyProblem]], Mapping[str, float]]
Stopwatch = Callable[[str], None]


class ValueSettings(Settings):
    """The private value networks; defaults are the paper authors'."""

    epochs: Annotated[int, Field(ge=1)] = 3
    batch_size: Annotated[int, Field(ge=1)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 3e-4


class MatrpoSettings(Settings):
    """MATRPO's settings; defaults are the paper's for cooperative navigation with three agents."""

    name: Literal["matrpo"] = "matrpo"
    delta_per_agent: Annotated[float, Field(gt=0, description="KL radius of one agent, delta/N")] = 0.003
    step: Step = "optimal"
    gamma: Annotated[float, Field(ge=0, le=1)] = 0.995
    lam: Annotated[float, Field(ge=0, le=1, description="lambda of GAE")] = 0.95
    hidden: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (128, 128)
    activation: Activation = "selu"
    advantage_mean: Annotated[
        Literal["per_agent", "none"], Field(description="whether each agent centres its advantages")
    ] = "per_agent"
    advantage_scale: Annotated[
        Literal["shared", "per_agent"],
        Field(
            description="one standard deviation for all (the authors'; it must be communicated) or one each"
        ),
    ] = "shared"
    kl_safeguard: Annotated[bool, Field(description="halve the step while the KL exceeds 1.5 delta/N")] = True
    device: Device = "cpu"
    precision: Annotated[
        Precision,
        Field(description="bfloat16-matmul: float32, but activations are kept and multiplied in bfloat16"),
    ] = "float32"
    solver: SolverSettings = SolverSettings()
    values: ValueSettings = ValueSettings()


class Matrpo:
    """N agents' joint-policy models and private critics."""

    def __init__(
        self,
        settings: MatrpoSettings,
        *,
        agents: int,
        observation_size: int,
        actions: int,
        generator: np.random.Generator,
    ) -> None:
        """Draw initial networks. ``observation_size`` is the padded width, ``actions`` the most per agent."""
        self.settings, self.agents = settings, agents
        self.arithmetic = Arithmetic.of(settings.device, settings.precision)
        self.policy = JointPolicy.build(
            observation_size, settings.hidden, agents, actions, settings.activation
        )
        self.theta = self._tensor(stack_initial(self.policy.network, agents, generator))
        self.critics = Critics(
            agents,
            observation_size,
            settings.hidden,
            generator,
            learning_rate=settings.values.learning_rate,
            activation=settings.activation,
            arithmetic=self.arithmetic,
        )

    @torch.no_grad()
    def act(
        self, observations: np.ndarray, masks: np.ndarray | None, generator: np.random.Generator | None
    ) -> np.ndarray:
        """Actions [B, N] for observations [B, N, d]: each agent samples its own head of its own model.

        Without a generator the most probable action is taken.
        """
        log_p = self._own_heads(self._per_agent(observations), self._masks(masks))
        if generator is None:
            return log_p.argmax(-1).mT.cpu().numpy()
        uniforms = torch.from_numpy(generator.random(observations.shape[:2]).T.copy())
        return sample(log_p.double().cpu(), uniforms).mT.numpy()

    def learn(
        self, batch: Batch, agree: Agree, generator: np.random.Generator, lap: Stopwatch | None = None
    ) -> dict[str, float]:
        """One policy update: advantages, value fit, agreement, adoption. Returns what was measured.

        ``agree`` is called once with one PolicyProblem per agent and may call their ``solve`` in any order;
        ``lap(name)`` is called at the end of each phase, for timing.
        """
        lap = lap or (lambda _: None)
        observations = self._flat(batch.observations)
        advantages, targets, fit_quality = self._advantages(batch)
        fit = self.settings.values
        value_loss = self.critics.fit(
            observations, targets, generator, epochs=fit.epochs, batch_size=fit.batch_size
        )
        lap("values")
        problems = self.pose(batch, advantages, generator)
        measured = dict(agree(problems))
        lap("consensus")
        measured |= self.adopt(problems)
        del problems  # gigabytes with many agents
        measured |= {"value_loss": value_loss, "explained_variance": fit_quality}
        measured["entropy"] = self._entropy(batch)
        lap("adopt")
        return measured

    @torch.no_grad()
    def pose(self, batch: Batch, advantages: Tensor, generator: np.random.Generator) -> list[PolicyProblem]:
        """One trust-region subproblem per agent, linearised at its current model; advantages are [N, M]."""
        settings, solver = self.settings, self.settings.solver
        observations, masks = self._flat(batch.observations), self._joint_masks(batch)
        actions = self._on_device(batch.actions.reshape(-1, self.agents))
        # Drawn whether they are needed or not, so that trials with other solvers draw all else alike.
        draws = self._tensor(generator.random((self.agents, batch.samples, self.agents)))

        def linearised(kind: torch.dtype, products: torch.dtype) -> Linearisation:
            point = self.theta.to(kind), observations.to(kind)
            return Linearisation(self.policy, *point, actions, masks, solver.damping, products)

        at = linearised(self.arithmetic.dtype, self.arithmetic.products)
        kfac = Kfac(at, draws) if solver.preconditioner == "kfac" else None
        audits: list[Audit | None] = [None] * self.agents
        if solver.audit:
            finer = linearised(torch.float64, torch.float64)
            factors = Kfac(finer, draws)
            audits = [Audit(finer.agent(q), factors.agent(q)) for q in range(self.agents)]
        return [
            PolicyProblem(
                at.agent(q),
                advantages[q],
                delta=settings.delta_per_agent,
                step=settings.step,
                solver=solver.at(at.agent(q), kfac and kfac.agent(q)),
                warm_start=solver.warm_start,
                audit=audits[q],
            )
            for q in range(self.agents)
        ]

    @torch.no_grad()
    def adopt(self, problems: Sequence[PolicyProblem]) -> dict[str, float]:
        """Move every model to theta_old + x, under the KL safeguard, and measure the move on the batch.

        An agent whose problem was never solved (no exchange reached it) stays where it is.
        """
        radius = self.settings.delta_per_agent
        divergences, gains, halvings = [], [], 0
        for q, problem in enumerate(problems):
            x, at = problem.x, problem.at
            while True:
                log_p = self.policy.log_probabilities(at.theta + x, at.observations, at.mask)
                divergence = float(kl(at.log_p, log_p).sum(-1).mean())
                if not math.isfinite(divergence):
                    raise FloatingPointError(f"agent {q}: the KL of its policy step is {divergence}")
                if not self.settings.kl_safeguard or divergence <= 1.5 * radius:
                    break
                x, halvings = x / 2, halvings + 1
            log_ratio = (chosen(log_p, at.actions) - chosen(at.log_p, at.actions)).sum(-1)
            gains.append(float((problem.advantages.squeeze(-1) * torch.expm1(log_ratio)).mean()))
            divergences.append(divergence)
            self.theta[q] = at.theta + x
        return {
            "kl": float(np.mean(divergences)),
            "kl_max": max(divergences),
            "kl_halvings": float(halvings),
            "binding": sum(problem.binding for problem in problems) / len(problems),
            "surrogate_gain": float(np.sum(gains)),
            **totals([problem.statistics for problem in problems], audited=self.settings.solver.audit),
        }

    @torch.no_grad()
    def gain(self, batch: Batch, before: Tensor) -> float:
        """Surrogate gain of the models over those ``before`` [N, D] on a batch that these played.

        Summed over agents, as ``surrogate_gain`` is, but on any batch: one that taught them nothing, say.
        """
        observations, masks = self._flat(batch.observations), self._joint_masks(batch)
        actions = self._on_device(batch.actions.reshape(-1, self.agents)).expand(self.agents, -1, -1)
        ratios = [
            chosen(self.policy.log_probabilities(theta, observations, masks), actions).sum(-1)
            for theta in (self.theta, before)
        ]
        advantages = self._advantages(batch)[0]
        return float((advantages * torch.expm1(ratios[0] - ratios[1])).mean(-1).sum())

    def state_dict(self) -> dict[str, object]:
        """Models, critics and their optimiser, for an exact resume."""
        return {"theta": self.theta.clone(), "critics": self.critics.state_dict()}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take back what ``state_dict`` gave."""
        theta, critics = state["theta"], state["critics"]
        if not isinstance(theta, Tensor) or theta.shape != self.theta.shape or not isinstance(critics, dict):
            raise ValueError(f"theta: the stored models do not fit {tuple(self.theta.shape)}")
        self.theta = theta.to(self.arithmetic.device, self.arithmetic.dtype, copy=True)
        self.critics.load_state_dict(critics)

    def _advantages(self, batch: Batch) -> tuple[Tensor, Tensor, float]:
        """Normalised advantages [N, M], value targets [N, M] and the mean explained variance."""
        shape = batch.rewards.shape
        values = self._values(batch.observations).reshape(shape)
        following = self._values(batch.next_observations).reshape(shape)
        raw = gae(
            batch.rewards,
            values,
            following,
            batch.terminations,
            batch.boundaries,
            gamma=self.settings.gamma,
            lam=self.settings.lam,
        )
        targets = (raw + values).reshape(-1, self.agents)
        quality = explained_variance(targets, values.reshape(-1, self.agents))
        fit_quality = float(np.nanmean(quality)) if np.isfinite(quality).any() else math.nan
        advantages = raw.reshape(-1, self.agents)
        if self.settings.advantage_mean == "per_agent":
            advantages = advantages - advantages.mean(axis=0)
        spread = advantages.std(axis=0 if self.settings.advantage_scale == "per_agent" else None)
        advantages = advantages / np.where(spread > 1e-8, spread, 1.0)
        return self._tensor(advantages.T), self._tensor(targets.T), fit_quality

    def _values(self, observations: np.ndarray) -> np.ndarray:
        """Values [M, N] in float64 for observations [..., N, d]."""
        return self.critics.values(self._flat(observations)).double().mT.cpu().numpy()

    @torch.no_grad()
    def _entropy(self, batch: Batch) -> float:
        flat_masks = None if batch.masks is None else batch.masks.reshape(-1, *batch.masks.shape[2:])
        log_p = self._own_heads(self._flat(batch.observations), self._masks(flat_masks))
        return float(entropy(log_p).mean())

    def _own_heads(self, observations: Tensor, masks: Tensor | None) -> Tensor:
        """Log probabilities [N, B, A] of each agent's own action under its own model."""
        wide = None if masks is None else masks.unsqueeze(-2)
        log_p = self.policy.log_probabilities(self.theta, observations, wide)
        own = torch.arange(self.agents, device=self.arithmetic.device)
        return log_p[own, :, own]

    def _per_agent(self, observations: np.ndarray) -> Tensor:
        return self._tensor(observations.swapaxes(0, 1))

    def _flat(self, observations: np.ndarray) -> Tensor:
        """[T, B, N, d] as [N, T * B, d]."""
        return self._per_agent(observations.reshape(-1, *observations.shape[-2:])).contiguous()

    def _masks(self, masks: np.ndarray | None) -> Tensor | None:
        """[B, N, A] as [N, B, A]."""
        return None if masks is None else self._on_device(masks.swapaxes(0, 1))

    def _joint_masks(self, batch: Batch) -> Tensor | None:
        if batch.masks is None:
            return None
        return self._on_device(batch.masks.reshape(batch.samples, self.agents, -1))

    def _tensor(self, array: np.ndarray) -> Tensor:
        return self._on_device(array).to(self.arithmetic.dtype)

    def _on_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.arithmetic.device)
