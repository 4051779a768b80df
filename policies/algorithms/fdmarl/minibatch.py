"""FDMARL that learns from a batch at a time: the form ``minibatch``."""

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from policies.acting import mean_over_acting
from policies.algorithms.fdmarl.options import FdmarlOptions
from policies.algorithms.learner import (
    Communication,
    Spaces,
    Stopwatch,
    movement_by_agent,
)
from policies.batch import Batch
from policies.critics.joint_critic import JointCritic
from policies.natural_gradient.linearisation import JointPolicy
from policies.nn.categorical import CategoricalHead, chosen
from policies.nn.optimisers import SGD, Adam
from policies.nn.precision import Precision


class Fdmarl:
    """N agents, each with a policy for its own action and a critic of the joint one; the form minibatch."""

    def __init__(self, settings: FdmarlOptions, spaces: Spaces, generator: np.random.Generator) -> None:
        """Draw initial networks: a policy for each agent, and one critic from which all start."""
        self.settings, self.spaces = settings, spaces
        self.precision = Precision.of(settings.device, settings.precision)
        self.policy = JointPolicy.build(
            spaces.observation_size, settings.hidden, 1, CategoricalHead(spaces.actions), settings.activation
        )
        self.critic = JointCritic.build(
            spaces.agents, spaces.observation_size, settings.hidden, spaces.actions, settings.activation
        )
        self.theta = self._leaf(self.policy.initial(spaces.agents, generator))
        self.omega = self._leaf(np.tile(self.critic.network.initial(generator), (spaces.agents, 1)))
        self.mu = self.precision.tensor(np.full(spaces.agents, np.nan))
        self.by_agent: dict[str, np.ndarray] = {}
        """See :class:`policies.algorithms.learner.MeasuredByAgent`."""
        self.held: dict[str, np.ndarray] = {}
        """The last step so far, whose successor is not known yet: arrays [B, N, ...]; none at first."""
        kind = Adam if settings.optimiser == "adam" else SGD
        self.critic_optimiser = kind([self.omega], lr=settings.critic_rate)
        self.actor_optimiser = kind([self.theta], lr=settings.actor_rate)

    @torch.no_grad()
    def act(
        self, observations: np.ndarray, masks: np.ndarray | None, generator: np.random.Generator | None
    ) -> np.ndarray:
        """Actions [B, N] for observations [B, N, d]: every agent samples its policy.

        Without a generator the most probable action is taken.
        """
        return self.policy.head.choose(self.log_probs(self.theta, observations, masks), generator)

    def learn(
        self,
        batch: Batch,
        communication: Communication,
        generator: np.random.Generator,
        lap: Stopwatch | None = None,
    ) -> dict[str, float]:
        """One update: a step and an averaging for every minibatch. Returns the measurements.

        Raises:
            ValueError: there is no transition in the batch, or it is not as wide as the last one.
        """
        before = self.theta.detach().clone()
        tally = Tally()
        steps = self.transitions(batch)
        order = generator.permutation(len(steps["rewards"]))
        pieces = math.ceil(len(order) / self.settings.minibatch)
        for k in range(pieces):
            piece = order[k::pieces]  # as even as possible: a small remainder would make a very noisy step
            self._improve({name: array[piece] for name, array in steps.items()}, communication, tally)
        measured = tally.row() | self._moved(batch, before)
        if lap is not None:
            lap("learning")
        return measured

    # --- one step of Algorithm 1 -----------------------------------------------------------------------

    def transitions(self, batch: Batch) -> dict[str, np.ndarray]:
        """All steps whose successor is known, [M, N, ...]; the last one is held for the next batch."""
        columns = {"observations": batch.observations, "actions": batch.actions, "rewards": batch.rewards}
        if batch.masks is not None:
            columns["masks"] = batch.masks
        acting = batch.averaged(self.settings.average_over)
        everybody = np.ones(batch.rewards.shape, dtype=bool)
        columns["acting"] = everybody if acting is None else acting.reshape(everybody.shape)
        if self.held:
            wide = len(self.held["rewards"])
            if wide != batch.rewards.shape[1]:
                raise ValueError(
                    f"batch: {batch.rewards.shape[1]} parallel episodes, must have {wide} as before"
                )
            held, columns = _masked_alike(self.held, columns)
            columns = {name: np.concatenate([held[name][None], array]) for name, array in columns.items()}
        self.held = {name: array[-1].copy() for name, array in columns.items()}
        successors = {f"next_{name}": columns[name][1:] for name in ("observations", "actions")}
        known = {name: array[:-1] for name, array in columns.items()} | successors
        return {name: array.reshape(-1, *array.shape[2:]) for name, array in known.items()}

    def _improve(self, steps: Mapping[str, np.ndarray], communication: Communication, tally: "Tally") -> None:
        """One step of critics and policies from M transitions, and one averaging of the critics."""
        actions = self.precision.place(steps["actions"])
        now = self.critic.inputs(self.precision.tensor(steps["observations"]), actions)
        following = self.precision.place(steps["next_actions"])
        later = self.critic.inputs(self.precision.tensor(steps["next_observations"]), following)
        rewards = self.precision.tensor(steps["rewards"].T)
        values = self.critic.values(self.omega, now)
        log_p = self.log_probs(self.theta, steps["observations"], steps.get("masks"))
        acting = None if steps["acting"].all() else self.precision.place(steps["acting"].T)
        with torch.no_grad():
            self.mu = torch.where(self.mu.isnan(), rewards.mean(1), self.mu)
            errors = rewards - self.mu.unsqueeze(-1) + self.critic.values(self.omega, later) - values
            advantages = self.estimate_advantages(log_p, now, actions)
            if self.settings.form == "minibatch":
                spread = _deviation(advantages, acting)
                advantages = advantages / torch.where(spread > 1e-8, spread, 1.0)
            self.mu += self.settings.average_rate * (rewards.mean(1) - self.mu)
        gains = mean_over_acting(advantages * chosen(log_p, actions.mT), acting, dim=1)
        ascent = (errors * values).mean(1).sum() + gains.sum()
        for optimiser in (self.critic_optimiser, self.actor_optimiser):
            optimiser.zero_grad()
        (-ascent).backward()  # type: ignore[no-untyped-call]
        for optimiser in (self.critic_optimiser, self.actor_optimiser):
            optimiser.step()
        averaged, row = communication.average(self.omega.detach())
        with torch.no_grad():
            self.omega.copy_(averaged)
        tally.add(float(errors.square().mean()), float(errors.abs().mean()), row)

    def estimate_advantages(self, log_p: Tensor, inputs: Tensor, actions: Tensor) -> Tensor:
        """A [N, M] of the actions [M, N] taken, for log probabilities [N, M, A] of each agent's own."""
        values = self.critic.alternatives(self.omega, inputs, actions)
        return chosen(values, actions.mT) - (log_p.exp() * values).sum(-1)

    @torch.no_grad()
    def _moved(self, batch: Batch, before: Tensor) -> dict[str, float]:
        """Movement of the policies from those ``before``, over the observations of a batch."""
        observations = batch.observations.reshape(-1, *batch.observations.shape[2:])
        old, new = (self.log_probs(theta, observations, batch.flat_masks) for theta in (before, self.theta))
        acting = batch.averaged(self.settings.average_over)
        own = None if acting is None else self.precision.place(acting.T)
        measured = {"average_reward": float(self.mu.mean()), "acting_share": batch.acting_share}
        moved, self.by_agent = movement_by_agent(old, new, own)
        return measured | moved

    # --- saving ----------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, object]:
        """Policies, critics, averages, optimisers and the step held, for an exact resume."""
        return {
            "theta": self.theta.detach().clone(),
            "omega": self.omega.detach().clone(),
            "mu": self.mu.clone(),
            "held": {name: array.copy() for name, array in self.held.items()},
            "critic_optimiser": copy.deepcopy(self.critic_optimiser.state_dict()),
            "actor_optimiser": copy.deepcopy(self.actor_optimiser.state_dict()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state of ``state_dict``. ValueError, changing nothing, if it is from other networks."""
        mine = {"theta": self.theta, "omega": self.omega, "mu": self.mu}
        for name, tensor in mine.items():
            stored = state.get(name)
            if not isinstance(stored, Tensor) or stored.shape != tensor.shape:
                raise ValueError(f"{name}: the stored models do not fit {tuple(tensor.shape)}")
        with torch.no_grad():
            for name, tensor in mine.items():
                tensor.copy_(state[name])
        self.held = {name: np.array(array) for name, array in state["held"].items()}
        self.critic_optimiser.load_state_dict(copy.deepcopy(state["critic_optimiser"]))
        self.actor_optimiser.load_state_dict(copy.deepcopy(state["actor_optimiser"]))

    # --- arrays ----------------------------------------------------------------------------------------

    def log_probs(self, theta: Tensor, observations: np.ndarray, masks: np.ndarray | None) -> Tensor:
        """Log probabilities [N, M, A] of every agent's own actions for observations [M, N, d]."""
        available = None if masks is None else self.precision.place(masks.swapaxes(0, 1)).unsqueeze(2)
        own = self.precision.tensor(observations.swapaxes(0, 1))
        return self.policy.distribution(theta, own, available)[:, :, 0]

    def _leaf(self, array: np.ndarray) -> Tensor:
        return self.precision.tensor(array).requires_grad_(True)


def _masked_alike(*parts: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], ...]:
    """The same columns [..., B, N], all with masks if any has them: where there is none, all is available."""
    entries = next((part["masks"].shape[-1] for part in parts if "masks" in part), None)
    if entries is None:
        return parts
    return tuple(
        part if "masks" in part else part | {"masks": np.ones((*part["rewards"].shape, entries), dtype=bool)}
        for part in parts
    )


def _deviation(values: Tensor, acting: Tensor | None) -> Tensor:
    """Standard deviations [N, 1] of values [N, M] over the samples at which each agent acts."""
    if acting is None:
        return values.std(dim=1, correction=0, keepdim=True)
    mean = mean_over_acting(values, acting, dim=1).unsqueeze(1)
    return mean_over_acting((values - mean).square(), acting, dim=1).sqrt().unsqueeze(1)


class Tally:
    """Measurements of the steps of one update."""

    def __init__(self) -> None:
        self.steps = 0
        self.squares = self.sizes = 0.0
        self.counts: dict[str, float] = {}

    def add(self, square: float, size: float, row: Mapping[str, float]) -> None:
        """Count one step: mean square and mean size of its TD errors, and its averaging's measurements."""
        self.steps += 1
        self.squares += square
        self.sizes += size
        for name, value in row.items():
            adds_up = not name.startswith("relative_disagreement")
            self.counts[name] = value + (self.counts.get(name, 0.0) if adds_up else 0.0)

    def row(self) -> dict[str, float]:
        """Means of the errors over steps; sums of averagings' additive measurements, the last of others."""
        if not self.steps:
            raise ValueError("batch: has one step, must have at least two, to learn from successors")
        return {
            **self.counts,
            "consensus_rounds": float(self.steps),
            "value_loss": self.squares / self.steps,
            "td_error": self.sizes / self.steps,
        }
