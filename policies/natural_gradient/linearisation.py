"""A joint policy linearised at theta_old: J x, J^T w and Fisher products from cached activations.

No autograd graph is needed: for a multilayer perceptron each product is two matrix products per layer.
Shapes carry optional leading axes (stacked agents): theta [..., D], observations [..., M, d],
actions [..., M, N]; M samples, N heads of A actions each. Inside, samples come last, so that the loops over
them are long and contiguous, and every array as large as an activation is written into reused buffers.
"""

import copy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from policies.acting import root_weights
from policies.nn.categorical import log_probabilities
from policies.nn.mlp import MLP, Activation, activate, derivative

Fisher = Literal["expected", "empirical"]
"""Fisher matrix in expectation over actions of the policy itself, or over the actions taken."""


@dataclass(frozen=True)
class JointPolicy:
    """pi(a|o) = prod_n pi(a^n|o): one network with a categorical head of ``actions`` per agent."""

    network: MLP
    agents: int
    actions: int

    @classmethod
    def build(
        cls,
        observation_size: int,
        hidden: tuple[int, ...],
        agents: int,
        actions: int,
        activation: Activation = "selu",
    ) -> "JointPolicy":
        """The policy with the given hidden widths."""
        return cls(MLP((observation_size, *hidden, agents * actions), activation), agents, actions)

    def heads(self, outputs: Tensor) -> Tensor:
        """Network outputs [..., N * A] as one row per head, [..., N, A]."""
        return outputs.view(*outputs.shape[:-1], self.agents, self.actions)

    def log_probabilities(self, theta: Tensor, observations: Tensor, masks: Tensor | None = None) -> Tensor:
        """Log probabilities [..., M, N, A] for theta [..., D] and observations [..., M, d]."""
        return log_probabilities(self.heads(self.network(theta, observations)), masks)


class Linearisation:
    """First-order model of the log policy at theta_old, and the Fisher matrix there.

    J is the M*N x D matrix of rows grad log pi(a^n_m | o_m), with J x as [..., M, N].
    H = (1/M) sum_m K_m^T F_m K_m + damping I, where K_m is the Jacobian of the logits and
    F_m = diag(p) - p p^T for each head: the Hessian of the sample-average KL summed over heads.

    Where heads can ``act`` at some samples only, J and F_m are multiplied by ``root``, sqrt(M / M_n) at the
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
        layers = network.layers(theta.reshape(-1, theta.shape[-1]))
        h = observations.reshape(-1, *observations.shape[-2:]).mT.contiguous()
        entering = []
        for index, (weight, bias) in enumerate(layers):
            entering.append(h)
            z = torch.baddbmm(bias.unsqueeze(-1), weight, h)
            h = activate(network.activation, z) if index < len(layers) - 1 else z
        logits = policy.heads(h.mT.reshape(*self.lead, self.samples, -1))
        self.log_p = log_probabilities(logits, masks)
        kind = products or theta.dtype
        # [L, width, M] each, with L stacked agents; p and the actions taken are [L, N, A or 1, M].
        self.entering = [each.to(kind) for each in entering]
        self.slopes = [derivative(network.activation, each).to(kind) for each in entering[1:]]
        self.weights = [weight.to(kind) for weight, _ in layers]
        self.p = self._samples_last(self.log_p.exp())
        self.taken = self._samples_last(actions.expand(*self.lead, -1, -1).unsqueeze(-1))
        self.acting = acting if acting is None else acting.expand(*self.lead, -1, -1)
        if root is None and self.acting is not None:
            root = root_weights(self.acting, theta.dtype)
        self.root = root
        """Root weights, [..., M, N]; None where all heads always act."""
        self._fisher_p = self.p
        if self.root is not None:
            self._fisher_p = self.p * self._samples_last(self.root.square().unsqueeze(-1))
        self._buffers = [torch.empty_like(each) for each in self.entering[1:]] + [
            torch.empty_like(h, dtype=kind)
        ]

    @property
    def actions(self) -> Tensor:
        """The actions taken, [..., M, N]."""
        return self._heads_last(self.taken).squeeze(-1)

    def agent(self, q: int) -> "Linearisation":
        """Agent q's part of a linearisation stacked along one axis: nothing is copied, buffers are shared."""
        part = copy.copy(self)
        part.lead = torch.Size()
        part.theta, part.observations = self.theta[q], self.observations[q]
        part.mask = None if self.mask is None else self.mask.expand(*self.lead, *self.mask.shape[-3:])[q]
        part.log_p = self.log_p[q]
        row = slice(q, q + 1)
        part.entering = [each[row] for each in self.entering]
        part.slopes = [each[row] for each in self.slopes]
        part.weights = [each[row] for each in self.weights]
        part.p, part.taken, part._fisher_p = self.p[row], self.taken[row], self._fisher_p[row]
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
            self.actions[..., samples, :],
            None if self.mask is None else self.mask[..., samples, :, :],
            self.damping,
            self.weights[0].dtype,
            None if self.acting is None else self.acting[..., samples, :],
            self.matrix,
        )

    def moved(self, x: Tensor) -> Tensor:
        """Log probabilities [..., M, N, A] at theta_old + x; ``log_p`` are those at theta_old."""
        return self.policy.log_probabilities(self.theta + x, self.observations, self.mask)

    def jvp(self, x: Tensor) -> Tensor:
        """J x, [..., M, N]: the linearised log policy ratio at every sample and head, times ``root``."""
        tangent = self._tangent(x)
        return self._ratio(tangent, self._mean(tangent))

    def vjp(self, w: Tensor) -> Tensor:
        """J^T w, [..., D], for weights w [..., M, N]."""
        if self.root is not None:
            w = w * self.root
        w = w.expand(*self.lead, -1, -1).reshape(-1, *w.shape[-2:]).mT.unsqueeze(-2)
        g = self._buffers[-1].view(self.p.shape)
        if g.dtype == w.dtype:
            torch.mul(self.p, w, out=g).neg_()
        else:
            g.copy_(-self.p * w)
        return self._cotangent(g.scatter_add_(-2, self.taken, w.contiguous().to(g.dtype)))

    def fisher(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """H x [..., D] (damping included), and J x [..., M, N], half of which the product needs anyway."""
        tangent = self._tangent(x)
        mean = self._mean(tangent)
        ratio = self._ratio(tangent, mean)
        if self.matrix == "empirical":
            return (self.vjp(ratio) / self.samples).add_(x, alpha=self.damping), ratio
        # Each head's own Fisher matrix applied to the change of its logits, F (K x).
        product = self._cotangent(tangent.sub_(mean).mul_(self._fisher_p)) / self.samples
        return product.add_(x, alpha=self.damping), ratio

    # --- inside: samples last ---------------------------------------------------------------------------

    def _tangent(self, x: Tensor) -> Tensor:
        """K x, the change of the logits [L, N, A, M] along x [..., D], in a buffer."""
        moved: Tensor | None = None
        layers = self.policy.network.layers(x.reshape(-1, x.shape[-1]))
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
        return moved.view(self.p.shape)

    def _cotangent(self, g: Tensor) -> Tensor:
        """K^T g: the parameter vector [..., D] for weights g [L, N, A, M] on the logits."""
        back = g.flatten(1, 2)
        result = torch.empty_like(self.theta).reshape(-1, self.theta.shape[-1])
        layers = self.policy.network.layers(result)
        for index in reversed(range(len(layers))):
            weight, bias = layers[index]
            weight.copy_(torch.bmm(back, self.entering[index].mT))
            bias.copy_(back.sum(-1, dtype=bias.dtype))
            if index:
                before = self._buffers[index - 1]
                back = torch.bmm(self.weights[index].mT, back, out=before).mul_(self.slopes[index - 1])
        return result.view(self.theta.shape)

    def _mean(self, tangent: Tensor) -> Tensor:
        """Each head's mean change of its logits under the policy, [L, N, 1, M]."""
        return (self.p * tangent).sum(-2, keepdim=True)

    def _ratio(self, tangent: Tensor, mean: Tensor) -> Tensor:
        """Log-ratio change [..., M, N] of the actions taken."""
        ratio = self._heads_last(tangent.gather(-2, self.taken) - mean).squeeze(-1)
        return ratio if self.root is None else ratio * self.root

    def _samples_last(self, heads: Tensor) -> Tensor:
        """[..., M, N, A] as [L, N, A, M]."""
        return heads.reshape(-1, *heads.shape[-3:]).permute(0, 2, 3, 1).contiguous()

    def _heads_last(self, heads: Tensor) -> Tensor:
        """[L, N, A, M] as [..., M, N, A], in theta's type where they are real numbers."""
        wanted = self.theta.dtype if heads.is_floating_point() else heads.dtype
        return heads.permute(0, 3, 1, 2).reshape(*self.lead, self.samples, *heads.shape[1:3]).to(wanted)
