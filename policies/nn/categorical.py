"""Masked categorical heads: one distribution per agent's action, all from one network output.

Shapes: logits [..., N, A] with N heads of A actions; masks are boolean, True where an action is
available, and broadcast against the logits. Unavailable actions have probability exactly zero.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from policies.nn.head import Head, SamplesLast, Scores, refuse_nan


def log_probabilities(logits: Tensor, masks: Tensor | None = None) -> Tensor:
    """Log probabilities [..., N, A]; unavailable actions get -inf."""
    if masks is not None:
        logits = logits.masked_fill(~masks, -torch.inf)
    return torch.log_softmax(logits, dim=-1)


def sample(log_p: Tensor, uniforms: Tensor) -> Tensor:
    """Actions [...] by inverting each head's cumulative distribution at ``uniforms`` [...] in [0, 1)."""
    cumulative = log_p.exp().cumsum(-1)
    # Scaling by the total prevents rounding from choosing beyond the last available action.
    threshold = uniforms.unsqueeze(-1) * cumulative[..., -1:]
    return (cumulative <= threshold).sum(-1).clamp(max=log_p.shape[-1] - 1)


def choose(log_p: Tensor, generator: np.random.Generator | None) -> np.ndarray:
    """Actions [B, N] by every agent's own log probabilities [N, B, A]: the likeliest without a generator.

    Raises:
        FloatingPointError: a probability is nan.
    """
    refuse_nan(log_p)
    if generator is None:
        return log_p.argmax(-1).mT.cpu().numpy()
    uniforms = torch.from_numpy(generator.random((log_p.shape[1], log_p.shape[0])).T.copy())
    return sample(log_p.double().cpu(), uniforms).mT.numpy()


def chosen(log_p: Tensor, actions: Tensor) -> Tensor:
    """Log probability [...] of the actions [...] taken."""
    return log_p.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def entropy(log_p: Tensor) -> Tensor:
    """Entropy in nats of each head, [...]."""
    p = log_p.exp()
    return -(p * log_p.masked_fill(p == 0, 0)).sum(-1)


def kl(old_log_p: Tensor, new_log_p: Tensor) -> Tensor:
    """KL(old || new) in nats of each head, [...]; both must share their masks."""
    p = old_log_p.exp()
    return (p * (old_log_p - new_log_p).masked_fill(p == 0, 0)).sum(-1)


class CategoricalScores(Scores):
    """Those of one categorical distribution per head: the gradient of its logits is one-hot(a) - p."""

    def __init__(self, p: Tensor, fisher_p: Tensor, taken: Tensor) -> None:
        """Probabilities [L, N, A, M], also times the weights of the Fisher matrix; actions [L, N, 1, M]."""
        self.p, self.fisher_p, self.actions = p, fisher_p, taken

    def ratio(self, tangent: Tensor, constants: Tensor) -> Tensor:
        return tangent.gather(-2, self.actions) - self._mean(tangent)

    def transposed(self, w: Tensor, out: Tensor) -> tuple[Tensor, None]:
        if out.dtype == w.dtype:
            torch.mul(self.p, w, out=out).neg_()
        else:
            out.copy_(-self.p * w)
        return out.scatter_add_(-2, self.actions, w.contiguous().to(out.dtype)), None

    def expected(self, tangent: Tensor, constants: Tensor) -> tuple[Tensor, Tensor, None]:
        mean = self._mean(tangent)
        ratio = tangent.gather(-2, self.actions) - mean
        return ratio, tangent.sub_(mean).mul_(self.fisher_p), None

    def drawn(self, level: Tensor) -> Tensor:
        return self._gradient(draw(self.p, level))

    def taken(self) -> Tensor:
        return self._gradient(self.actions)

    def agent(self, q: int) -> "CategoricalScores":
        row = slice(q, q + 1)
        return CategoricalScores(self.p[row], self.fisher_p[row], self.actions[row])

    def _mean(self, tangent: Tensor) -> Tensor:
        """Each head's mean change of its logits under the policy, [L, N, 1, M]."""
        return (self.p * tangent).sum(-2, keepdim=True)

    def _gradient(self, actions: Tensor) -> Tensor:
        return (-self.p).scatter_add(-2, actions, torch.ones_like(self.p[..., :1, :]))


def draw(p: Tensor, level: Tensor) -> Tensor:
    """The action [L, N, 1, M] at which each head's cumulative probability passes a level in [0, 1)."""
    cumulative = p.cumsum(-2)
    drawn = (cumulative <= level * cumulative[..., -1:, :]).sum(-2, keepdim=True)
    return drawn.clamp(max=p.shape[-2] - 1)


@dataclass(frozen=True)
class CategoricalHead(Head):
    """The head of a Discrete space: ``width`` actions; an agent takes one of them.

    A row of the distribution is the log probabilities, [width].
    """

    space: ClassVar[str] = "Discrete"
    axes: ClassVar[int] = 0
    width: int

    @classmethod
    def of(cls, widths: tuple[int, ...], log_std_init: float) -> "CategoricalHead":
        (width,) = widths
        return cls(width)

    def distribution(self, outputs: Tensor, constants: Tensor, masks: Tensor | None) -> Tensor:
        return log_probabilities(outputs, masks)

    def log_prob(self, rows: Tensor, actions: Tensor) -> Tensor:
        return chosen(rows, actions.expand(rows.shape[:-1]))

    def entropy(self, rows: Tensor) -> Tensor:
        return entropy(rows)

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        return kl(old, new)

    def choose(self, rows: Tensor, generator: np.random.Generator | None) -> np.ndarray:
        return choose(rows, generator)

    def scores(
        self, rows: Tensor, actions: Tensor, root: Tensor | None, kind: torch.dtype, last: SamplesLast
    ) -> CategoricalScores:
        p = last(rows.exp())
        weighted = p if root is None else p * last(root.square().unsqueeze(-1))
        return CategoricalScores(p, weighted, last(actions.unsqueeze(-1)))
