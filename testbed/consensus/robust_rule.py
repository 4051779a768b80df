"""Rules by which an agent combines vectors from its neighbours, where some of them may lie.

A rule is one module of `testbed.consensus.robust`, or of another package that names it in an entry point of
the group `consensus_testbed.robust_rules`. The averaging by Metropolis weights uses it in place of the
weighted mean.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Any

from numpy.typing import NDArray

from testbed.common.registry import Registry
from testbed.common.settings import Settings


class RobustRule(Settings, ABC):
    """How an agent combines its own vector with those of its neighbours; subclasses have a literal `name`."""

    if TYPE_CHECKING:
        name: str  # each subclass has a literal of its own

    @abstractmethod
    def combine(self, own: NDArray[Any], received: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
        """The agent's new vector [m], as a new array.

        Args:
            own: its vector [m] at the beginning of the round.
            received: those of the d >= 1 neighbours heard in the round [d, m], in the order of their numbers.
            weights: the Metropolis weights [d] of these neighbours.
        """


RULES = Registry("robust_rules", RobustRule, "testbed.consensus.robust", by_name=True)

AnyRobustRule = Annotated[RobustRule, RULES]
