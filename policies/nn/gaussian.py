"""The head of a Box space: a diagonal Gaussian whose log standard deviations are parameters.

The network gives the mean; the log standard deviation of each number of the action is one parameter that no
observation enters, as in TRPO (Schulman et al. 2015, arXiv 1502.05477, Section 8), in Stable-Baselines3's
DiagGaussianDistribution and in the code of MATRPO's authors. Actions are not bounded here: one outside the
Box keeps its log density, and the environment receives the nearest that is inside.
"""

import copy
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from policies.nn.head import Head, SamplesLast, Scores, refuse_nan

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class GaussianScores(Scores):
    """With z = (a - mean) / std, the gradients are z / std of the mean and z^2 - 1 of the log std.

    Both are independent, and the Fisher matrix is diagonal: 1 / std^2 of the mean and 2 of the log std. All
    are 0 where the agent does not have the number.
    """

    def __init__(
        self, slope: Tensor, excess: Tensor, inverse: Tensor, precision: Tensor, root: Tensor | None
    ) -> None:
        """Store what products need, [L, N, K, M] each.

        Args:
            slope: z / std.
            excess: z^2 - 1.
            inverse: 1 / std.
            precision: 1 / std^2 times the weights of the Fisher matrix.
            root: the roots of those weights, [L, N, 1, M]; None: all 1.
        """
        self.slope, self.excess, self.inverse = slope, excess, inverse
        self.precision, self.root = precision, root
        there = (inverse > 0).to(inverse.dtype)
        self.weights = (there if root is None else there * root.square()).sum(-1)
        """The weights of each number, summed over samples, [L, N, K]."""

    def ratio(self, tangent: Tensor, constants: Tensor) -> Tensor:
        moved = self.slope * tangent + self.excess * constants.unsqueeze(-1).to(self.excess.dtype)
        return moved.sum(-2, keepdim=True)

    def transposed(self, w: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
        weight = w.to(out.dtype)
        return torch.mul(self.slope, weight, out=out), (self.excess * weight).sum(-1, dtype=w.dtype)

    def expected(self, tangent: Tensor, constants: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ratio = self.ratio(tangent, constants)
        return ratio, tangent.mul_(self.precision), 2 * self.weights * constants

    def drawn(self, level: Tensor) -> Tensor:
        # Signs have the second moments of standard normals, which are all that is used of the draws.
        return torch.where(level < 0.5, self.inverse, -self.inverse)

    def taken(self) -> Tensor:
        return self.slope

    def constants_curvature(self, *, empirical: bool) -> Tensor:
        samples = self.slope.shape[-1]
        if not empirical:
            return 2 * self.weights / samples
        excess = self.excess.to(self.weights.dtype)
        return (excess if self.root is None else excess * self.root).square().sum(-1) / samples

    def agent(self, q: int) -> "GaussianScores":
        part, row = copy.copy(self), slice(q, q + 1)
        for name in ("slope", "excess", "inverse", "precision", "weights"):
            setattr(part, name, getattr(self, name)[row])
        part.root = None if self.root is None else self.root[row]
        return part


@dataclass(frozen=True)
class GaussianHead(Head):
    """The head of ``width`` real numbers K, with log standard deviations that begin at ``log_std_init``.

    A row of the distribution is the K means and then the K log standard deviations. A number that an agent
    does not have (its mask is False) has mean 0 and log standard deviation -inf: it is always 0, and adds
    nothing to log density, entropy and KL.
    """

    space: ClassVar[str] = "Box"
    width: int
    log_std_init: float = 0.0

    @property
    def constants(self) -> int:  # type: ignore[override]  # follows from the width
        """One for each number."""
        return self.width

    @property
    def draws(self) -> int:  # type: ignore[override]
        """One for each number."""
        return self.width

    @classmethod
    def of(cls, widths: tuple[int, ...], log_std_init: float) -> "GaussianHead":
        (width,) = widths
        return cls(width, log_std_init)

    def initial(self) -> np.ndarray:
        return np.full(self.width, float(self.log_std_init))

    def distribution(self, outputs: Tensor, constants: Tensor, masks: Tensor | None) -> Tensor:
        log_std = constants.unsqueeze(-3).expand(outputs.shape)
        if masks is not None:
            outputs, log_std = outputs.masked_fill(~masks, 0), log_std.masked_fill(~masks, -torch.inf)
        return torch.cat([outputs, log_std], dim=-1)

    def log_prob(self, rows: Tensor, actions: Tensor) -> Tensor:
        mean, log_std, there = _parts(rows)
        z = (actions.to(rows.dtype) - mean) * torch.exp(-log_std)
        return torch.where(there, -0.5 * z.square() - log_std - HALF_LOG_TWO_PI, 0).sum(-1)

    def entropy(self, rows: Tensor) -> Tensor:
        _, log_std, there = _parts(rows)
        return torch.where(there, log_std + (0.5 + HALF_LOG_TWO_PI), 0).sum(-1)

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        mean, log_std, there = _parts(old)
        new_mean, new_log_std, _ = _parts(new)
        wider = new_log_std - log_std
        # In this form the difference of almost equal variances keeps its digits.
        each = 0.5 * (torch.expm1(-2 * wider) + 2 * wider)
        each = each + 0.5 * ((new_mean - mean) * torch.exp(-new_log_std)).square()
        return torch.where(there, each, 0).sum(-1)

    def choose(self, rows: Tensor, generator: np.random.Generator | None) -> np.ndarray:
        refuse_nan(rows)
        mean, log_std = (each.numpy() for each in rows.double().cpu().transpose(0, 1).chunk(2, dim=-1))
        drawn = mean if generator is None else mean + np.exp(log_std) * generator.standard_normal(mean.shape)
        with np.errstate(over="ignore"):
            actions: np.ndarray = drawn.astype(np.float32)
        if not np.isfinite(actions).all():
            agent = int(np.argwhere(~np.isfinite(actions))[0, 1])
            raise FloatingPointError(f"agent {agent}: an action that its policy chose is not finite")
        return actions

    def scores(
        self, rows: Tensor, actions: Tensor, root: Tensor | None, kind: torch.dtype, last: SamplesLast
    ) -> GaussianScores:
        mean, log_std, there = _parts(rows)
        inverse = torch.where(there, torch.exp(-log_std), 0)
        z = (actions.to(rows.dtype) - mean) * inverse
        weight = None if root is None else root.unsqueeze(-1)
        precision = inverse.square() if weight is None else inverse.square() * weight.square()
        return GaussianScores(
            last(z * inverse).to(kind),
            last(torch.where(there, z.square() - 1, 0)).to(kind),
            last(inverse),
            last(precision).to(kind),
            None if weight is None else last(weight),
        )


def _parts(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Means and log standard deviations, [..., K] each, finite where the agent lacks a number; where not."""
    mean, log_std = rows.chunk(2, dim=-1)
    there = log_std != -torch.inf
    return mean, torch.where(there, log_std, 0), there
