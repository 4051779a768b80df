"""Final numbers for the page: each condition over its seeds, how conditions compare, and what stands out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from studies import comparisons
from studies.columns import said, title
from studies.outline import StudyOutline
from studies.plans import PLANS, Final
from studies.report.arrangement import Arrangement
from studies.report.lines import estimated
from studies.report.plain import exact, figure
from studies.statistics import Estimate, interquartile_mean, mean, probability_of_improvement

LOWER_IS_BETTER = frozenset({"error", "relative_disagreement"})
HIGHER_IS_BETTER = frozenset({*comparisons.METRICS, "surrogate_gain", "holdout_gain"})

BESIDES = tuple(
    Final(f"final_{name}", name, when="mean over the evaluations of the last tenth of the updates")
    for name in ("evaluation_return", "evaluation_return_battle_won")
)
"""Of training, what has no figure of its own but is in ``statistics.csv``."""

Values = tuple[Any, ...]


@dataclass(frozen=True)
class Row:
    """What one condition came to."""

    condition: int
    seeds: int
    estimate: Estimate


def decisive(workload: str, summary: pd.DataFrame) -> str | None:
    """The number that answers most studies of a workload; None before a trial has finished."""
    if summary.empty:
        return None
    if workload == "training":
        return comparisons.decisive(summary)
    return "error" if workload == "problem" else "relative_disagreement"


def plans(workload: str, summary: pd.DataFrame) -> list[Final]:
    """The final numbers that a study has, the decisive one first; none before a trial has finished."""
    found = [plan for plan in PLANS[workload] if isinstance(plan, Final)]
    found += BESIDES if workload == "training" else ()
    first = decisive(workload, summary)
    found.sort(key=lambda plan: plan.y != first)
    return [plan for plan in found if plan.y in summary and np.isfinite(summary[plan.y]).any()]


def estimates(plan: Final, summary: pd.DataFrame, conditions: Arrangement, *, middle: bool) -> list[Row]:
    """Of each condition with a finished trial the estimate over its seeds, as the figures have it."""
    y = summary[plan.y]
    table = summary[np.isfinite(y) & ((y > 0) if plan.log else True)]
    place = table["trial"].map(conditions.of)
    rows = []
    for number, group in table.groupby(place, sort=True):
        values = group[plan.y].to_numpy(dtype=float)
        if plan.log:
            estimate = Estimate(*(float(np.exp(part)) for part in _over(np.log(values), middle=middle)))
        else:
            estimate = _over(values, middle=middle)
        rows.append(Row(int(number), len(values), estimate))
    return rows


def finals(study: StudyOutline, summary: pd.DataFrame, conditions: Arrangement) -> list[dict[str, Any]]:
    """What the page draws of the final numbers, then of their comparison.

    Each has its names, ``rows`` ``[condition, value, low, high, seeds]`` and ``runs`` ``[trial, value]``; in
    a comparison ``nothing`` is the value that says there is no difference.
    """
    middle, number = study.workload == "training", {trial.hash: i for i, trial in enumerate(study.trials)}
    drawn: list[dict[str, Any]] = []
    for plan in plans(study.workload, summary):
        rows = estimates(plan, summary, conditions, middle=middle)
        finite = summary[np.isfinite(summary[plan.y])]
        runs = zip(finite["trial"], finite[plan.y], strict=True)
        drawn.append(
            {
                "name": plan.y,
                "title": title(plan.y),
                "of": plan.when,
                "log": plan.log and bool((finite[plan.y] > 0).all()),
                "estimate": estimated([row.seeds for row in rows] or [1], log=plan.log, middle=middle),
                "rows": [[row.condition, *map(exact, row.estimate), row.seeds] for row in rows],
                "runs": [[number[trial], exact(float(value))] for trial, value in runs],
            }
        )
    return [*drawn, *_comparisons(study, summary, conditions)]


def _comparisons(study: StudyOutline, summary: pd.DataFrame, conditions: Arrangement) -> list[dict[str, Any]]:
    metric = decisive(study.workload, summary) if study.workload == "training" else None
    if study.compared is None or metric is None or summary["seed"].nunique() < 2:
        return []
    found = list(comparisons.pairs(summary, study.varied, study.compared, metric))
    if not found:
        return []
    places = by_values(study, summary, conditions)

    def place(pair: comparisons.Pair) -> int:
        return places[tuple(pair.condition[name] for name in study.varied)]

    def rows(of: Sequence[comparisons.Pair], estimate: Callable[[comparisons.Pair], Estimate]) -> list[Any]:
        return [[place(pair), *map(exact, estimate(pair)), len(pair.ours)] for pair in of]

    reference, what = said(study.compared, found[0].reference), title(metric)
    paired = [pair for pair in found if len(pair.differences)]
    probability = {
        "name": "probability_of_improvement",
        "title": f"probability that the {what} is higher than with {reference}",
        "of": "of two runs, one of each",
        "log": False,
        "nothing": 0.5,
        "estimate": "share of the pairs of runs, 95 % stratified-bootstrap interval",
        "rows": rows(found, lambda pair: probability_of_improvement([pair.ours], [pair.theirs])),
        "runs": [],
    }
    difference = {
        "name": "paired_difference",
        "title": f"{what}: difference to {reference} on the same seed",
        "of": "final numbers",
        "log": False,
        "nothing": 0,
        "estimate": "mean over the seeds, 95 % bootstrap interval",
        "rows": rows(paired, lambda pair: mean(pair.differences)),
        "runs": [],
    }
    return [probability, difference] if paired else [probability]


def statistics(study: StudyOutline, summary: pd.DataFrame, conditions: Arrangement) -> pd.DataFrame:
    """A row per metric and condition: of training that of ``statistics.csv``, of others what figures show.

    Columns of the latter: ``metric``; what is varied; ``seeds``, ``mean``, ``mean_low``, ``mean_high``, which
    is the geometric mean of what is drawn on a logarithmic axis.
    """
    if not len(summary):
        return pd.DataFrame()
    if study.workload == "training":
        return comparisons.table(summary, study.varied, study.compared)
    values = {number: varied for varied, number in by_values(study, summary, conditions).items()}
    rows: list[dict[str, Any]] = []
    for plan in plans(study.workload, summary):
        for row in estimates(plan, summary, conditions, middle=False):
            varied = dict(zip(study.varied, values[row.condition], strict=True))
            value, low, high = row.estimate
            numbers = {"seeds": row.seeds, "mean": value, "mean_low": low, "mean_high": high}
            rows.append({"metric": plan.y, **varied, **numbers})
    return pd.DataFrame(rows)


def by_values(study: StudyOutline, summary: pd.DataFrame, conditions: Arrangement) -> dict[Values, int]:
    """What is varied, as the summary has it, -> the condition."""
    columns = summary[["trial", *study.varied]].itertuples(index=False) if len(summary) else ()
    return {tuple(values): conditions.of[trial] for trial, *values in columns}


def answer(study: StudyOutline, summary: pd.DataFrame, conditions: Arrangement) -> list[str]:
    """What stands out in the decisive number, a sentence or two for each panel; none without a comparison."""
    found = plans(study.workload, summary)
    if not found or found[0].y not in LOWER_IS_BETTER | HIGHER_IS_BETTER:
        return []
    plan, middle = found[0], study.workload == "training"
    best = min if plan.y in LOWER_IS_BETTER else max
    sentences = []
    rows = estimates(plan, summary, conditions, middle=middle)
    for number, panel in enumerate(conditions.panels):
        here = [row for row in rows if conditions.conditions[row.condition].panel == number]
        if len(here) < 2:
            continue
        first = best(here, key=lambda row: row.estimate.value)
        word = "lowest" if best is min else "highest"
        prefix, name = f"{panel}: " if panel else "", conditions.conditions[first.condition].name
        text = f"{prefix}{title(plan.y)} ({plan.when}) is {word} with {name}: {_said(first)}."
        sentences.append(text[0].upper() + text[1:] + _overlap(first, here, conditions))
    return sentences


def _overlap(first: Row, here: Sequence[Row], conditions: Arrangement) -> str:
    """Which others' intervals reach into that of the first."""
    if first.seeds < 2:
        return ""
    near = [
        row
        for row in here
        if row is not first
        and row.estimate.low <= first.estimate.high
        and row.estimate.high >= first.estimate.low
    ]
    if not near:
        return " No other interval reaches into its own."
    if len(near) == len(here) - 1 > 1:
        return " The intervals of all others overlap with it."
    names = [conditions.conditions[row.condition].name for row in near[:3]] + (
        ["others"] if len(near) > 3 else []
    )
    joined = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f" The interval{'s' * (len(near) > 1)} of {joined} overlap{'s' * (len(near) == 1)} with it."


def _said(row: Row) -> str:
    value, low, high = map(figure, row.estimate)
    word = "range" if row.seeds == 2 else "interval"
    return value if row.seeds < 2 else f"{value}, {word} from {low} to {high} over {row.seeds} seeds"


def _over(values: np.ndarray, *, middle: bool) -> Estimate:
    return interquartile_mean(values) if middle else mean(values)
