"""A user-defined figure: any columns, drawn at the size it has in a paper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from studies import text
from studies.analysis.bootstrap import Estimator, estimator
from studies.columns import column_title, format_levels, geometric, unit
from studies.figures.encoding import legend_text
from studies.figures.fastest_marks import legend
from studies.figures.heat_map import Layout, heat_map
from studies.figures.looks import DASHES, MARKERS, colours, look
from studies.figures.own_marks import Group, draw_lines, draw_points
from studies.figures.own_rows import source
from studies.figures.plan import FigureData, Plan, fitted, title_lines
from studies.figures.ticks import readable
from studies.formatting import quantity
from studies.spec.document import StudyError
from studies.spec.presentation import SEED, FigureSettings

WIDTHS = {"one_column": 3.35, "two_columns": 6.9}
"""Inches."""

FONT = 8
"""Points, as in the captions of a paper."""

SMALLEST = 4.5
"""Points of the numbers in the cells of a heat map."""

LEGEND = 0.4
"""Inches for a legend of one line and its title; longer ones make the figure higher."""


@dataclass(frozen=True)
class OwnFigure(Plan):
    """The figure that ``settings`` describe."""

    settings: FigureSettings

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of its files."""
        return self.settings.name

    @property
    def formats(self) -> tuple[str, ...]:
        """Formats of its files."""
        return self.settings.format

    @property
    def exact_size(self) -> bool:
        """A paper's column has a width."""
        return True

    def draw(self, results: FigureData) -> Figure:
        """The figure.

        Raises:
            StudyError: the results lack a column, or all its numbers; one line.
        """
        with _paper():
            kind, rows = source(results, self.settings)
            if kind == "heatmap":
                return _heat_map(results, self.settings, rows)
            return _plot(results, self.settings, rows, kind)


@contextmanager
def _paper() -> Iterator[None]:
    small: Any = {
        **dict.fromkeys(
            (
                *("font.size", "axes.labelsize", "axes.titlesize", "legend.fontsize"),
                *("legend.title_fontsize", "xtick.labelsize", "ytick.labelsize", "figure.titlesize"),
            ),
            FONT,
        ),
        "lines.linewidth": 1.2,
        "lines.markersize": 4,
        "axes.linewidth": 0.7,
        "grid.linewidth": 0.5,
        "xtick.major.pad": 2,
        "ytick.major.pad": 2,
        "axes.labelpad": 2.5,
    }
    with mpl.rc_context(small):
        yield


def _estimator(results: FigureData, wanted: FigureSettings, metric: str) -> Estimator | None:
    """The estimator over seeds; None: every seed by itself."""
    if wanted.estimator == "none":
        return None
    own = estimator(results.workload, metric)
    return own if wanted.estimator == "auto" else Estimator(wanted.estimator, geometric=own.geometric)


def _heat_map(results: FigureData, wanted: FigureSettings, source: pd.DataFrame) -> Figure:
    metric = str(wanted.hue)
    how = _estimator(results, wanted, metric)
    if how is None:
        raise AssertionError("the settings of a heat map have refused this")
    shown = {wanted.x, wanted.y, wanted.col}
    positive = bool((source[metric] > 0).all())
    log = geometric(metric) if wanted.log is None else "y" in wanted.log
    panels = min(int(source[wanted.col].nunique()), 3) if wanted.col else 1
    letters = max(map(len, format_levels(wanted.y, list(source[wanted.y].unique()))))
    digits = max(len(quantity(value, unit(metric), digits=3)) for value in source[metric])
    across = (source[wanted.x].nunique(), digits)
    font, cell = _fitting(WIDTHS[wanted.width] / panels, *across, letters / panels)
    layout = Layout(
        *(wanted.x, wanted.y, metric, how, log and positive),
        panels=[wanted.col] if wanted.col else [],
        pair_by=[SEED, *(name for name in results.varied if name not in shown)],
        cell=(cell, 0.3),
        low=1.2,
        font=font,
        fastest=results.fastest_penalty,
    )
    figure, _, marked = heat_map(source, layout, column_title(metric))
    figure.set_layout_engine(ConstrainedLayoutEngine())  # without room for a description above it
    figure.set_size_inches(WIDTHS[wanted.width], figure.get_size_inches()[1])
    if marked:
        legend(figure, font)
    return _titled(figure, results, wanted)


def _fitting(width: float, columns: int, digits: int, letters: float) -> tuple[float, float]:
    """The largest font of a heat map of which numbers fit into the cells, in points, and a cell's width.

    Args:
        width: of the figure, or a panel's part of it, in inches.
        columns: of cells.
        digits: of the longest number.
        letters: of the longest name of a row.
    """
    font = float(FONT)
    while True:
        cell = (width - 0.4 - (0.6 * letters + 11) * font / 72) / columns
        if font <= SMALLEST or cell * 72 >= 0.66 * digits * font:
            return font, max(cell, 0.05)
        font -= 0.25


def _plot(results: FigureData, wanted: FigureSettings, source: pd.DataFrame, kind: str) -> Figure:
    log_x, log_y = _logarithmic(wanted)
    for name, log in ((wanted.x, log_x), (wanted.y, log_y)):
        if log and pd.api.types.is_numeric_dtype(source[name]):
            source = source[source[name] > 0]
    if source.empty:
        raise StudyError(f"no trial has a finite {wanted.y!r} to draw")
    panels = _levels(results.summary, wanted.col)
    panels = [(value, word) for value, word in panels if (source[wanted.col] == value).any()]
    side = min(max(len(panels), 1), 1 if wanted.width == "one_column" else 3)
    deep = -(-max(len(panels), 1) // side)
    width = WIDTHS[wanted.width]
    figure, grid = plt.subplots(
        deep,
        side,
        squeeze=False,
        sharex=True,
        sharey=True,
        figsize=(width, deep * min(width / side * 0.66, 2.6) + LEGEND),
        layout="constrained",
    )
    flat: list[Axes] = list(grid.flat)
    groups = _groups(results, wanted)
    order = [value for value, _ in _levels(results.summary, wanted.x)] if wanted.x in results.varied else None
    numeric = pd.api.types.is_numeric_dtype(results.summary.get(wanted.x, pd.Series(dtype=float)))
    parts: list[tuple[Any, str] | None] = [*panels] or [None]
    for axes, panel in zip(flat, parts, strict=False):
        part = source if panel is None else source[source[wanted.col] == panel[0]]
        how_x, how_y = (_estimator(results, wanted, name) for name in (wanted.x, wanted.y))
        if kind == "line":
            draw_lines(axes, part, wanted.x, wanted.y, groups, how_y, log=log_y)
        else:
            places = None
            if order is not None and not (numeric and wanted.log is not None and "x" in wanted.log):
                places = {value: place for place, value in enumerate(order)}
            draw_points(
                *(axes, part, wanted.x, wanted.y, groups, how_x, how_y),
                places=places,
                setting=wanted.x in (*results.varied, SEED),
            )
            if places is not None:
                words = [word for _, word in _levels(results.summary, wanted.x)]
                crowded = max(map(len, words)) * len(words) * 0.6 * FONT / 72 > width / side - 0.7
                axes.set_xticks(range(len(places)), words)
                if crowded:
                    plt.setp(axes.get_xticklabels(), rotation=30, ha="right", rotation_mode="anchor")
                axes.set_xlim(-0.5, len(places) - 0.5)
        if panel is not None:
            axes.set_title(text.shortened(f"{column_title(str(wanted.col))} = {panel[1]}"))
        if log_x and (order is None or numeric):
            axes.set_xscale("log")
        if log_y:
            axes.set_yscale("log")
        readable(axes, "y")
        if not (kind == "points" and order is not None and "x" not in (wanted.log or "")):
            readable(axes, "x", whole=unit(wanted.x) == "count")
    for axes in flat[max(len(panels), 1) :]:
        axes.set_visible(False)
    titles = [legend_text(column_title(name)) for name in (wanted.x, wanted.y)]
    if len(panels) > 1:
        figure.supxlabel(titles[0], fontsize=FONT)
        figure.supylabel(titles[1], fontsize=FONT)
    else:
        flat[0].set(xlabel=titles[0], ylabel=fitted(titles[1], min(width * 0.66, 2.6), FONT))
    _legend(figure, results, wanted, lines=kind == "line")
    return _titled(figure, results, wanted)


def _logarithmic(wanted: FigureSettings) -> tuple[bool, bool]:
    if wanted.log is None:
        return False, geometric(wanted.y)
    return "x" in wanted.log, "y" in wanted.log


def _levels(summary: pd.DataFrame, name: str | None) -> list[tuple[Any, str]]:
    """The values of a setting in all trials, and their words: a condition looks the same in every figure."""
    if name is None:
        return []
    values = list(dict.fromkeys(summary[name]))
    if pd.api.types.is_numeric_dtype(summary[name]):
        values.sort()
    words = text.apart([legend_text(word) for word in format_levels(name, values)])
    return list(zip(values, words, strict=True))


def _groups(results: FigureData, wanted: FigureSettings) -> list[Group]:
    """The looks of the values of hue and style; dashes and markers follow the hue if there is no style."""
    hues, styles = _levels(results.summary, wanted.hue), _levels(results.summary, wanted.style)
    numeric = wanted.hue is not None and pd.api.types.is_numeric_dtype(results.summary[wanted.hue])
    palette = colours(max(len(hues), 1), numeric=numeric)
    found = []
    for i, (hue, _) in enumerate(hues or [(None, "")]):
        for j, (style, _) in enumerate(styles or [(None, "")]):
            place = j if styles else i
            chosen = {name: value for name, value in ((wanted.hue, hue), (wanted.style, style)) if name}
            found.append(Group(chosen, palette[i], look(MARKERS, place), look(DASHES, place)))
    return found


def _legend(figure: Figure, results: FigureData, wanted: FigureSettings, *, lines: bool) -> None:
    handles: list[Any] = []
    names: list[str] = []
    for column, is_hue in ((wanted.hue, True), (wanted.style, False)):
        if column is None or (column == wanted.hue and not is_hue):
            continue
        alone = is_hue and wanted.style in (None, wanted.hue)
        levels = _levels(results.summary, column)
        palette = colours(len(levels), numeric=pd.api.types.is_numeric_dtype(results.summary[column]))
        for place, (_, word) in enumerate(levels):
            looks = not is_hue or alone
            group = Group(
                {},
                palette[place] if is_hue else "0.3",
                look(MARKERS, place) if looks else "none" if lines else "o",
                look(DASHES, place) if looks else "",
            )
            handles.append(group.handle(lines=lines))
            names.append(word)
    if handles:
        longest = max(map(len, names))
        columns = max(1, min(len(names), int(WIDTHS[wanted.width] / (0.45 + longest * FONT * 0.55 / 72))))
        titles = [column_title(name) for name in dict.fromkeys((wanted.hue, wanted.style)) if name]
        high = (-(-len(names) // columns) + 1) * FONT * 1.5 / 72  # the axes keep their height
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + max(high - LEGEND, 0.0))
        figure.legend(
            *(handles, names),
            loc="outside upper center",
            ncols=columns,
            frameon=False,
            title=legend_text("; ".join(titles)),
            handlelength=2.6 if lines else 1,
            columnspacing=1,
        )


def _titled(figure: Figure, results: FigureData, wanted: FigureSettings) -> Figure:
    if not wanted.title or not results.question:
        return figure
    lines = title_lines(results.question, int(WIDTHS[wanted.width] * 15))
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + (lines.count("\n") + 1) * 0.16)
    if figure.legends:  # matplotlib gives a legend above the axes and a title the same place
        legend = figure.legends[0]
        legend.set_title(f"{lines}\n{legend.get_title().get_text()}")
        legend.get_title().set_multialignment("center")
    else:
        figure.suptitle(lines, fontsize=FONT)
    return figure
