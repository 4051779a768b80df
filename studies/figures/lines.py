"""Lines of conditions in a grid of panels, with a band over the seeds of each."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from studies.analysis.bootstrap import Estimator
from studies.analysis.conditions import grouped
from studies.analysis.resampling import Array
from studies.columns import column_title
from studies.figures.encoding import Encoding
from studies.figures.grid import Panels, move_legend_outside


def draw_lines(
    table: pd.DataFrame,
    x: str,
    y: str,
    encoding: Encoding,
    how: Estimator,
    *,
    sharey: bool = True,
    legend: bool = True,
) -> Panels:
    """A line per condition through the estimates over its seeds, with a band where there are two or more.

    Seaborn's ``relplot`` looks the same, but takes a call of the estimator and a table per point.

    Args:
        table: from :func:`studies.figures.bands.aligned`, with the columns of ``encoding``.
        x, y: columns of the axes.
        encoding: of the varied columns.
        how: the estimator; values must be positive if it is geometric.
        sharey: whether panels have the same y axis.
        legend: whether there is one, if there is anything to explain.
    """
    grid = encoding.grid(table, sharey=sharey)
    for panel, axes in grid.axes_dict.items() if encoding.col else [(None, grid.ax)]:
        shown = table if panel is None else table[table[encoding.col] == panel]
        _draw(axes, shown, x, y, encoding, how)
    grid.set_axis_labels(column_title(x), column_title(y))
    grid.lay_out()
    if legend and encoding.hue:
        _add_legend(grid, encoding)
    return grid


def _draw(axes: Axes, table: pd.DataFrame, x: str, y: str, encoding: Encoding, how: Estimator) -> None:
    hue, style = encoding.hue, encoding.dashed
    kinds = list(dict.fromkeys(column for column in (hue, style) if column))
    conditions = dict(iter(grouped(table, kinds)))
    for values in product(*map(encoding.levels, kinds)):
        if values not in conditions:
            continue
        runs = [run for _, run in conditions[values].groupby("seed")]
        measured = np.stack([run[y].to_numpy(float) for run in runs], axis=1)
        at, value, low, high = _estimates(runs[0][x].to_numpy(float), measured, how)
        chosen: dict[str | None, str] = dict(zip(kinds, values, strict=True))
        look = _look(encoding, chosen.get(hue), chosen.get(style))
        axes.plot(at, value, **look)
        if len(runs) > 1:
            axes.fill_between(at, low, high, color=look["color"], alpha=0.15, linewidth=0)


def _estimates(at: Array, values: Array, how: Estimator) -> tuple[Array, Array, Array, Array]:
    """The places of a line in ascending order, each once, and the estimate and its bounds there.

    Args:
        at: [points], ascending.
        values: [points, seeds].
        how: the estimator; of all points at a place, as where nothing is sent in several updates.
    """
    places, first = np.unique(at, return_index=True)
    if len(places) == len(at):
        return at, *how.along(values)
    found = [how(same.ravel()) for same in np.split(values, first[1:])]
    return places, *np.array(found).T


def _look(encoding: Encoding, hue: str | None, dashes: str | None, without: str = "C0") -> dict[str, Any]:
    """The colour and dashes of a line; ``without`` a value of the colour, another one."""
    colour = encoding.palette()[encoding.levels(encoding.hue).index(hue)] if hue is not None else without
    each = "" if dashes is None else encoding.dashes()[encoding.levels(encoding.dashed).index(dashes)]
    return {"color": colour, "linestyle": (0, each) if each else "-"}


def _add_legend(grid: Panels, encoding: Encoding) -> None:
    """A legend whose parts have a subtitle each, if colours and dashes encode different columns."""
    hue, style = encoding.hue, encoding.dashed
    parts = style not in (None, hue)
    handles: dict[tuple[Any, str], Line2D] = {}
    for column in dict.fromkeys(name for name in (hue, style) if name):
        if parts:
            handles[(column, "title"), column] = Line2D([], [], color="white", linewidth=0)
        for level in encoding.levels(column):
            look = _look(
                encoding, level if column == hue else None, level if column == style else None, "0.2"
            )
            handles[column, level] = Line2D([], [], **look)
    grid.add_legend(handles, "" if parts else hue, list(handles))
    move_legend_outside(grid)
