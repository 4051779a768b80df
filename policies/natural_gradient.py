"""Natural gradients: conjugate gradients on the Fisher matrix, plain or preconditioned by K-FAC.

Everything accepts leading axes (stacked agents): vectors [..., D], scalars [..., 1].
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from policies.linearisation import Linearisation

Apply = Callable[[Tensor], Tensor]


@dataclass
class Solution:
    """An approximate solution u of H u = b with everything the next solve at this point can reuse."""

    u: Tensor  # [..., D]
    product: Tensor  # H u, [..., D]
    tangent: Tensor  # K u, the logit tangent, [..., M, N, A]
    iterations: int
    residual: float  # |b - H u| / |b|, the largest over stacked systems


class Kfac:
    """The damped Kronecker-factored Fisher of a linearisation, as a preconditioner.

    For each layer the Fisher block is approximated by A (x) G, the second moments of the layer's input
    (with a one for the bias) and of its output gradient (Martens & Grosse 2015, arXiv 1503.05671), and
    (A (x) G + damping I) is inverted exactly in the eigenbases of A and G. Output gradients are drawn
    from the policy itself, one draw per sample, which is unbiased.
    """

    def __init__(self, at: Linearisation, uniforms: Tensor) -> None:
        """Factorise. ``uniforms`` [..., M, N] in [0, 1) pick the action drawn at each head."""
        self.at = at
        cumulative = at.p.cumsum(-1)
        drawn = (cumulative <= uniforms.unsqueeze(-1) * cumulative[..., -1:]).sum(-1, keepdim=True)
        drawn = drawn.clamp(max=at.policy.actions - 1)
        back = (-at.p).scatter_add(-1, drawn, torch.ones_like(at.p[..., :1])).flatten(-2)
        self.blocks: list[tuple[Tensor, Tensor, Tensor]] = []
        for index in reversed(range(len(at.weights))):
            entering = at.entering[index]
            with_one = torch.cat([entering, torch.ones_like(entering[..., :1])], dim=-1)
            a_values, a_basis = torch.linalg.eigh(with_one.mT @ with_one / at.samples)
            g_values, g_basis = torch.linalg.eigh(back.mT @ back / at.samples)
            # Rounding can leave an eigenvalue of a positive semi-definite matrix slightly negative.
            spectrum = g_values.clamp(min=0).unsqueeze(-1) * a_values.clamp(min=0).unsqueeze(-2)
            self.blocks.insert(0, (a_basis, g_basis, spectrum + at.damping))
            if index:
                back = torch.matmul(back, at.weights[index]) * at.slopes[index - 1]

    def __call__(self, v: Tensor) -> Tensor:
        """Solve (A (x) G + damping I) x = v for v [..., D], layer by layer."""
        pieces: list[Tensor] = []
        for (weight, bias), (a_basis, g_basis, spectrum) in zip(
            self.at.policy.network.layers(v), self.blocks, strict=True
        ):
            block = torch.cat([weight, bias.unsqueeze(-1)], dim=-1)
            rotated = (g_basis.mT @ block @ a_basis) / spectrum
            solved = g_basis @ rotated @ a_basis.mT
            pieces += [solved[..., :-1].flatten(-2), solved[..., -1]]
        return torch.cat(pieces, dim=-1)


def identity(v: Tensor) -> Tensor:
    """The preconditioner of plain conjugate gradients."""
    return v


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product over the last axis, kept as [..., 1]."""
    return (a * b).sum(-1, keepdim=True)


def solve(
    at: Linearisation,
    b: Tensor,
    *,
    precondition: Apply = identity,
    start: Solution | None = None,
    iterations: int = 10,
    tolerance: float = 0.0,
) -> Solution:
    """Conjugate gradients for H u = b, at least one and at most ``iterations`` Fisher products.

    ``start`` is an earlier solution at the same point: because its product H u is kept, its residual for
    a new b costs nothing, and it is first scaled to the best multiple of itself. Stops early once the
    preconditioned residual norm sqrt(r . P^-1 r) falls to ``tolerance`` times that of b.
    """
    tiny = torch.finfo(b.dtype).tiny
    if start is None:
        u, product = torch.zeros_like(b), torch.zeros_like(b)
        tangent = torch.zeros_like(at.p)
        residual = b
    else:
        scale = dot(b, start.u) / dot(start.u, start.product).clamp(min=tiny)
        u, product = scale * start.u, scale * start.product
        tangent = scale.unsqueeze(-1).unsqueeze(-1) * start.tangent
        residual = b - product
    z = precondition(residual)
    rz = dot(residual, z)
    target = tolerance**2 * (rz if start is None else dot(b, precondition(b)))
    direction = z
    done = 0
    while done < iterations and (done == 0 or bool((rz > target).any())):
        h_direction, moved = at.fisher(direction)
        step = rz / dot(direction, h_direction).clamp(min=tiny)
        u = u + step * direction
        product = product + step * h_direction
        tangent = tangent + step.unsqueeze(-1).unsqueeze(-1) * moved
        residual = residual - step * h_direction
        done += 1
        if done < iterations:
            z = precondition(residual)
            rz, previous = dot(residual, z), rz
            direction = z + rz / previous.clamp(min=tiny) * direction
    norm = residual.norm(dim=-1) / b.norm(dim=-1).clamp(min=tiny)
    return Solution(u, product, tangent, done, float(norm.max()))
