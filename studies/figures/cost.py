"""Costs to reach thresholds: a panel per cost, the thresholds along the x axis, and a mark per condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from studies import text
from studies.analysis.bootstrap import ENOUGH
from studies.analysis.conditions import grouped
from studies.analysis.reach import costs_in, median_cost
from studies.columns import column_title
from studies.figures.looks import MARKERS, colours, look
from studies.figures.panels import assign_encoding
from studies.figures.plan import FigureData, Plan, head
from studies.figures.ticks import readable

LOG_FROM = 8
"""Ratio of the largest to the smallest cost from which the axis is logarithmic."""


@dataclass(frozen=True)
class CostToReach(Plan):
    """The costs until ``metric`` reaches each threshold of the study's ``reach``."""

    metric: str

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of its files."""
        return f"cost_to_reach_{''.join(c if c.isalnum() or c in '_-' else '_' for c in self.metric)}"

    def draw(self, results: FigureData) -> Figure | None:
        """The marks; None if no trial has this metric."""
        if results.reach.empty:
            return None
        source = results.reach[results.reach["metric"] == self.metric]
        costs = [name for name in costs_in(source) if (source[name] > 0).any()]
        if source.empty or not costs:
            return None
        table, encoding = assign_encoding(source, results.varied)
        panels: list[str | None] = [*encoding.levels(encoding.col)] or [None]
        side = len(costs) if len(costs) <= 3 else 2 if len(costs) == 4 else 3
        deep = -(-len(costs) // side)
        rows, columns = (deep, side) if len(panels) == 1 else (len(panels), len(costs))
        width, height = 3.9 * columns + 1.2, 3.1 * rows + 0.4
        figure, grid = plt.subplots(rows, columns, squeeze=False, figsize=(width, height))
        room = (0, 0, 1, 1 - 0.2 / height)  # the rest is for the description
        figure.set_layout_engine(ConstrainedLayoutEngine(rect=room, h_pad=0.08, w_pad=0.08))
        flat: list[Axes] = list(grid.flat)
        steps = _steps(table)
        for number, panel in enumerate(panels):
            part = table if panel is None else table[table[encoding.col] == panel]
            for place, cost in enumerate(costs):
                axes = flat[number * len(costs) + place]
                _marks(axes, part, cost, steps, encoding.hue, encoding.style, encoding)
                axes.set_ylabel(column_title(cost))
                if panel is not None:
                    axes.set_title(text.shortened(f"{encoding.col} = {panel}"), fontsize=11)
        for axes in flat[len(panels) * len(costs) :]:
            axes.set_visible(False)
        figure.supxlabel(f"{column_title(self.metric)}: threshold first reached", fontsize=12)
        _legend(figure, encoding)
        seeds = int(source["seed"].nunique())
        few = f" ({seeds} seeds are too few to conclude)" if 1 < seeds < ENOUGH else ""
        words = (
            f"median of {seeds} seeds (large){few}, and each seed (small)"
            if seeds > 1
            else "one seed, no median"
        )
        if not source["reached"].all():
            words += "; open, with an arrow: not reached, so the cost is higher"
        head(figure, results.question, words)
        return figure


def _steps(table: pd.DataFrame) -> list[tuple[str, float]]:
    """The thresholds, the easiest of each bound first."""
    found = dict.fromkeys(zip(table["bound"], table["threshold"], strict=True))
    return sorted(found, key=lambda each: (each[0], each[1] if each[0] == "at least" else -each[1]))


def _marks(
    axes: Axes,
    table: pd.DataFrame,
    cost: str,
    steps: Sequence[tuple[str, float]],
    hue: str | None,
    style: str | None,
    encoding: Any,
) -> None:
    kinds = [name for name in (hue, style) if name]
    groups = list(grouped(table, kinds))
    hues, styles = encoding.levels(hue), encoding.levels(style)
    palette = colours(max(len(hues), 1), numeric=hue in encoding.numeric)
    paid = table[cost][table[cost] > 0]
    log = len(paid) > 0 and paid.max() > LOG_FROM * paid.min()
    between = 0.76 / len(groups)
    for number, (values, group) in enumerate(groups):
        level = hues.index(values[0]) if hue else 0
        marker = look(MARKERS, styles.index(values[1]) if style else level)
        colour = palette[level]
        for x, (bound, threshold) in enumerate(steps):
            some = group[(group["bound"] == bound) & (group["threshold"] == threshold)]
            some = some[np.isfinite(some[cost])]
            if some.empty:
                continue
            at = x + between * (number - (len(groups) - 1) / 2)
            for value, reached in zip(some[cost], some["reached"], strict=True):
                _mark(axes, at + between / 4, value, marker, colour, 3, reached=bool(reached))
            found = median_cost(some[cost], some["reached"])
            if len(some) > 1:
                known = bool(np.isfinite(found.median))
                value = found.median if known else found.exceeds
                _mark(axes, at - between / 6, value, marker, colour, 7, reached=known)
    if log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * 1.5 if log else high * 1.12)  # room for arrows
    readable(axes, "y")
    axes.set_xlim(-0.5, len(steps) - 0.5)
    axes.set_xticks(
        range(len(steps)),
        [
            f"{'≥' if bound == 'at least' else '≤'} {threshold:.12g}".replace("-", "−")
            for bound, threshold in steps
        ],
    )
    axes.grid(visible=False, axis="x")
    for x in range(1, len(steps)):
        axes.axvline(x - 0.5, color="0.9", linewidth=0.8, zorder=0)


def _mark(axes: Axes, x: float, y: float, marker: Any, colour: Any, size: float, *, reached: bool) -> None:
    """A mark at a cost or, open and with an arrow upwards, at one that was not enough."""
    axes.plot(
        *(x, y),
        marker=marker,
        markersize=size,
        color=colour,
        linestyle="none",
        markerfacecolor=colour if reached else "white",
        markeredgewidth=0 if reached else 1,
        alpha=1 if size > 4 else 0.6,
        zorder=3 if size > 4 else 2,
    )
    if not reached and size > 4:
        axes.annotate(
            "",
            (x, y),
            xytext=(0, 16),
            textcoords="offset points",
            arrowprops={"arrowstyle": "<-", "color": colour, "shrinkA": 0, "shrinkB": 3, "linewidth": 1.1},
        )


def _legend(figure: Figure, encoding: Any) -> None:
    handles: list[Line2D] = []
    names: list[str] = []
    for column, is_hue in ((encoding.hue, True), (encoding.style, False)):
        levels = encoding.levels(column)
        if not levels:
            continue
        palette = colours(len(levels), numeric=column in encoding.numeric)
        handles.append(Line2D([], [], linestyle="none"))
        names.append(str(column))
        for place, level in enumerate(levels):
            marker = look(MARKERS, place) if not is_hue or not encoding.style else "o"
            colour = palette[place] if is_hue else "0.3"
            handles.append(Line2D([], [], linestyle="none", marker=marker, color=colour, markersize=7))
            names.append(level)
    if handles:
        figure.legend(handles, names, loc="outside right center", frameon=False)
