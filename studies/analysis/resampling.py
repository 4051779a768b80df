"""Resampling of a condition's runs to common x values, so that a band can be drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

POINTS = 200
"""Maximum number of points of a line with a band."""


def together(places: Sequence[Array], values: Sequence[Array], *, log: bool) -> tuple[Array, Array]:
    """Resamples runs to common x values.

    Runs measured at the same x values keep them, or ``POINTS`` evenly spaced ones; others are interpolated at
    ``POINTS`` positions in the range that all of them cover (between logarithms on a logarithmic axis).

    Args:
        places, values: x and y of each run, by row; positive values if ``log``.

    Returns:
        [places] and [places, runs]; no places if the runs differ and have at most one point of the axis in
        common.
    """
    order = [np.argsort(place, kind="stable") for place in places]
    places = [place[by] for place, by in zip(places, order, strict=True)]
    values = [value[by] for value, by in zip(values, order, strict=True)]
    first = places[0]
    if all(np.array_equal(first, place) for place in places):
        kept = evenly(len(first), POINTS)
        return first[kept], np.stack([value[kept] for value in values], axis=1)
    low, high = max(place[0] for place in places), min(place[-1] for place in places)
    if not low < high:
        return np.empty(0), np.empty((0, len(places)))
    at = np.linspace(low, high, POINTS)
    there, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
    columns = [back(np.interp(at, place, there(value))) for place, value in zip(places, values, strict=True)]
    return at, np.stack(columns, axis=1)


def evenly(count: int, points: int) -> NDArray[np.int64]:
    """At most ``points`` of ``count`` rows, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, points)).round().astype(np.int64))
