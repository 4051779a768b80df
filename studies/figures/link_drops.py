"""Dropped packets by link and time: a heat map per condition."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from studies.analysis.series import LINK_PLACES
from studies.columns import column_title
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
        names, note = _rows(table)
        matrices = [_matrix(table[table[PANEL] == panel], place, names, ends) for panel in panels]
        most = max(float(np.nanmax(matrix, initial=0.0)) for matrix in matrices)
        columns = min(len(panels), 3)
        rows = -(-len(panels) // columns)
        height = max(1.6 + 0.2 * len(names), 3.0)
        figure, grid = plt.subplots(
            rows, columns, figsize=(4.6 * columns + 1.6, height * rows), squeeze=False, layout="constrained"
        )
        norm = Normalize(0, most or 1.0)
        for number, axes in enumerate(grid.flat):
            if number >= len(panels):
                axes.set_axis_off()
                continue
            _heat_map(axes, matrices[number], list(names), ends, norm)
            axes.set_title(panels[number] if len(panels) > 1 else "", fontsize=11)
            axes.set_xlabel(column_title(place) if number + columns >= len(panels) else "")
        grid[0, 0].set_ylabel("direction" if any(">" in name for name in names) else "link")
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


def _rows(table: pd.DataFrame) -> tuple[dict[str, int], str]:
    """The names of the rows with their indices, and a note if some are left out; names the table's rows."""
    source, destination = table["source"].astype(int), table["destination"].astype(int)
    ways = pd.MultiIndex.from_arrays([source, destination])
    split = ways.nunique() <= DIRECTIONS
    ends = (
        (source, destination) if split else (np.minimum(source, destination), np.maximum(source, destination))
    )
    table["row"] = ends[0].astype(str) + (">" if split else "-") + ends[1].astype(str)
    order = pd.DataFrame({"row": table["row"], "u": ends[0], "v": ends[1]}).drop_duplicates()
    order = order.sort_values(["u", "v"])
    dropped = table.groupby("row")["dropped"].sum()
    kept = set(dropped.sort_values(ascending=False, kind="stable").index[:ROWS])
    names = [name for name in order["row"] if name in kept]
    left = len(order) - len(names)
    note = f"; {left} links that dropped fewer are left out" if left else ""
    return {name: number for number, name in enumerate(names)}, note


def _matrix(table: pd.DataFrame, place: str, names: dict[str, int], ends: np.ndarray) -> np.ndarray:
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
