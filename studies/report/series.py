"""Curves of single agents, and dropped packets of single links, for the page.

The page must stay small however many trials there are, so it has conditions instead of trials, and the more
lines and rows there are, the fewer points each has: ``POINTS_IN_ALL`` points of agents' curves, and
``CELLS_IN_ALL`` intervals of links. Links are added up over longer intervals; curves keep fewer points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

import topologies
from studies.analysis.bootstrap import described, estimator
from studies.analysis.resampling import POINTS, evenly, together
from studies.analysis.series import AGENT_AXES, LINK_PLACES
from studies.columns import column_in, column_title, title_in
from studies.report.conditions import Arrangement
from studies.report.curves import Places
from studies.report.numbers import rounded
from studies.spec.manifest import StudyRecord

POINTS_IN_ALL = 150_000
"""Points of all agents' lines together, unless that left fewer than ``FEWEST`` for each."""

CELLS_IN_ALL = 300_000
"""Intervals of all links together, each counted once per quantity, unless that left fewer than ``FEWEST``."""

FEWEST = 20

LINKS = 40
"""Maximum number of links or directions of a condition: those that dropped the most."""


def agents(study: StudyRecord, table: pd.DataFrame, conditions: Arrangement) -> dict[str, Any] | None:
    """The curves of agents over updates as plain data for the page; None where there are none.

    Args:
        study: the study.
        table: from :func:`studies.analysis.series.agents`.
        conditions: of the study.

    Returns:
        ``xs``: lists of updates that lines share; ``measures``: for each its titles, and lines ``[condition,
        agent, x, y, low, high]``, where x is an index into ``xs``.
    """
    if table.empty:
        return None
    skipped = {"trial", "seed", *study.varied, *AGENT_AXES}
    names = [str(name) for name in table if name not in skipped]
    split = _split(table, names)
    points = min(POINTS, max(POINTS_IN_ALL // max(_lines(split, conditions, names), 1), FEWEST))
    xs, measures = Places(), []
    for name in names:
        how = estimator(study.workload, name)
        lines, seeds = [], []
        for number, agent, members in _members(split, conditions, study, name):
            places, matrix = together([x for x, _ in members], [y for _, y in members], log=False)
            if len(places) < 2:
                continue
            kept = evenly(len(places), points)
            parts = how.along(matrix[kept])
            lines.append([number, agent, xs.add(places[kept]), *(rounded(part) for part in parts)])
            seeds.append(len(members))
        if lines:
            found = column_in("agents", name)
            measures.append(
                {
                    "name": name,
                    "title": title_in("agents", name),
                    "unit": found.unit if found else "",
                    "estimate": described(seeds, how),
                    "lines": lines,
                }
            )
    return {"xs": xs.lists, "measures": measures} if measures else None


Split = Mapping[tuple[str, int], Mapping[str, np.ndarray]]
"""Hash of a trial and number of an agent -> column -> numbers by update."""


def _split(table: pd.DataFrame, names: Sequence[str]) -> Split:
    kept = ["update", *names]
    found = {}
    for _, part in table.groupby(["trial", "agent"], sort=False):
        key = str(part["trial"].iloc[0]), int(part["agent"].iloc[0])
        found[key] = {name: part[name].to_numpy(dtype=float) for name in kept}
    return found


def _lines(split: Split, conditions: Arrangement, names: Sequence[str]) -> int:
    """The number of lines of all measures."""
    return len({(conditions.of[trial], agent) for trial, agent in split}) * len(names)


def _members(
    split: Split, conditions: Arrangement, study: StudyRecord, name: str
) -> Iterator[tuple[int, int, list[tuple[np.ndarray, np.ndarray]]]]:
    """The runs of each condition and agent: the updates that have a number, and the numbers."""
    agents = sorted({agent for _, agent in split})
    for number, condition in enumerate(conditions.conditions):
        hashes = [study.trials[i].hash for i in condition.trials]
        for agent in agents:
            members = []
            for trial in hashes:
                rows = split.get((trial, agent))
                if rows is not None and (known := np.isfinite(rows[name])).any():
                    members.append((rows["update"][known], rows[name][known]))
            if members:
                yield number, agent, members


def links(
    study: StudyRecord,
    table: pd.DataFrame,
    conditions: Arrangement,
    names: Mapping[int, str],
) -> dict[str, Any] | None:
    """Dropped packets of links over time as plain data for the page; None where there are none.

    Args:
        study: the study.
        table: from :func:`studies.analysis.series.links`.
        conditions: of the study.
        names: of the agents; those without one have their numbers.

    Returns:
        ``ends`` of the intervals, the titles of the ``quantities``, and for each condition its links
        ``[name, [totals], [intervals of each quantity]]``, all means over seeds, null beyond the end of its
        trials, and the number of links that are left out.
    """
    if table.empty or not table["sent"].sum():
        return None
    place = next(name for name in LINK_PLACES if name in table)
    reasons = [str(name) for name in table if str(name).startswith("dropped_") and table[name].sum()]
    quantities = ["dropped", *reasons] + ["utilisation"] * ("utilisation" in table)
    totals = [name for name in ("sent", "delivered", "dropped", *reasons, "late") if name in table]
    pairs = table[["source", "destination"]].drop_duplicates()
    rows = min(len(pairs), LINKS) * len(conditions.conditions) * len(quantities)
    ends, table = _coarser(table, place, max(CELLS_IN_ALL // rows, FEWEST))
    found = []
    for condition in conditions.conditions:
        hashes = [study.trials[i].hash for i in condition.trials]
        found.append(_condition(table[table["trial"].isin(hashes)], place, ends, quantities, totals, names))
    return {
        "place": {"name": place, "title": column_title(place)},
        "ends": rounded(ends),
        "quantities": [{"name": name, "title": _title(name)} for name in quantities],
        "totals": [name.removeprefix("dropped_") for name in totals],
        "conditions": found,
    }


def _title(name: str) -> str:
    if name.startswith("dropped_"):
        return f"dropped: {name.removeprefix('dropped_')}"
    return title_in("links", name)


def _coarser(table: pd.DataFrame, place: str, most: int) -> tuple[np.ndarray, pd.DataFrame]:
    """At most so many intervals: sums over several of them, the mean utilisation."""
    every = np.sort(table[place].unique())
    group = -(-len(every) // most)
    ends = every[[min(k + group, len(every)) - 1 for k in range(0, len(every), group)]]
    if group == 1:
        return ends, table
    place_of = ends[np.searchsorted(ends, table[place].to_numpy())]
    sums = {
        str(name): "mean" if name == "utilisation" else "sum"
        for name in table.select_dtypes("number")
        if name not in (place, "source", "destination", "seed", "delay", "delay_max")
    }
    by = ["trial", place, "source", "destination"]
    return ends, table.assign(**{place: place_of}).groupby(by, sort=False).agg(sums).reset_index()


def _condition(
    table: pd.DataFrame,
    place: str,
    ends: np.ndarray,
    quantities: Sequence[str],
    totals: Sequence[str],
    names: Mapping[int, str],
) -> dict[str, Any]:
    trials = table["trial"].nunique()
    if not trials:
        return {"links": [], "more": 0}
    ways = ["source", "destination"]
    whole = table.groupby(ways)[list(totals)].sum() / trials
    order = whole.sort_values(["dropped", "sent"], ascending=False, kind="stable").index[:LINKS]
    means = table.groupby([*ways, place])[list(quantities)].mean()
    links = []
    for way in sorted(order):
        part = means.loc[way]
        series = np.full((len(quantities), len(ends)), np.nan)
        series[:, np.searchsorted(ends, part.index.to_numpy())] = part.to_numpy().T
        u, v = int(way[0]), int(way[1])
        links.append(
            [
                topologies.named_link(u, v, names, ">"),
                rounded(whole.loc[way].to_numpy()),
                [rounded(each) for each in series],
            ]
        )
    return {"links": links, "more": len(whole) - len(links)}
