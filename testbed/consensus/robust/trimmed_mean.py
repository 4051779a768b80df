"""The mean without the extreme neighbours."""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.consensus.robust_rule import RobustRule


class TrimmedMeanRule(RobustRule):
    """Coordinate by coordinate, the mean of the own number and the neighbours' but the extreme ones.

    The `liars` largest and `liars` smallest of the neighbours' numbers are left out, as in Figura, Kosaraju,
    Gupta & Lin 2021 ("Resilient consensus-based multi-agent reinforcement learning", arXiv 2111.06776) and
    Yin, Chen, Ramchandran & Bartlett 2018 ("Byzantine-robust distributed learning"). If at most `liars` of
    them lie, every remaining number lies between two honest ones. An agent that has heard at most 2 `liars`
    neighbours in a round keeps its own vector.
    """

    name: Literal["trimmed_mean"]
    liars: Annotated[int, Field(ge=0)] = 1
    """f: most neighbours of an agent that lie; each agent needs more than 2f neighbours."""

    def combine(self, own: NDArray[Any], received: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
        if len(received) <= 2 * self.liars:
            return own.copy()
        kept = np.sort(received, axis=0)[self.liars : len(received) - self.liars]
        mean: NDArray[Any] = (own + kept.sum(axis=0)) / (1 + len(kept))
        return mean
