"""Measures of the agents' distance from agreement.

Very large numbers have infinite squares, which is not a reason for a warning.
"""

import math
from collections.abc import Sequence

import numpy as np

from testbed.consensus.problems.base import Signal
from testbed.network.link_names import Link

unwarned = np.errstate(over="ignore", invalid="ignore")

_SMALL = 16_384
"""Most numbers in arrays that are put into one to be measured; larger ones are not worth the copy."""


def _mean_square(signal: Signal) -> float:
    return float((signal * signal).mean())


@unwarned
def mean_square(signal: Signal) -> float:
    """Mean of the squared entries."""
    return _mean_square(signal)


@unwarned
def mean_squares(signals: Sequence[Signal]) -> list[float]:
    """`mean_square` of each of some signals of one length [m], bit for bit."""
    if not signals or not isinstance(signals[0], np.ndarray) or len(signals) * signals[0].size > _SMALL:
        return [_mean_square(signal) for signal in signals]
    stack = np.stack(signals)
    squares: list[float] = (stack * stack).mean(axis=1).tolist()
    return squares


@unwarned
def disagreement(signals: Sequence[Signal], links: Sequence[Link]) -> float:
    """Root mean square of s_i - s_j over links and coordinates; zero without links."""
    gaps = mean_squares([signals[i] - signals[j] for i, j in links])
    return math.sqrt(sum(gaps) / len(gaps)) if gaps else 0.0


def magnitude(signals: Sequence[Signal]) -> float:
    """Root mean square of s over agents and coordinates."""
    return math.sqrt(sum(mean_squares(signals)) / len(signals))
