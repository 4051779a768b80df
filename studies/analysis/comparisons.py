"""Comparisons of conditions: the table ``statistics.csv``, and the data of its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from studies.analysis.bootstrap import (
    ENOUGH,
    Array,
    Estimate,
    Estimator,
    estimator,
    mean,
    no_interval,
    no_interval_of_probability,
    not_finite,
    probability_of_improvement,
)
from studies.analysis.conditions import grouped
from studies.columns import shown

ALL = "all"
"""Stands for a value: over all values of the other varied settings."""


@dataclass(frozen=True)
class Pair:
    """One value of a factor compared with the first one, with the other varied settings equal.

    Attributes:
        factor: the column whose values are compared.
        level: the value.
        reference: the first value.
        others: other varied setting -> its value.
        ours, theirs: final numbers of the runs with ``level`` and with ``reference``, one per seed.
        differences: ours minus theirs, for each seed in common.
    """

    factor: str
    level: Any
    reference: Any
    others: dict[str, Any]
    ours: Array
    theirs: Array
    differences: Array

    @property
    def condition(self) -> dict[str, Any]:
        """Varied setting -> value, including that of the factor."""
        return {**self.others, self.factor: self.level}


def measured(summary: pd.DataFrame) -> list[str]:
    """The metrics of ``statistics.csv`` that the trials have."""
    return [name for name in shown("statistics") if name in summary and np.isfinite(summary[name]).any()]


def decisive(summary: pd.DataFrame) -> str | None:
    """The metric to draw: the share of evaluation battles won if there is one, otherwise the return."""
    found = [name for name in ("evaluation_return_battle_won", "return") if name in measured(summary)]
    return found[0] if found else None


def pairs(summary: pd.DataFrame, varied: Sequence[str], factor: str, metric: str) -> Iterator[Pair]:
    """Each value of ``factor`` compared with its first, in all conditions where both have finished runs.

    Args:
        summary: a row per trial, in the order of the study.
        varied: columns that identify conditions.
        factor: one of them.
        metric: a column of numbers; runs where it is not finite are left out.
    """
    table = summary[np.isfinite(summary[metric])]
    if table.empty:
        return
    rest = [name for name in varied if name != factor]
    reference, *levels = list(dict.fromkeys(summary[factor]))
    for level in levels:
        for values, group in grouped(table, rest):
            sides = [group[group[factor] == side].set_index("seed")[metric] for side in (level, reference)]
            if all(len(side) for side in sides):
                differences = (sides[0] - sides[1]).dropna().to_numpy(dtype=float)
                ours, theirs = (side.to_numpy(dtype=float) for side in sides)
                others = dict(zip(rest, values, strict=True))
                yield Pair(factor, level, reference, others, ours, theirs, differences)


def overall(found: Sequence[Pair]) -> dict[Any, Estimate]:
    """Level -> probability of improvement over the reference, as a mean over the conditions."""
    levels = dict.fromkeys(pair.level for pair in found)
    return {
        level: probability_of_improvement(
            [pair.ours for pair in found if pair.level == level],
            [pair.theirs for pair in found if pair.level == level],
        )
        for level in levels
    }


def statistics_table(summary: pd.DataFrame, varied: Sequence[str], factor: str | None) -> pd.DataFrame:
    """A row per metric and condition, with its intervals over the seeds, and how it compares.

    Columns: ``metric``; the varied settings; ``seeds``, ``estimator`` (the name of the estimator in ``iqm``
    for this number of seeds), ``mean``, ``iqm``, ``iqm_low``, ``iqm_high``; and, compared with the condition
    that differs only in ``factor`` and has ``reference`` there: ``probability_of_improvement``, and
    ``paired_difference``, the mean over the ``pairs`` of runs that share a seed, both with ``_low`` and
    ``_high``. An interval that would be no wider than a point is left empty. ``note`` gives the reason, and
    says if there are too few seeds for a conclusion. With several conditions to compare in, rows with ``all``
    for the other varied settings have the probability over all of them.
    """
    rows: list[dict[str, Any]] = []
    for metric in measured(summary):
        how = estimator("training", metric)
        found = list(pairs(summary, varied, factor, metric)) if factor else []
        beside = {tuple(pair.condition[name] for name in varied): pair for pair in found}
        names = list(varied)
        for values, everything in grouped(summary, names):
            group = everything[np.isfinite(everything[metric])]
            seeds, notes = len(group), []
            row = {"metric": metric, **dict(zip(names, values, strict=True)), "seeds": seeds}
            left_out = not_finite(len(everything) - seeds, len(everything))
            if not seeds:
                rows.append(row | {"note": left_out})
                continue
            estimate = how(group[metric])
            row |= {"estimator": how.name(seeds), "mean": group[metric].mean()}
            row |= _named("iqm", estimate, missing := no_interval(estimate, seeds, how))
            notes += [missing, "" if seeds >= ENOUGH else "too few seeds to conclude", left_out]
            row |= _comparison(beside[values], notes) if values in beside else {}
            rows.append(row | {"note": _joined(notes)})
        if len({tuple(pair.others.values()) for pair in found}) > 1:
            for level, estimate in overall(found).items():
                row = {"metric": metric} | {name: level if name == factor else ALL for name in names}
                row |= {"reference": found[0].reference}
                missing = no_interval_of_probability(estimate)
                row |= _named("probability_of_improvement", estimate, missing)
                sizes = [min(len(pair.ours), len(pair.theirs)) for pair in found if pair.level == level]
                few = "" if min(sizes) >= ENOUGH else "too few seeds to conclude"
                rows.append(row | {"note": _joined([missing, few])})
    made = pd.DataFrame(rows)
    return made[[*(name for name in made if name != "note"), "note"]] if rows else made


def _comparison(pair: Pair, notes: list[str]) -> dict[str, Any]:
    """The comparison of a condition; adds to ``notes`` why an interval is missing."""
    row: dict[str, Any] = {"reference": pair.reference}
    estimate = probability_of_improvement([pair.ours], [pair.theirs])
    row |= _named("probability_of_improvement", estimate, missing := no_interval_of_probability(estimate))
    notes.append(missing)
    row["pairs"] = len(pair.differences)
    if len(pair.differences):
        estimate = mean(pair.differences)
        missing = no_interval(estimate, len(pair.differences), Estimator())
        row |= _named("paired_difference", estimate, missing)
        notes.append("all differences equal" if missing.endswith("equal") else missing)
    return row


def _named(name: str, estimate: Estimate, missing: str) -> dict[str, float]:
    low, high = (np.nan, np.nan) if missing else estimate[1:]
    return {name: estimate.value, f"{name}_low": low, f"{name}_high": high}


def _joined(notes: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(note for note in notes if note))
