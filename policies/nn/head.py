"""The distribution of one agent's action, its head, as all kinds of action spaces share it.

A policy is one network with a head for each agent whose actions it models. A head turns its ``width`` network
outputs, and parameters of its own that no observation enters (``constants``), into one row of numbers that
describes the distribution. Everything else asks the head: probabilities, entropy, KL, sampling, derivatives.
To add a kind of action space, write a module here with a ``Head`` and its ``Scores``, and name the head in
``policies.nn.heads``.

Shapes: outputs and masks are [..., M, N, width], constants [..., N, constants] and rows that describe
distributions [..., M, N, R], with M samples and N heads. Actions are [..., M, N] if an action is one number,
otherwise [..., M, N, numbers]. Masks are bool, True where an entry is available to the agent. In ``Scores``
samples come last: [L, N, width, M] with L stacked policies.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

SamplesLast = Callable[[Tensor], Tensor]
"""Turns [..., M, N, k] into [L, N, k, M]."""


class Scores(ABC):
    """Derivatives of the log probability of the actions taken, at one point of the parameters."""

    @abstractmethod
    def ratio(self, tangent: Tensor, constants: Tensor) -> Tensor:
        """Change of the log probability, [L, N, 1, M].

        Args:
            tangent: change of the outputs, [L, N, width, M].
            constants: change of the constants, [L, N, constants].
        """

    @abstractmethod
    def transposed(self, w: Tensor, out: Tensor) -> tuple[Tensor, Tensor | None]:
        """The transpose of ``ratio`` for weights [L, N, 1, M]; the part of the outputs is written to ``out``.

        Returns the parts of the outputs [L, N, width, M] and of the constants [L, N, constants].
        """

    @abstractmethod
    def expected(self, tangent: Tensor, constants: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """``ratio``, and the Fisher matrix of the distribution times the change, summed over samples.

        The latter is in two parts, as ``transposed`` returns them; ``tangent`` is overwritten.
        """

    @abstractmethod
    def drawn(self, level: Tensor) -> Tensor:
        """Gradients [L, N, width, M] of the outputs whose second moments are in expectation Fisher's.

        Those of the mean over samples, with one draw for each, from uniform numbers [L, N, draws, M].
        """

    @abstractmethod
    def taken(self) -> Tensor:
        """The gradients [L, N, width, M] of the outputs at the actions taken."""

    def constants_curvature(self, *, empirical: bool) -> Tensor | None:
        """Diagonal of the constants' Fisher matrix, a mean over samples, [L, N, constants]."""
        return None

    @abstractmethod
    def agent(self, q: int) -> "Scores":
        """Agent q's part, with L = 1; nothing is copied."""


class Head(ABC):
    """The kind of distribution of an agent's action.

    Attributes:
        space: the name of the action space in Gymnasium.
        axes: axes of one action: 0 if it is one number, otherwise 1.
        width: network outputs of a head, and entries of an agent's mask.
        constants: parameters of a head that do not depend on the observation.
        draws: uniform numbers from which ``Scores.drawn`` draws at a sample.
    """

    space: ClassVar[str]
    axes: ClassVar[int] = 1
    width: int
    constants: int = 0
    draws: int = 1

    @classmethod
    @abstractmethod
    def of(cls, widths: tuple[int, ...], log_std_init: float) -> "Head":
        """The head of the widest agent's space.

        Args:
            widths: its entries: (n,) of Discrete(n), (n1, n2, ...) of MultiDiscrete, (numbers,) of Box.
            log_std_init: initial log standard deviation where actions are real numbers.
        """

    def initial(self) -> np.ndarray:
        """The first values of the constants, [constants]."""
        return np.zeros(self.constants)

    @abstractmethod
    def distribution(self, outputs: Tensor, constants: Tensor, masks: Tensor | None) -> Tensor:
        """Rows [..., M, N, R] that describe the distributions."""

    @abstractmethod
    def log_prob(self, rows: Tensor, actions: Tensor) -> Tensor:
        """Log probability, or log density, [..., M, N] of actions; these may lack leading axes of rows."""

    @abstractmethod
    def entropy(self, rows: Tensor) -> Tensor:
        """Entropy in nats, [..., M, N]."""

    @abstractmethod
    def kl(self, old: Tensor, new: Tensor) -> Tensor:
        """KL(old || new) in nats, [..., M, N]; both must share their masks."""

    @abstractmethod
    def choose(self, rows: Tensor, generator: np.random.Generator | None) -> np.ndarray:
        """Actions [B, N, ...] by every agent's own rows [N, B, R]: the likeliest without a generator.

        Raises:
            FloatingPointError: a number of a row is nan.
        """

    @abstractmethod
    def scores(
        self, rows: Tensor, actions: Tensor, root: Tensor | None, kind: torch.dtype, last: SamplesLast
    ) -> Scores:
        """The derivatives at a point.

        Args:
            rows: the distributions there.
            actions: those taken.
            root: the roots [..., M, N] of the weights by which the Fisher matrix is averaged; None: all 1.
            kind: the type in which products are computed.
            last: puts samples last.
        """


def refuse_nan(rows: Tensor) -> None:
    """Raise FloatingPointError, naming the first agent, if a number in rows [N, B, R] is nan."""
    wrong = rows.isnan().flatten(1).any(1)
    if bool(wrong.any()):
        raise FloatingPointError(
            f"agent {int(wrong.int().argmax())}: its policy's probabilities are not numbers"
        )
