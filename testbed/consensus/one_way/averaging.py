"""Plain averaging as a baseline: Metropolis weights, push-sum, and push-sum with running sums.

They average vectors, so they solve the mean problem only. On a perfect network all three reach the mean of
the agents' vectors. With lost messages on a ring of 8 they deviate from it (root mean square distance
of the agreed vector from the mean over the standard deviation of the agents' vectors, over 200 runs):

    loss                          0      0.1     0.3     0.6
    Metropolis                    0      0.077   0.137   0.193
    push-sum                      0      0.069   0.124   0.203
    push-sum with running sums    0      0       0       0

(The mean of eight such numbers has itself a standard deviation of 0.354.) Push-sum is thus exact with one-way
messages, but not when some are lost; with running sums it is exact at any loss below 1.

Running sums grow with every message, and so does their rounding error in any number format: they are float64,
whatever the type of the vectors, and no coarser codec is allowed. (After a million messages the error is
about 1e-10 of the vectors' size.) Push-sum takes every codec: its error stays below a few steps of the format
where every message arrives once. Lost or duplicated messages remove or add rounding errors: then the agreed
vector drifts.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from testbed.common.settings import SettingError
from testbed.consensus.one_way.base import OneWay, OneWayAgent
from testbed.consensus.problems.base import LocalProblem, Signal
from testbed.consensus.problems.mean import MeanProblem


class Averaging(OneWay):
    """An algorithm that averages the agents' vectors."""

    averages = True
    options = frozenset({"tokens"})

    @classmethod
    def check(cls, settings: Any) -> None:
        """Check as for all algorithms; coupling is not allowed."""
        if settings.coupling is not None:
            reason = (
                f"coupling {settings.coupling} with {cls.name}: must be null, because averaging has no"
                " penalty (edge_admm and relaxed_admm accept any coupling)"
            )
            raise SettingError(("coupling",), reason)
        super().check(settings)

    def agent(self, index: int, problem: LocalProblem, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent at the beginning of an agreement. Raises ValueError unless the problem is a mean."""
        if not isinstance(problem, MeanProblem):
            raise ValueError(
                f"algorithm {self.settings.algorithm!r} averages vectors: the problem must be the mean,"
                f" not a {type(problem).__name__}"
            )
        return self.averager(index, problem.a, neighbours)

    @abstractmethod
    def averager(self, index: int, start: Signal, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent that holds the vector ``start``."""
