"""Numbers for people: a value with its interval, in a unit and with digits that fit all three.

The page's script has the same rules, in ``report/assets/scales.js``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Literal

Unit = Literal["", "bytes", "seconds", "count"]

DIGITS = 4
"""Significant digits of a number without an interval."""

FEWEST, MOST = 3, 17
"""Significant digits of a number with an interval; seventeen distinguish all floats."""

EQUAL = 1e-9
"""Relative difference up to which numbers count as equal, to allow for rounding in sums."""

_SCALES: dict[str, list[tuple[float, float, str]]] = {
    "bytes": [(1e3, 1.0, "B"), (1e6, 1e3, "kB"), (1e9, 1e6, "MB"), (1e12, 1e9, "GB"), (math.inf, 1e12, "TB")],
    "seconds": [
        (1e-6, 1e-9, "ns"),
        (1e-3, 1e-6, "µs"),
        (1, 1e-3, "ms"),
        (120, 1.0, "s"),
        (7200, 60, "min"),
        (math.inf, 3600, "h"),
    ],
}
"""Unit -> upper limit, scale and name of each of its forms."""


def equal(values: Sequence[float]) -> bool:
    """Whether numbers are equal up to the rounding of sums."""
    low, high = min(values), max(values)
    return high - low <= EQUAL * max(abs(low), abs(high))


def quantity(value: float, unit: Unit = "", *, digits: int = DIGITS) -> str:
    """``0.0312``, ``12,345``, ``179 MB``, ``4.2 ms``; ``-`` for what is not a number."""
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    (text,), name = _written([value], unit, digits)
    return f"{text} {name}".rstrip()


def with_interval(value: float, low: float, high: float, unit: Unit = "") -> tuple[str, str, str, str]:
    """A value, the ends of its interval and their unit, all in the same unit and with the same digits.

    As rounding keeps the order of numbers, what is printed lies within the printed interval; there are enough
    digits for its ends to differ, if they do.

    Args:
        value, low, high: finite, in order ``low <= value <= high``.
        unit: what they are in.

    Returns:
        The three as text, and the unit's name, which may be empty.
    """
    low, high = min(low, value), max(high, value)  # a sum's last bit may put the value outside
    size, width = max(abs(low), abs(high)), high - low
    one, _ = scale(size, unit)
    size, width = size / one, width / one
    digits = FEWEST
    if 0 < width < math.inf and size:
        # The last digit is a quarter of the width, or finer.
        digits = math.ceil(math.floor(math.log10(size)) + 1 - math.log10(width) + math.log10(4))
    digits = min(max(digits, FEWEST), MOST)
    while True:
        (a, b, c), name = _written([value, low, high], unit, digits, padded=True)
        if b != c or low == high or digits == MOST:
            return a, b, c, name
        digits += 1


def interval_text(value: float, low: float, high: float, unit: Unit = "") -> str:
    """``0.0120 (0.0101, 0.0140)``, ``179 (175, 183) MB``."""
    a, b, c, name = with_interval(value, low, high, unit)
    return f"{a} ({b}, {c}) {name}".rstrip()


def _written(
    values: Sequence[float], unit: Unit, digits: int, *, padded: bool = False
) -> tuple[list[str], str]:
    """The numbers in a unit that suits the largest, and its name; ``padded`` keeps zeros at the end."""
    one, name = scale(max(map(abs, values)), unit)
    exact = [Decimal(value) / Decimal(repr(one)) for value in values]
    if all(number == int(number) and abs(number) < _LARGE[unit] for number in exact):
        return [f"{int(number):,}" for number in exact], name
    rounded = [_round(number, digits, unit) for number in exact]
    scientific = any(number and not _SMALL <= abs(number) < _LARGE[unit] for number in rounded)
    return [_text(number, digits, scientific=scientific, padded=padded) for number in rounded], name


def scale(size: float, unit: Unit) -> tuple[float, str]:
    """The scale and name of the unit in which a number of this size is shown."""
    if unit not in _SCALES:
        return 1.0, ""
    if not size:
        return 1.0, {"bytes": "B", "seconds": "s"}[unit]
    return next((one, name) for below, one, name in _SCALES[unit] if size < below)


_SMALL = Decimal("1e-4")
_LARGE = {"": Decimal("1e7"), "bytes": Decimal("1e7"), "seconds": Decimal("1e7"), "count": Decimal("1e15")}
"""Bounds below and from which numbers are shown with a power of ten."""


def _round(number: Decimal, digits: int, unit: Unit) -> Decimal:
    """The number with this many significant digits, never rounded within a whole part that is shown."""
    if not number:
        return Decimal(0)
    whole = number.adjusted() + 1
    digits = max(digits, whole) if abs(number) < _LARGE[unit] else digits
    return Context(prec=digits, rounding=ROUND_HALF_UP, Emin=-9999, Emax=9999).plus(number)


def _text(number: Decimal, digits: int, *, scientific: bool, padded: bool) -> str:
    if not number:
        return "0"
    if not padded:
        number = number.normalize()
    if scientific:
        places = digits - 1 if padded else len(number.as_tuple().digits) - 1
        mantissa, _, power = f"{number:.{places}e}".partition("e")
        return f"{mantissa}e{int(power):+03d}"
    places = max(digits - 1 - number.adjusted(), 0) if padded else max(-int(number.as_tuple().exponent), 0)
    return f"{number:,.{places}f}"


def duration(seconds: float) -> str:
    """``4.2 s``, ``3 min 20 s``, ``5 h 10 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(number: int, thing: str) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def last_line(trace: str) -> str:
    """The last line of a traceback, which says what went wrong, without the module of the error's class."""
    line = next((line.strip() for line in reversed(trace.splitlines()) if line.strip()), "no reason is known")
    kind, colon, text = line.partition(": ")
    return f"{kind.rpartition('.')[2]}{colon}{text}" if " " not in kind else line


def minus(text: str) -> str:
    """The text with a true minus before numbers, but not in their powers of ten."""
    return re.sub(r"(?<!e)-(?=\d)", "−", text)
