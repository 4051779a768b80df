"""MAPPO's agents: a policy, shared or one each, and one value of the joint observation."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from policies.acting import mean_over_acting
from policies.advantages import explained_variance, gae, returns_vary
from policies.algorithms.learner import (
    Communication,
    Spaces,
    Stopwatch,
    experience_bytes,
    movement_by_agent,
)
from policies.algorithms.mappo.options import MappoOptions
from policies.batch import Batch
from policies.critics.value_normaliser import ValueNormaliser
from policies.natural_gradient.linearisation import JointPolicy
from policies.nn.adam import StackedAdam
from policies.nn.mlp import MLP, stack_initial
from policies.nn.precision import Precision


class Mappo:
    """N agents with G = 1 policy network or G = N, and one value network; M samples below."""

    def __init__(self, settings: MappoOptions, spaces: Spaces, generator: np.random.Generator) -> None:
        """Draw initial networks."""
        self.settings, self.spaces = settings, spaces
        self.precision = Precision.of(settings.device, settings.precision)
        n, width = spaces.agents, spaces.observation_size
        learners, own = (1, width + n) if settings.share_policy else (n, width)
        head = spaces.head(settings.log_std_init)
        self.policy = JointPolicy.build(own, settings.hidden, 1, head, settings.activation)
        self.value_network = MLP((n * width, *settings.hidden, 1), settings.activation)
        self.policies = self._descent(self.policy.initial(learners, generator), settings.learning_rate)
        self.values = self._descent(
            stack_initial(self.value_network, 1, generator, output_gain=1.0), settings.value_learning_rate
        )
        self.normaliser = ValueNormaliser(settings.normaliser_beta) if settings.normalise_values else None
        self.by_agent: dict[str, np.ndarray] = {}
        """See :class:`policies.algorithms.learner.MeasuredByAgent`."""

    @torch.no_grad()
    def act(
        self, observations: np.ndarray, masks: np.ndarray | None, generator: np.random.Generator | None
    ) -> np.ndarray:
        """Actions for observations [B, N, d], masks [B, N, A]; most probable without a generator."""
        rows = self.distributions(self.policy_inputs(observations), self._by_agent(masks))
        return self.policy.head.choose(rows, generator)

    def learn(
        self,
        batch: Batch,
        communication: Communication,
        generator: np.random.Generator,
        lap: Stopwatch | None = None,
    ) -> dict[str, float]:
        """Several epochs of gradient steps on one batch; returns the measurements.

        ``kl`` is that of an agent's own policy before and after, on the batch; mean over agents, and
        ``kl_max``. ``value_loss`` is the last epoch's mean squared error, in units of the network's outputs.
        ``policy_loss``, ``clip_fraction`` (share of ratios beyond the clip) and norms of gradients are means
        over all gradient steps, each taken before its step.

        Raises:
            ValueError: there are fewer samples than minibatches.
            FloatingPointError: the KL is not finite.
        """
        if batch.samples < self.settings.minibatches:
            raise ValueError(
                f"minibatches: {self.settings.minibatches}, must be at most the {batch.samples} samples"
            )
        lap = lap or (lambda _: None)
        parts = [
            torch.from_numpy(part).to(self.precision.device)
            for _ in range(self.settings.epochs)
            for part in np.array_split(generator.permutation(batch.samples), self.settings.minibatches)
        ]
        advantages, targets, quality = self.estimate_advantages(batch)
        measured = {"explained_variance": quality, "acting_share": batch.acting_share}
        measured |= self._fit_values(batch, targets, parts)
        lap("values")
        measured |= self._improve(batch, advantages, parts)
        lap("policies")
        down = 4 * self.policy.parameters
        sent = experience_bytes(self.spaces, batch)
        return {**measured, **communication.centralise(sent, [down] * self.spaces.agents)}

    def state_dict(self) -> dict[str, object]:
        """Networks, their optimisers and the normaliser, for an exact resume."""
        return {
            "policies": self.policies.state_dict(),
            "values": self.values.state_dict(),
            "normaliser": self.normaliser.state_dict() if self.normaliser else {},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state of ``state_dict``. ValueError if it belongs to other networks."""
        for name, descent in (("policies", self.policies), ("values", self.values)):
            if not descent.fits(state.get(name)):
                raise ValueError(f"{name}: the stored models do not fit {tuple(descent.theta.shape)}")
        if bool(state.get("normaliser")) != bool(self.normaliser):
            raise ValueError("normaliser: the stored models were trained with another normalise_values")
        self.policies.load_state_dict(state["policies"])
        self.values.load_state_dict(state["values"])
        if self.normaliser:
            self.normaliser.load_state_dict(state["normaliser"])

    # --- values ----------------------------------------------------------------------------------------

    def estimate_advantages(self, batch: Batch) -> tuple[Tensor, Tensor, float]:
        """Normalised advantages [M], value targets [M], both of the summed reward, and explained variance."""
        rewards = batch.rewards.sum(axis=-1)
        terminations = np.all(batch.terminations, axis=-1)  # when the task has ended for all
        values = self._values(batch.observations).reshape(rewards.shape)
        raw = gae(
            rewards,
            values,
            self._values(batch.next_observations).reshape(rewards.shape),
            terminations,
            np.all(batch.boundaries, axis=-1),
            gamma=self.settings.gamma,
            lam=self.settings.lam,
        )
        targets = raw + values
        acting = batch.averaged(self.settings.average_over)
        if acting is None:
            anybody: np.ndarray | None = None
            mean, deviation = raw.mean(), raw.std()
        else:
            actions = acting.sum(axis=-1).reshape(raw.shape)  # as often as a sample's advantage is used
            mean = (actions * raw).sum() / max(actions.sum(), 1)
            deviation = np.sqrt((actions * (raw - mean) ** 2).sum() / max(actions.sum(), 1))
            anybody = np.any(acting, axis=-1)
        quality = float(explained_variance(targets.ravel(), values.ravel(), anybody))
        if not returns_vary(rewards, terminations):
            quality = math.nan
        advantages = (raw - mean) / (deviation + 1e-5)
        return self.precision.tensor(advantages.ravel()), self.precision.tensor(targets.ravel()), quality

    @torch.no_grad()
    def _values(self, observations: np.ndarray) -> np.ndarray:
        """Values [M] in units of reward, in float64, for observations [..., N, d]."""
        outputs = self._outputs(self._joint(observations)).double()
        return (self.normaliser.denormalise(outputs) if self.normaliser else outputs).cpu().numpy()

    def _outputs(self, joint: Tensor) -> Tensor:
        """Values [M] of joint observations [M, N d], in the network's units."""
        outputs: Tensor = self.value_network(self.values.theta, joint.unsqueeze(0))
        return outputs.view(-1)

    def _fit_values(self, batch: Batch, targets: Tensor, parts: Sequence[Tensor]) -> dict[str, float]:
        settings, joint = self.settings, self._joint(batch.observations)
        with torch.no_grad():
            old = self._outputs(joint)
        norms, squares = [], []
        for part in parts:
            wanted = targets[part]
            if self.normaliser:
                self.normaliser.update(wanted)
                wanted = self.normaliser.normalise(wanted)
            outputs = self._outputs(joint[part])
            bounds = settings.clip if settings.clip_values else math.inf
            loss = value_losses(outputs, old[part], wanted, clip=bounds, delta=settings.huber_delta).mean()
            norms.append(self.values.step(loss))
            squares.append(float((outputs.detach() - wanted).square().sum()))
        last = squares[-settings.minibatches :]
        return {"value_loss": sum(last) / batch.samples, "value_gradient_norm": float(np.mean(norms))}

    # --- policies --------------------------------------------------------------------------------------

    def _improve(self, batch: Batch, advantages: Tensor, parts: Sequence[Tensor]) -> dict[str, float]:
        settings, head = self.settings, self.policy.head
        observations = self.policy_inputs(batch.observations)
        actions = self.precision.place(batch.flat_actions.swapaxes(0, 1))
        masks, can_act = self._by_agent(batch.masks), batch.averaged(settings.average_over)
        acting = None if can_act is None else self.precision.place(can_act.T)
        with torch.no_grad():
            old = self.distributions(observations, masks)
        before, norms, losses, beyond = head.log_prob(old, actions), [], [], []
        for part in parts:
            there = None if acting is None else acting[:, part]
            if there is not None and not there.any():
                continue  # no agent acted there
            rows = self.distributions(observations[:, part], None if masks is None else masks[:, part])
            ratios = torch.exp(head.log_prob(rows, actions[:, part]) - before[:, part])
            losses_of_agents = -self._mean(clipped_surrogate(ratios, advantages[part], settings.clip), there)
            bonuses = settings.entropy_coefficient * self._mean(head.entropy(rows), there)
            objective = losses_of_agents - bonuses
            # The gradient of one agent's loss affects only that agent's own network, if it has one.
            norms.append(self.policies.step(objective.mean() if settings.share_policy else objective.sum()))
            clipped = ((ratios.detach() - 1).abs() > settings.clip).double()
            if there is not None:
                clipped = clipped[there]
                if not settings.share_policy:
                    losses_of_agents = losses_of_agents[there.any(-1)]
            losses.append(float(losses_of_agents.detach().mean()))
            beyond.append(float(clipped.mean()))
        with torch.no_grad():
            moved, by_agent = movement_by_agent(old, self.distributions(observations, masks), acting, head)
        # One learner moves all policies together: only the agents' own actions have a KL each.
        self.by_agent = {name: by_agent[name] for name in ("kl_played", "entropy")}
        means = {"policy_loss": losses, "clip_fraction": beyond, "policy_gradient_norm": norms}
        return moved | {name: float(np.mean(each)) if each else math.nan for name, each in means.items()}

    def _mean(self, values: Tensor, acting: Tensor | None) -> Tensor:
        """Means [N] of values [N, M] over the samples at which each agent acts, 0 where it never does.

        If all share a policy, the means are weighted so that their mean is over all actions of all agents.
        """
        means = mean_over_acting(values, acting)
        if acting is None or not self.settings.share_policy:
            return means
        actions = acting.sum(-1)
        return means * actions * (len(actions) / actions.sum())

    def distributions(self, observed: Tensor, masks: Tensor | None) -> Tensor:
        """Rows [N, M, R] of agents' heads for their inputs [N, M, d'] and masks [N, M, A]."""
        available = None if masks is None else masks.unsqueeze(-2)
        return self.policy.distribution(self.policies.theta, observed, available).squeeze(-2)

    # --- what networks see -----------------------------------------------------------------------------

    def policy_inputs(self, observations: np.ndarray) -> Tensor:
        """[..., N, d] as policy inputs, [N, M, d'], with the agent's number if all share a network."""
        own = self.precision.tensor(observations.reshape(-1, *observations.shape[-2:]).swapaxes(0, 1))
        if not self.settings.share_policy:
            return own
        numbers = torch.eye(len(own), dtype=own.dtype, device=own.device)
        return torch.cat([own, numbers.unsqueeze(1).expand(-1, own.shape[1], -1)], dim=-1)

    def _joint(self, observations: np.ndarray) -> Tensor:
        """[..., N, d] concatenated, [M, N d]."""
        return self.precision.tensor(
            observations.reshape(-1, self.spaces.agents * self.spaces.observation_size)
        )

    def _by_agent(self, masks: np.ndarray | None) -> Tensor | None:
        """[..., N, A] as [N, M, A]."""
        if masks is None:
            return None
        return self.precision.place(masks.reshape(-1, *masks.shape[-2:]).swapaxes(0, 1))

    def _descent(self, initial: np.ndarray, learning_rate: float) -> StackedAdam:
        return StackedAdam(
            initial,
            self.precision,
            learning_rate=learning_rate,
            epsilon=self.settings.adam_epsilon,
            max_gradient_norm=self.settings.max_gradient_norm,
        )


def clipped_surrogate(ratios: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """min(r A, clip(r, 1 - clip, 1 + clip) A) (Schulman et al. 2017, arXiv 1707.06347, Eq. 7), each."""
    return torch.minimum(ratios * advantages, ratios.clamp(1 - clip, 1 + clip) * advantages)


def value_losses(outputs: Tensor, old: Tensor, targets: Tensor, *, clip: float, delta: float) -> Tensor:
    """The larger Huber loss of the outputs and of those clipped to ``clip`` from the old, elementwise."""
    held = old + (outputs - old).clamp(-clip, clip)
    losses = [huber_loss(each, targets, reduction="none", delta=delta) for each in (outputs, held)]
    return torch.maximum(*losses)
