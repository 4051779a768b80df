"""Suggestions for misspelt names in error messages; `topologies.errors` has the twin for its layer."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(name: object, allowed: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The allowed name that is most like `name`; None if none is.

    Args:
        name: what was given.
        allowed: names to choose from.
        cutoff: how alike they must be at least, from 0 to 1; see `difflib.get_close_matches`.
    """
    close = get_close_matches(str(name), list(allowed), n=1, cutoff=cutoff)
    return close[0] if close else None


def did_you_mean(name: object, allowed: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the allowed name closest to `name`, or nothing when none is close."""
    close = closest(name, allowed)
    return f"; did you mean {close!r}?" if close else ""
