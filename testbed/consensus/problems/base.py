"""The interface between consensus and an agent: one solve of its local problem.

Signals are one-dimensional arrays of m numbers, NumPy's or torch's: consensus applies only + - * /
to them and never inspects them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol

import numpy as np
from pydantic import Field

from testbed.common.settings import Settings
from testbed.network import Streams

Signal = Any  # a one-dimensional NumPy array or torch tensor; the two share no base class


class LocalProblem(Protocol):
    """Agent q's private objective f_q on the signal s in R^m."""

    @property
    def dimension(self) -> int:
        """m, the length of the signal."""
        ...

    def zeros(self) -> Signal:
        """The signal [m] before any solve."""
        ...

    def solve(self, pull: Signal, penalty: float) -> Signal:
        """argmin over s of f_q(s) - pull . s + (penalty / 2) |s|^2, as a new array [m]."""
        ...

    @property
    def width(self) -> int:
        """Numbers of one sample in a signal; a random subset keeps them together."""
        ...

    def forget(self) -> None:
        """Discard the results of earlier solves: the agent crashed and lost its state."""
        ...


class Quadratic(NamedTuple):
    """t . H t / 2 - linear . t, a model of an objective."""

    product: Callable[[np.ndarray], np.ndarray]
    """H v [m] for a vector v [m]."""
    linear: np.ndarray
    """The linear term, [m]."""
    size: float
    """The mean of H's eigenvalues."""


class ConvexProblem(ABC):
    """The base of convex problems: NumPy float64 signals, each coordinate a sample of its own."""

    width = 1
    l1 = 0.0
    """Weight of the l1 norm in the objective; the rest is smooth."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """m, the length of the signal."""

    def zeros(self) -> np.ndarray:
        """The signal [m] before any solve."""
        return np.zeros(self.dimension)

    @abstractmethod
    def forget(self) -> None:
        """Discard the results of earlier solves."""

    @abstractmethod
    def solve(self, pull: np.ndarray, penalty: float) -> np.ndarray:
        """argmin over s of f(s) - pull . s + (penalty / 2) |s|^2, as a new array [m]."""

    @abstractmethod
    def model(self, s: np.ndarray) -> Quadratic:
        """The second-order model, at s [m], of the smooth part of f: all but the l1 norm."""


@dataclass(frozen=True)
class ConsensusProblem:
    """The agents' local problems and the signal [m] that minimises their sum."""

    local: Sequence[ConvexProblem]
    optimum: np.ndarray


class ConvexProblemSettings(Settings):
    """The settings of a convex problem: to add a problem, write a module here with a subclass.

    A subclass narrows ``name`` to a literal with a default, which is the problem's name in study files.
    """

    name: str
    smooth: ClassVar[bool] = False
    """Whether its local problems have gradients: see `testbed.consensus.problems.smooth`."""

    agents: Annotated[int, Field(ge=1, description="as many as nodes of the graph")] = 8
    dimension: Annotated[int, Field(ge=1, description="m, the length of the signal agreed on")] = 10

    def make(self, streams: Streams) -> ConsensusProblem:
        """The problem, with data drawn from its own stream."""
        return self.draw(streams.generator("problem", self.name))

    @abstractmethod
    def draw(self, generator: np.random.Generator) -> ConsensusProblem:
        """The problem, with data drawn from ``generator``."""

    @property
    def terms(self) -> int:
        """The number of terms in each agent's objective, from which mini-batches are drawn."""
        return 1

    @abstractmethod
    def numbers(self) -> int:
        """Number of float64 in the data of all agents and in everything kept to solve them."""
