"""The median of the own vector and the neighbours'."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.consensus.robust_rule import RobustRule


class MedianRule(RobustRule):
    """Coordinate by coordinate, the median of the own number and the neighbours'.

    Zhang & Sundaram 2012 ("A simple median-based resilient consensus algorithm"); Yin, Chen, Ramchandran &
    Bartlett 2018 ("Byzantine-robust distributed learning"). It needs no number of liars and withstands any
    minority, but forgets the numbers of all but one or two agents.
    """

    name: Literal["median"]

    def combine(self, own: NDArray[Any], received: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
        middle: NDArray[Any] = np.median(np.vstack([own[None], received]), axis=0)
        return middle
