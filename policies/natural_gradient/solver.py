"""The settings of the natural-gradient solves, and the solvers they describe."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from policies.natural_gradient.conjugate_gradients import ConjugateGradients, identity
from policies.natural_gradient.kfac import Kfac
from policies.natural_gradient.linearisation import Linearisation
from policies.settings import Settings


class SolverSettings(Settings):
    """The solution of H^-1 V; in the paper, ten plain iterations from zero, without a tolerance."""

    preconditioner: Annotated[
        Literal["kfac", "none"], Field(description="Kronecker factors of the Fisher matrix, or none")
    ] = "kfac"
    iterations: Annotated[int, Field(ge=1, description="most Fisher products per solve")] = 10
    tolerance: Annotated[
        float, Field(ge=0, lt=1, description="relative residual of the preconditioned system to stop at")
    ] = 0.005
    warm_start: Annotated[bool, Field(description="keep directions from solve to solve")] = True
    recycle: Annotated[int, Field(ge=2, description="most directions kept")] = 32
    damping: Annotated[float, Field(gt=0, description="added to the Fisher matrix's diagonal")] = 0.1
    every: Annotated[
        int,
        Field(
            ge=1,
            description="products with the Fisher matrix are means over every n-th sample (authors: 5)",
        ),
    ] = 1
    audit: Annotated[
        bool, Field(description="solve every system again in float64, nearly exactly, for solve_error; slow")
    ] = False

    def at(self, at: Linearisation, kfac: Kfac | None) -> ConjugateGradients:
        """The solver for one agent, linearised at ``at``."""
        return ConjugateGradients(
            at,
            precondition=identity if kfac is None else kfac,
            iterations=self.iterations,
            tolerance=self.tolerance,
            recycle=max(2, self.iterations, self.recycle if self.warm_start else 0),
        )


class Audit:
    """The same systems in float64, solved nearly exactly: the reference for errors."""

    def __init__(self, at: Linearisation, kfac: Kfac, fisher: Linearisation | None = None) -> None:
        """``at`` is a linearisation in float64 of one agent's policy, ``fisher`` one of H's samples alone.

        Without the latter they are the same.
        """
        self.at = at
        self.solver = ConjugateGradients(
            fisher or at, precondition=kfac, iterations=500, tolerance=1e-9, recycle=64
        )

    def error(self, weights: Tensor, u: Tensor) -> float:
        """|u - u*| / |u*| for u [D] against H u* = J^T w / M with weights w [M, N]; 0 where u* is zero."""
        exact = self.solver.solve(self.at.vjp(weights.double()) / self.at.samples).u
        size = torch.linalg.vector_norm(exact)
        return float(torch.linalg.vector_norm(u - exact) / size) if size > 0 else 0.0
