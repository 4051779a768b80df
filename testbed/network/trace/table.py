"""A trace as a table: one row per event, one column per field, for Parquet and pandas."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from testbed.network.trace.trace import Trace

COLUMNS: dict[str, Any] = {
    "time": pa.float64(),
    "update": pa.int64(),
    "event": pa.string(),
    "serial": pa.int64(),
    "kind": pa.string(),
    "source": pa.int64(),
    "destination": pa.int64(),
    "size": pa.int64(),
    "reason": pa.string(),
}
"""Columns recorded by the network itself, always present; null where an event has no such field."""


def table(trace: Trace) -> Any:
    """The trace as a `pyarrow.Table`, rows in order.

    The columns of `COLUMNS` come first, then those of `Trace.record` in the order of their first appearance:
    numbers are int64 or, if one of them is not whole, float64; truth values bool; anything mixed or nested
    is its JSON text.

    Raises TypeError if an event holds something that is not JSON-able.
    """
    values: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for index, event in enumerate(trace.events):
        row = event.row()
        for name in row:
            if name not in values:
                values[name] = [None] * index
        for name, column in values.items():
            column.append(row.get(name))
    arrays = {
        name: pa.array(column, COLUMNS[name]) if name in COLUMNS else _array(column)
        for name, column in values.items()
    }
    return pa.table(arrays)


def write_parquet(trace: Trace, path: Path | str) -> None:
    """Write `table` to a Parquet file. The same events give the same bytes with the same pyarrow."""
    pq.write_table(table(trace), Path(path))


def _array(column: list[Any]) -> Any:
    plain = [value.item() if isinstance(value, np.generic) else value for value in column]
    kinds = {type(value) for value in plain if value is not None}
    if kinds <= {int, float}:
        return pa.array(plain, pa.float64() if float in kinds else pa.int64())
    if kinds == {bool}:
        return pa.array(plain, pa.bool_())
    if kinds == {str}:
        return pa.array(plain, pa.string())
    return pa.array([None if value is None else json.dumps(value) for value in plain], pa.string())
