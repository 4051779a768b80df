"""The exception of this package, and the small checks that raise it with an actionable message."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real

MOST_LINKS = 5_000_000
"""Links of the largest graphs: a few gigabytes, and seconds to make."""


class TopologyError(ValueError):
    """The requested topology is not possible; the one-line message gives field, value and allowed values.

    Attributes:
        field: the parameter that caused it, if there is one.
        reason: the message without it.
    """

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        super().__init__(reason if field is None else f"{field}: {reason}")
        self.field, self.reason = field, reason


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name nearest to `name`, or an empty string."""
    close = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def whole(field: str, value: object, minimum: int) -> int:
    """Return `value` as an int, or raise TopologyError unless it is a whole number of at least `minimum`."""
    # True is an Integral in Python, but `nodes: true` does not mean one node.
    if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
        raise TopologyError(f"{value!r} is not a whole number of at least {minimum}", field=field)
    return int(value)


def share(field: str, value: object) -> float:
    """Return `value` as a float, or raise TopologyError unless it is a number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise TopologyError(f"{value!r} is not a number from 0 to 1", field=field)
    return float(value)


def positive(field: str, value: object) -> float:
    """Return `value` as a float, or raise TopologyError unless it is a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < math.inf:
        raise TopologyError(f"{value!r} is not a finite number above 0", field=field)
    return float(value)


def few_links(links: float) -> None:
    """Raise TopologyError if a graph would have more links than MOST_LINKS."""
    if links > MOST_LINKS:
        raise TopologyError(
            f"about {links:,.0f} links are more than the {MOST_LINKS:,} that a graph can have", field="nodes"
        )


def listed(items: Sequence[object], joint: str = "and") -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    words = [str(item) for item in items]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {joint} {words[-1]}"
