"""Per-agent and per-link series of all trials, thinned as they are read.

A trial of 1,000 updates has 1,000 rows per agent and per direction of a link, so a study of many trials does
not fit into memory as one table. Curves of agents keep evenly spaced updates; the packets of links are added
up over equal intervals, which keeps every sum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from studies.analysis.resampling import POINTS, Array, evenly
from studies.spec.document import StudyError
from studies.spec.manifest import StudyRecord, TrialRecord
from studies.storage.store import Store, joined

INTERVALS = 100
"""Maximum number of intervals of a link's series."""

ROWS = 20_000
"""Maximum number of rows that the series of all links of a trial keep; at least ten intervals remain."""

AGENT_AXES = ("update", "steps", "seconds", "agent")
"""Columns of the curves of agents that are not measurements."""

NEEDED: Mapping[str, frozenset[str]] = {
    "agents": frozenset({"update", "agent"}),
    "links": frozenset(
        {
            "seconds",
            "source",
            "destination",
            "sent",
            "delivered",
            "dropped",
            "delay",
            "delay_max",
            "transmitting",
        }
    ),
}
"""Columns without which a table is not one of its name."""

Places = NDArray[np.int64]

LINK_PLACES = ("update", "activations")
"""Columns that say where an interval ends: in training, and in a consensus run."""


def agents(study: StudyRecord, store: Store) -> pd.DataFrame:
    """The curves of agents of all finished trials, at most ``POINTS`` updates of each; empty without any.

    Returns:
        ``trial``, the varied settings, ``seed``, and the columns of ``curves_agents.parquet``.
    """
    trials = store.having(study, "agents")
    return joined(study, trials, [_some_updates(_read(store, each, "agents")) for each in trials])


def _some_updates(table: pa.Table) -> pa.Table:
    updates = table["update"].to_numpy()
    known = np.unique(updates)
    return table.filter(pa.array(np.isin(updates, known[evenly(len(known), POINTS)])))


def links(study: StudyRecord, store: Store) -> pd.DataFrame:
    """The traffic of directions of all finished trials in equal intervals; empty if there is none.

    All trials have the same intervals: of whole updates or activations, at most ``INTERVALS``, fewer if a
    trial would have more than ``ROWS`` rows.

    Returns:
        ``trial``, the varied settings, ``seed``, ``update`` or ``activations`` at the end of each interval,
        and the other columns of ``curves_links.parquet`` but ``steps`` and ``seconds``.
    """
    trials = store.having(study, "links")
    if not trials:
        return pd.DataFrame()
    place = LINK_PLACES[0] if study.workload == "training" else LINK_PLACES[1]
    extents = [_extent(each, _read(store, each, "links", [place, "source"]), place) for each in trials]
    last, most = max(end for end, _, _ in extents), max(points for _, points, _ in extents)
    directions = max(count for _, _, count in extents)
    width = math.ceil(last / max(min(INTERVALS, most, max(ROWS // directions, 10)), 1))
    tables = [_intervals(_read(store, each, "links", needed={place}), place, width, last) for each in trials]
    return joined(study, trials, tables)


def _read(
    store: Store,
    trial: TrialRecord,
    name: str,
    columns: Sequence[str] | None = None,
    needed: AbstractSet[str] = frozenset(),
) -> pa.Table:
    """A stored table, or some of its columns; StudyError if it lacks one or is empty."""
    table = store.read_table(trial, f"curves_{name}", columns)
    for column in needed | set(columns or NEEDED[name]):
        if column not in table.column_names:
            raise StudyError(f"trial {trial.hash}: curves_{name}.parquet: lacks the column {column!r}")
    if not table.num_rows:
        raise StudyError(f"trial {trial.hash}: curves_{name}.parquet: has no rows")
    return table


def _extent(trial: TrialRecord, table: pa.Table, place: str) -> tuple[float, int, int]:
    """The last place, and the numbers of places and of directions. StudyError if places are no numbers."""
    places = np.unique(table[place].to_numpy())
    if not (np.isfinite(places).all() and places[0] >= 0 and places[-1] >= 1):
        raise StudyError(f"trial {trial.hash}: curves_links.parquet: {place}: must be finite and at least 1")
    return float(places[-1]), len(places), max(table.num_rows // len(places), 1)


def _intervals(table: pa.Table, place: str, width: int, last: float) -> pa.Table:
    """Sums over the intervals of each direction; ``last`` is the end of the last one."""
    columns = {name: table[name].to_numpy() for name in table.column_names}
    bins, bin_of = np.unique(np.ceil(columns[place] / width), return_inverse=True)
    pairs = np.stack([columns["source"], columns["destination"]], axis=1)
    ways, way_of = np.unique(pairs, axis=0, return_inverse=True)
    at: Places = bin_of.astype(np.int64)
    cell: Places = at * len(ways) + way_of.ravel().astype(np.int64)
    size = len(bins) * len(ways)

    def total(values: Array) -> Array:
        found: Array = np.asarray(np.bincount(cell, weights=values, minlength=size), dtype=float)
        return found

    found: dict[str, Array] = {
        place: np.repeat(np.minimum(bins * width, last), len(ways)),
        "source": np.tile(ways[:, 0], len(bins)),
        "destination": np.tile(ways[:, 1], len(bins)),
    }
    kept = [name for name in columns if name not in (*found, *LINK_PLACES, "steps", "seconds")]
    found |= {
        name: total(columns[name]) for name in kept if name not in ("utilisation", "delay", "delay_max")
    }
    return pa.table(found | _shares(columns, found, total, cell, size, at, len(ways)))


def _shares(
    columns: Mapping[str, Array],
    found: Mapping[str, Array],
    total: Callable[[Array], Array],
    cell: Places,
    size: int,
    at: Places,
    ways: int,
) -> dict[str, Array]:
    """The columns that do not add up: delays, and utilisation where there are rates."""
    delivered = columns["delivered"]
    with np.errstate(invalid="ignore", divide="ignore"):
        delay = total(np.where(delivered > 0, columns["delay"] * delivered, 0.0)) / found["delivered"]
    longest = np.full(size, -np.inf)
    np.maximum.at(longest, cell, np.where(delivered > 0, columns["delay_max"], -np.inf))
    shares = {"delay": delay, "delay_max": np.where(np.isfinite(longest), longest, np.nan)}
    if "utilisation" in columns:
        ends = np.full(int(at.max()) + 1, -np.inf)
        np.maximum.at(ends, at, columns["seconds"])
        elapsed = np.repeat(np.diff(ends, prepend=0.0), ways)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(elapsed > 0, found["transmitting"] / elapsed, 0.0)
        limited = np.ones(size, dtype=bool)
        np.logical_and.at(limited, cell, ~np.isnan(columns["utilisation"]))
        shares["utilisation"] = np.where(limited, share, np.nan)
    return shares
