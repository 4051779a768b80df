"""G policies of H heads, and a critic for each: acting, evaluating, saving.

MATRPO, I-TRPO and C-TRPO differ in a policy's observation, in the actions of its heads and in the heads that
act. With these, everything here is the same for all three.

The gain of a step is estimated in two ways, both the surrogate objective of trust-region methods (Schulman et
al. 2015, arXiv 1502.05477, Eq. 14) less its value without the step: the mean of A_q (ratio - 1) over samples,
summed over policies q. The ratio is each policy's own, or that of the team as it acts. MATRPO's agent q has a
model of the joint policy, of which only one head acts: where agents have not agreed, none of the models is
the policy that is played.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from policies.acting import mean_gain, mean_over_acting, of_joint
from policies.algorithms.learner import Spaces, only_acting
from policies.algorithms.trust_region_settings import TrustRegionSettings
from policies.batch import Batch
from policies.critics.value_critics import Critics
from policies.natural_gradient.linearisation import JointPolicy
from policies.nn.precision import Precision


class Models(ABC):
    """Shapes below are in G learners, H heads of each, N agents and M samples."""

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
        self.by_agent: dict[str, np.ndarray] = {}
        """See :class:`policies.algorithms.learner.MeasuredByAgent`."""
        self.precision = Precision.of(settings.device, settings.precision)
        head = spaces.head(settings.log_std_init)
        self.policy = JointPolicy.build(observation_size, settings.hidden, heads, head, settings.activation)
        self.theta = self.precision.tensor(self.policy.initial(learners, generator))
        self.critics = Critics(
            learners,
            observation_size,
            settings.hidden,
            generator,
            learning_rate=settings.values.learning_rate,
            activation=settings.activation,
            precision=self.precision,
        )

    @abstractmethod
    def to_policy_inputs(self, observations: np.ndarray) -> np.ndarray:
        """[M, N, d] as inputs of the policies, [G, M, d']."""

    @abstractmethod
    def to_heads(self, actions: np.ndarray) -> np.ndarray:
        """Each agent's entries [M, N, ...], as [G, M, H, ...]; or [M, H, ...] where policies share them."""

    @abstractmethod
    def own_heads(self, rows: Tensor) -> Tensor:
        """The heads that act, [N, M, R], of all heads [G, M, H, R]."""

    @torch.no_grad()
    def act(
        self, observations: np.ndarray, masks: np.ndarray | None, generator: np.random.Generator | None
    ) -> np.ndarray:
        """Actions [B, N, ...] for observations [B, N, d]: every agent samples the head that acts for it.

        Without a generator the most probable action is taken, of a Gaussian its mean.
        """
        return self.policy.head.choose(self.own_distributions(observations, masks), generator)

    @torch.no_grad()
    def gain(self, batch: Batch, advantages: Tensor, before: Tensor) -> float:
        """Surrogate gain of the policies over those ``before`` [G, D], each by its own model.

        Args:
            batch: played by the policies before.
            advantages: [G, M]. On a batch not learnt from, they must be of critics that were not fitted to
                what was learnt since ``before``.
        """
        observations, (actions, masks) = self.policy_inputs(batch.observations), self.heads(batch)
        policy, acting = self.policy, self.can_act(batch)
        after, past = (
            of_joint(policy.head.log_prob(policy.distribution(theta, observations, masks), actions), acting)
            for theta in (self.theta, before)
        )
        return float(mean_gain(advantages, after - past, acting).sum())

    @torch.no_grad()
    def played_gain(self, batch: Batch, advantages: Tensor, before: Tensor) -> float:
        """Surrogate gain, as in :meth:`gain`, of the team as it acts: every agent by its own head.

        All policies have one ratio, the product of the agents' own. For C-TRPO the two gains are the same.
        """
        actions = self.precision.place(batch.flat_actions.swapaxes(0, 1))  # [N, M, ...]
        own = batch.averaged(self.settings.average_over)
        after, past = (
            self.policy.head.log_prob(
                self.own_distributions(batch.observations, batch.flat_masks, theta), actions
            )
            for theta in (self.theta, before)
        )
        ratio = of_joint((after - past).T, None if own is None else self.precision.place(own))
        return float(mean_gain(advantages, ratio, self.can_act(batch)).sum())

    @torch.no_grad()
    def mean_entropy(self, batch: Batch) -> float:
        """Entropy of agents' own actions in nats: mean over agents and over the samples used for means.

        That of each agent goes to ``by_agent``.
        """
        of_actions = self.policy.head.entropy(self.own_distributions(batch.observations, batch.flat_masks))
        acting = batch.averaged(self.settings.average_over)
        own = None if acting is None else self.precision.place(acting.T)
        of_agents = mean_over_acting(of_actions, own)
        self.by_agent["entropy"] = only_acting(of_agents, own)
        return float(of_actions.mean() if own is None else of_agents[own.any(-1)].mean())

    @torch.no_grad()
    def entropy_bonus(self, batch: Batch) -> Tensor | None:
        """Weights [G, M, H] of log ratios that add the gradient of c times the entropy of the actions played.

        The gradient of an entropy is the mean of (-log pi(a) - entropy) times that of log pi(a). Each action
        taken by a head that acts therefore counts as if it had this much more advantage, times c, which is
        ``entropy_coefficient``. None if c is 0.
        """
        weight = self.settings.entropy_coefficient
        if weight == 0:
            return None
        observations, (actions, masks) = self.policy_inputs(batch.observations), self.heads(batch)
        rows, head = self.policy.distribution(self.theta, observations, masks), self.policy.head
        surprise = -head.log_prob(rows, actions) - head.entropy(rows)
        numbers = torch.arange(self.learners * surprise.shape[-1], device=surprise.device)
        plays = torch.zeros_like(numbers, dtype=torch.bool)
        plays[self.own_heads(numbers.view(self.learners, 1, -1, 1)).flatten()] = True
        return weight * surprise * plays.view(self.learners, 1, -1)

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

    def can_act(self, batch: Batch) -> Tensor | None:
        """Heads that can act, [(G,) M, H] bool; None where all can, or where means are over all samples."""
        return self._available(batch.averaged(self.settings.average_over))

    def values_of(self, observations: np.ndarray) -> np.ndarray:
        """Values [M, G] in float64 for observations [..., N, d]."""
        return self.critics.values(self.policy_inputs(observations)).double().mT.cpu().numpy()

    def own_distributions(
        self, observations: np.ndarray, masks: np.ndarray | None, theta: Tensor | None = None
    ) -> Tensor:
        """Rows [N, M, R] of agents' own heads; observations [..., N, d], masks [M, N, A].

        By the policies as they are, or with the parameters ``theta`` [G, D].
        """
        seen = self.policy_inputs(observations), self._available(masks)
        return self.own_heads(self.policy.distribution(self.theta if theta is None else theta, *seen))

    def policy_inputs(self, observations: np.ndarray) -> Tensor:
        """[..., N, d] as [G, M, d']."""
        return self.precision.tensor(
            self.to_policy_inputs(observations.reshape(-1, *observations.shape[-2:]))
        )

    def heads(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Actions [(G,) M, H, ...] and masks of available entries, [(G,) M, H, A]."""
        actions = self.precision.place(self.to_heads(batch.flat_actions))
        return actions, self._available(batch.flat_masks)

    def _available(self, masks: np.ndarray | None) -> Tensor | None:
        """[M, N, ...] as [(G,) M, H, ...]."""
        return None if masks is None else self.precision.place(self.to_heads(masks))
