"""Traces of links: delay, jitter, loss and rate as they were measured, row after row.

A trace is a CSV or Parquet file with a column `time` and at least one of `delay`, `jitter`, `loss` and
`rate`. Times and delays are in seconds and rates in bytes per second, unless the name of a column has another
unit: `time_ms`, `delay_ms`, `rate_mbit`. A row applies from its time until that of the next; times count
from the first row. A rate of 0 stalls the transmitter.

A packet-delivery file of mahimahi (Netravali et al., USENIX ATC 2015) is a trace of rates: see
`testbed.network.impairments.mahimahi`.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import floor, inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from testbed.common.measurements import Column, Table, contents, read_table, version
from testbed.common.settings import Settings
from testbed.common.units import DURATIONS, LONGEST, RATES, SLOWEST, Seconds, parse_duration
from testbed.network.impairments.mahimahi import is_packet_delivery, rates_of

if TYPE_CHECKING:  # before Python 3.12 only type checkers can say of what
    Values = array[float]
else:
    Values = array

FOLLOWED = ("delay", "jitter", "loss", "rate")
"""Settings of a link that a trace may give."""

LATEST = 1e10
"""Largest time in a file, in seconds: those of Unix are smaller."""

FASTEST = 1e18
"""Largest rate in a file, in bytes per second."""

_COLUMNS = {
    "time": Column(LATEST, DURATIONS, needed=True),
    "delay": Column(LONGEST, DURATIONS),
    "jitter": Column(LONGEST, DURATIONS),
    "loss": Column(1.0),
    "rate": Column(FASTEST, RATES),
}


@dataclass(frozen=True, eq=False)
class TraceRows:
    """The rows of a trace.

    Attributes:
        starts: seconds from the beginning of the first row to that of each, ascending; the first is 0.
        period: seconds of all rows; infinite if there is only one. The last row of a file with times lasts as
            long as the one before it.
        columns: values of the settings that it gives: seconds, shares and bytes per second, one for each row.
    """

    starts: Values
    period: float
    columns: Mapping[str, Values]

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """The share of time that each row has in the whole trace, shape [rows]."""
        if self.period == inf:
            return np.ones(1)
        return np.diff(np.frombuffer(self.starts), append=self.period) / self.period

    def values(self, column: str, otherwise: float) -> NDArray[np.float64]:
        """A column, shape [rows]; a number that is always the same where the trace has no such column."""
        found = self.columns.get(column)
        return np.full(len(self.starts), otherwise) if found is None else np.frombuffer(found)

    @cached_property
    def sent(self) -> Values:
        """Bytes that the rates can send before each row, and in all, shape [rows + 1]."""
        spans = np.diff(np.frombuffer(self.starts), append=self.period)
        return _frozen(np.concatenate([[0.0], np.cumsum(spans * np.frombuffer(self.columns["rate"]))]))

    def mean(self, column: str) -> float:
        """The mean of a column over time."""
        return float(self.shares @ np.frombuffer(self.columns[column]))


def _offset(value: object) -> object:
    return value if value == "random" else parse_duration(value)


class LinkTrace(Settings):
    """A measured trace that a link follows."""

    file: Path
    """CSV or Parquet with a column `time` and any of `delay`, `jitter`, `loss` and `rate`, see
    `testbed.network.impairments.link_trace`; or a packet-delivery file of mahimahi."""
    repeat: bool = True
    """Whether the trace begins again at its end; otherwise its last row lasts forever."""
    offset: Annotated[
        float | Literal["random"],
        BeforeValidator(_offset, json_schema_input_type=Seconds | Literal["random"]),
    ] = 0.0
    """Seconds of the trace that have passed at time 0. `random`: drawn for each link, the same for both ways,
    so that links with one trace are not in step."""

    @model_validator(mode="after")
    def _can_be_read(self) -> "LinkTrace":
        rates = self.rows.columns.get("rate")
        if rates is not None and rates[-1] == 0 and not self.repeat:
            place = f"trace {str(self.file)!r}"
            raise ValueError(f"{place}: the last rate is 0, so with repeat false packets would wait forever")
        return self

    @cached_property
    def rows(self) -> TraceRows:
        """The rows of the file. Raises ValueError, naming file, line and column, if it is not a trace."""
        return _read(self.file, *version(self.file, "trace"))

    def begins(self, draw: Callable[[], float]) -> float:
        """Seconds of the trace that have passed at time 0 on one link; ``draw`` gives a number in [0, 1)."""
        if self.offset == "random":
            return 0.0 if self.rows.period == inf else draw() * self.rows.period
        return float(self.offset)


def _by_file(value: object) -> object:
    return {"file": value} if isinstance(value, str | Path) else value


LinkTraceSetting = Annotated[
    LinkTrace,
    BeforeValidator(
        _by_file, json_schema_input_type=Annotated[str, Field(examples=["trace.csv"])] | LinkTrace
    ),
]
"""A file, or a trace in detail."""


@lru_cache(maxsize=16)
def _read(path: Path, _changed: int, _size: int) -> TraceRows:
    place, data = contents(path, "trace")
    if is_packet_delivery(data):
        starts, period, rates = rates_of(place, data)
        return TraceRows(_frozen(starts), period if len(starts) > 1 else inf, {"rate": _frozen(rates)})
    return _from_table(place, read_table(place, data, _COLUMNS))


def _from_table(place: str, table: Table) -> TraceRows:
    times = table.columns["time"]
    if len(table.columns) == 1:
        raise ValueError(f"{place} has only times: give it at least one of {', '.join(FOLLOWED)}")
    table.refuse_disorder("time", "s", strictly=True)
    if (rates := table.columns.get("rate")) is not None:
        slow = (rates > 0) & (rates < SLOWEST)
        table.refuse(slow, "rate", lambda row: f"{rates[row]:g} must be 0 or at least {SLOWEST:g} bytes/s")
        if not rates.any():
            raise table.error(0, "rate", "all rates are 0, so packets would wait forever")
    starts = times - times[0]
    period = inf if len(starts) == 1 else float(2 * starts[-1] - starts[-2])
    return TraceRows(
        _frozen(starts),
        period,
        {name: _frozen(table.columns[name]) for name in FOLLOWED if name in table.columns},
    )


def _frozen(values: NDArray[Any]) -> Values:
    """Numbers that Python reads one at a time as fast as from a list, in a quarter of the memory."""
    return array("d", np.ascontiguousarray(values, dtype=np.float64).tobytes())


class TracePosition:
    """The row of a trace that applies at a time, on one link.

    It remembers the latest row, because times mostly move on a little; the row does not depend on the times
    asked for before.
    """

    __slots__ = ("_next", "_offset", "_starts", "cycle", "high", "low", "repeats", "row", "rows", "zero")

    def __init__(self, trace: LinkTrace, offset: float) -> None:
        """``offset`` in seconds: see `LinkTrace.begins`."""
        self.rows = trace.rows
        self._starts = trace.rows.starts
        self.repeats = trace.repeat and self.rows.period < inf
        self._offset = offset
        self.row = 0
        self.low, self.high = inf, inf
        """The row applies from the one time, and no longer from the other."""
        self._turn_to(0)
        self.seek(0.0)

    def seek(self, time: float) -> None:
        """Move to the row of a time, in simulated seconds."""
        starts, row, high = self._starts, self.row + 2, self.high
        if high <= time and row < len(starts):  # mostly it is the next row
            end = self.zero + starts[row]
            if time < end <= self._next:
                self.low, self.high, self.row = high, end, row - 1
                return
        self._search(time)

    def at(self, cycle: int, seconds: float) -> float:
        """The time at which that many seconds of a cycle have passed."""
        return cycle * self.rows.period - self._offset + seconds if cycle else seconds - self._offset

    def _search(self, time: float) -> None:
        if self.repeats and not self.zero <= time < self._next:
            self._turn_to(floor((time + self._offset) / self.rows.period))
            # Floats are rounded: a cycle is the last that has begun.
            while time < self.zero:
                self._turn_to(self.cycle - 1)
            while time >= self._next:
                self._turn_to(self.cycle + 1)
        starts, zero = self._starts, self.zero
        row, last = max(bisect_right(starts, time - zero) - 1, 0), len(starts) - 1
        while row and zero + starts[row] > time:
            row -= 1
        while row < last and zero + starts[row + 1] <= time:
            row += 1
        self.row, self.low = row, zero + starts[row]
        self.high = min(zero + starts[row + 1], self._next) if row < last else self._next

    def _turn_to(self, cycle: int) -> None:
        self.cycle = cycle
        """How often the trace has been played before."""
        self.zero = self.at(cycle, 0.0)
        """Time at which it began for the last time."""
        self._next = self.at(cycle + 1, 0.0) if self.repeats else inf
