"""Curves for the page: a line with a band per condition, and a line per trial, thinned to few points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from studies.analysis import bootstrap
from studies.analysis.bootstrap import described, estimator
from studies.analysis.resampling import Array, evenly, together
from studies.columns import column_title, geometric, shown, unit
from studies.figures.catalogue import PLANS
from studies.figures.curve import Curve
from studies.report.conditions import Arrangement
from studies.report.numbers import rounded
from studies.spec.manifest import StudyRecord

POINTS_OF_A_TRIAL = 100
"""Maximum number of points of a single trial's line: evenly spaced rows of its table."""

AXES = {
    "training": ("steps", "update", "seconds", "bytes"),
    "consensus": ("activations", "exchanges", "seconds", "bytes"),
}
"""Columns available for the x axis, by table of curves."""

BUDGETS = ("activations", "seconds", "bytes")
"""Limits of ``consensus.budget`` that are columns, too; the first that a trial has is its budget's unit."""

Runs = Mapping[str, Mapping[str, Array]]
"""Hash of a trial -> column -> numbers by row."""


@dataclass(frozen=True)
class Measure:
    """A column that can be chosen for the y axis; see :class:`studies.figures.curve.Curve`."""

    table: str
    y: str

    @property
    def log(self) -> bool:
        """Whether its axis is logarithmic."""
        return geometric(self.y)

    @property
    def name(self) -> str:
        """The title on the page and in the menu."""
        return f"{self.table}.{self.y}"


class Places:
    """A collection of lists of x values without duplicates."""

    def __init__(self) -> None:
        self.lists: list[list[float | int | None]] = []
        self._known: dict[bytes, int] = {}

    def add(self, places: Array) -> int:
        """The index of a list, which is added if it is new."""
        number = self._known.setdefault(places.tobytes(), len(self.lists))
        if number == len(self.lists):
            self.lists.append(rounded(places))
        return number


def measures(workload: str) -> list[Measure]:
    """The measures shown in a workload's figures, followed by the others that can be chosen."""
    found = {Measure(plan.table, plan.y): None for plan in PLANS[workload] if isinstance(plan, Curve)}
    if workload == "training":
        known = {measure.y for measure in found if measure.table == "training"}
        found |= {Measure("training", y): None for y in shown("curves") if y not in known}
    return list(found)


def budget_unit(settings: Iterable[Mapping[str, Any]]) -> str:
    """The column that counts what the agreements of all trials spend; ``activations`` unless it is the same.

    Args:
        settings: all settings of each trial, as they are stored.
    """
    found = set()
    for each in settings:
        budget = each.get("consensus", {}).get("budget", {})  # an older format may have had other names
        found.add(next((name for name in BUDGETS if budget.get(name) is not None), BUDGETS[0]))
    return found.pop() if len(found) == 1 else "activations"


def lines(
    study: StudyRecord,
    curves: Mapping[str, pd.DataFrame],
    conditions: Arrangement,
    first: str | None,
    budget: str = "activations",
) -> dict[str, Any]:
    """The curves as plain data for the page.

    Args:
        study: the study.
        curves: name -> rows of all trials, in the order of the study.
        conditions: of the study.
        first: the column shown initially.
        budget: the column of the x axis on which curves along an agreement open.

    Returns:
        ``xs``: lists of x values that lines share; ``measures``: for each its names, axes, the one shown
        initially first, lines of conditions ``[condition, axis, x, y, low, high]`` and of trials ``[trial, y,
        {axis: x}]``, where x is an index into ``xs``. A measure without two points in any condition is left
        out.
    """
    xs = Places()
    drawn = []
    for measure in sorted(measures(study.workload), key=lambda measure: measure.y != first):
        source = curves.get(measure.table)
        if source is None or measure.y not in source:
            continue
        axes = [axis for axis in _axes(measure.table, budget) if axis in source]
        runs = _apart(_usable(source, measure, study.workload), [measure.y, *axes])
        bands = list(_bands(study, conditions, runs, axes, measure, xs))
        shown = [axis for axis in axes if any(band[1] == axis for band in bands)]
        if not shown:
            continue
        each = (sum(study.trials[i].hash in runs for i in c.trials) for c in conditions.conditions)
        seeds = [number for number in each if number]
        left_out = "; values of 0 left out" if measure.log and bool((source[measure.y] == 0).any()) else ""
        infinite = source.loc[np.isinf(source[measure.y].to_numpy(dtype=float)), "trial"].nunique()
        wrong = bootstrap.left_out(int(infinite))
        drawn.append(
            {
                "name": measure.name,
                "title": column_title(measure.y),
                "of": _where(measure, study.workload),
                "log": measure.log,
                "unit": unit(measure.y),
                "estimate": described(seeds, estimator(study.workload, measure.y)) + left_out + wrong,
                "axes": [{"name": axis, "title": column_title(axis), "unit": unit(axis)} for axis in shown],
                "lines": bands,
                "runs": list(_runs(study, runs, shown, measure, xs)),
            }
        )
    return {"xs": xs.lists, "measures": drawn}


def _axes(table: str, budget: str) -> Sequence[str]:
    """The columns for the x axis, with the budget's unit first where a curve goes along an agreement."""
    if table != "consensus":
        return AXES[table]
    return sorted(AXES[table], key=lambda axis: axis != budget)


def _usable(table: pd.DataFrame, measure: Measure, workload: str) -> pd.DataFrame:
    """The rows that can be drawn: finite, and positive ones on a logarithmic axis."""
    if workload == "training" and measure.table == "consensus":
        # A training run has one consensus run per update: the last one represents it.
        table = table[table["update"] == table.groupby("trial")["update"].transform("max")]
    y = table[measure.y].to_numpy(dtype=float)
    found: pd.DataFrame = table.loc[np.isfinite(y) & ((y > 0) | (not measure.log))]
    return found


def _apart(table: pd.DataFrame, columns: Sequence[str]) -> Runs:
    """The columns of each trial, whose rows are consecutive."""
    names = table["trial"].to_numpy()
    starts = np.flatnonzero(names[1:] != names[:-1]) + 1
    split = {column: np.split(table[column].to_numpy(dtype=float), starts) for column in columns}
    firsts = [0, *starts] if len(names) else []
    return {
        str(names[first]): {column: split[column][k] for column in columns} for k, first in enumerate(firsts)
    }


def _bands(
    study: StudyRecord,
    conditions: Arrangement,
    runs: Runs,
    axes: Sequence[str],
    measure: Measure,
    xs: Places,
) -> Iterator[list[Any]]:
    for number, condition in enumerate(conditions.conditions):
        members = [runs[study.trials[i].hash] for i in condition.trials if study.trials[i].hash in runs]
        values = [rows[measure.y] for rows in members]
        for axis in axes if members else ():
            places, matrix = together([rows[axis] for rows in members], values, log=measure.log)
            if len(places) < 2:  # too few points for a line
                continue
            parts = estimator(study.workload, measure.y).along(matrix)
            yield [number, axis, xs.add(places), *(rounded(part) for part in parts)]


def _runs(
    study: StudyRecord,
    runs: Runs,
    axes: Sequence[str],
    measure: Measure,
    xs: Places,
) -> Iterator[list[Any]]:
    for number, trial in enumerate(study.trials):
        if trial.hash in runs:
            rows = runs[trial.hash]
            kept = evenly(len(rows[measure.y]), POINTS_OF_A_TRIAL)
            places = {axis: xs.add(rows[axis][kept]) for axis in axes}
            yield [number, rounded(rows[measure.y][kept]), places]


def _where(measure: Measure, workload: str) -> str:
    if workload != "training":
        return ""
    return "along the last agreement" if measure.table == "consensus" else "along the training"
