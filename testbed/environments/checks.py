"""Checks, and parts of error messages."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LARGEST = 1e18
"""Largest observation or reward: learners square them in float32, whose largest number is 3.4e38."""

USABLE = f"must be finite and at most {LARGEST:g} in size"


def unusable(array: NDArray[np.floating]) -> tuple[int, ...] | None:
    """Index of the first number that is unusable for learning: not finite, or too large."""
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
        raise ValueError(f"{field}: got nested lists of unequal lengths, must be an array") from error
