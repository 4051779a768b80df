"""The Kronecker-factored approximation of the Fisher matrix, as a preconditioner."""

import copy

import torch
from torch import Tensor

from policies.natural_gradient.linearisation import Linearisation


class Kfac:
    """The damped Kronecker-factored Fisher of a linearisation, as a preconditioner.

    For each layer the Fisher block is approximated by A (x) G, the second moments of the layer's input
    (with a one for the bias) and of its output gradient (Martens & Grosse 2015, arXiv 1503.05671), and
    (A (x) G + damping I) is inverted exactly in the eigenbases of A and G. Output gradients are drawn
    from the policy itself, one draw per sample, which is unbiased. If heads act in only some samples, both
    are weighted as the Fisher matrix is; inputs, which heads share, by the mean of their weights.

    Parameters that no observation enters have a diagonal Fisher matrix of their own, which is exact in
    expectation over a policy's own actions.

    For the empirical matrix, output gradients are those of the actions taken, each head's with a random sign:
    the matrix is a sum over heads, without products of two heads' gradients.
    """

    def __init__(self, at: Linearisation, uniforms: Tensor) -> None:
        """Factorise. ``uniforms`` [..., M, N * draws] in [0, 1) pick the draw, or the sign, at each head."""
        self.policy = at.policy
        level = uniforms.reshape(-1, at.samples, at.policy.agents, at.policy.head.draws)
        level = level.permute(0, 2, 3, 1)  # [L, N, draws, M]
        if at.matrix == "empirical":
            back = at.scores.taken()
            back = torch.where(level[..., :1, :] < 0.5, back, -back)
        else:
            back = at.scores.drawn(level)
        share: Tensor | None = None
        if at.root is not None:
            root = at.root.reshape(-1, *at.root.shape[-2:]).mT
            back = back * root.unsqueeze(-2)
            share = root.square().mean(-2, keepdim=True).sqrt()
        back = back.flatten(1, 2)
        back = back.to(at.weights[-1].dtype)
        self.blocks: list[tuple[Tensor, Tensor, Tensor]] = []
        for index in reversed(range(len(at.weights))):
            entering = at.entering[index]
            with_one = torch.cat([entering, torch.ones_like(entering[..., :1, :])], dim=-2)
            if share is not None:
                with_one = with_one * share.to(with_one.dtype)
            a_values, a_basis = _eigenbasis(with_one, at.theta.dtype)
            g_values, g_basis = _eigenbasis(back, at.theta.dtype)
            spectrum = g_values.unsqueeze(-1) * a_values.unsqueeze(-2)
            self.blocks.insert(0, (a_basis, g_basis, spectrum + at.damping))
            if index:
                back = torch.bmm(at.weights[index].mT, back) * at.slopes[index - 1]
        curvature = at.scores.constants_curvature(empirical=at.matrix == "empirical")
        self.constants = None if curvature is None else curvature + at.damping

    def __call__(self, v: Tensor) -> Tensor:
        """Solve (A (x) G + damping I) x = v for v [..., D], layer by layer."""
        result = torch.empty_like(v)
        of_network, constants = self.policy.split(v.reshape(-1, v.shape[-1]))
        to_network, to_constants = self.policy.split(result.view(-1, v.shape[-1]))
        if self.constants is not None:
            to_constants.copy_(constants / self.constants)
        rows = self.policy.network.layers(of_network)
        solved_rows = self.policy.network.layers(to_network)
        for (weight, bias), (to_weight, to_bias), (a_basis, g_basis, spectrum) in zip(
            rows, solved_rows, self.blocks, strict=True
        ):
            block = torch.cat([weight, bias.unsqueeze(-1)], dim=-1)
            rotated = (g_basis.mT @ block @ a_basis) / spectrum
            solved = g_basis @ rotated @ a_basis.mT
            to_weight.copy_(solved[..., :-1])
            to_bias.copy_(solved[..., -1])
        return result

    def agent(self, q: int) -> "Kfac":
        """Agent q's part of a stacked factorisation; nothing is copied."""
        part = copy.copy(self)
        part.blocks = [(a[q : q + 1], g[q : q + 1], s[q : q + 1]) for a, g, s in self.blocks]
        part.constants = None if self.constants is None else self.constants[q : q + 1]
        return part


def _eigenbasis(columns: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Eigenvalues [L, k] and eigenvectors [L, k, k] of the second moments of columns [L, k, M]."""
    moments = torch.bmm(columns, columns.mT).to(dtype) / columns.shape[-1]
    finite = torch.isfinite(moments).flatten(1).all(1)
    if not bool(finite.all()):
        raise FloatingPointError(f"agent {int(finite.int().argmin())}: its Fisher matrix is not finite")
    values, basis = torch.linalg.eigh(moments)
    # Rounding can leave an eigenvalue of a positive semi-definite matrix slightly negative.
    return values.clamp(min=0), basis
