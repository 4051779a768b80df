"""Numbers as the page stores them: rounded to what a screen can show, and valid in JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from studies.analysis.bootstrap import Estimate
from studies.formatting import Unit, minus, quantity, with_interval

DIGITS = 5
"""Significant digits of the points of curves, far below a pixel. Tables and final values keep twelve."""


def rounded(values: ArrayLike) -> list[float | int | None]:
    """Numbers rounded to ``DIGITS`` significant digits, integers unchanged; None if not finite."""
    numbers = np.asarray(values, dtype=float)
    finite = np.isfinite(numbers)
    with np.errstate(divide="ignore", invalid="ignore"):
        place = DIGITS - 1 - np.floor(np.log10(np.abs(numbers)))
        place[~np.isfinite(place)] = 0
        # A whole number over a power of ten that is exact is the number nearest to the decimal one.
        up, down = 10.0 ** np.clip(place, 0, _EXACT), 10.0 ** np.clip(-place, 0, _EXACT)
        whole = np.where(numbers == np.round(numbers), numbers, np.round(numbers * up / down) * down / up)
    for tiny in np.flatnonzero(place > _EXACT):
        whole[tiny] = float(f"{numbers[tiny]:.{DIGITS}g}")
    if not finite.all():
        return [_whole(value) if known else None for value, known in zip(whole.tolist(), finite, strict=True)]
    if (np.abs(whole) < 2**53).all() and (whole == np.round(whole)).all():
        found: list[float | int | None] = whole.astype(np.int64).tolist()
    else:
        found = whole.tolist()
    return found


def exact(value: Any) -> Any:
    """A table cell with twelve digits, as in ``statistics.csv``; None if not finite."""
    if not isinstance(value, float):
        return value.item() if hasattr(value, "item") else value
    return float(f"{value:.12g}") if math.isfinite(value) else None


def figure(value: float, unit: Unit = "") -> str:
    """A number such as ``1,200``, ``0.0312``, ``179 MB``, with a true minus; empty if not finite."""
    return minus(quantity(value, unit)) if math.isfinite(value) else ""


def spread(estimate: Estimate, unit: Unit = "") -> tuple[str, str]:
    """A value, and its interval as ``0.0101 to 0.0140``, with digits that fit both."""
    value, low, high, name = with_interval(*estimate, unit)
    return minus(f"{value} {name}".rstrip()), minus(f"{low} to {high} {name}".rstrip())


def interval_name(counts: Iterable[float], interval: str = "95 % interval") -> str:
    """The name of the bootstrap intervals of means for these numbers of runs; with two or three, a range."""
    few = {count <= 3 for count in counts if count > 1}
    if few == {True}:
        return "range"
    return f"{interval} (range of 2 or 3 seeds)" if True in few else interval


def embedded(data: Any) -> str:
    """JSON for use inside a ``script`` element, which it can neither end nor nest."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _whole(value: float) -> float | int:
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


_EXACT = 22
"""Powers of ten up to this one are exact."""
