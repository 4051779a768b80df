"""The rows of a table by condition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd


def grouped(table: pd.DataFrame, names: Sequence[str]) -> Iterable[tuple[tuple[Any, ...], pd.DataFrame]]:
    """The values of the columns ``names`` and the rows that have them, in the order of the table.

    All rows are one group where there are no names, and having no value is a value, too.
    """
    if not names:
        return [((), table)]
    groups: Iterable[tuple[tuple[Any, ...], pd.DataFrame]]
    groups = table.groupby(list(names), sort=False, dropna=False)
    return groups
