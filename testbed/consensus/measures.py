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
    stack = _together(signals, len(signals))
    return [_mean_square(signal) for signal in signals] if stack is None else _of_rows(stack)


@unwarned
def disagreement(signals: Sequence[Signal], links: Sequence[Link]) -> float:
    """Root mean square of s_i - s_j over links and coordinates; zero without links."""
    if not links:
        return 0.0
    stack = _together(signals, len(links))
    if stack is None:
        gaps = [_mean_square(signals[i] - signals[j]) for i, j in links]
    else:
        ends = np.array(links)
        gaps = _of_rows(stack[ends[:, 0]] - stack[ends[:, 1]])
    return math.sqrt(sum(gaps) / len(links))


def magnitude(signals: Sequence[Signal]) -> float:
    """Root mean square of s over agents and coordinates."""
    return math.sqrt(sum(mean_squares(signals)) / len(signals))


def _together(signals: Sequence[Signal], rows: int) -> np.ndarray | None:
    """The signals as one array, if ``rows`` rows of their length are few numbers of NumPy."""
    if not signals or not isinstance(signals[0], np.ndarray) or rows * signals[0].size > _SMALL:
        return None
    return np.stack(signals)


def _of_rows(stack: np.ndarray) -> list[float]:
    squares: list[float] = (stack * stack).mean(axis=1).tolist()
    return squares
