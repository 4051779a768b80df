"""Forest plots: each condition compared with the first, with intervals, a panel per environment."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from studies import text
from studies.analysis.bootstrap import (
    ENOUGH,
    Estimate,
    left_out,
    mean,
    no_interval_of_probability,
    probability_of_improvement,
)
from studies.analysis.comparisons import Pair, decisive, overall, pairs
from studies.columns import column_title, format_levels, format_value, named_value
from studies.figures.looks import MARKERS, look
from studies.figures.plan import FigureData, Plan, head
from studies.figures.ticks import readable


@dataclass(frozen=True)
class Improvement(Plan):
    """Probability that a run of one condition is better than one of the reference condition."""

    name: str

    def draw(self, results: FigureData) -> Figure | None:
        """A point for each condition; None without a comparison and two seeds."""
        found = _compared(results)
        if found is None:
            return None
        several = len({tuple(pair.others.values()) for pair in found.pairs}) > 1
        average = overall(found.pairs) if several else {}
        what = f"probability that the {column_title(found.metric)} is higher than with {found.reference}"
        plot = ForestPlot(found.pairs, results.environment_factors, what, 0.5, _improvement, averages=average)
        figure = plot.draw()
        for axes in figure.axes:
            axes.set_xlim(-0.04, 1.04)
            axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
        certain = [no_interval_of_probability(_improvement(pair)) for pair in found.pairs]
        none = "; no interval where every pair has the same outcome" if any(certain) else ""
        shown = f"share of the pairs of runs of {found.seeds} seeds, 95 % stratified-bootstrap interval{none}"
        head(figure, results.question, f"{shown}{found.few}{found.others}")
        return figure


@dataclass(frozen=True)
class Differences(Plan):
    """The differences between runs of two conditions on the same seed."""

    name: str

    def draw(self, results: FigureData) -> Figure | None:
        """A point for each condition and each of its seeds; None without two seeds in common."""
        found = _compared(results)
        paired = [pair for pair in found.pairs if len(pair.differences)] if found is not None else []
        if found is None or not paired:
            return None
        what = f"{column_title(found.metric)}: difference from {found.reference} with the same seed"
        plot = ForestPlot(paired, results.environment_factors, what, 0, _difference, _differences)
        figure = plot.draw()
        for axes in figure.axes:
            readable(axes, "x")
        spread = "95 % bootstrap interval" if found.seeds > 3 else "range"  # of three runs they are the same
        shown = f"a small point for each of {found.seeds} seeds, mean, {spread}{found.few}{found.others}"
        head(figure, results.question, shown)
        return figure


@dataclass(frozen=True)
class _Compared:
    """The comparison of one factor.

    Attributes:
        metric: the compared metric.
        pairs: each of the other values with the first.
        reference: the first value, in words.
        seeds: the numbers of seeds, in words.
        few: a note if there are too few seeds for a conclusion.
        others: a note on trials left out.
    """

    metric: str
    pairs: Sequence[Pair]
    reference: str
    seeds: int
    few: str
    others: str


def _compared(results: FigureData) -> _Compared | None:
    """The comparison; None without other values and two seeds."""
    summary, compared = results.summary, results.comparison_factor
    metric = decisive(summary)
    found = list(pairs(summary, results.varied, compared, metric)) if compared and metric else []
    seeds = int(summary["seed"].nunique())
    if compared is None or metric is None or not found or seeds < 2:
        return None
    reference = text.shortened(named_value(compared, found[0].reference))
    few = f" ({seeds} seeds are too few to conclude)" if seeds < ENOUGH else ""
    others = left_out(int((~np.isfinite(summary[metric])).sum()))
    return _Compared(metric, found, reference, seeds, few, others)


def _improvement(pair: Pair) -> Estimate:
    return probability_of_improvement([pair.ours], [pair.theirs])


def _difference(pair: Pair) -> Estimate:
    return mean(pair.differences)


def _differences(pair: Pair) -> Sequence[float]:
    return list(pair.differences)


@dataclass(frozen=True)
class ForestPlot:
    """One forest plot: a panel per environment, and one for the averages if there are any.

    Attributes:
        pairs: the comparisons to draw, all of one factor; each of its values has a place on the y axis.
        environment_factors: columns whose values have their own panels; colour encodes other columns.
        label: of the x axis.
        no_difference: the position on the x axis of a comparison without a difference.
        estimate: a pair's point and interval.
        runs: a pair's small points, if it has any.
        averages: value -> estimate in the panel of the averages.
    """

    pairs: Sequence[Pair]
    environment_factors: Sequence[str]
    label: str
    no_difference: float
    estimate: Callable[[Pair], Estimate]
    runs: Callable[[Pair], Sequence[float]] = lambda _: ()
    averages: Mapping[object, Estimate] = field(default_factory=dict)

    def draw(self) -> Figure:
        """The figure, which the caller must close."""
        levels = list(dict.fromkeys(pair.level for pair in self.pairs))
        names = text.apart([text.shortened(words) for words in format_levels(self.pairs[0].factor, levels)])
        panels = list(
            dict.fromkeys(_words(pair, self.environment_factors, inside=True) for pair in self.pairs)
        )
        kinds = list(
            dict.fromkeys(_words(pair, self.environment_factors, inside=False) for pair in self.pairs)
        )
        colours = sns.color_palette("colorblind" if len(kinds) <= 10 else "viridis", len(kinds))
        between = 0.8 / len(kinds)
        count = len(panels) + bool(self.averages)
        columns = min(count, 3)
        rows = -(-count // columns)
        height = 1.1 + len(levels) * max(0.5, 0.22 * len(kinds))
        width, height = 4.6 * columns + 1, height * rows + 0.4
        figure, grid = plt.subplots(rows, columns, squeeze=False, sharey=True, figsize=(width, height))
        room = 0.2 / height  # above the axes, for the line that says what is drawn
        figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - room), wspace=0.05))
        wide = int(width * 11)
        figure.supxlabel("\n".join(textwrap.wrap(self.label, wide)), fontsize=12)
        factor = text.shortened(column_title(self.pairs[0].factor))
        figure.supylabel("\n".join(textwrap.wrap(factor, max(int(height * 9), 12))), fontsize=12)
        for panel, axes in zip(panels, grid.flat, strict=False):
            axes.set_title(panel, fontsize=11)
            for pair in self.pairs:
                if _words(pair, self.environment_factors, inside=True) == panel:
                    kind = kinds.index(_words(pair, self.environment_factors, inside=False))
                    y = levels.index(pair.level) + between * (kind - (len(kinds) - 1) / 2)
                    values = self.runs(pair)
                    places = [y + between / 3] * len(values)  # a little below the interval
                    axes.plot(
                        values, places, "o", color=colours[kind], markersize=4, alpha=0.5, markeredgewidth=0
                    )
                    _point(axes, self.estimate(pair), y, colours[kind], look(MARKERS, kind))
        if self.averages:
            axes = grid.flat[len(panels)]
            axes.set_title("mean over all of these", fontsize=11)
            for level, whole in self.averages.items():
                _point(axes, whole, levels.index(level), "0.2")
        for axes in grid.flat[count:]:
            axes.set_visible(False)
        for axes in grid.flat[:count]:
            axes.axvline(self.no_difference, color="0.35", linewidth=0.9, linestyle=(0, (6, 3)), zorder=1)
            axes.set_yticks(range(len(levels)), names)
            axes.set_ylim(len(levels) - 0.5, -0.5)
            axes.grid(visible=False, axis="y")
        if len(kinds) > 1:
            marks = [
                Line2D([], [], color=colour, marker=look(MARKERS, kind), linestyle="none")
                for kind, colour in enumerate(colours)
            ]
            figure.legend(marks, kinds, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        return figure


def _words(pair: Pair, environment_factors: Sequence[str], *, inside: bool) -> str:
    """The environment of a pair, or its other settings in common."""
    return ", ".join(
        f"{text.shortened(column_title(name))} = {text.shortened(format_value(name, value))}"
        for name, value in pair.others.items()
        if (name in environment_factors) == inside
    )


def _point(axes: Axes, estimate: Estimate, y: float, colour: Any, marker: Any = "o") -> None:
    axes.plot((estimate.low, estimate.high), (y, y), color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot(estimate.value, y, marker=marker, color=colour, markersize=7)
