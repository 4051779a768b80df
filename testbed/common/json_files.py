"""Reading of JSON files that others may have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DEEPEST = 100
"""Deepest nesting allowed in a stored JSON file; real ones reach a tenth of it."""


class _Twice(ValueError):
    """An object names a key twice."""


def parsed(file: Path, most: int | None = None, *, once: bool = False) -> Any:
    """The data in a JSON file.

    Args:
        file: the path.
        most: largest allowed size in bytes; None: unlimited.
        once: whether to refuse an object that names a key twice, of which only the last would count.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not JSON, too large, nested more than ``DEEPEST`` levels deep, or names a key twice.
    """
    deep = f"is nested more than {DEEPEST} deep"
    if most is not None and file.stat().st_size > most:
        raise ValueError(f"is larger than {most:,} bytes")
    try:
        data = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_distinct if once else None)
    except RecursionError as error:
        raise ValueError(deep) from error
    except _Twice:
        raise
    except ValueError as error:
        raise ValueError("is not JSON" if file.stat().st_size else "is empty") from error
    level = [data]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return data
    raise ValueError(deep)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(f"names {key!r} twice in one object")
        found[key] = value
    return found


def _inside(value: Any) -> list[Any]:
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [inner for inner in values if isinstance(inner, dict | list)]
