"""Figures of a study: chosen by its workload and by what it varies."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")  # figures go to files; a study also runs where there is no screen

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.ticker import EngFormatter, MaxNLocator

from studies.bands import aligned, logarithmic, statistics
from studies.columns import title

PANEL = "panel"
"""The column that joins the varied parameters which share the panels."""


@dataclass(frozen=True)
class Curve:
    """``y`` of the curve table ``table`` against ``x``, one line per combination, a band over the seeds."""

    name: str
    table: str
    x: str
    y: str
    log: bool = False


@dataclass(frozen=True)
class Final:
    """The metric ``y`` of each trial against what is varied: a point with an interval per combination."""

    name: str
    y: str
    log: bool = False
    when: str = "at the end"


DISAGREEMENT = (
    Curve("disagreement_by_activations", "consensus", "activations", "relative_disagreement", log=True),
    Curve("disagreement_by_seconds", "consensus", "seconds", "relative_disagreement", log=True),
    Curve("disagreement_by_bytes", "consensus", "bytes", "relative_disagreement", log=True),
)
TRAFFIC = (
    Curve("message_age_by_seconds", "consensus", "seconds", "message_age"),
    Final("message_age", "message_age_average", when="average over the agreement"),
    Final("utilisation", "utilisation", when="average over the agreement"),
)
"""How old what agents know is, and how busy the links are; the latter only where links have a rate."""
PLANS: Mapping[str, Sequence[Curve | Final]] = {
    "problem": (
        *DISAGREEMENT,
        Curve("error_by_activations", "consensus", "activations", "error", log=True),
        Curve("error_by_seconds", "consensus", "seconds", "error", log=True),
        Curve("error_by_bytes", "consensus", "bytes", "error", log=True),
        Curve("residual_by_activations", "consensus", "activations", "primal_residual", log=True),
        Curve("residual_by_seconds", "consensus", "seconds", "primal_residual", log=True),
        Curve("residual_by_bytes", "consensus", "bytes", "primal_residual", log=True),
        *TRAFFIC,
        Final("final_error", "error", log=True),
    ),
    "update": (*DISAGREEMENT, *TRAFFIC, Final("final_disagreement", "relative_disagreement", log=True)),
    "training": (
        Curve("return_by_steps", "training", "steps", "return"),
        Curve("return_by_seconds", "training", "seconds", "return"),
        Curve("return_by_bytes", "training", "bytes", "return"),
        Curve("disagreement_by_update", "training", "update", "relative_disagreement", log=True),
        *DISAGREEMENT,
        Final("final_return", "return", when="last tenth of the updates"),
        Final("final_disagreement", "relative_disagreement", log=True, when="last update"),
    ),
}
"""What is drawn for each workload; a figure whose numbers a study does not have is left out."""


@dataclass(frozen=True)
class Results:
    """What figures are made from.

    Attributes:
        workload: decides which figures there are.
        question: above each figure; may be empty.
        varied: dotted paths; columns of the tables.
        summary: one row per trial.
        curves: name -> rows of all trials, with the varied columns and ``seed``.
    """

    workload: str
    question: str
    varied: Sequence[str]
    summary: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]


def draw(results: Results, folder: Path) -> list[Path]:
    """Draws all figures as PNG and SVG; returns the PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    with mpl.rc_context({**sns.plotting_context("notebook"), **sns.axes_style("whitegrid"), **_FIXED}):
        for plan in PLANS[results.workload]:
            source = results.summary if isinstance(plan, Final) else results.curves.get(plan.table)
            table = _usable(source, plan)
            if table is None or (isinstance(plan, Final) and not _more_than_one(table, results.varied)):
                continue
            if isinstance(plan, Curve) and results.workload != "training":
                table = _longest(table, results.varied)
            table, roles = _roles(table, results.varied)
            grid = _final(table, plan, roles) if isinstance(plan, Final) else _curve(table, plan, roles)
            _finish(grid, results, roles.col, table["seed"].nunique())
            for ending, metadata in (("svg", {"Date": None}), ("png", None)):
                path = folder / f"{plan.name}.{ending}"
                grid.savefig(path, dpi=150, bbox_inches="tight", metadata=metadata)
            drawn.append(path)
            plt.close(grid.figure)
    return drawn


_FIXED: Any = {
    "svg.hashsalt": "testbed",
    "svg.fonttype": "none",
    "grid.color": "0.9",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True)
class _Roles:
    """Which varied column is told by colour, which by dashes or markers, and which has a panel per value."""

    hue: str | None = None
    style: str | None = None
    col: str | None = None
    order: Mapping[str, list[str]] | None = None
    numeric: frozenset[str] = frozenset()

    def levels(self, column: str | None) -> list[str]:
        return (self.order or {}).get(column or "", [])

    def columns(self) -> int | None:
        """Panels side by side; None is all of them."""
        count = len(self.levels(self.col))
        return None if count <= 3 else 2 if count == 4 else 3

    def palette(self) -> Any:
        """Colours that the colour-blind can tell apart; numbers get a scale from dark to light."""
        count = len(self.levels(self.hue))
        if self.hue in self.numeric or count > 10:
            return sns.color_palette("viridis", count + 1)[:count]  # its last yellow is too light on white
        return sns.color_palette("colorblind", count)


def _usable(source: pd.DataFrame | None, plan: Curve | Final) -> pd.DataFrame | None:
    """The rows that can be drawn: numbers, and positive ones on a logarithmic axis."""
    needed = [plan.y] if isinstance(plan, Final) else [plan.x, plan.y]
    if source is None or not set(needed) <= set(source.columns):
        return None
    if isinstance(plan, Curve) and plan.x != "update" and plan.table == "consensus" and "update" in source:
        # A training run agrees once per update: the last agreement stands for it.
        source = source[source["update"] == source.groupby("trial")["update"].transform("max")]
    y = source[plan.y]
    table = source[np.isfinite(y) & ((y > 0) if plan.log else True)]
    if isinstance(plan, Curve) and table[plan.x].nunique() < 2:
        return None
    return table.copy() if len(table) else None


def _longest(table: pd.DataFrame, varied: Sequence[str]) -> pd.DataFrame:
    """Of agreements that differ in their budget alone the longest: the others are its beginnings."""
    for path in varied:
        if path.startswith("consensus.budget.") and pd.api.types.is_numeric_dtype(table[path]):
            table = table[table[path] == table[path].max()]
    return table


def _more_than_one(table: pd.DataFrame, varied: Sequence[str]) -> bool:
    return any(table[path].nunique() > 1 for path in varied)


def _roles(table: pd.DataFrame, varied: Sequence[str]) -> tuple[pd.DataFrame, _Roles]:
    """Gives each varied column something to be told by; from the fourth on they share the panels."""
    seen = [path for path in varied if table[path].nunique() > 1]
    table = table.copy()
    numeric = frozenset(path for path in seen if pd.api.types.is_numeric_dtype(table[path]))
    order: dict[str, list[str]] = {}
    for path in seen:
        values = sorted(table[path].unique()) if path in numeric else list(dict.fromkeys(table[path]))
        order[path] = [_text(value) for value in values]
        table[path] = table[path].map(_text)
    # Renamed before drawing: the room a legend gets depends on the length of its title.
    names = {path: title(path) for path in seen}
    if len(set(names.values())) < len(names):
        names = {path: path for path in seen}
    table = table.rename(columns=names)
    order = {names[path]: values for path, values in order.items()}
    numeric = frozenset(names[path] for path in numeric)
    seen = list(names.values())
    col = None
    if len(seen) > 2:
        col = seen[2] if len(seen) == 3 else PANEL
        if col == PANEL:
            parts = [table[path].map(lambda value, path=path: f"{path} = {value}") for path in seen[2:]]
            table[PANEL] = parts[0].str.cat(pd.concat(parts[1:], axis=1), sep=", ")
            order[PANEL] = list(dict.fromkeys(table[PANEL]))
    hue, style = (*seen[:2], None, None)[:2]
    return table, _Roles(hue, style, col, order, numeric)


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _curve(table: pd.DataFrame, plan: Curve, roles: _Roles) -> sns.FacetGrid:
    groups = [column for column in (roles.hue, roles.style, roles.col) if column]
    table = aligned(table, plan.x, plan.y, groups, log=plan.log)
    few = table.groupby([*groups, "seed"])[plan.x].nunique().max() <= 12
    grid = sns.relplot(
        data=table,
        kind="line",
        x=plan.x,
        y=plan.y,
        hue=roles.hue,
        hue_order=roles.levels(roles.hue) or None,
        palette=roles.palette() if roles.hue else None,
        style=roles.style,
        style_order=roles.levels(roles.style) or None,
        col=roles.col,
        col_order=roles.levels(roles.col) or None,
        col_wrap=roles.columns(),
        **statistics(table, log=plan.log),
        err_kws={"alpha": 0.15, "linewidth": 0},
        height=4.2,
        aspect=1.45,
        facet_kws={"legend_out": True},
        **({"marker": "o", "markersize": 5} if few else {}),
    )
    grid.set_axis_labels(title(plan.x), title(plan.y))
    for axes in grid.axes.flat:
        if plan.log:
            logarithmic(axes)
        if plan.x == "update":
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        elif table[plan.x].max() >= 10_000:
            axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 20k, 3M
    return grid


def _final(table: pd.DataFrame, plan: Final, roles: _Roles) -> sns.FacetGrid:
    """The first varied column on the x axis, unless only the second one is a number."""
    x, hue = roles.hue, roles.style
    if hue in roles.numeric and x not in roles.numeric:
        x, hue = hue, x
    roles = _Roles(hue, None, roles.col, roles.order, roles.numeric)
    shared = {"data": table, "x": x, "y": plan.y, "order": roles.levels(x)}
    if hue:
        shared |= {"hue": hue, "hue_order": roles.levels(hue), "palette": roles.palette()}
    else:
        shared |= {"color": sns.color_palette("colorblind")[0]}
    dodge = 0.12 * (len(roles.levels(hue)) - 1) if hue else False
    grid = sns.catplot(
        **shared,
        kind="point",
        col=roles.col,
        col_order=roles.levels(roles.col) or None,
        col_wrap=roles.columns(),
        dodge=dodge,
        **statistics(table, log=plan.log),
        linestyle="-" if x in roles.numeric else "none",
        linewidth=1.2,
        markersize=7,
        capsize=0.08,
        err_kws={"linewidth": 1.2},
        height=4.2,
        aspect=1.45,
    )
    grid.set_axis_labels(str(x), f"{title(plan.y)},\n{plan.when}")
    for axes in grid.axes.flat:
        if plan.log:
            logarithmic(axes)
        if max(map(len, roles.levels(x))) * len(roles.levels(x)) > 60:
            axes.tick_params(axis="x", labelrotation=25)
            for tick in axes.get_xticklabels():
                tick.set_horizontalalignment("right")
    return grid


def _finish(grid: sns.FacetGrid, results: Results, col: str | None, seeds: int) -> None:
    if grid.axes.size > 1:
        grid.set_titles(
            f"{title(str(grid._col_var))} = {{col_name}}" if grid._col_var != PANEL else "{col_name}"
        )
    width = int(grid.figure.get_size_inches()[0] * 11)
    bands = {1: "one seed", 2: "mean and range of 2 seeds"}.get(
        seeds, f"mean of {seeds} seeds, 95 % bootstrap interval"
    )
    question = "\n".join(textwrap.wrap(results.question, width))
    grid.figure.suptitle(question, x=0.02, y=1.02, ha="left", va="bottom", fontsize=13)
    grid.figure.text(0.02, 1.0, bands, ha="left", va="center", fontsize=10, color="0.35")
