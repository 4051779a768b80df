"""Heat maps: a final metric over two varied settings, with the best cell and those as good as it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from studies import text
from studies.analysis.bootstrap import Estimator, described, estimator, left_out
from studies.analysis.cells import Cells, cells
from studies.analysis.conditions import grouped
from studies.columns import better, column_title, format_levels, unit
from studies.figures.encoding import legend_text
from studies.figures.fastest_marks import draw_marks, legend
from studies.figures.panels import Measured, trials
from studies.figures.plan import FigureData, fitted, head
from studies.figures.ticks import labels, linear, logarithmic
from studies.formatting import Unit, minus, quantity

MAP = "cividis"
"""Its lightness grows evenly, so that it can be read in grey and by the colour-blind."""


@dataclass(frozen=True)
class Layout:
    """The settings of a heat map, and its size.

    Attributes:
        x, y: varied settings along the axes.
        metric: the column that colours show.
        how: its estimator over the trials of a cell.
        log: whether colours are logarithmic.
        panels: varied settings with a panel per combination of their values.
        apart: whether panels have their own scales, because their numbers are not comparable.
        pair_by: the columns in which two trials of a pair are equal.
        cell: width and height of a cell, in inches.
        low: least height of all cells together, which the title of the colours needs, in inches.
        font: size of the numbers in cells, in points.
        fastest: hash of a trial -> the penalty that is marked; see :mod:`studies.figures.fastest_marks`.
    """

    x: str
    y: str
    metric: str
    how: Estimator
    log: bool
    panels: Sequence[str] = ()
    apart: bool = False
    pair_by: Sequence[str] = ("seed",)
    cell: tuple[float, float] = (1.05, 0.55)
    low: float = 2.4
    font: float = 10
    fastest: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class HeatMap(Measured):
    """The final metric ``y`` over two varied settings, at least one of which is a number."""

    name: str
    y: str
    when: str = "at the end"

    def draw(self, results: FigureData) -> Figure | None:
        """The cells; None unless two settings vary, one of them in numbers."""
        source = results.summary
        if self.y not in source.columns or not np.isfinite(source[self.y]).any():
            return None
        apart = results.environment_factors if results.workload == "training" else ()
        seen = [name for name in results.varied if source[name].nunique() > 1]
        axes = _axes(source, [name for name in seen if name not in apart])
        if axes is None:
            return None
        x, y = axes
        how = estimator(results.workload, self.y)
        positive = bool((source[self.y][np.isfinite(source[self.y])] > 0).all())
        layout = Layout(
            *(x, y, self.y, how, self.log and positive),
            panels=[name for name in seen if name not in (x, y)],
            apart=any(name in apart for name in seen),
            fastest=results.fastest_penalty,
        )
        title = f"{column_title(self.y)},\n{self.when}"
        figure, note, marked = heat_map(source, layout, title)
        counts = [
            int(np.isfinite(group[self.y]).sum()) for _, group in grouped(source, [*layout.panels, x, y])
        ]
        words = described([count for count in counts if count], how).replace(", 95 % bootstrap interval", "")
        words = words.replace(" and their range", "").replace(", so no interval", "")
        wrong = left_out(trials(source, ~np.isfinite(source[self.y])))
        head(figure, results.question, f"{words}{wrong}")
        width, height = figure.get_size_inches()
        below = -0.06 / height
        if marked:
            below -= legend(figure, layout.font, (0.02, below)) / height
        marks = "\n".join(textwrap.wrap(note, int(width * 13)))
        figure.text(0.02, below, marks, ha="left", va="top", fontsize=10, color="0.35")
        return figure


def _axes(source: pd.DataFrame, seen: Sequence[str]) -> tuple[str, str] | None:
    """The settings for x and y: the first number, and the next number or else the first name."""
    numeric = [name for name in seen if pd.api.types.is_numeric_dtype(source[name])]
    if not numeric or len(seen) < 2:
        return None
    others = [*numeric[1:], *(name for name in seen if name not in numeric)]
    return numeric[0], others[0]


def heat_map(source: pd.DataFrame, layout: Layout, title: str) -> tuple[Figure, str, bool]:
    """Draws the cells.

    Args:
        source: a row per trial.
        layout: the settings to show.
        title: of the colours.

    Returns:
        The figure, a note on its frames, and whether it has marks that need :func:`legend` of
        :mod:`studies.figures.fastest_marks`.
    """
    columns, rows = (_levels(source, name) for name in (layout.x, layout.y))
    if pd.api.types.is_numeric_dtype(source[layout.y]):
        rows = rows[::-1]  # as on an axis, larger numbers are higher
    panels = [(values, part) for values, part in grouped(source, list(layout.panels)) if len(part)]
    found = [
        cells(
            *(part, (layout.y, layout.x), (rows, columns), layout.metric, layout.how),
            better=better(layout.metric),
            pair_by=layout.pair_by,
        )
        for _, part in panels
    ]
    side = min(len(panels), 3)
    deep = -(-len(panels) // side)
    width = side * (layout.cell[0] * len(columns) + 0.35) + 2.4
    names = [_words(layout.x, columns), _words(layout.y, rows)]
    angle, turned = _turned(names[0], layout)
    height = deep * (max(layout.cell[1] * len(rows), layout.low) + 0.75) + 0.5 + turned
    figure, grid = plt.subplots(deep, side, squeeze=False, figsize=(width, height), sharex=True, sharey=True)
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - 0.2 / height)))
    shown = list(grid.flat)[: len(panels)]
    every = np.concatenate([each.values.ravel() for each in found])
    marked = False
    for axes, (values, part), each in zip(shown, panels, found, strict=True):
        norm = _norm(each.values.ravel() if layout.apart else every, log=layout.log)
        draw_cells(axes, each, norm, unit(layout.metric), layout.font)
        ends = ((layout.x, layout.y), (columns, rows))
        marked |= draw_marks(axes, part, *ends, layout.fastest, layout.font)
        axes.set_xticks(range(len(columns)), names[0], ha="right" if angle == 30 else "center")
        axes.set_yticks(range(len(rows)), names[1])
        axes.tick_params(labelsize=layout.font)
        axes.tick_params(axis="x", labelrotation=angle)
        if layout.panels:
            words = [
                f"{text.shortened(column_title(name))} = {format_levels(name, [value])[0]}"
                for name, value in zip(layout.panels, values, strict=True)
            ]
            axes.set_title(text.shortened(", ".join(words)), fontsize=layout.font + 1)
        if layout.apart:
            _colour_bar(figure, norm, [axes], title if axes is shown[-1] else "", layout)
    if not layout.apart:
        _colour_bar(figure, _norm(every, log=layout.log), shown, title, layout)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel(legend_text(column_title(layout.x)), fontsize=layout.font + 2)
    figure.supylabel(legend_text(column_title(layout.y)), fontsize=layout.font + 2)
    return figure, _note(found), marked


def draw_cells(axes: Axes, found: Cells, norm: Normalize, kind: Unit, font: float) -> None:
    """The colours and numbers of cells, with frames around the best and those not told from it."""
    shade_cells(
        axes, found.values, norm, lambda value: minus(quantity(value, kind, digits=3)), font, found.best
    )
    for cell in found.rivals:
        _frame(axes, cell, font, dashed=True)
    if found.best is not None:
        _frame(axes, found.best, font, dashed=False)


def shade_cells(
    axes: Axes,
    values: NDArray[np.float64],
    norm: Normalize,
    shown: Callable[[float], str],
    font: float,
    bold: tuple[int, int] | None = None,
) -> None:
    """The colours and texts of values, [rows, columns]; hatching where one is not finite."""
    picture = axes.imshow(values, cmap=MAP, norm=norm, aspect="auto")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for (i, j), value in np.ndenumerate(values):
        if not np.isfinite(value):
            axes.add_patch(
                Rectangle((j - 0.5, i - 0.5), 1, 1, facecolor="white", edgecolor="0.6", hatch="////", lw=0)
            )
            continue
        red, green, blue, _ = picture.cmap(norm(value))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        axes.text(
            *(j, i, shown(float(value))),
            ha="center",
            va="center",
            color="white" if dark else "black",
            fontsize=font,
            fontweight="bold" if (i, j) == bold else "normal",
        )


def _frame(axes: Axes, cell: tuple[int, int], font: float, *, dashed: bool) -> None:
    """A frame that is visible on every colour: black on white."""
    i, j = cell
    edge = 0.44
    for colour, width in (("white", 0.24 * font), ("black", 0.13 * font)):
        axes.add_patch(
            Rectangle(
                *((j - edge, i - edge), 2 * edge, 2 * edge),
                fill=False,
                edgecolor=colour,
                linewidth=width,
                linestyle=(0, (3, 2)) if dashed and colour == "black" else "-",
                joinstyle="miter",
            )
        )


def _note(found: Sequence[Cells]) -> str:
    parts = []
    if any(each.best is not None for each in found):
        parts.append("solid frame: best cell")
        if any(each.paired for each in found):
            parts.append(
                "dashed frame: paired difference from it, over the seeds in common, not distinguishable from"
                " 0 at 95\N{NO-BREAK SPACE}%"
            )
        else:
            parts.append("no two seeds in common to compare others with it")
    if any(np.isnan(each.values).any() for each in found):
        parts.append("hatched: no finite number")
    return "; ".join(parts)


def _norm(values: Any, *, log: bool) -> Normalize:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if log and low > 0:
        return LogNorm(low, high if high > low else low * 1.1)
    return Normalize(low, high if high > low else low + max(abs(low), 1) * 0.1)


def _colour_bar(figure: Figure, norm: Normalize, axes: Sequence[Axes], title: str, layout: Layout) -> None:
    bar = figure.colorbar(mpl.cm.ScalarMappable(norm, MAP), ax=list(axes), pad=0.02)
    low, high = float(norm.vmin or 0), float(norm.vmax or 0)
    ticks = logarithmic(low, high, 5) if isinstance(norm, LogNorm) else linear(low, high, 5)
    bar.set_ticks(ticks, labels=labels(ticks))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.tick_params(labelsize=layout.font, length=0.4 * layout.font, width=0.1 * layout.font)
    bar.outline.set_visible(False)
    high = float(figure.get_size_inches()[1]) - 0.9
    bar.set_label(fitted(title, high, layout.font + 1), fontsize=layout.font + 1)


def _turned(words: Sequence[str], layout: Layout) -> tuple[int, float]:
    """The angle of labels below the cells, which would overlap without it, and the inches that it takes."""
    length = max(map(len, words)) * layout.font * 0.6 / 72
    if length <= layout.cell[0]:
        return 0, 0.0
    return (90, length) if max(map(len, words)) > 30 else (30, 0.5 * length)


def _levels(source: pd.DataFrame, name: str) -> list[Any]:
    values = list(dict.fromkeys(source[name]))
    return sorted(values) if pd.api.types.is_numeric_dtype(source[name]) else values


def _words(name: str, values: Sequence[Any]) -> list[str]:
    return text.apart([text.shortened(words) for words in format_levels(name, values)])
