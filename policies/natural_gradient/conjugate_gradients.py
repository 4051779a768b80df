"""Natural gradients: conjugate gradients on the Fisher matrix for successive right-hand sides.

Everything accepts leading axes (stacked agents): vectors [..., D], scalars [..., 1].
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from policies.natural_gradient.linearisation import Linearisation

Apply = Callable[[Tensor], Tensor]


@dataclass
class Solution:
    """An approximate solution u of H u = b."""

    u: Tensor  # [..., D]
    product: Tensor  # H u, [..., D]
    ratio: Tensor  # J u, [..., M, N]
    iterations: int  # Fisher products
    residual: float  # see ConjugateGradients; the largest over stacked systems
    converged: bool  # whether the residual reached the tolerance before the cap


def identity(v: Tensor) -> Tensor:
    """The preconditioner of plain conjugate gradients."""
    return v


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product over the last axis, kept as [..., 1]."""
    return (a * b).sum(-1, keepdim=True)


class ConjugateGradients:
    """Solves H u = b for successive b at the same point, reusing the directions of earlier solves.

    The directions w_k kept are H-orthonormal, and H w_k and J w_k are kept with them: the best u in their
    span (c_k = w_k . b), its residual and its J u cost no Fisher product, and a new product is spent only on
    the part outside the span (projection onto earlier Krylov directions: Chan & Wan 1997, SIAM J. Sci.
    Comput. 18(6)). Without stored directions these are conjugate gradients with full reorthogonalisation.

    The relative residual is that of the preconditioned system, sqrt(r . P^-1 r / b . P^-1 b) with
    r = b - H u: with P close to H it is close to the relative error of u in the norm of H. Without a
    preconditioner it is |r| / |b|.
    """

    def __init__(
        self,
        at: Linearisation,
        *,
        precondition: Apply = identity,
        iterations: int = 10,
        tolerance: float = 0.0,
        recycle: int = 32,
    ) -> None:
        """Solve at ``at`` with at most ``iterations`` Fisher products each, ending at ``tolerance``.

        ``recycle`` is the number of directions kept for the next solve, at least 2. When there is no room for
        another, the two oldest are merged along the present solution, which loses none of it.
        """
        if recycle < 2:
            raise ValueError(f"recycle: {recycle} directions, must be at least 2")
        self.at, self.precondition = at, precondition
        self.iterations, self.tolerance = iterations, tolerance
        stacked = at.stacked
        # [L, capacity, ...]; memory that is never written is never allocated.
        self.directions = at.theta.new_empty(stacked, recycle, at.theta.shape[-1])
        self.products = torch.empty_like(self.directions)
        self.ratios = at.theta.new_empty(stacked, recycle, at.samples * at.policy.agents)
        self.coefficients = at.theta.new_zeros(stacked, recycle)
        self.forget()

    def forget(self) -> None:
        """Discard all directions: the next solve begins from zero."""
        self.kept, self.oldest = 0, 1

    def solve(self, b: Tensor) -> Solution:
        """The solution for b [..., D], improved until the tolerance or the cap is reached."""
        k = self.kept
        flat = b.reshape(-1, b.shape[-1])
        c = torch.bmm(self.directions[:, :k], flat.unsqueeze(-1))
        self.coefficients[:, :k] = c.squeeze(-1)
        residual = flat - torch.bmm(c.mT, self.products[:, :k]).squeeze(1)
        z = self.precondition(residual)
        size, whole = dot(residual, z), dot(flat, self.precondition(flat))
        target = self.tolerance**2 * whole
        done = 0
        while done < self.iterations and bool((size > target).any()):
            slot = self._add(z)
            step = dot(self.directions[:, slot], residual)
            self.coefficients[:, slot] = step.squeeze(-1)
            residual = residual - step * self.products[:, slot]
            z = self.precondition(residual)
            size, done = dot(residual, z), done + 1
        k = self.kept
        c = self.coefficients[:, None, :k]
        tiny = torch.finfo(b.dtype).tiny
        return Solution(
            u=torch.bmm(c, self.directions[:, :k]).view(b.shape),
            product=(flat - residual).view(b.shape),
            ratio=torch.bmm(c, self.ratios[:, :k]).view(*self.at.lead, self.at.samples, -1),
            iterations=done,
            residual=float((size / whole.clamp(min=tiny)).clamp(min=0).sqrt().max()),
            converged=not bool((size > target).any()),
        )

    def _add(self, z: Tensor) -> int:
        """Keep one more direction, z made H-orthonormal to the others; returns its slot."""
        k = self.kept
        for _ in range(2):  # one pass leaves rounding errors as large as z's component along the others
            shared = torch.bmm(self.products[:, :k], z.unsqueeze(-1))
            z = z - torch.bmm(shared.mT, self.directions[:, :k]).squeeze(1)
        product, ratio = self.at.fisher(z.view(self.at.theta.shape))
        product = product.view(z.shape)
        length = dot(z, product)
        scale = torch.where(length > 0, length, torch.inf).rsqrt()
        slot = self._room()
        torch.mul(z, scale, out=self.directions[:, slot])
        torch.mul(product, scale, out=self.products[:, slot])
        torch.mul(ratio.reshape(len(z), -1), scale, out=self.ratios[:, slot])
        return slot

    def _room(self) -> int:
        """A free slot, made if need be: the present solution's part in the oldest two becomes one."""
        if self.kept < self.directions.shape[1]:
            self.kept += 1
            return self.kept - 1
        slot = self.oldest
        self.oldest = 1 + slot % (self.directions.shape[1] - 1)
        first, second = self.coefficients[:, :1], self.coefficients[:, slot : slot + 1]
        length = torch.hypot(first, second)
        there = length > 0
        share = torch.where(there, first / length, 1.0), torch.where(there, second / length, 0.0)
        for kept in (self.directions, self.products, self.ratios):
            kept[:, 0] = share[0] * kept[:, 0] + share[1] * kept[:, slot]
        self.coefficients[:, :1] = length
        return slot
