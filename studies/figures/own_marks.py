"""Lines and points of user-defined figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from studies.analysis.bootstrap import Estimate, Estimator
from studies.analysis.conditions import grouped
from studies.analysis.resampling import together

MARKS = 6
"""Number of markers along a line, by which it can be told apart in grey."""


@dataclass(frozen=True)
class Group:
    """Trials with the same look.

    Attributes:
        chosen: column -> value.
        colour, marker, dashes: the look.
    """

    chosen: Mapping[str, Any]
    colour: Any
    marker: Any
    dashes: Any

    @property
    def linestyle(self) -> Any:
        """The dashes as matplotlib takes them."""
        return (0, self.dashes) if self.dashes else "-"

    def handle(self, *, lines: bool) -> Line2D:
        """Its mark in a legend."""
        style: Any = self.linestyle if lines else "none"
        return Line2D([], [], color=self.colour, marker=self.marker, linestyle=style)

    def of(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of its trials."""
        for column, value in self.chosen.items():
            table = table[table[column] == value]
        return table


def draw_lines(
    axes: Axes,
    table: pd.DataFrame,
    x: str,
    y: str,
    groups: Sequence[Group],
    how: Estimator | None,
    *,
    log: bool,
) -> None:
    """A line per group with a band over its trials or, without an estimator, a line per trial."""
    for place, group in enumerate(groups):
        rows = group.of(table)
        if rows.empty:
            continue
        runs = [one.sort_values(x, kind="stable") for _, one in grouped(rows, ["trial"])]
        style: dict[str, Any] = {"color": group.colour, "linestyle": group.linestyle}
        if how is None:
            for one in runs:
                axes.plot(one[x], one[y], **style, linewidth=0.8, alpha=0.8)
            continue
        at, matrix = together(
            [one[x].to_numpy(float) for one in runs], [one[y].to_numpy(float) for one in runs], log=log
        )
        if not len(at):
            continue
        value, low, high = how.along(matrix)
        every = max(len(at) // MARKS, 1)
        axes.plot(
            at, value, **style, marker=group.marker, markevery=(place * every // len(groups) % every, every)
        )
        if np.isfinite(low).all():
            axes.fill_between(at, low, high, color=group.colour, alpha=0.15, linewidth=0)


def draw_points(
    axes: Axes,
    table: pd.DataFrame,
    x: str,
    y: str,
    groups: Sequence[Group],
    how_x: Estimator | None,
    how_y: Estimator | None,
    *,
    places: Mapping[Any, int] | None,
    setting: bool,
) -> None:
    """A point with an interval for each value of a setting or, where x is measured, for each group.

    Args:
        axes: where to draw.
        table: a row per trial.
        x, y: columns.
        groups: the looks.
        how_x, how_y: estimators over the trials; None: a point per trial.
        places: value of ``x`` -> position; None: the value itself.
        setting: whether ``x`` is a setting of the trials, and no result.
    """
    between = 0.5 / len(groups) if places is not None else 0.0
    for number, group in enumerate(groups):
        rows = group.of(table)
        shift = between * (number - (len(groups) - 1) / 2)
        parts = [part for _, part in grouped(rows, [x])] if setting else [rows]
        points: list[tuple[Estimate, Estimate]] = []
        for part in parts:
            if part.empty:
                continue
            at = [shift + (places[value] if places is not None else float(value)) for value in part[x]]
            if how_y is None or how_x is None:
                points += [(_exactly(a), _exactly(b)) for a, b in zip(at, part[y], strict=True)]
            else:
                points.append((_exactly(at[0]) if setting else how_x(part[x]), how_y(part[y])))
        if not points:
            continue
        points.sort(key=lambda point: point[0].value)
        joined = setting and how_y is not None and pd.api.types.is_numeric_dtype(table[x])
        axes.plot(
            [a.value for a, _ in points],
            [b.value for _, b in points],
            color=group.colour,
            marker=group.marker,
            linestyle=group.linestyle if joined else "none",
            linewidth=0.9,
        )
        for a, b in points:
            for estimate, across in ((a, True), (b, False)):
                if np.isfinite([estimate.low, estimate.high]).all() and estimate.low < estimate.high:
                    xs = (estimate.low, estimate.high) if across else (a.value, a.value)
                    ys = (b.value, b.value) if across else (estimate.low, estimate.high)
                    axes.plot(xs, ys, color=group.colour, linewidth=0.9, solid_capstyle="butt")


def _exactly(value: float) -> Estimate:
    return Estimate(float(value), np.nan, np.nan)
