"""The head of a MultiDiscrete space: several independent categorical distributions, of one agent.

Outputs, masks and rows are those of the components, one after the other. The agent's log probability, entropy
and KL are sums over its components, as those of Stable-Baselines3's MultiCategoricalDistribution are, so that
consensus compares one ratio per agent whatever its space.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from policies.nn.categorical import CategoricalScores, chosen, entropy, kl, log_probabilities, sample
from policies.nn.head import Head, SamplesLast, Scores, refuse_nan


class MultiCategoricalScores(Scores):
    """The scores of the components side by side."""

    def __init__(self, parts: tuple[CategoricalScores, ...], blocks: tuple[slice, ...]) -> None:
        """Those of each component, and the entries that belong to it."""
        self.parts, self.blocks = parts, blocks

    def ratio(self, tangent: Tensor, constants: Tensor) -> Tensor:
        each = [
            part.ratio(tangent[..., block, :], constants)
            for part, block in zip(self.parts, self.blocks, strict=True)
        ]
        return torch.stack(each).sum(0)

    def transposed(self, w: Tensor, out: Tensor) -> tuple[Tensor, None]:
        for part, block in zip(self.parts, self.blocks, strict=True):
            part.transposed(w, out[..., block, :])
        return out, None

    def expected(self, tangent: Tensor, constants: Tensor) -> tuple[Tensor, Tensor, None]:
        each = [
            part.expected(tangent[..., block, :], constants)[0]
            for part, block in zip(self.parts, self.blocks, strict=True)
        ]
        return torch.stack(each).sum(0), tangent, None

    def drawn(self, level: Tensor) -> Tensor:
        each = [part.drawn(level[..., c : c + 1, :]) for c, part in enumerate(self.parts)]
        return torch.cat(each, dim=-2)

    def taken(self) -> Tensor:
        return torch.cat([part.taken() for part in self.parts], dim=-2)

    def agent(self, q: int) -> "MultiCategoricalScores":
        return MultiCategoricalScores(tuple(part.agent(q) for part in self.parts), self.blocks)


@dataclass(frozen=True)
class MultiCategoricalHead(Head):
    """A head of several components, with ``categories`` of each; an action is one number for each.

    A row of the distribution is the components' log probabilities, [width].
    """

    space: ClassVar[str] = "MultiDiscrete"
    categories: tuple[int, ...]

    @property
    def width(self) -> int:  # type: ignore[override]  # follows from the categories
        """All categories of all components."""
        return sum(self.categories)

    @property
    def draws(self) -> int:  # type: ignore[override]
        """One for each component."""
        return len(self.categories)

    @classmethod
    def of(cls, widths: tuple[int, ...], log_std_init: float) -> "MultiCategoricalHead":
        return cls(widths)

    @property
    def blocks(self) -> tuple[slice, ...]:
        """The entries of each component."""
        ends = tuple(accumulate(self.categories))
        return tuple(slice(end - size, end) for end, size in zip(ends, self.categories, strict=True))

    def distribution(self, outputs: Tensor, constants: Tensor, masks: Tensor | None) -> Tensor:
        each = [
            log_probabilities(outputs[..., block], None if masks is None else masks[..., block])
            for block in self.blocks
        ]
        return torch.cat(each, dim=-1)

    def log_prob(self, rows: Tensor, actions: Tensor) -> Tensor:
        actions = actions.expand(*rows.shape[:-1], -1)
        each = [chosen(rows[..., block], actions[..., c]) for c, block in enumerate(self.blocks)]
        return torch.stack(each).sum(0)

    def entropy(self, rows: Tensor) -> Tensor:
        return entropy(rows)

    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        return kl(old, new)

    def choose(self, rows: Tensor, generator: np.random.Generator | None) -> np.ndarray:
        refuse_nan(rows)
        agents, batch = rows.shape[:2]
        parts = [rows[..., block].double().cpu() for block in self.blocks]
        if generator is None:
            each = [part.argmax(-1) for part in parts]
        else:
            uniforms = torch.from_numpy(generator.random((batch, agents, len(parts))).swapaxes(0, 1).copy())
            each = [sample(part, uniforms[..., c]) for c, part in enumerate(parts)]
        return torch.stack(each, dim=-1).transpose(0, 1).numpy()

    def scores(
        self, rows: Tensor, actions: Tensor, root: Tensor | None, kind: torch.dtype, last: SamplesLast
    ) -> MultiCategoricalScores:
        p, taken = last(rows.exp()), last(actions)
        weighted = p if root is None else p * last(root.square().unsqueeze(-1))
        parts = (
            CategoricalScores(p[..., block, :], weighted[..., block, :], taken[..., c : c + 1, :])
            for c, block in enumerate(self.blocks)
        )
        return MultiCategoricalScores(tuple(parts), self.blocks)
