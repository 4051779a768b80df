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
    from the policy itself, one draw per sample, which is unbiased. Where heads act at some samples only, both
    are weighted as the Fisher matrix is; inputs, which heads share, by the mean of their weights.

    For the empirical matrix, output gradients are those of the actions taken, each head's with a random sign:
    the matrix is a sum over heads, without products of two heads' gradients.
    """

    def __init__(self, at: Linearisation, uniforms: Tensor) -> None:
        """Factorise. ``uniforms`` [..., M, N] in [0, 1) pick the action drawn, or the sign, at each head."""
        self.network = at.policy.network
        level = uniforms.reshape(-1, *uniforms.shape[-2:]).mT.unsqueeze(-2)
        actions = at.taken if at.matrix == "empirical" else _drawn(at.p, level)
        back = (-at.p).scatter_add(-2, actions, torch.ones_like(at.p[..., :1, :]))
        if at.matrix == "empirical":
            back = torch.where(level < 0.5, back, -back)
        share: Tensor | None = None
        if at.root is not None:
            root = at.root.reshape(-1, *at.root.shape[-2:]).mT
            back *= root.unsqueeze(-2)
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

    def __call__(self, v: Tensor) -> Tensor:
        """Solve (A (x) G + damping I) x = v for v [..., D], layer by layer."""
        result = torch.empty_like(v)
        rows = self.network.layers(v.reshape(-1, v.shape[-1]))
        solved_rows = self.network.layers(result.view(-1, v.shape[-1]))
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
        return part


def _drawn(p: Tensor, level: Tensor) -> Tensor:
    """The action [L, N, 1, M] at which each head's cumulative probability passes a level in [0, 1)."""
    cumulative = p.cumsum(-2)
    drawn = (cumulative <= level * cumulative[..., -1:, :]).sum(-2, keepdim=True)
    return drawn.clamp(max=p.shape[-2] - 1)


def _eigenbasis(columns: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Eigenvalues [L, k] and eigenvectors [L, k, k] of the second moments of columns [L, k, M]."""
    moments = torch.bmm(columns, columns.mT).to(dtype) / columns.shape[-1]
    finite = torch.isfinite(moments).flatten(1).all(1)
    if not bool(finite.all()):
        raise FloatingPointError(f"agent {int(finite.int().argmin())}: its Fisher matrix is not finite")
    values, basis = torch.linalg.eigh(moments)
    # Rounding can leave an eigenvalue of a positive semi-definite matrix slightly negative.
    return values.clamp(min=0), basis
