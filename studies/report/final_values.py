"""Final numbers for the page: each condition over its seeds, and comparisons of conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from studies.analysis import comparisons
from studies.analysis.bootstrap import (
    ENOUGH,
    Estimate,
    Estimator,
    described,
    estimator,
    left_out,
    mean,
    no_interval,
    no_interval_of_probability,
    not_finite,
    probability_of_improvement,
)
from studies.analysis.finding import decisive
from studies.columns import column_title, named_value, unit
from studies.figures.catalogue import PLANS
from studies.figures.final import Final
from studies.report.conditions import Arrangement
from studies.report.numbers import exact, interval_name
from studies.spec.manifest import StudyRecord

BESIDES = tuple(
    Final(f"final_{name}", name, when="mean over the evaluations of the last tenth of the updates")
    for name in ("evaluation_return", "evaluation_return_battle_won")
)
"""Training metrics that have no figure of their own but are in ``statistics.csv``."""

Values = tuple[Any, ...]


@dataclass(frozen=True)
class Row:
    """The estimate of one condition."""

    condition: int
    seeds: int
    estimate: Estimate
    left_out: str = ""
    """The number of seeds left out, in words."""


def plans(workload: str, summary: pd.DataFrame) -> list[Final]:
    """The final numbers of a study, the main metric first; empty until a trial has finished."""
    found = [plan for plan in PLANS[workload] if isinstance(plan, Final)]
    found += BESIDES if workload == "training" else ()
    first = decisive(workload, summary)
    found.sort(key=lambda plan: plan.y != first)
    return [plan for plan in found if plan.y in summary and np.isfinite(summary[plan.y]).any()]


def estimates(plan: Final, study: StudyRecord, summary: pd.DataFrame, conditions: Arrangement) -> list[Row]:
    """The estimate of each condition with a finished trial, as in tables and figures."""
    place = summary["trial"].map(conditions.of)
    how = estimator(study.workload, plan.y)
    rows = []
    for number, group in summary.groupby(place, sort=True):
        finite = group[plan.y][np.isfinite(group[plan.y])]
        left_out = not_finite(len(group) - len(finite), len(group))
        if len(finite):
            rows.append(Row(int(number), len(finite), how(finite), left_out))
    return rows


def finals(study: StudyRecord, summary: pd.DataFrame, conditions: Arrangement) -> list[dict[str, Any]]:
    """The final numbers, then their comparison, as plain data for the page.

    Each has its names, its unit, ``rows`` ``[condition, value, low, high, seeds, why it has no interval]``
    and ``runs`` ``[trial, value]``; in a comparison, ``nothing`` is the value of no difference.
    """
    number = {trial.hash: i for i, trial in enumerate(study.trials)}
    drawn: list[dict[str, Any]] = []
    for plan in plans(study.workload, summary):
        rows, how = estimates(plan, study, summary, conditions), estimator(study.workload, plan.y)
        finite = summary[np.isfinite(summary[plan.y])]
        runs = zip(finite["trial"], finite[plan.y], strict=True)
        drawn.append(
            {
                "name": plan.y,
                "title": column_title(plan.y),
                "of": plan.when,
                "unit": unit(plan.y),
                "log": plan.log and bool((finite[plan.y] > 0).all()),
                "estimate": described([row.seeds for row in rows] or [1], how)
                + left_out(len(summary) - len(finite)),
                "rows": [
                    _drawn(row.condition, row.estimate, row.seeds, no_interval(row.estimate, row.seeds, how))
                    for row in rows
                ],
                "runs": [[number[trial], exact(float(value))] for trial, value in runs],
            }
        )
    return [*drawn, *_comparisons(study, summary, conditions)]


def _drawn(condition: int, estimate: Estimate, seeds: int, missing: str) -> list[Any]:
    low, high = (None, None) if missing else map(exact, estimate[1:])
    return [condition, exact(estimate.value), low, high, seeds, missing]


def _comparisons(study: StudyRecord, summary: pd.DataFrame, conditions: Arrangement) -> list[dict[str, Any]]:
    metric = decisive(study.workload, summary) if study.workload == "training" else None
    if study.comparison_factor is None or metric is None or summary["seed"].nunique() < 2:
        return []
    found = list(comparisons.pairs(summary, study.varied, study.comparison_factor, metric))
    if not found:
        return []
    places = by_values(study, summary, conditions)

    def rows(
        of: Sequence[comparisons.Pair],
        estimate: Callable[[comparisons.Pair], Estimate],
        missing: Callable[[comparisons.Pair, Estimate], str],
    ) -> list[Any]:
        made = []
        for pair in of:
            place = places[tuple(pair.condition[name] for name in study.varied)]
            one = estimate(pair)
            made.append(_drawn(place, one, len(pair.ours), missing(pair, one)))
        return made

    reference, what = named_value(study.comparison_factor, found[0].reference), column_title(metric)
    paired = [pair for pair in found if len(pair.differences)]
    counts = [len(runs) for pair in found for runs in (pair.ours, pair.theirs)]
    few = f" ({too_few(counts, short=True)})" if min(counts) < ENOUGH else ""
    spread_of = interval_name((len(pair.differences) for pair in paired), "95 % bootstrap interval")
    probability = {
        "name": "probability_of_improvement",
        "title": f"probability that the {what} is higher than with {reference}",
        "of": "of two runs, one of each",
        "unit": "",
        "log": False,
        "nothing": 0.5,
        "estimate": f"share of the pairs of runs, 95 % stratified-bootstrap interval{few}",
        "rows": rows(
            found,
            lambda pair: probability_of_improvement([pair.ours], [pair.theirs]),
            lambda _, estimate: no_interval_of_probability(estimate),
        ),
        "runs": [],
    }
    difference = {
        "name": "paired_difference",
        "title": f"{what}: difference from {reference} with the same seed",
        "of": "final numbers",
        "unit": "",
        "log": False,
        "nothing": 0,
        "estimate": f"mean over the seeds, {spread_of}{few}",
        "rows": rows(
            paired,
            lambda pair: mean(pair.differences),
            lambda pair, estimate: no_interval(estimate, len(pair.differences), Estimator()),
        ),
        "runs": [],
    }
    return [probability, difference] if paired else [probability]


def statistics(study: StudyRecord, summary: pd.DataFrame, conditions: Arrangement) -> pd.DataFrame:
    """A row per metric and condition: ``statistics.csv`` of training, and the figures' estimates otherwise.

    Columns of the latter: ``metric``; the varied settings; ``seeds``, ``estimator``, ``estimate``,
    ``estimate_low``, ``estimate_high`` and ``note``, which says why there is no interval.
    """
    if not len(summary):
        return pd.DataFrame()
    if study.workload == "training":
        return comparisons.statistics_table(summary, study.varied, study.comparison_factor)
    values = {number: varied for varied, number in by_values(study, summary, conditions).items()}
    rows: list[dict[str, Any]] = []
    for plan in plans(study.workload, summary):
        how = estimator(study.workload, plan.y)
        for row in estimates(plan, study, summary, conditions):
            varied = dict(zip(study.varied, values[row.condition], strict=True))
            missing = no_interval(row.estimate, row.seeds, how)
            _, value, low, high, seeds, _ = _drawn(row.condition, row.estimate, row.seeds, missing)
            numbers = {"estimate": value, "estimate_low": low, "estimate_high": high}
            numbers |= {"note": "; ".join(note for note in (missing, row.left_out) if note)}
            rows.append({"metric": plan.y, **varied, "seeds": seeds, "estimator": how.name(seeds), **numbers})
    return pd.DataFrame(rows)


def by_values(study: StudyRecord, summary: pd.DataFrame, conditions: Arrangement) -> dict[Values, int]:
    """Varied values as in the summary -> index of the condition."""
    columns = summary[["trial", *study.varied]].itertuples(index=False) if len(summary) else ()
    return {tuple(values): conditions.of[trial] for trial, *values in columns}


def too_few(counts: Sequence[int], *, short: bool = False) -> str:
    """A note that conditions have too few seeds, perhaps only some of them."""
    few = [count for count in counts if count < ENOUGH]
    if short:
        some = "" if len(few) == len(counts) else " in some conditions"
        return f"{_seeds(few)}{some}: too few to conclude"
    if len(set(counts)) == 1:
        seeds = "A single seed" if few[0] == 1 else f"{few[0]} seeds"
        return f"{seeds} of a condition {'are' if few[0] > 1 else 'is'} too few to conclude from"
    if len(few) == len(counts):
        return f"The conditions have {_seeds(few)}, too few to conclude from"
    have = "have" if len(few) > 1 else "has"
    return f"{len(few)} of {len(counts)} conditions {have} {_seeds(few)}, too few to conclude from"


def _seeds(counts: Sequence[int]) -> str:
    """``1 seed``, ``1 to 3 seeds``."""
    low, high = min(counts), max(counts)
    return f"{low} seed{'s' * (low != 1)}" if low == high else f"{low} to {high} seeds"
