"""Dropped packets by link and time: a heat map per condition."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

import topologies
from studies.analysis.series import LINK_PLACES
from studies.columns import column_title
from studies.figures.encoding import legend_text
from studies.figures.panels import PANEL, panel_per_condition
from studies.figures.plan import FigureData, Plan, head

DIRECTIONS = 24
"""Maximum number of directions that have a row each; otherwise the two of a link share one."""

ROWS = 40
"""Maximum number of rows: those of the links that dropped the most."""

NO_DROP = "0.95"
COLOURS = "rocket_r"


@dataclass(frozen=True)
class LinkDrops(Plan):
    """Packets dropped by each link in each interval, mean over the seeds."""

    name: str

    def draw(self, results: FigureData) -> Figure | None:
        """The heat maps; None where nothing was dropped, or there is one interval."""
        source = results.curves.get("links")
        if source is None or source.empty or not source["dropped"].sum():
            return None
        place = next(name for name in LINK_PLACES if name in source)
        ends = np.sort(source[place].unique())
        if len(ends) < 2:
            return None
        table, panels, left_out = panel_per_condition(source, results.varied)
        split = table.groupby(["source", "destination"]).ngroups <= DIRECTIONS
        shown = [_named(table[table[PANEL] == panel], results.names, split=split) for panel in panels]
        rows_of = _rows(shown)
        matrices = [_matrix(each, place, rows, ends) for each, rows in zip(shown, rows_of, strict=True)]
        note = _left_out(shown, rows_of)
        most = max(float(np.nanmax(matrix, initial=0.0)) for matrix in matrices)
        columns = min(len(panels), 3)
        rows = -(-len(panels) // columns)
        height = max(1.6 + 0.2 * max(map(len, rows_of)), 3.0)
        letters = max(len(name) for names in rows_of for name in names)
        named = max(0.08 * letters - 0.5, 0.0)  # inches for the names of the rows
        figure, grid = plt.subplots(
            rows,
            columns,
            figsize=((4.6 + named) * columns + 1.6, height * rows),
            squeeze=False,
            layout="constrained",
        )
        norm = Normalize(0, most or 1.0)
        for number, axes in enumerate(grid.flat):
            if number >= len(panels):
                axes.set_axis_off()
                continue
            _heat_map(axes, matrices[number], list(rows_of[number]), ends, norm)
            axes.set_title(panels[number] if len(panels) > 1 else "", fontsize=11)
            axes.set_xlabel(column_title(place) if number + columns >= len(panels) else "")
        grid[0, 0].set_ylabel("direction" if split else "link")
        width = round(float(ends[0]))
        each = f"in each {place.removesuffix('s')}" if width == 1 else f"in each {width:,} {_plural(place)}"
        bar = figure.colorbar(
            plt.cm.ScalarMappable(norm, COLOURS), ax=grid, shrink=min(1.0, 3 / height / rows + 0.3), pad=0.02
        )
        bar.set_label(f"packets dropped {each}", fontsize=10)
        top = 0.3 / (height * rows)  # for the description
        figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - top))
        seeds = table["seed"].nunique()
        mean = f"mean over {seeds} seeds" if seeds > 1 else "one seed"
        head(figure, results.question, f"{mean}; {_reasons(table)}{note}{left_out}")
        return figure


def _plural(place: str) -> str:
    return place if place.endswith("s") else f"{place}s"


def _named(table: pd.DataFrame, known: Mapping[int, str], *, split: bool) -> pd.DataFrame:
    """The traffic of a panel with the title of its ``row`` and the ends ``u`` and ``v``; ``known``: names.

    The two directions of a link have a row each if ``split``, otherwise one.
    """
    ways = table[["source", "destination"]].astype(int).to_numpy().tolist()
    pairs = [(a, b) if split else (min(a, b), max(a, b)) for a, b in ways]
    joint = ">" if split else "-"
    titles = {pair: legend_text(topologies.named_link(*pair, known, joint)) for pair in set(pairs)}
    ends = {"u": [a for a, _ in pairs], "v": [b for _, b in pairs]}
    return table.assign(**ends, row=[titles[pair] for pair in pairs])


def _rows(shown: Sequence[pd.DataFrame]) -> list[dict[str, int]]:
    """The names of the rows of each panel with their indices: the same if the panels have the same links."""
    orders = [each.sort_values(["u", "v"])["row"].drop_duplicates().tolist() for each in shown]
    if all(order == orders[0] for order in orders):
        kept = _worst(pd.concat(list(shown)))
        return [_numbered(orders[0], kept)] * len(orders)
    return [_numbered(order, _worst(each)) for order, each in zip(orders, shown, strict=True)]


def _worst(table: pd.DataFrame) -> set[str]:
    dropped = table.groupby("row")["dropped"].sum()
    return set(dropped.sort_values(ascending=False, kind="stable").index[:ROWS])


def _numbered(order: Sequence[str], kept: Collection[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(name for name in order if name in kept)}


def _left_out(shown: Sequence[pd.DataFrame], rows_of: Sequence[Mapping[str, int]]) -> str:
    """A note if panels have more links than rows."""
    left = {each["row"].nunique() - len(rows) for each, rows in zip(shown, rows_of, strict=True)}
    if left == {0}:
        return ""
    if len(left) == 1:
        return f"; {left.pop()} links that dropped fewer are left out"
    return f"; the {ROWS} links that dropped the most, where a panel has more"


def _matrix(table: pd.DataFrame, place: str, names: Mapping[str, int], ends: np.ndarray) -> np.ndarray:
    """Means over the trials, [rows, intervals]; nan where no trial has the interval."""
    shown = table[table["row"].isin(names)]
    each = shown.groupby(["trial", "row", place])["dropped"].sum().groupby(["row", place]).mean()
    found = np.full((len(names), len(ends)), np.nan)
    at = [names[str(name)] for name in each.index.get_level_values("row")]
    found[at, np.searchsorted(ends, each.index.get_level_values(place).to_numpy())] = each.to_numpy()
    return found


def _heat_map(axes: Axes, matrix: np.ndarray, names: list[str], ends: np.ndarray, norm: Normalize) -> None:
    borders = np.concatenate([[0.5], ends + 0.5])  # an update is in the middle of its cell
    axes.set_facecolor("white")
    known = np.where(np.isnan(matrix), np.nan, 0.0)
    edges = np.arange(len(names) + 1) - 0.5
    axes.pcolormesh(borders, edges, known, cmap=ListedColormap([NO_DROP]))
    axes.pcolormesh(
        borders, edges, np.ma.masked_where(~(matrix > 0), matrix), cmap=COLOURS, norm=norm, rasterized=True
    )
    axes.invert_yaxis()
    axes.set_yticks(range(len(names)), names, fontsize=9 if len(names) <= 24 else 7)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(False)


def _reasons(table: pd.DataFrame) -> str:
    """The reasons for the drops with their share of all, the most frequent first."""
    totals = {name: table[name].sum() for name in map(str, table) if name.startswith("dropped_")}
    found = sorted(((count, name) for name, count in totals.items() if count), reverse=True)
    whole = sum(count for count, _ in found)
    return "reasons: " + ", ".join(
        f"{name.removeprefix('dropped_')} {100 * count / whole:.0f} %" for count, name in found
    )
