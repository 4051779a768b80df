"""Measures of the agents' distance from agreement.

Very large numbers have infinite squares, which is not a reason for a warning.
"""

import math
from collections.abc import Sequence

import numpy as np

from testbed.consensus.problems.base import Signal
from testbed.network.link_names import Link

unwarned = np.errstate(over="ignore", invalid="ignore")


@unwarned
def mean_square(signal: Signal) -> float:
    """Mean of the squared entries."""
    return float((signal * signal).mean())


@unwarned
def disagreement(signals: Sequence[Signal], links: Sequence[Link]) -> float:
    """Root mean square of s_i - s_j over links and coordinates; zero without links."""
    if not links:
        return 0.0
    return math.sqrt(sum(mean_square(signals[i] - signals[j]) for i, j in links) / len(links))


@unwarned
def magnitude(signals: Sequence[Signal]) -> float:
    """Root mean square of s over agents and coordinates."""
    return math.sqrt(sum(mean_square(s) for s in signals) / len(signals))
