"""Files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def beside(place: Path) -> Iterator[Path]:
    """A file to write beside ``place``, which takes that place when all went well, and else is removed."""
    part = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        yield part
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)
