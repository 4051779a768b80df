"""Checks and words for error messages."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LARGEST = 1e18
"""Of an observation or a reward: learners square them in float32, which ends at 3.4e38."""

USABLE = f"allowed are finite numbers up to {LARGEST:g} in size"


def unusable(array: NDArray[np.floating]) -> tuple[int, ...] | None:
    """Where an array has the first number that nothing can be learnt from: not finite, or too large."""
    if (np.abs(array) <= LARGEST).all():  # a nan is not
        return None
    return tuple(int(index) for index in np.argwhere(~(np.abs(array) <= LARGEST))[0])


def as_array(field: str, value: ArrayLike) -> NDArray[Any]:
    """`value` as an array.

    Raises:
        ValueError: naming `field`, when the value has no rectangular shape.
    """
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{field}: got nested lists of unequal lengths, allowed is an array") from error
