"""Traces as tables."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from testbed.network import Message, Trace
from testbed.network.trace.table import COLUMNS, table, write_parquet


def _trace() -> Trace:
    trace = Trace()
    message = Message(0, 1, "request", None, 24, 0.5, 7)
    trace.packet(0.5, "sent", message)
    trace.packet(0.5, "dropped", message, "loss")
    trace.link(0.75, "link_down", 1, 0)
    trace.record(1.0, "commit", agent=3, value=np.float64(0.1), ok=np.bool_(True), link="0-1")
    trace.record(1.5, "other", agent=4, value=2, set=[1, 2], odd="text")
    trace.record(1.5, "other", odd=1.5)
    return trace


def test_every_field_has_a_column_of_one_type(tmp_path: Path) -> None:
    write_parquet(_trace(), tmp_path / "trace.parquet")
    read = pd.read_parquet(tmp_path / "trace.parquet", dtype_backend="numpy_nullable")
    assert list(read.columns) == [*COLUMNS, "agent", "value", "ok", "link", "set", "odd"]
    assert [str(kind) for kind in read[["time", "serial", "agent", "value", "ok", "link"]].dtypes] == [
        "Float64",
        "Int64",
        "Int64",
        "Float64",
        "boolean",
        "string",
    ]
    assert read["event"].tolist() == ["sent", "dropped", "link_down", "commit", "other", "other"]
    assert read["reason"].dropna().tolist() == ["loss"]
    assert read["value"].dropna().tolist() == [0.1, 2.0]
    assert read["set"].dropna().tolist() == ["[1, 2]"]
    assert [json.loads(text) for text in read["odd"].dropna()] == ["text", 1.5]


def test_the_rows_are_those_of_the_lines() -> None:
    trace = _trace()
    rows = [{k: v for k, v in row.items() if v is not None} for row in table(trace).to_pylist()]
    for row, line in zip(rows, trace.lines(), strict=True):
        said = json.loads(line)
        assert row.keys() == said.keys()
        assert {k: row[k] for k in row if k not in ("set", "odd")} == {
            k: said[k] for k in said if k not in ("set", "odd")
        }


def test_the_same_events_give_the_same_bytes_and_an_empty_trace_a_table(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_parquet(_trace(), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert table(Trace()).num_rows == 0


def test_a_table_holds_no_objects() -> None:
    trace = Trace()
    trace.record(0.0, "array", value=np.zeros(2))
    with pytest.raises(TypeError, match="not JSON serializable"):
        table(trace)
