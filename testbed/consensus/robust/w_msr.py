"""W-MSR: the mean without the neighbours that are extreme as seen from the own number."""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.consensus.robust_rule import RobustRule


class WMSRRule(RobustRule):
    """W-MSR: the mean of the own number and the neighbours' but extreme ones, as seen from the own number.

    LeBlanc, Zhang, Koutsoukos & Sundaram 2013 ("Resilient asymptotic consensus in robust networks", IEEE J.
    Selected Areas in Communications 31(4)), coordinate by coordinate and with equal weights: of the
    neighbours' numbers above the own one the `liars` largest are left out, all if there are fewer; likewise
    below. If at most `liars` neighbours of each agent lie, the honest agents agree where the graph is
    (2 `liars` + 1)-robust, in the range of their first numbers.
    """

    name: Literal["w_msr"]
    liars: Annotated[int, Field(ge=0)] = 1
    """F: most neighbours of an agent that lie."""

    def combine(self, own: NDArray[Any], received: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
        ordered = np.sort(received, axis=0)
        place, count = np.arange(len(ordered))[:, None], len(ordered)
        too_high = (ordered > own) & (place >= count - self.liars)
        too_low = (ordered < own) & (place < self.liars)
        kept = ~(too_high | too_low)
        total = own + np.where(kept, ordered, 0).sum(axis=0)
        mean: NDArray[Any] = total / (1 + kept.sum(axis=0))
        return mean.astype(own.dtype)
