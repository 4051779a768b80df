"""Lines of conditions in a grid of panels, with a band over the seeds of each."""

from __future__ import annotations

from collections.abc import Mapping
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
from studies.figures.looks import DASHES


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
    grid, looks = encoding.grid(table, sharey=sharey), _Looks(encoding)
    for axes, shown in encoding.panels(grid, table):
        _draw(axes, shown, x, y, looks, how)
    grid.set_axis_labels(column_title(x), column_title(y))
    grid.lay_out()
    if legend and encoding.hue:
        _add_legend(grid, looks)
    return grid


class _Looks:
    """The colours and the dashes of a figure's lines.

    Attributes:
        levels: column that colours or dashes encode -> its values. It may be one column for both.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.hue, self._style = encoding.hue, encoding.dashed
        self.levels = {name: encoding.levels(name) for name in (self.hue, self._style) if name}
        hues, styles = encoding.levels(self.hue), encoding.levels(self._style)
        self._colours = dict(zip(hues, encoding.palette(), strict=True)) if self.hue else {}
        self._dashes = dict(zip(styles, encoding.looks(DASHES, self._style), strict=True))

    def line(self, values: Mapping[str | None, str], without: str = "C0") -> dict[str, Any]:
        """The look of a line with these values by column; ``without`` a value of the colour, another one."""
        colour = self._colours[values[self.hue]] if self.hue in values else without
        dashes = self._dashes[values[self._style]] if self._style in values else ""
        return {"color": colour, "linestyle": (0, dashes) if dashes else "-"}


def _draw(axes: Axes, table: pd.DataFrame, x: str, y: str, looks: _Looks, how: Estimator) -> None:
    conditions = dict(iter(grouped(table, list(looks.levels))))
    for values in product(*looks.levels.values()):
        if values not in conditions:
            continue
        runs = [run for _, run in conditions[values].groupby("seed")]
        measured = np.stack([run[y].to_numpy(float) for run in runs], axis=1)
        at, value, low, high = _estimates(runs[0][x].to_numpy(float), measured, how)
        look = looks.line(dict(zip(looks.levels, values, strict=True)))
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


def _add_legend(grid: Panels, looks: _Looks) -> None:
    """A legend whose parts have a subtitle each, if colours and dashes encode different columns."""
    parts = len(looks.levels) > 1
    handles: dict[tuple[Any, str], Line2D] = {}
    for column, levels in looks.levels.items():
        if parts:
            handles[(column, "title"), column] = Line2D([], [], color="white", linewidth=0)
        for level in levels:
            handles[column, level] = Line2D([], [], **looks.line({column: level}, "0.2"))
    grid.add_legend(handles, "" if parts else looks.hue, list(handles))
    move_legend_outside(grid)
