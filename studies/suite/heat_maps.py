"""The figure of a suite: the kept shares as a heat map of methods by conditions, a panel per task."""

from __future__ import annotations

import textwrap

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studies.figures.heat_map import MAP, shade_cells
from studies.suite.definition import NO_NETWORK, PERFECT

CELL = (0.62, 0.34)
"""Width and height of a cell, in inches."""


def draw(numbers: pd.DataFrame, title: str) -> Figure | None:
    """A panel per task, a row per method that has results in it, a column per condition.

    Colours are shares from 0 (as without a network, or worse) to 1 (as over a perfect ring, or better), their
    lightness grows evenly, and each cell has its number; hatched cells have none. The name of a method is
    followed by what it reaches over a perfect ring, on the scale of the reference.

    Args:
        numbers: from :func:`studies.suite.score.scores`.
        title: at the top of the figure.

    Returns:
        None if no method has a result under other conditions than the two of the scale.
    """
    conditions = [c for c in dict.fromkeys(numbers["condition"]) if c not in (PERFECT, NO_NETWORK)]
    panels = [(str(task), rows) for task, rows in numbers.groupby("task", sort=False) if _methods(rows)]
    if not panels:
        return None
    methods = [_methods(rows) for _, rows in panels]
    heights = [CELL[1] * len(names) + 0.45 for names in methods]
    size = (CELL[0] * len(conditions) + 3.4, sum(heights) + 2.0)
    figure = Figure(figsize=size, layout="constrained")
    wrapped = "\n".join(textwrap.wrap(title, int(size[0] * 9)))
    figure.suptitle(wrapped, x=0.01, ha="left", fontsize=12)
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (task, rows), names in zip(grid, panels, methods, strict=True):
        _panel(axes, rows, names, conditions)
        axes.set_title(task, loc="left", fontsize=10)
        if axes is not grid[-1]:
            axes.set_xticklabels([])
    bar = figure.colorbar(
        mpl.cm.ScalarMappable(mpl.colors.Normalize(0, 1), MAP), ax=list(grid), pad=0.01, aspect=40
    )
    bar.set_label("share kept of the gain from no network to a perfect ring", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def _methods(rows: pd.DataFrame) -> list[str]:
    """The methods with a result under some condition other than those of the scale."""
    other = rows[(rows["seeds"] > 0) & ~rows["condition"].isin([PERFECT, NO_NETWORK])]
    return list(dict.fromkeys(other["method"]))


def _panel(axes: Axes, rows: pd.DataFrame, methods: list[str], conditions: list[str]) -> None:
    kept = {(line["method"], line["condition"]): float(line["kept"]) for line in rows.to_dict("records")}
    values = np.array([[kept.get((m, c), np.nan) for c in conditions] for m in methods], dtype=float)
    shade_cells(axes, values, mpl.colors.Normalize(0, 1, clip=True), _short, 8)
    axes.set_yticks(range(len(methods)), [_named(rows, name) for name in methods], fontsize=8)
    axes.set_xticks(range(len(conditions)), conditions, fontsize=8, rotation=40, ha="right")


def _named(rows: pd.DataFrame, method: str) -> str:
    """A method with what it reaches over the perfect ring, if that is known."""
    perfect = rows[(rows["method"] == method) & (rows["condition"] == PERFECT)]["reached"]
    if perfect.empty or np.isnan(perfect.iloc[0]):
        return method
    return f"{method} (reaches {_short(float(perfect.iloc[0]))})"


def _short(value: float) -> str:
    """A share with two digits, at most four letters where it can be; minus as in print."""
    text = f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
    return "0.00" if text == "-0.00" else text.replace("-", "\N{MINUS SIGN}")
