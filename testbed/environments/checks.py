"""Words for error messages."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: object, allowed: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the allowed name closest to `name`, or nothing when none is close."""
    close = get_close_matches(str(name), list(allowed), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
