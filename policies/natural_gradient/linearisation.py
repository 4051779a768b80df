"""A joint policy linearised at theta_old: J x, J^T w and Fisher products from cached activations.

No autograd graph is needed: for a multilayer perceptron each product is two matrix products per layer.
Shapes carry optional leading axes (stacked agents): theta [..., D], observations [..., M, d],
actions [..., M, N], or [..., M, N, numbers] where an action is several; M samples, N heads of ``width``
outputs each. Inside, samples come last, so that the loops over them are long and contiguous, and every array
as large as an activation is written into reused buffers. The head's kind of distribution knows the rest
(``policies.nn.head``).
"""

import copy
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from policies.acting import root_weights
from policies.nn.head import Head
from policies.nn.mlp import MLP, Activation, activate, derivative, stack_initial

Fisher = Literal["expected", "empirical"]
"""Fisher matrix in expectation over actions of the policy itself, or over the actions taken."""


@dataclass(frozen=True)
class JointPolicy:
    """pi(a|o) = prod_n pi(a^n|o): one network with a ``head`` for each of ``agents``.

    A parameter vector [D] is that of the network and then, for each head, its constants.
    """

    network: MLP
    agents: int
    head: Head

    @classmethod
    def build(
        cls,
        observation_size: int,
        hidden: tuple[int, ...],
        agents: int,
        head: Head,
        activation: Activation = "selu",
    ) -> "JointPolicy":
        """The policy with the given hidden widths."""
        return cls(MLP((observation_size, *hidden, agents * head.width), activation), agents, head)

    @property
    def parameters(self) -> int:
        """Length D of the parameter vector."""
        return self.network.parameters + self.agents * self.head.constants

    @property
    def draws(self) -> int:
        """Uniform numbers from which the actions of all heads are drawn at a sample."""
        return self.agents * self.head.draws

    def initial(self, count: int, generator: np.random.Generator, output_gain: float = 0.01) -> np.ndarray:
        """Independent initial parameter vectors, [count, D] (float64)."""
        networks = stack_initial(self.network, count, generator, output_gain)
        constants = np.tile(self.head.initial(), (count, self.agents))
        return np.concatenate([networks, constants], axis=-1)

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Views of ``theta`` [..., D]: the network's [..., D'], and constants [..., N, constants]."""
        if theta.shape[-1] != self.parameters:
            lead = tuple(theta.shape[:-1])
            raise ValueError(f"theta: has {theta.shape[-1]} entries after {lead}, needs {self.parameters}")
        shape = (*theta.shape[:-1], self.agents, self.head.constants)
        if not self.head.constants:
            return theta, theta.new_empty(shape)
        own = self.network.parameters
        return theta[..., :own], theta[..., own:].view(shape)

    def heads(self, outputs: Tensor) -> Tensor:
        """Network outputs [..., N * width] as one row per head, [..., N, width]."""
        return outputs.view(*outputs.shape[:-1], self.agents, self.head.width)

    def distribution(self, theta: Tensor, observations: Tensor, masks: Tensor | None = None) -> Tensor:
        """Rows [..., M, N, R] of the heads for theta [..., D] and observations [..., M, d]."""
        network, constants = self.split(theta)
        return self.head.distribution(self.heads(self.network(network, observations)), constants, masks)


class Linearisation:
    """First-order model of the log policy at theta_old, and the Fisher matrix there.

    J is the M*N x D matrix of rows grad log pi(a^n_m | o_m), with J x as [..., M, N].
    H = (1/M) sum_m K_m^T F_m K_m + damping I, where K_m is the Jacobian of the heads' outputs and constants
    and F_m the Fisher matrix of their distributions (diag(p) - p p^T for categorical ones): the Hessian of
    the sample-average KL summed over heads.

    If heads can ``act`` in only some samples, J and F_m are multiplied by ``root``, sqrt(M / M_n) at the
    M_n samples of head n and 0 elsewhere, and by its square: then H is the Hessian of the sum over heads of
    the KL averaged over each head's own samples, and still E[J^T J] = M H. The weights are the same for all
    agents that model the same heads, so that their J x, the signals of consensus, stay comparable.

    With ``fisher`` "empirical", H = J^T J / M + damping I of the actions taken. E[J^T J] = M H holds for
    actions drawn from this policy; in a model of the joint policy only one head is played, and the other
    actions are drawn by others.

    ``products`` is the type in which activations are kept and multiplied (None: that of theta). Sums, and
    vectors of parameters, keep theta's type; with bfloat16 every product has about 0.4 % of noise.
    """

    def __init__(
        self,
        policy: JointPolicy,
        theta: Tensor,
        observations: Tensor,
        actions: Tensor,
        masks: Tensor | None = None,
        damping: float = 0.01,
        products: torch.dtype | None = None,
        acting: Tensor | None = None,
        fisher: Fisher = "expected",
        root: Tensor | None = None,
    ) -> None:
        """Linearise at ``theta``; ``acting`` [..., M, N] marks heads that could act; None: all, always.

        ``root`` [M, N] are the weights if the samples are only a part of those over which means are taken.
        """
        network = policy.network
        self.matrix = fisher
        self.policy, self.theta, self.damping = policy, theta, damping
        self.observations, self.mask = observations, masks
        self.lead, self.samples = theta.shape[:-1], observations.shape[-2]
        of_network, constants = policy.split(theta)
        layers = network.layers(of_network.reshape(-1, of_network.shape[-1]))
        h = observations.reshape(-1, *observations.shape[-2:]).mT.contiguous()
        entering = []
        for index, (weight, bias) in enumerate(layers):
            entering.append(h)
            z = torch.baddbmm(bias.unsqueeze(-1), weight, h)
            h = activate(network.activation, z) if index < len(layers) - 1 else z
        outputs = policy.heads(h.mT.reshape(*self.lead, self.samples, -1))
        self.distribution = policy.head.distribution(outputs, constants, masks)
        kind = products or theta.dtype
        # [L, width, M] each, with L stacked agents.
        self.entering = [each.to(kind) for each in entering]
        self.slopes = [derivative(network.activation, each).to(kind) for each in entering[1:]]
        self.weights = [weight.to(kind) for weight, _ in layers]
        heads, numbers = self.distribution.shape[:-1], policy.head.axes
        self.actions = actions.expand(*heads, *actions.shape[actions.ndim - numbers :])
        """The actions taken, [..., M, N] or [..., M, N, numbers]."""
        self.acting = acting if acting is None else acting.expand(*self.lead, -1, -1)
        if root is None and self.acting is not None:
            root = root_weights(self.acting, theta.dtype)
        self.root = root
        """Root weights, [..., M, N]; None where all heads always act."""
        self.scores = policy.head.scores(self.distribution, self.actions, self.root, kind, self._samples_last)
        self._buffers = [torch.empty_like(each) for each in self.entering[1:]] + [
            torch.empty_like(h, dtype=kind)
        ]

    @property
    def stacked(self) -> int:
        """L, the number of stacked agents."""
        return self.entering[0].shape[0]

    def agent(self, q: int) -> "Linearisation":
        """Agent q's part of a linearisation stacked along one axis: nothing is copied, buffers are shared."""
        part = copy.copy(self)
        part.lead = torch.Size()
        part.theta, part.observations = self.theta[q], self.observations[q]
        part.mask = None if self.mask is None else self.mask.expand(*self.lead, *self.mask.shape[-3:])[q]
        part.distribution, part.actions = self.distribution[q], self.actions[q]
        row = slice(q, q + 1)
        part.entering = [each[row] for each in self.entering]
        part.slopes = [each[row] for each in self.slopes]
        part.weights = [each[row] for each in self.weights]
        part.scores = self.scores.agent(q)
        if self.acting is not None and self.root is not None:
            part.acting, part.root = self.acting[q], self.root[q]
        part._buffers = [each[:1] for each in self._buffers]
        return part

    def thinned(self, samples: Tensor | None) -> "Linearisation":
        """The linearisation at some of the samples, by their indices [M'], with weights for means over these.

        Returns itself for None.
        """
        if samples is None:
            return self
        return Linearisation(
            self.policy,
            self.theta,
            self.observations[..., samples, :],
            self.actions.index_select(len(self.lead), samples),
            None if self.mask is None else self.mask[..., samples, :, :],
            self.damping,
            self.weights[0].dtype,
            None if self.acting is None else self.acting[..., samples, :],
            self.matrix,
        )

    def moved(self, x: Tensor) -> Tensor:
        """Rows [..., M, N, R] of the heads at theta_old + x; ``distribution`` are those at theta_old."""
        return self.policy.distribution(self.theta + x, self.observations, self.mask)

    def jvp(self, x: Tensor) -> Tensor:
        """J x, [..., M, N]: the linearised log policy ratio at every sample and head, times ``root``."""
        return self._ratio(self.scores.ratio(*self._tangent(x)))

    def vjp(self, w: Tensor) -> Tensor:
        """J^T w, [..., D], for weights w [..., M, N]."""
        if self.root is not None:
            w = w * self.root
        w = w.expand(*self.lead, -1, -1).reshape(-1, *w.shape[-2:]).mT.unsqueeze(-2)
        return self._cotangent(*self.scores.transposed(w, self._by_head(self._buffers[-1])))

    def fisher(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """H x [..., D] (damping included), and J x [..., M, N], half of which the product needs anyway."""
        tangent, constants = self._tangent(x)
        if self.matrix == "empirical":
            ratio = self._ratio(self.scores.ratio(tangent, constants))
            return (self.vjp(ratio) / self.samples).add_(x, alpha=self.damping), ratio
        # Each head's own Fisher matrix applied to the change of its outputs, F (K x).
        change, g, of_constants = self.scores.expected(tangent, constants)
        ratio = self._ratio(change)
        product = self._cotangent(g, of_constants) / self.samples
        return product.add_(x, alpha=self.damping), ratio

    # --- inside: samples last ---------------------------------------------------------------------------

    def _tangent(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """K x along x [..., D]: the changes of outputs [L, N, width, M], in a buffer, and of constants."""
        moved: Tensor | None = None
        network, constants = self.policy.split(x.reshape(-1, x.shape[-1]))
        layers = self.policy.network.layers(network)
        for index, ((weight, bias), z) in enumerate(zip(layers, self._buffers, strict=True)):
            kind = z.dtype
            torch.baddbmm(bias.unsqueeze(-1).to(kind), weight.to(kind), self.entering[index], out=z)
            if moved is not None:
                z.baddbmm_(self.weights[index], moved)
            if index < len(self.slopes):
                z.mul_(self.slopes[index])
            moved = z
        if moved is None:
            raise ValueError("network: needs at least one layer")
        return self._by_head(moved), constants

    def _cotangent(self, g: Tensor, of_constants: Tensor | None) -> Tensor:
        """K^T g: the parameter vector [..., D] for weights on outputs [L, N, width, M] and on constants."""
        back = g.flatten(1, 2)
        result = torch.empty_like(self.theta).reshape(-1, self.theta.shape[-1])
        network, constants = self.policy.split(result)
        if of_constants is not None:
            constants.copy_(of_constants)
        layers = self.policy.network.layers(network)
        for index in reversed(range(len(layers))):
            weight, bias = layers[index]
            weight.copy_(torch.bmm(back, self.entering[index].mT))
            bias.copy_(back.sum(-1, dtype=bias.dtype))
            if index:
                before = self._buffers[index - 1]
                back = torch.bmm(self.weights[index].mT, back, out=before).mul_(self.slopes[index - 1])
        return result.view(self.theta.shape)

    def _ratio(self, change: Tensor) -> Tensor:
        """Log-ratio changes [L, N, 1, M] as [..., M, N], times the root weights."""
        ratio = self._heads_last(change).squeeze(-1)
        return ratio if self.root is None else ratio * self.root

    def _by_head(self, outputs: Tensor) -> Tensor:
        """[L, N * width, M] as [L, N, width, M]."""
        return outputs.view(len(outputs), self.policy.agents, self.policy.head.width, self.samples)

    def _samples_last(self, heads: Tensor) -> Tensor:
        """[..., M, N, A] as [L, N, A, M]."""
        return heads.reshape(-1, *heads.shape[-3:]).permute(0, 2, 3, 1).contiguous()

    def _heads_last(self, heads: Tensor) -> Tensor:
        """[L, N, k, M] as [..., M, N, k], in theta's type."""
        shape = (*self.lead, self.samples, *heads.shape[1:3])
        return heads.permute(0, 3, 1, 2).reshape(shape).to(self.theta.dtype)
