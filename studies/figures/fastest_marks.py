"""Marks in a heat map where a closed form puts the penalty with which ADMM agrees fastest."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from studies.analysis.fastest_penalty import PENALTY, SOURCE

TITLE = f"penalty of the fastest agreement in the long run, by the closed form ({SOURCE})"

EDGE = 0.4
"""Distance of marks from the middle of a cell towards an edge, in cells: between them is its number."""


def draw_marks(
    axes: Axes,
    part: pd.DataFrame,
    names: tuple[str, str],
    levels: tuple[Sequence[Any], Sequence[Any]],
    fastest: Mapping[str, float],
    font: float,
) -> bool:
    """Draws two marks in each row, or in each column if the penalty is the y axis.

    They point at the penalty, on a logarithmic scale between the cells' own; beyond the cells a mark points
    outwards. Random graphs that differ between seeds have the mark of their geometric mean.

    Args:
        axes: with the cells, whose middles are at whole numbers.
        part: a row per trial.
        names: the varied settings of x and y.
        levels: their values, in the order of the cells.
        fastest: hash of a trial -> the penalty; marks are drawn where it has all trials of a row.
        font: size of the numbers in cells, in points.

    Returns:
        Whether there is a mark.
    """
    if PENALTY not in names or not fastest:
        return False
    flat = names[0] == PENALTY
    penalties, others = levels if flat else levels[::-1]
    other = names[1] if flat else names[0]
    drawn = False
    for row, value in enumerate(others):
        known = [fastest.get(str(trial), math.nan) for trial in part[part[other] == value]["trial"]]
        if not known or not all(map(math.isfinite, known)):
            continue
        place, beyond = position(penalties, math.exp(np.log(known).mean()))
        # The y axis is drawn from the top.
        shapes = ["<" if beyond < 0 else ">"] * 2 if flat else ["^" if beyond < 0 else "v"] * 2
        if not beyond:
            shapes = ["v", "^"] if flat else [">", "<"]
        for shape, side in zip(shapes, (-EDGE, EDGE), strict=True):
            at = (place, row + side) if flat else (row + side, place)
            axes.add_line(_mark(at, shape, font))
        drawn = True
    return drawn


def position(penalties: Sequence[float], wanted: float) -> tuple[float, int]:
    """The place of a penalty on the axis of a heat map, in cells, and where it is beyond them: -1, 0 or 1.

    Args:
        penalties: the values of the cells, ascending or descending.
        wanted: the penalty.
    """
    if len(penalties) < 2:
        if wanted == penalties[0]:
            return 0.0, 0
        return (EDGE, 1) if wanted > penalties[0] else (-EDGE, -1)
    logs = np.log(np.asarray(penalties, dtype=float))
    places = np.arange(len(logs), dtype=float)
    # The outermost cells are as wide as the steps next to them.
    logs = np.concatenate([[1.5 * logs[0] - 0.5 * logs[1]], logs, [1.5 * logs[-1] - 0.5 * logs[-2]]])
    places = np.concatenate([[-0.5], places, [places[-1] + 0.5]])
    sign = 1 if logs[-1] > logs[0] else -1
    low, high = (logs[0], logs[-1]) if sign > 0 else (logs[-1], logs[0])
    if not low <= math.log(wanted) <= high:
        beyond = sign if math.log(wanted) > high else -sign
        return (places[-1] - 0.5 + EDGE if beyond > 0 else -EDGE), beyond
    return float(np.interp(sign * math.log(wanted), sign * logs, places)), 0


def legend(figure: Figure, font: float, at: tuple[float, float] | None = None) -> float:
    """Adds the meaning of the marks.

    Args:
        figure: the figure; it becomes higher if ``at`` is None.
        font: size of the words, in points.
        at: left upper corner, as shares of the figure; None: above its axes, in a constrained layout.

    Returns:
        The height of the legend, in inches.
    """
    mark = _mark((0, 0), "v", font)
    width, height = figure.get_size_inches()
    words = textwrap.wrap(TITLE, int((width - 0.6) * 115 / font))
    mark.set_label("\n".join(words))
    high = (len(words) + 0.8) * font * 1.3 / 72
    where: Any = {"loc": "outside upper center"}
    if at is None:
        figure.set_size_inches(width, height + high)
    else:
        where = {"loc": "upper left", "bbox_to_anchor": at, "borderpad": 0, "borderaxespad": 0}
    figure.legend(handles=[mark], frameon=False, fontsize=font, handlelength=1, **where)
    return high


def _mark(at: tuple[float, float], shape: str, font: float) -> Line2D:
    """White on black, visible on every colour and in grey."""
    return Line2D(
        *([at[0]], [at[1]]),
        linestyle="none",
        marker=shape,
        markersize=0.6 * font,
        markerfacecolor="white",
        markeredgecolor="black",
        markeredgewidth=0.09 * font,
        zorder=5,
        gid="fastest penalty",
    )
