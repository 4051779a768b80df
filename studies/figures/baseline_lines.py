"""Baselines in the figures of training studies: thin labelled lines for policies without learning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from studies.figures.encoding import Encoding
from testbed.environments.base import RANDOM
from testbed.training.baselines import Baseline

GREY = "0.35"
ROOM = 0.04
"""Share of the axes' height left free above and below for the labels."""


def draw_baselines(
    grid: sns.FacetGrid,
    table: pd.DataFrame,
    metric: str,
    encoding: Encoding,
    baselines: Mapping[str, Sequence[Baseline]],
    *,
    across: bool = False,
) -> None:
    """Draws baselines of a metric across every part of the figure whose trials share them.

    A part is a panel or, if the trials of a panel have different environments and the x axis shows a varied
    setting (``across``), one position on that axis.

    Args:
        table: one or more rows per trial shown, named in ``trial``, and the columns of ``encoding``.
        baselines: by trial; a trial without baselines shares none.
    """
    measure, drawn = metric.removeprefix("evaluation_"), False
    for axes, shown in encoding.panels(grid, table):
        for part, span in _parts(shown, encoding, baselines, across=across):
            levels = [(r, r.means[measure]) for r in part if measure in r.means]
            for number, (baseline, level) in enumerate(sorted(levels, key=lambda pair: pair[1])):
                _line(axes, baseline, level, span, above=number == len(levels) - 1)
                drawn = True
    if drawn:  # panels share their y axis
        low, high = grid.axes.flat[0].get_ylim()
        grid.axes.flat[0].set_ylim(low - ROOM * (high - low), high + ROOM * (high - low))


def _parts(
    shown: pd.DataFrame, encoding: Encoding, baselines: Mapping[str, Sequence[Baseline]], *, across: bool
) -> Iterator[tuple[Sequence[Baseline], tuple[float, float] | None]]:
    """Baselines that all trials of a part share, and their range on the x axis; None: the whole axis."""
    if (common := _common(shown, baselines)) is not None:
        yield common, None
    elif across:
        column, _ = encoding.across()
        for place, level in enumerate(encoding.levels(column)):
            if (common := _common(shown[shown[column] == level], baselines)) is not None:
                yield common, (place - 0.45, place + 0.45)


def _common(shown: pd.DataFrame, baselines: Mapping[str, Sequence[Baseline]]) -> Sequence[Baseline] | None:
    first, *others = [list(baselines.get(trial, ())) for trial in shown["trial"].unique()] or [[]]
    return first if first and all(other == first for other in others) else None


def _line(
    axes: Axes, baseline: Baseline, level: float, span: tuple[float, float] | None, *, above: bool
) -> None:
    dashes = (0, (1, 2)) if baseline.policy == RANDOM else (0, (6, 3))
    style: Any = {"color": GREY, "linewidth": 0.9, "linestyle": dashes, "zorder": 1.5}
    if span is None:
        axes.axhline(level, **style)
        x, coordinates = 0.99, axes.get_yaxis_transform()
    else:
        axes.plot(span, (level, level), **style)
        x, coordinates = span[1], axes.transData
    axes.annotate(
        baseline.policy if baseline.policy == RANDOM else f"scripted: {baseline.policy}",
        (x, level),
        xycoords=coordinates,
        xytext=(0, 2 if above else -2),
        textcoords="offset points",
        ha="right",
        va="bottom" if above else "top",
        fontsize=9 if span is None else 8,
        color=GREY,
    )
