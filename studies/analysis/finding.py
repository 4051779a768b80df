"""The finding of a study in one line: its main metric under each condition, computed from the results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from studies.analysis import comparisons
from studies.analysis.bootstrap import Estimate, described, estimator
from studies.analysis.conditions import condition_labels, estimates
from studies.columns import better, column_title, unit
from studies.formatting import counted, interval_text, quantity
from studies.spec.manifest import StudyRecord
from studies.text import isolated

MOST = 4
"""Most conditions that the line lists; of more it has the best and the worst."""


def decisive(workload: str, summary: pd.DataFrame) -> str | None:
    """The main metric of a workload; None until a trial has finished."""
    if summary.empty:
        return None
    if workload == "training":
        return comparisons.decisive(summary)
    return "error" if workload == "problem" else "relative_disagreement"


@dataclass(frozen=True)
class _Condition:
    values: Mapping[str, Any]
    words: Mapping[str, str]
    estimate: Estimate
    seeds: int


def findings(study: StudyRecord, summary: pd.DataFrame) -> list[str]:
    """Lines such as ``return: -42 (-43, -41) with ring; -60 (-64, -57) with star (mean of 2 seeds ...)``.

    The conditions are in order, the best first. A line ends with the estimator and the number of seeds, and
    says if they are too few to conclude from. Environments are not compared: each has a line.

    Args:
        study: the study.
        summary: a row per finished trial, as :meth:`studies.storage.store.Store.summary` makes it.

    Returns:
        The lines, without full stops; none if no two conditions have a finite value of the main metric.
    """
    metric = decisive(study.workload, summary)
    if metric is None or metric not in summary or not better(metric):
        return []
    rows = estimates(study, summary, [metric])
    known = []
    for written, (values, _, (found,)) in zip(condition_labels(study, rows), rows, strict=True):
        if found is not None and np.isfinite(found[0].value):
            named = (
                dict(zip(study.varied, values, strict=True)),
                dict(zip(study.varied, written, strict=True)),
            )
            known.append(_Condition(*named, *found))
    apart = [name for name in study.environment_factors if name in study.varied]
    groups: dict[tuple[object, ...], list[_Condition]] = {}
    for one in known:
        groups.setdefault(tuple(one.values[name] for name in apart), []).append(one)
    lines = []
    for group in groups.values():
        if len(group) < 2:
            continue
        where = ", ".join(_worded(name, group[0]) for name in apart) if len(groups) > 1 else ""
        lines.append((f"{where}: " if where else "") + _line(study, metric, group))
    return lines


def _line(study: StudyRecord, metric: str, group: Sequence[_Condition]) -> str:
    differ = [name for name in study.varied if len({one.values[name] for one in group}) > 1]
    order = sorted(group, key=lambda one: one.estimate.value, reverse=better(metric) == "higher")
    listed = [
        f"{_number(one.estimate, metric)} with {isolated(', '.join(_worded(name, one) for name in differ))}"
        for one in (order if len(order) <= MOST else (order[0], order[-1]))
    ]
    if len(order) > MOST:
        listed = [f"best {listed[0]}, worst {listed[1]}, of {counted(len(order), 'condition')}"]
    how = described([one.seeds for one in group], estimator(study.workload, metric))
    return f"{column_title(metric)}: {'; '.join(listed)} ({how.replace(' (', '; ').removesuffix(')')})"


def _number(estimate: Estimate, metric: str) -> str:
    if np.isfinite([estimate.low, estimate.high]).all() and estimate.low < estimate.high:
        return interval_text(*estimate, unit(metric))
    return quantity(estimate.value, unit(metric))


_UNCLEAR = re.compile(r"none|true|false|[-+]?[\d.][\d.,e+-]*( ?[A-Za-zµ%/]{1,4})?", re.IGNORECASE)
"""Text that says little without its setting, as numbers are where others of its values are none or text."""


def _worded(name: str, one: _Condition) -> str:
    """A varied value: its label, or the title of the setting with a value that is unclear alone."""
    value = one.values[name]
    clear = isinstance(value, str) and _UNCLEAR.fullmatch(value) is None
    return one.words[name] if clear else f"{column_title(name)} {one.words[name]}"
