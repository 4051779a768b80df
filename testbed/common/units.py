"""Durations and rates as people write them: "5ms", "10mbit"; in code always seconds and bytes per second.

Rates read as in tc(8): "bit" counts bits and "bps" counts *bytes* per second, prefixes are powers of 1000
("kibit" and its kin powers of 1024). A plain number is seconds, or bytes per second: unlike in tc, where it
is microseconds, or bits per second.
"""

import math
import re
from collections.abc import Mapping
from decimal import Context, Decimal, localcontext
from typing import Annotated

from pydantic import BeforeValidator, Field

DURATIONS: Mapping[str, Decimal] = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "min": Decimal(60),
    "h": Decimal(3600),
}
"""Seconds in each unit of time."""

RATES: Mapping[str, Decimal] = {
    prefix + unit: factor * size
    for unit, size in (("bit", Decimal("0.125")), ("bps", Decimal(1)))
    for prefix, factor in (
        ("", Decimal(1)),
        ("k", Decimal(10) ** 3),
        ("m", Decimal(10) ** 6),
        ("g", Decimal(10) ** 9),
        ("t", Decimal(10) ** 12),
        ("ki", Decimal(2) ** 10),
        ("mi", Decimal(2) ** 20),
        ("gi", Decimal(2) ** 30),
        ("ti", Decimal(2) ** 40),
    )
}
"""Bytes per second in each unit of rate."""

LONGEST = 1e9
"""Seconds, some 30 years: sums of such times are finite, and tell milliseconds apart."""

SLOWEST = 1e-6
"""Bytes per second: a byte takes eleven days."""

_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_QUANTITY = re.compile(rf"\s*([+-]?{_NUMBER})\s*([a-zA-Zµ]*)\s*")


def parse_duration(value: object) -> float:
    """Seconds from a number of seconds or from text such as "5ms", "10us", "1.5s", "2min".

    Raises ValueError on anything else, and on negative or undefined durations and those above `LONGEST`.
    """
    seconds = _parse(value, DURATIONS, "a duration", "seconds", '"5ms", "1.5s"')
    if seconds > LONGEST:
        raise ValueError(f"{value!r} is too long: must be at most {LONGEST:g} s")
    return seconds


def parse_rate(value: object) -> float:
    """Bytes per second from a number of them or from text such as "10mbit" (bits) or "1mbps" (bytes).

    Raises ValueError on anything else, and on negative, zero, infinite or undefined rates, and those below
    `SLOWEST`.
    """
    rate = _parse(value, RATES, "a rate", "bytes per second", '"10mbit", "1mbps"')
    if rate == 0:
        raise ValueError(f"{value!r} is not a rate: it must be above 0, or null for unlimited")
    if rate < SLOWEST:
        raise ValueError(f"{value!r} is too slow: must be at least {SLOWEST:g} bytes per second, or null")
    return rate


def _parse(value: object, units: Mapping[str, Decimal], what: str, plain: str, example: str) -> float:
    said = _short(value)
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value)):
        number, unit = match.group(1), match.group(2).lower()
        # Decimal arithmetic rounds once, so that "3ms" is the float that the literal 0.003 is.
        factor = units.get(unit) if unit else Decimal(1)
        if factor is None:
            allowed = ", ".join(units)
            raise ValueError(f"{said} is not {what}: the unit {unit!r} is not one of {allowed}")
        with localcontext(Context(prec=60, traps=[])):  # what is beyond all bounds is infinite
            amount = float(Decimal(number) * factor)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            amount = float(value)
        except OverflowError:
            amount = math.inf
    else:
        raise ValueError(
            f"{said} is not {what}: give a number of {plain}, or a number and a unit ({example})"
        )
    if not math.isfinite(amount) or amount < 0:
        raise ValueError(f"{said} is not {what}: it must be finite and not negative")
    return abs(amount)


def _short(value: object) -> str:
    """A value in an error message."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integers of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}..."


_PATTERN = rf"^\s*\+?{_NUMBER}\s*[a-zA-Zµ]*\s*$"
"""Examples of a quantity for the JSON Schema."""

_Duration = Annotated[str, Field(pattern=_PATTERN, examples=["5ms", "1.5s"])]
_Rate = Annotated[str, Field(pattern=_PATTERN, examples=["10mbit", "1mbps"])]

Seconds = Annotated[
    float,
    BeforeValidator(parse_duration, json_schema_input_type=Annotated[float, Field(ge=0)] | _Duration),
]
"""A duration in seconds; settings accept text with a unit."""

BytesPerSecond = Annotated[
    float, BeforeValidator(parse_rate, json_schema_input_type=Annotated[float, Field(gt=0)] | _Rate)
]
"""A rate in bytes per second; settings accept text with a unit."""
