"""Curves of a metric: one line per combination of varied settings, with a band over the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from studies.analysis.bootstrap import Estimator, described, estimator, left_out
from studies.analysis.conditions import grouped
from studies.analysis.fault_windows import along
from studies.columns import unit
from studies.figures.bands import aligned
from studies.figures.baseline_lines import draw_baselines
from studies.figures.encoding import Encoding
from studies.figures.fault_bands import draw_fault_bands
from studies.figures.lines import draw_lines
from studies.figures.panels import Measured, assign_encoding, finished, finite, trials
from studies.figures.plan import FigureData
from studies.figures.ticks import readable


@dataclass(frozen=True)
class Curve(Measured):
    """``y`` of the curve table ``table`` against ``x``, one line per combination, a band over the seeds."""

    name: str
    table: str
    x: str
    y: str

    def draw(self, results: FigureData) -> Figure | None:
        """The lines; None where no trial has two points."""
        source = results.curves.get(self.table)
        table = self._usable(source)
        if source is None or table is None:
            return None
        training = results.workload == "training"
        if not training:
            table = _longest(table, results.varied)
        if table.empty:
            return None
        how = estimator(results.workload, self.y)
        shown = described([group["seed"].nunique() for _, group in grouped(table, results.varied)], how)
        if self.zeros(source):
            shown += "; values of 0 left out"
        # In curves nan may stand for a number that was not measured there.
        shown += left_out(trials(source, np.isinf(source[self.y])))
        if training and self.table == "consensus" and self.x != "update":
            shown += "; in the last update"
        # Returns in different environments are not comparable.
        table, encoding = assign_encoding(
            table, results.varied, results.environment_factors if training else ()
        )
        grid = _lines(table, self, encoding, how)
        if grid is None:
            return None
        draw_baselines(grid, table, self.y, encoding, results.baselines)
        if results.faults:
            spans = along(results.faults, results.curves, self.table, self.x)
            draw_fault_bands(grid, table, self.x, encoding, spans)
        return finished(grid, results, shown)

    def _usable(self, source: pd.DataFrame | None) -> pd.DataFrame | None:
        """The rows that can be drawn: numbers, and positive ones on a logarithmic axis."""
        if source is None or not {self.x, self.y} <= set(source.columns):
            return None
        if self.x != "update" and self.table == "consensus" and "update" in source:
            # A training run has one consensus run per update: the last one represents it.
            source = source[source["update"] == source.groupby("trial")["update"].transform("max")]
        table = source[finite(source, self.y, positive=self.log)]
        return table.copy() if table[self.x].nunique() >= 2 else None


def _longest(table: pd.DataFrame, varied: Sequence[str]) -> pd.DataFrame:
    """The longest of the consensus runs that differ only in their budget: the others are its beginnings."""
    for path in varied:
        if path.startswith("consensus.budget.") and pd.api.types.is_numeric_dtype(table[path]):
            table = table[table[path] == table[path].max()]
    return table


def _lines(table: pd.DataFrame, plan: Curve, encoding: Encoding, how: Estimator) -> sns.FacetGrid | None:
    """The lines; None if in no condition the seeds share a range of the x axis."""
    groups = [column for column in (encoding.hue, encoding.style, encoding.col) if column]
    table = aligned(table, plan.x, plan.y, groups, log=plan.log)
    if table.empty:
        return None
    grid = draw_lines(table, plan.x, plan.y, encoding, how)
    encoding.mark(grid)
    for axes in grid.axes.flat:
        if plan.log:
            axes.set_yscale("log")
        readable(axes, "x", whole=unit(plan.x) == "count")
        readable(axes, "y")
    return grid
