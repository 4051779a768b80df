"""Critics of the joint observation and the joint action, Q(s, a), one for each agent."""

from dataclasses import dataclass

import torch
from torch import Tensor

from policies.nn.mlp import MLP, Activation, activate


@dataclass(frozen=True)
class JointCritic:
    """Q(s, a; omega): one network on all N observations, concatenated, then all N actions, one-hot.

    Parameters omega are [G, D], one vector for each of G critics; all use the same M joint samples.
    """

    network: MLP
    agents: int
    actions: int

    @classmethod
    def build(
        cls,
        agents: int,
        observation_size: int,
        hidden: tuple[int, ...],
        actions: int,
        activation: Activation = "selu",
    ) -> "JointCritic":
        """The critic with the given hidden widths; without any it is linear in its inputs."""
        return cls(MLP((agents * (observation_size + actions), *hidden, 1), activation), agents, actions)

    def inputs(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Inputs of a critic, [M, N (d + A)], from observations [M, N, d] and actions [M, N]."""
        taken = torch.nn.functional.one_hot(actions, self.actions).to(observations.dtype)
        return torch.cat([observations.flatten(1), taken.flatten(1)], dim=1)

    def values(self, omega: Tensor, inputs: Tensor) -> Tensor:
        """Q(s, a) by every critic, [G, M]."""
        outputs: Tensor = self.network(omega, inputs)
        return outputs.squeeze(-1)

    def alternatives(self, omega: Tensor, inputs: Tensor, actions: Tensor) -> Tensor:
        """Q(s, b, a^-i) by the critic of each agent i and for each of its actions b, [N, M, A].

        ``omega`` is [N, D]; ``actions`` [M, N] are those in ``inputs``. The first layer is linear, so that it
        is computed only once for all actions.
        """
        (weight, bias), *deeper = self.network.layers(omega)
        before = inputs.shape[1] - self.agents * self.actions
        blocks = weight[..., before:].reshape(*weight.shape[:-1], self.agents, self.actions)
        each = torch.arange(self.agents, device=omega.device)
        own = blocks[each, :, each].mT  # [N, A, out]: contribution of each of agent i's own actions
        taken = own.gather(1, actions.mT.unsqueeze(-1).expand(-1, -1, own.shape[-1]))
        rest = torch.matmul(inputs, weight.mT) + bias.unsqueeze(-2) - taken
        h = (rest.unsqueeze(2) + own.unsqueeze(1)).flatten(1, 2)  # [N, M * A, out]
        for weight, bias in deeper:
            h = torch.baddbmm(bias.unsqueeze(-2), activate(self.network.activation, h), weight.mT)
        return h.reshape(self.agents, len(inputs), self.actions)
