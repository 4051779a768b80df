"""Cost to reach a threshold: activations, exchanges, bytes and seconds until an error is small enough.

A trial *reaches* a threshold at the first recorded row of its curve where the column is finite and at most,
or at least, the threshold. Nothing is interpolated between rows, so `consensus.curve_every` limits the
resolution, and nothing is required of later rows. Rows of a consensus run before its first completed exchange
do not count: until then all signals are equal by convention. In training, rows are policy updates.

A trial that does not reach it is *right-censored*: its cost exceeds the one at its last row, which is in the
table in its place. Summaries over seeds never leave such trials out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from studies.analysis.conditions import grouped
from studies.spec.document import StudyError
from studies.spec.manifest import StudyRecord
from studies.spec.presentation import Threshold
from studies.spec.synonyms import did_you_mean
from studies.storage.store import Store

COSTS = ("steps", "update", "activations", "exchanges", "bytes", "seconds")
"""Columns that measure a cost, as far as the curves have them."""

_PER_UPDATE = ("activations", "exchanges")
"""Those that curves of training count within each update."""


def cost_to_reach(study: StudyRecord, store: Store, thresholds: Sequence[Threshold]) -> pd.DataFrame:
    """A row per finished trial and threshold.

    Columns: ``trial``, the varied settings, ``seed``; ``metric``, ``bound`` (``at most`` or ``at least``) and
    ``threshold``; ``reached``, a bool; and a column for each of ``COSTS``: the cost of reaching it or, where
    ``reached`` is False, the cost of the whole trial, which was not enough.

    Raises:
        StudyError: the curves have no such column.
    """
    curve = store.curve(study, curve_of(study.workload))
    names = ["trial", *study.varied, "seed"]
    if curve.empty or not thresholds:
        return pd.DataFrame(columns=[*names, "metric", "bound", "threshold", "reached"])
    known = [str(name) for name in curve if name not in names]
    for each in thresholds:
        if each.column not in known:
            near = did_you_mean(each.column, known)
            reason = f"these curves have no such column{near} (there are: {', '.join(known)})"
            raise StudyError(f"reach: {each.column}: {reason}")
    costs = [name for name in COSTS if name in curve and np.isfinite(curve[name]).any()]
    rows = []
    for identity, table in grouped(curve, names):
        paid = _paid(table, costs, training=study.workload == "training")
        counts = np.ones(len(table), bool)
        if study.workload != "training" and "exchanges" in table:
            counts = table["exchanges"].to_numpy() > 0
        for each in thresholds:
            first = first_reached(table[each.column], each, counts)
            at = paid.iloc[-1 if first is None else first]
            rows.append(
                dict(zip(names, identity, strict=True))
                | {"metric": each.column, "bound": each.bound, "threshold": each.value}
                | {"reached": first is not None}
                | {name: float(at[name]) for name in costs}
            )
    return pd.DataFrame(rows)


def curve_of(workload: str) -> str:
    """The curve in which thresholds are looked for."""
    return "training" if workload == "training" else "consensus"


def first_reached(
    values: ArrayLike, threshold: Threshold, counts: NDArray[np.bool_] | None = None
) -> int | None:
    """The first row that reaches a threshold, of those that count; None if none does."""
    numbers = np.asarray(values, dtype=float)
    with np.errstate(invalid="ignore"):
        there = numbers >= threshold.value if threshold.at_least else numbers <= threshold.value
    there &= np.isfinite(numbers)
    if counts is not None:
        there &= counts
    return int(there.argmax()) if there.any() else None


def _paid(table: pd.DataFrame, costs: Sequence[str], *, training: bool) -> pd.DataFrame:
    """The costs since the trial began, at each row."""
    paid = table[list(costs)].astype(float)
    if training:
        for name in _PER_UPDATE:
            if name in paid:
                paid[name] = paid[name].fillna(0).cumsum()
    return paid


@dataclass(frozen=True)
class MedianCost:
    """The cost over the seeds of a condition.

    Attributes:
        median: by Kaplan and Meier (1958): the least cost by which, of the seeds, more than half have reached
            the threshold; half-way to it from the cost at which exactly half have, as medians are. nan if at
            least half have not.
        low, high: the range over the seeds; ``high`` is infinite if one has not reached it.
        exceeds: the least of the costs that were not enough, in a seed that did not reach it; nan if all did.
    """

    median: float
    low: float
    high: float
    exceeds: float


def median_cost(costs: ArrayLike, reached: ArrayLike) -> MedianCost:
    """The median of right-censored costs.

    Args:
        costs: [seeds], the cost of reaching the threshold or, where it was not, the cost that was not enough.
        reached: [seeds], bool.

    Raises:
        ValueError: there is no seed.
    """
    paid, events = np.asarray(costs, dtype=float), np.asarray(reached, dtype=bool)
    if not len(paid):
        raise ValueError("costs: must have at least one seed")
    exceeds = float(np.nanmin(paid[~events])) if np.isfinite(paid[~events]).any() else math.nan
    if not events.any():
        return MedianCost(math.nan, math.nan, math.inf, exceeds)
    low, high = float(paid[events].min()), float(paid[events].max()) if events.all() else math.inf
    return MedianCost(_kaplan_meier_median(paid, events), low, high, exceeds)


def _kaplan_meier_median(paid: NDArray[np.float64], events: NDArray[np.bool_]) -> float:
    left, half = 1.0, None
    for cost in np.unique(paid[events]):
        at_risk = int((paid >= cost).sum())  # a seed that gave up at this very cost had not reached it before
        left *= 1 - int((paid[events] == cost).sum()) / at_risk
        if left < 0.5 - 1e-9:
            return float(cost if half is None else (half + cost) / 2)
        if half is None and left < 0.5 + 1e-9:
            half = float(cost)
    return math.nan


def reach_medians(table: pd.DataFrame, varied: Sequence[str]) -> pd.DataFrame:
    """Summarises a table of :func:`cost_to_reach` over the seeds.

    Columns: ``metric``, ``bound``, ``threshold``; the varied settings; ``seeds``, and how many of them
    ``reached`` it; and for each cost its median, ``_low``, ``_high`` and ``_exceeds``: see
    :class:`MedianCost`.
    """
    rows: list[dict[str, Any]] = []
    costs = costs_in(table)
    for key, group in _groups(table, varied):
        row = {**key, "seeds": len(group), "reached": int(group["reached"].sum())}
        for name in costs:
            found = median_cost(group[name], group["reached"])
            row |= {name: found.median, f"{name}_low": found.low, f"{name}_high": found.high}
            row[f"{name}_exceeds"] = found.exceeds
        rows.append(row)
    return pd.DataFrame(rows)


def costs_in(table: pd.DataFrame) -> list[str]:
    """The costs that a table of :func:`cost_to_reach` has."""
    return [name for name in COSTS if name in table]


def _groups(table: pd.DataFrame, varied: Sequence[str]) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    names = ["metric", "bound", "threshold"]
    for values, some in grouped(table, names):
        for levels, group in grouped(some, list(varied)):
            yield dict(zip([*names, *varied], [*values, *levels], strict=True)), group
