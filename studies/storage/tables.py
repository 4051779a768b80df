"""Tables of results: one type per column, wall times separate from deterministic numbers, and CSV output."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
import pyarrow as pa

from studies import text

Row = Mapping[str, float | int | str]

WALL = "wall_"
"""How names of columns of wall times begin."""


def float_table(rows: Sequence[Row]) -> pa.Table:
    """The table with all numbers as floats, so that a column's type never depends on its values.

    What is not a number, and what a row lacks, is null. Columns of wall times are left out.
    """
    names = dict.fromkeys(name for row in rows for name in row if not name.startswith(WALL))
    return pa.table({name: _column([row.get(name, math.nan) for row in rows]) for name in names})


def _column(values: list[float | int | str]) -> pa.Array:
    array = np.array(values)
    return pa.array(array.astype(float) if array.dtype.kind in "iuf" else values, from_pandas=True)


def wall_columns(row: Row) -> dict[str, float | int | str]:
    """The columns of wall times."""
    return {key: value for key, value in row.items() if key.startswith(WALL)}


def wall_times(rows: Sequence[Row]) -> list[dict[str, float | int | str]]:
    """The wall-time columns of the rows that have some."""
    if not any(key.startswith(WALL) for key in set().union(*rows)):
        return []
    return [timing for row in rows if (timing := wall_columns(row))]


def uniform(table: pd.DataFrame, varied: Sequence[str]) -> pd.DataFrame:
    """Converts varied columns that mix numbers and text to text, since a column has one type."""
    for path in varied:
        if path in table and table[path].map(type).nunique() > 1:
            numeric = table[path].map(
                lambda value: isinstance(value, int | float) and not isinstance(value, bool)
            )
            table[path] = table[path].astype(float if numeric.all() else str)
    first = ["trial", *varied, "seed"]
    return table[[*first, *(column for column in table if column not in first)]] if len(table) else table


def write_csv(table: pd.DataFrame, file: Path | TextIO) -> None:
    """Writes a table as CSV, in which control characters of labels are escaped: a line is a row."""
    shown = table.copy()
    for name in table.select_dtypes(exclude="number"):
        shown[name] = table[name].map(_visible)
    shown.rename(columns=text.visible).to_csv(file, index=False, float_format="%.12g")


def _visible(value: Any) -> Any:
    return text.visible(value) if isinstance(value, str) else value
