"""When links are up, from files: lists of contacts, and positions of agents that move in a plane.

Both are CSV or Parquet. A file of contacts has the columns `time`, `link` ("0-1" for both ways, "0>1" for
one) and `up` (1 or 0), in the order of time; a link is down until a row says that it is up. A file of
positions has `time`, `node`, `x` and `y`; between its rows an agent moves straight and evenly, before the
first and after the last of them it rests. Times are simulated seconds; `time_ms` and so on have other units.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from testbed.common.measurements import Column, contents, read_table, version
from testbed.common.units import DURATIONS, LONGEST
from testbed.network.link_names import parse_directions

Way = tuple[int, int]

Changes = tuple[tuple[float, tuple[tuple[Way, bool], ...]], ...]
"""Times in seconds, ascending, with the directions that come up (true) or go down then."""

FARTHEST = 1e9
"""Largest coordinate, and its negative the smallest."""

_TIME = Column(LONGEST, DURATIONS, needed=True)
_CONTACTS = {
    "time": _TIME,
    "link": Column(needed=True, text=True),
    "up": Column(1.0, needed=True, whole=True),
}
_PLACE = Column(FARTHEST, needed=True, least=-FARTHEST)
_POSITIONS = {"time": _TIME, "node": Column(1e6, needed=True, whole=True), "x": _PLACE, "y": _PLACE}

Tracks = Mapping[int, NDArray[np.float64]]
"""Rows of time, x and y of each node, shape [rows, 3], with ascending times."""


def read_contacts(path: Path) -> Changes:
    """The changes that a file lists. Raises ValueError, naming file, line and column, if it is invalid."""
    return _contacts(path, *version(path, "contacts"))


def read_positions(path: Path) -> Tracks:
    """The ways of the agents. Raises ValueError, naming file, line and column, if it is invalid."""
    return _positions(path, *version(path, "positions"))


@lru_cache(maxsize=16)
def _contacts(path: Path, _changed: int, _size: int) -> Changes:
    table = read_table(*contents(path, "contacts"), _CONTACTS)
    table.refuse_disorder("time", "s")
    times = table.columns["time"]
    found: dict[float, dict[Way, bool]] = {}
    ups = table.columns["up"].astype(bool).tolist()
    for row, (time, name, up) in enumerate(zip(times.tolist(), table.columns["link"], ups, strict=True)):
        try:
            ways = parse_directions(str(name).strip())
        except ValueError as error:
            raise table.error(row, "link", str(error)) from None
        now = found.setdefault(time, {})
        for way in ways:
            if now.get(way, up) != up:
                raise table.error(row, "up", f"link {name} comes up and goes down at {time:g} s")
            now[way] = up
    return tuple((time, tuple(now.items())) for time, now in found.items())


@lru_cache(maxsize=16)
def _positions(path: Path, _changed: int, _size: int) -> Tracks:
    table = read_table(*contents(path, "positions"), _POSITIONS)
    table.refuse_disorder("time", "s")
    times = table.columns["time"]
    nodes = table.columns["node"].astype(int)
    tracks = {}
    for node in np.unique(nodes).tolist():
        (rows,) = np.nonzero(nodes == node)
        again = np.diff(times[rows], prepend=-1.0) <= 0
        if again.any():
            row = int(rows[again.argmax()])
            raise table.error(row, "time", f"node {node} has two rows at {times[row]:g} s")
        tracks[node] = np.column_stack([times[rows], table.columns["x"][rows], table.columns["y"][rows]])
    return tracks


def within_range_changes(tracks: Tracks, links: Iterable[Way], radius: float) -> Changes:
    """When links come up, because their ends are at most ``radius`` apart, and go down again."""
    found: dict[float, dict[Way, bool]] = {}
    for u, v in links:
        for time, up in _encounters(tracks[u], tracks[v], radius):
            found.setdefault(time, {}).update({(u, v): up, (v, u): up})
    return tuple((time, tuple(found[time].items())) for time in sorted(found))


def _encounters(
    one: NDArray[np.float64], other: NDArray[np.float64], radius: float
) -> list[tuple[float, bool]]:
    """The times at which two agents come into range, or leave it, from 0 on."""
    times = np.unique(np.concatenate([[0.0], one[:, 0], other[:, 0]]))
    x, y = (
        np.interp(times, one[:, 0], one[:, axis]) - np.interp(times, other[:, 0], other[:, axis])
        for axis in (1, 2)
    )
    # On each span the squared distance is a + 2 b s + c s^2, s the share of the span that has passed.
    dx, dy = np.diff(x), np.diff(y)
    a, b, c = x[:-1] ** 2 + y[:-1] ** 2 - radius**2, x[:-1] * dx + y[:-1] * dy, dx**2 + dy**2
    with np.errstate(invalid="ignore", divide="ignore"):  # no crossing is not a number
        roots = (-b + np.outer((-1, 1), np.sqrt(b**2 - a * c))) / c
    span, shares = np.nonzero((roots > 0) & (roots < 1))[1], roots[(roots > 0) & (roots < 1)]
    crossings = times[span] + shares * np.diff(times)[span]
    moments = np.unique(np.concatenate([times, crossings]))
    middles = np.append((moments[:-1] + moments[1:]) / 2, moments[-1])
    near = np.hypot(np.interp(middles, times, x), np.interp(middles, times, y)) <= radius
    changed = np.flatnonzero(np.diff(near, prepend=False))
    return list(zip(moments[changed].tolist(), near[changed].tolist(), strict=True))
