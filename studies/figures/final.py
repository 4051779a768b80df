"""A final metric against varied settings: a point with an interval per combination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from studies.analysis.bootstrap import Estimator, described, estimator, left_out
from studies.analysis.conditions import grouped
from studies.columns import column_title
from studies.figures.bands import over_seeds
from studies.figures.baseline_lines import draw_baselines
from studies.figures.encoding import Encoding
from studies.figures.grid import move_legend_outside
from studies.figures.looks import HUES, MARKERS
from studies.figures.panels import Measured, assign_encoding, finished, finite, more_than_one, trials
from studies.figures.plan import FigureData, fitted
from studies.figures.ticks import readable
from studies.formatting import equal


@dataclass(frozen=True)
class Final(Measured):
    """The metric ``y`` of each trial against what is varied: a point with an interval per combination."""

    name: str
    y: str
    when: str = "at the end"

    def draw(self, results: FigureData) -> Figure | None:
        """The points; None if no varied setting differs."""
        source = results.summary
        if self.y not in source.columns:
            return None
        table = source[finite(source, self.y, positive=False)].copy()
        if table.empty:
            return None
        how = estimator(results.workload, self.y)
        groups = [group for _, group in grouped(table, results.varied)]
        if self.log:  # zero has no position on a logarithmic axis
            groups = [group for group in groups if how(group[self.y]).value > 0]
            table = pd.concat(groups) if groups else table[:0]
        if table.empty or not more_than_one(table, results.varied):
            return None
        shown = described([group["seed"].nunique() for group in groups], how)
        equals = [len(group) > 1 and equal(list(group[self.y])) for group in groups]
        if any(equals):
            shown += "; all seeds equal" if all(equals) else "; no interval where all seeds are equal"
        if self.zeros(source):
            shown += "; conditions with a 0 left out"
        shown += left_out(trials(source, ~np.isfinite(source[self.y])))
        table, encoding = assign_encoding(table, results.varied)
        grid = _points(table, self, encoding, how)
        draw_baselines(grid, table, self.y, encoding, results.baselines, across=True)
        return finished(grid, results, shown)


def _points(table: pd.DataFrame, plan: Final, encoding: Encoding, how: Estimator) -> sns.FacetGrid:
    x, encoding = encoding.across()
    hue = encoding.hue
    hues = encoding.levels(hue)
    palette = encoding.palette() if hue else [HUES[0]]
    markers = encoding.looks(MARKERS, hue)  # colours of neighbouring levels may be the same grey
    drawn: dict[str, Any] = {"linewidth": 1.2, "markersize": 7}
    drawn["linestyle"] = "-" if x in encoding.numeric else "none"
    coloured = {"hue": hue, "hue_order": hues, "palette": palette, "markers": markers}
    grid = encoding.grid(table)
    for axes, shown in encoding.panels(grid, table):
        sns.pointplot(
            shown,
            x=x,
            y=plan.y,
            order=encoding.levels(x),
            **coloured if hue else {"color": palette[0]},
            dodge=0.12 * (len(hues) - 1) if hue else False,
            **over_seeds(table, how),
            **drawn,
            capsize=0.08,
            err_kws={"linewidth": 1.2},
            legend=False,
            ax=axes,
        )
    grid.set_axis_labels(str(x), column_title(plan.y))
    grid.lay_out()
    if hue:
        handles = [
            Line2D([], [], color=colour, marker=marker, markeredgewidth=0.9, **drawn)
            for colour, marker in zip(palette, markers, strict=True)
        ]
        grid.add_legend(dict(zip(hues, handles, strict=True)), hue, hues)
        move_legend_outside(grid)
    grid.set_ylabels(fitted(f"{column_title(plan.y)},\n{plan.when}", 4))  # longer, left of the layout
    for axes in grid.axes.flat:
        if plan.log:
            axes.set_yscale("log")
        readable(axes, "y")
        letters = [len(level) for level in encoding.levels(x)]
        if max(letters) * len(letters) > 60:
            crowded = len(letters) > 10 or max(letters) > 30  # sloping labels would overlap
            axes.tick_params(axis="x", labelrotation=90 if crowded else 25)
            for tick in axes.get_xticklabels():
                tick.set_horizontalalignment("right")
    return grid
