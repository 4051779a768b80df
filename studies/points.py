"""One final number of every trial against another: points, and a line through the means over the seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

from studies.bands import logarithmic
from studies.columns import title
from studies.plans import Against
from studies.roles import Roles


def against(table: pd.DataFrame, plan: Against, roles: Roles) -> sns.FacetGrid:
    """A point per trial; conditions of the same colour are joined through their means."""
    grid = roles.relplot(table, kind="scatter", x=plan.x, y=plan.y, s=60)
    colours = dict(zip(roles.levels(roles.hue), roles.palette(), strict=True)) if roles.style else {}
    for panel, axes in grid.axes_dict.items() if roles.col else [(None, grid.ax)]:
        shown = table if panel is None else table[table[roles.col] == panel]
        for level, colour in colours.items():
            means = _means(shown[shown[roles.hue] == level], plan, str(roles.style))
            axes.plot(means[plan.x], means[plan.y], color=colour, linewidth=1.2, zorder=1)
    grid.set_axis_labels(title(plan.x), f"{title(plan.y)},\n{plan.when}")
    for axes in grid.axes.flat:
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 1e3 else (1,)))
        axes.xaxis.set_major_formatter(
            EngFormatter(sep="") if low > 1 else FuncFormatter(lambda x, _: f"{x:g}")
        )
        axes.xaxis.set_minor_formatter(NullFormatter())
        if plan.log:
            logarithmic(axes)
    return grid


def _means(table: pd.DataFrame, plan: Against, by: str) -> pd.DataFrame:
    """Means over the seeds of each condition, geometric on logarithmic axes, from left to right."""
    values = table[[by, plan.x, plan.y]].copy()
    values[plan.x] = np.log(values[plan.x])
    if plan.log:
        values[plan.y] = np.log(values[plan.y])
    means = values.groupby(by)[[plan.x, plan.y]].mean()
    means[plan.x] = np.exp(means[plan.x])
    if plan.log:
        means[plan.y] = np.exp(means[plan.y])
    return means.sort_values(plan.x)
