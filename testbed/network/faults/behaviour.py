"""The behaviours of agents that lie: how they change the numbers of a message.

A behaviour is one module of `testbed.network.faults.behaviours`, or of another package that names it in an
entry point of the group `consensus_testbed.behaviours`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from testbed.common.registry import Registry
from testbed.common.settings import Settings


@dataclass(frozen=True)
class FalseMessage:
    """The circumstances of one message that a lying agent is about to send.

    Attributes:
        generator: random numbers for this message alone, the same in every run with the same seed.
        memory: what the behaviour keeps from one message to the next of this kind to this receiver; empty at
            the beginning of each agreement.
        dimension: m, the length of the whole signal.
        where: coordinates [k] of the signal that the message covers, ascending; None: all of them, k = m.
    """

    generator: np.random.Generator
    memory: dict[str, Any]
    dimension: int
    where: NDArray[np.intp] | None


class Behaviour(Settings, ABC):
    """How a lying agent changes the numbers that it sends; subclasses have a literal `name`."""

    if TYPE_CHECKING:
        name: str  # each subclass has a literal of its own

    @abstractmethod
    def falsify(self, numbers: NDArray[np.float64], message: FalseMessage) -> NDArray[np.float64]:
        """The numbers [k] to send in place of the true ones [k], which must not be written into.

        Edge-ADMM's variables have opposite signs at the two ends of a link; `numbers` have the sign of the
        sender's own signal, so the same numbers mean the same to every receiver.
        """

    @property
    def label(self) -> str:
        """The behaviour in words, for the title of a fault."""
        return self.name


BEHAVIOURS = Registry("behaviours", Behaviour, "testbed.network.faults.behaviours", by_name=True)

AnyBehaviour = Annotated[Behaviour, BEHAVIOURS]


def root_mean_square(numbers: NDArray[np.float64]) -> float:
    """The root mean square of numbers [k]; 0 if there are none."""
    return float(np.sqrt(np.mean(np.square(numbers)))) if numbers.size else 0.0
