"""Axis ticks: at least three in any range of numbers, with distinct labels.

The page's script chooses its ticks in the same way, in ``report/assets/scales.js``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import XAxis
from matplotlib.ticker import Formatter, Locator, LogLocator, NullFormatter

FEWEST = 3
MOST = 8
"""Number of ticks of an axis, if their labels fit."""

LETTER = 0.6 * 11 / 72
"""Width of a label's character in inches."""

_SUFFIXES = ((12, "T"), (9, "G"), (6, "M"), (3, "k"))
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def linear(low: float, high: float, most: int = MOST, *, whole: bool = False) -> list[float]:
    """Round numbers from ``low`` to ``high``: at most ``most``, or as few more as are needed for three.

    With ``whole`` they are integers, and all of them if there are fewer than three.
    """
    if not low < high:
        return [low]
    if not math.isfinite(high - low):
        return [16 * tick for tick in linear(low / 16, high / 16, most)]
    power = math.floor(math.log10(high - low)) + 1
    found: list[float] = []
    for place in range(4 * 20):
        factor, power_of = ("5", "2.5", "2", "1")[place % 4], power - place // 4 - 1
        if whole and power_of < 0:
            break
        if factor == "2.5" and (len(found) >= FEWEST or (whole and power_of < 1)):
            continue
        step = Decimal(factor).scaleb(power_of)
        first, last = math.ceil(Decimal(low) / step), math.floor(Decimal(high) / step)
        if last - first + 1 > most and len(found) >= FEWEST:
            break
        found = [float(number * step) for number in range(first, last + 1)]
        if len(found) >= most:
            break
    return list(dict.fromkeys(tick for tick in found if low <= tick <= high)) or [low, high]


def logarithmic(low: float, high: float, most: int = MOST) -> list[float]:
    """Ticks of a logarithmic axis: powers of ten and, if these are few, numbers between them."""
    if not 0 < low < high:
        return [low]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        found = _between(low, high, factors, powers)
        if FEWEST <= len(found) <= most:
            return found
    decades = _between(low, high, (1,), powers)
    if len(decades) <= most:  # a decade or two: too many ticks between the powers, or none at all
        some = _between(low, high, (1, 2, 5), powers)
        return some if len(some) >= FEWEST else linear(low, high, most)
    every = -(-len(decades) // most)
    found = [tick for tick in decades if round(math.log10(tick)) % every == 0]
    return found if len(found) >= FEWEST else decades[:: max((len(decades) - 1) // 2, 1)]


def _between(low: float, high: float, factors: Sequence[int], powers: Sequence[int]) -> list[float]:
    ticks = (float(f"{factor}e{power}") for power in powers for factor in factors)
    return [tick for tick in ticks if low <= tick <= high and tick > 0]


def labels(values: Sequence[float]) -> list[str]:
    """Exact labels, as ``0.5``, ``20k``, ``1.5M``, ``2×10⁻⁵``; if one needs a power of ten, all have one."""
    exact = [Decimal(repr(float(value))).normalize() for value in values]
    sizes = [number.adjusted() for number in exact if number]
    powers = any(size < -3 or size >= 15 for size in sizes)
    return [_label(number, powers=powers) for number in exact]


def _label(number: Decimal, *, powers: bool) -> str:
    if not number:
        return "0"
    sign, size = "−" if number < 0 else "", number.adjusted()
    number = abs(number)
    if powers and size not in (0, 1):
        mantissa = number.scaleb(-size).normalize()
        times = "" if mantissa == 1 else f"{mantissa:f}×"
        return f"{sign}{times}10{str(size).translate(_SUPERSCRIPTS)}"
    if size >= 4 and len(number.as_tuple().digits) > 6:
        return f"{sign}{number:,f}"
    if size >= 4:
        for power, suffix in _SUFFIXES:
            if size >= power:
                return f"{sign}{number.scaleb(-power).normalize():f}{suffix}"
    return f"{sign}{number:f}"


def readable(axes: Axes, which: str, *, whole: bool = False) -> None:
    """Gives an axis (``x`` or ``y``) these ticks, for its scale and limits at the time of drawing."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    log = axis.get_scale() == "log"
    axis.set_major_locator(_Ticks(log, whole))
    axis.set_major_formatter(_Labels())
    if log:
        axis.set_minor_locator(LogLocator(subs="all", numticks=99))
    axis.set_minor_formatter(NullFormatter())


class _Ticks(Locator):
    def __init__(self, log: bool, whole: bool) -> None:
        self._log, self._whole = log, whole

    def __call__(self) -> Any:
        axis: Any = self.axis
        return self.tick_values(*axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> Any:
        low, high = sorted((float(vmin), float(vmax)))
        axis: Any = self.axis
        ticks: list[float] = []
        for most in range(min(MOST, max(FEWEST, axis.get_tick_space())), FEWEST - 1, -1):
            ticks = logarithmic(low, high, most) if self._log else linear(low, high, most, whole=self._whole)
            if self._fit(ticks):
                break
        return ticks

    def _fit(self, ticks: Sequence[float]) -> bool:
        """Whether adjacent labels fit without overlapping."""
        axis: Any = self.axis
        if not isinstance(axis, XAxis):
            return True
        figure: Any = axis.axes.figure
        inches = axis.axes.get_position().width * figure.get_size_inches()[0]
        letters = sum(len(label) + 2 for label in labels(ticks))
        return bool(letters * LETTER <= inches)


class _Labels(Formatter):
    def __call__(self, x: float, pos: int | None = None) -> str:
        return labels([x])[0]

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        return labels(values)
