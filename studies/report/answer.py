"""Sentences of the page about the main metric: which condition is best, and how certain that is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from studies.analysis.bootstrap import ENOUGH, Estimator, estimator, no_interval
from studies.columns import better, column_title, unit
from studies.figures.final import Final
from studies.formatting import equal
from studies.report.conditions import Arrangement
from studies.report.final_values import Row, estimates, plans, too_few
from studies.report.numbers import figure, interval_name, spread
from studies.spec.manifest import StudyRecord
from studies.text import isolated


def answer(study: StudyRecord, summary: pd.DataFrame, conditions: Arrangement) -> list[str]:
    """Summarises the main metric, in a sentence or two per panel; empty if there is nothing to compare.

    With too few seeds for a conclusion, the text says so and only describes the runs.
    """
    found = plans(study.workload, summary)
    if not found or not better(found[0].y):
        return []
    plan, how = found[0], estimator(study.workload, found[0].y)
    best = min if better(plan.y) == "lower" else max
    word = "lowest" if best is min else "highest"
    sentences = []
    rows = [row for row in estimates(plan, study, summary, conditions) if not math.isnan(row.estimate.value)]
    for number, panel in enumerate(conditions.panels):
        here = [row for row in rows if conditions.conditions[row.condition].panel == number]
        if len(here) < 2:
            continue
        first = best(here, key=lambda row: row.estimate.value)
        same = [row for row in here if equal([row.estimate.value, first.estimate.value])]
        names = _names(same, conditions) if len(same) < len(here) else "all conditions"
        counts = [row.seeds for row in here]
        few = min(counts) < ENOUGH
        verb = ("was" if few else "is") + (" the same" if len(same) == len(here) else f" {word}")
        alike = " (equal)" if 1 < len(same) < len(here) else ""
        value = _said(first, plan, how, alone=len(set(counts)) == 1)
        what = f"{column_title(plan.y)} ({plan.when}) {verb} with {names}{alike}: {value}."
        prefix = f"{panel}: " if panel else ""
        if few:
            sentences.append(
                f"{prefix}{too_few(counts)}; at least {ENOUGH} are needed. In these runs, {what}"
            )
        else:
            text = what if prefix else _capital(what)
            sentences.append(prefix + text + (_overlap(first, here, conditions) if len(same) == 1 else ""))
    return sentences


def _overlap(first: Row, here: Sequence[Row], conditions: Arrangement) -> str:
    """A sentence about the other conditions whose intervals overlap with that of the best."""
    near = [
        row
        for row in here
        if row is not first
        and row.estimate.low <= first.estimate.high
        and row.estimate.high >= first.estimate.low
    ]
    if not near:
        return " No other interval overlaps with it."
    if len(near) == len(here) - 1 > 1:
        return " The intervals of all others overlap with it."
    joined = _names(near, conditions)
    return f" The interval{'s' * (len(near) > 1)} of {joined} overlap{'s' * (len(near) == 1)} with it."


def _names(rows: Sequence[Row], conditions: Arrangement) -> str:
    names = [isolated(conditions.conditions[row.condition].name) for row in rows[:3]]
    names += ["others"] if len(rows) > 3 else []
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _said(row: Row, plan: Final, how: Estimator, *, alone: bool) -> str:
    """``geometric mean 0.012 of 5 seeds, interval 0.011 to 0.014``.

    Args:
        row: a condition's estimate.
        plan: the figure whose metric is described.
        how: the estimator.
        alone: whether the number of seeds has already been given.
    """
    if row.seeds < 2:
        return figure(row.estimate.value, unit(plan.y)) + ("" if alone else " of 1 seed")
    missing = no_interval(row.estimate, row.seeds, how)
    value, interval = spread(row.estimate, unit(plan.y))
    ends = missing or f"{interval_name([row.seeds])} {interval}"
    return f"{how.name(row.seeds)} {value} of {row.seeds} seeds, {ends}"


def _capital(text: str) -> str:
    """The text with an initial capital letter."""
    return text[:1].upper() + text[1:]
