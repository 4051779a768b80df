"""The grid of a study: every combination of the values under ``vary:``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from studies.document import Document, split


def cells(vary: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, int]]:
    """Dotted path -> index of its value, for every combination; the last path varies fastest."""
    for indices in itertools.product(*(range(len(values)) for values in vary.values())):
        yield dict(zip(vary, indices, strict=True))


def fill(document: Document, cell: Mapping[str, int]) -> Document:
    """The study with one combination put in place, in the order in which the paths are written.

    Raises:
        StudyError: a path leads through a value that has no keys.
    """
    filled = document.copy()
    for path, index in cell.items():
        source = ("vary", path, index)
        places = {(): document.place(source), **document.sub_places(source)}
        filled.put(split(path, document.place(source)), document.data["vary"][path][index], places)
    return filled
