"""Scatter plot of two final numbers of every trial, with lines through the means over the seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from studies.analysis.bootstrap import estimator, left_out
from studies.columns import column_title
from studies.figures.encoding import Encoding
from studies.figures.panels import Measured, assign_encoding, finished, finite, more_than_one, trials
from studies.figures.plan import FigureData, fitted
from studies.figures.ticks import readable


@dataclass(frozen=True)
class Against(Measured):
    """The metric ``y`` of each trial against its metric ``x``, on a logarithmic axis: a point per trial."""

    name: str
    x: str
    y: str
    when: str = "at the end"

    def draw(self, results: FigureData) -> Figure | None:
        """The points; None if no varied setting differs, or all have the same ``x``."""
        source = results.summary
        if not {self.x, self.y} <= set(source.columns):
            return None
        table = source[finite(source, self.y, positive=self.log)]
        table = table[table[self.x] > 0].copy()
        if table[self.x].nunique() < 2 or not more_than_one(table, results.varied):
            return None
        zeros = "; those at 0 left out" if self.zeros(source) else ""
        wrong = left_out(trials(source, ~np.isfinite(source[self.y])))
        table, encoding = assign_encoding(table, results.varied)
        grid, joined = _points(table, self, encoding, results.workload)
        lines = f", lines through {joined}" if joined else ""
        return finished(grid, results, f"a point per trial{lines}{zeros}{wrong}")


def _points(
    table: pd.DataFrame, plan: Against, encoding: Encoding, workload: str
) -> tuple[sns.FacetGrid, str]:
    """A point per trial; conditions of the same colour are joined through their estimates over the seeds.

    Returns:
        The figure, and the estimates that the lines connect, in words; empty if there are none.
    """
    grid = encoding.scatter(table, x=plan.x, y=plan.y, s=60)
    colours = (
        dict(zip(encoding.levels(encoding.hue), encoding.palette(), strict=True)) if encoding.style else {}
    )
    joined = False
    for axes, shown in encoding.panels(grid, table):
        for level, colour in colours.items():
            line = _estimates(shown[shown[encoding.hue] == level], plan, str(encoding.style), workload)
            if len(line) > 1:
                axes.plot(line[plan.x], line[plan.y], color=colour, linewidth=1.2, zorder=1)
                joined = True
    grid.set_axis_labels(column_title(plan.x), fitted(f"{column_title(plan.y)},\n{plan.when}", 4))
    for axes in grid.axes.flat:
        axes.set_xscale("log")
        if plan.log:
            axes.set_yscale("log")
        readable(axes, "x")
        readable(axes, "y")
    seeds = int(table["seed"].nunique())
    names = list(dict.fromkeys(estimator(workload, name).name(seeds) for name in (plan.x, plan.y)))
    words = f"the {names[0]}s" if len(names) == 1 else f"the {names[0]} in x and {names[1]} in y"
    return grid, f"{words} of {seeds} seed{'s' * (seeds != 1)}" if joined else ""


def _estimates(table: pd.DataFrame, plan: Against, by: str, workload: str) -> pd.DataFrame:
    """The estimates over the seeds of each condition, from left to right."""
    rows = [
        {name: estimator(workload, name)(group[name]).value for name in (plan.x, plan.y)}
        for _, group in table.groupby(by)
    ]
    return pd.DataFrame(rows, columns=[plan.x, plan.y]).sort_values(plan.x)
