"""The results of a suite as rows: a value and its costs for each task, method, condition and seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from studies.formatting import last_line
from studies.suite import centre
from studies.suite.definition import PERFECT, Score, Suite
from studies.suite.plan import CONDITION, Choice, Part
from studies.suite.running import selected, store_of

COLUMNS = ("task", "method", "condition", "seed", "trial", "metric", "value", "bytes", "seconds")
"""``metric`` is the number as the trial measured it, ``value`` the one that is scored: see :func:`value`."""

LEAST = -2.0
"""Digits of an error so large, or no number, that the method knows less than nothing."""

_BYTES = ("bytes_sent",)
_SECONDS = ("seconds", "consensus_seconds")


def value(score: Score, metric: float) -> float:
    """The value of a final number; higher is better.

    Digits are -log10 of a relative error, at most ``score.most`` (beyond it nobody gains) and at least
    ``LEAST``, which an error that is no number gets. Other numbers are themselves.
    """
    if score.scale == "linear":
        return metric
    if math.isnan(metric):
        return LEAST
    if metric <= 0:
        return score.most
    return min(max(-math.log10(metric), LEAST), score.most) if math.isfinite(metric) else LEAST


def gather(
    suite: Suite, parts: Sequence[Part], choice: Choice, folder: Path
) -> tuple[pd.DataFrame, dict[Any, str]]:
    """The rows of the finished trials that are asked for, and the reasons for cells without any.

    Returns:
        Rows with ``COLUMNS``, in the order of the parts, and (task, method, condition) -> reason, which may
        also tell of single seeds of a cell with rows.
    """
    rows: list[dict[str, Any]] = []
    reasons: dict[Any, str] = {}

    def tell(task: str, method: str, condition: str, reason: str) -> None:
        key = task, method, condition
        reasons[key] = f"{reasons[key]}; {reason}" if key in reasons else reason

    for part in parts:
        if not choice.has_task(part.task):
            continue
        score, name = suite.scores[part.task], part.method.label
        for condition, reason in part.empty.items():
            if choice.has_condition(condition):
                reasons[part.task, name, condition] = reason
        if part.exact:
            rows += _exact(part, score)
        if part.study is None:
            continue
        store = store_of(folder, part)
        for trial in selected(part.study, choice).trials:
            condition = str(trial.varied[CONDITION])
            status = store.status(trial)
            if status != "finished":
                trace = store.traceback(trial)
                said = f"failed: {last_line(trace.read_text('utf-8'))}" if trace.is_file() else "not run"
                tell(part.task, name, condition, f"seed {trial.seed} {said}")
                continue
            numbers = store.metrics(trial)
            metric = float(numbers.get(score.metric, math.nan))
            costs = (_first(numbers, _BYTES), _first(numbers, _SECONDS))
            row = (part.task, name, condition, trial.seed, trial.hash, metric, value(score, metric), *costs)
            line = dict(zip(COLUMNS, row, strict=True))
            if (wrong := refused(line, part.deadline)) is None:
                rows.append(line)
            else:
                tell(part.task, name, condition, f"seed {trial.seed}: {wrong}")
    return pd.DataFrame(rows, columns=list(COLUMNS)), reasons


def refused(row: Mapping[str, Any], deadline: float | None) -> str | None:
    """Why a trial's numbers do not count; None if they do.

    Settings cannot move a deadline, but the code of a user's method could.

    Args:
        row: of ``COLUMNS``.
        deadline: of the trial, in simulated seconds; None: it has none of its own.
    """
    if not math.isfinite(row["value"]):
        return f"value = {row['value']:g}: must be a finite number"
    if deadline is not None and row["seconds"] > deadline * (1 + 1e-9):
        return f"simulated time = {row['seconds']:g} s: the deadline is {deadline:g} s"
    return None


def _exact(part: Part, score: Score) -> list[dict[str, Any]]:
    """The rows of a centre that has the exact optimum: its error is 0, and it is charged for the bytes."""
    rows = []
    for trial in part.base:
        sent, seconds = centre.charge(trial)
        row = (part.task, part.method.label, PERFECT, trial.seed, "", 0.0, value(score, 0.0), sent, seconds)
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    return rows


def _first(numbers: dict[str, Any], names: Sequence[str]) -> float:
    return next((float(numbers[name]) for name in names if name in numbers), math.nan)
