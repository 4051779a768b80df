"""Figures of a study: chosen by its workload and by what it varies."""

from __future__ import annotations

import textwrap
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")  # figures go to files; a study also runs where there is no screen

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from studies import forest
from studies.bands import aligned, logarithmic, over_seeds
from studies.columns import said, title
from studies.grouping import grouped
from studies.plans import PLANS, Against, Curve, Final, Plan
from studies.points import against
from studies.reference_lines import draw_references
from studies.roles import MARKERS, Roles
from studies.statistics import described
from testbed.files import beside
from testbed.references import Reference

PANEL = "panel"
"""The column that joins the varied parameters which share the panels."""
POINTS_SHOWN = "a point per trial, lines through the means over seeds"


@dataclass(frozen=True)
class Results:
    """What figures are made from.

    Attributes:
        workload: decides which figures there are.
        question: above each figure; may be empty.
        varied: what the study varies; columns of the tables.
        summary: one row per trial.
        curves: name -> rows of all trials, with the varied columns and ``seed``.
        references: hash of a trial -> what policies without learning earn in its environment.
        worlds: those of ``varied`` that change the environment.
        compared: the one of ``varied`` whose values are compared with the first of them.
    """

    workload: str
    question: str
    varied: Sequence[str]
    summary: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    references: Mapping[str, Sequence[Reference]] = field(default_factory=dict)
    worlds: Sequence[str] = ()
    compared: str | None = None


def draw(results: Results, folder: Path) -> list[Path]:
    """Draws all figures as PNG and SVG; returns the PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_save(figure, folder, name) for name, figure in drawings(results)]


def drawings(results: Results, wanted: str | None = None) -> Generator[tuple[str, Figure], None, None]:
    """The name of each figure that the results allow, and the figure, which whoever takes it must close.

    With ``wanted`` the one of that name alone, if there is such a figure.
    """
    middle = results.workload == "training"
    for plan in PLANS[results.workload]:
        source = results.curves.get(plan.table) if isinstance(plan, Curve) else results.summary
        if wanted not in (None, plan.name):
            continue
        table = _usable(source, plan)
        if table is None or not (isinstance(plan, Curve) or _more_than_one(table, results.varied)):
            continue
        with _style():
            figure = _drawn(results, plan, table, middle=middle)
            if figure is not None:
                yield plan.name, figure
    if middle:
        with _style():
            compared = forest.drawings(results.summary, results.varied, results.compared, results.worlds)
            for name, figure, shown in compared:
                if wanted not in (None, name):
                    plt.close(figure)
                    continue
                _head(figure, results.question, shown)
                yield name, figure


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context({**sns.plotting_context("notebook"), **sns.axes_style("whitegrid"), **_FIXED})


def _drawn(results: Results, plan: Plan, table: pd.DataFrame, *, middle: bool) -> Figure | None:
    if isinstance(plan, Curve) and results.workload != "training":
        table = _longest(table, results.varied)
    seeds = [group["seed"].nunique() for _, group in grouped(table, results.varied)]
    table, roles = _roles(table, results.varied, _apart(results) if isinstance(plan, Curve) else ())
    match plan:
        case Curve():
            grid = _curve(table, plan, roles, middle=middle)
        case Final():
            grid = _final(table, plan, roles, middle=middle)
        case Against():
            grid = against(table, plan, roles)
    if grid is None:
        return None
    if not isinstance(plan, Against):
        draw_references(grid, table, plan, roles, results.references)
    _finish(grid, results, POINTS_SHOWN if isinstance(plan, Against) else described(seeds, middle=middle))
    figure: Figure = grid.figure
    return figure


def _save(figure: Figure, folder: Path, name: str) -> Path:
    for ending, metadata in (("svg", {"Date": None}), ("png", None)):
        path = folder / f"{name}.{ending}"
        with beside(path) as part:
            figure.savefig(part, format=ending, dpi=150, bbox_inches="tight", metadata=metadata)
    plt.close(figure)
    return path


_FIXED: Any = {
    "svg.hashsalt": "testbed",
    "svg.fonttype": "none",
    "grid.color": "0.9",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def _usable(source: pd.DataFrame | None, plan: Plan) -> pd.DataFrame | None:
    """The rows that can be drawn: numbers, and positive ones on a logarithmic axis."""
    needed = [plan.y] if isinstance(plan, Final) else [plan.x, plan.y]
    if source is None or not set(needed) <= set(source.columns):
        return None
    if isinstance(plan, Curve) and plan.x != "update" and plan.table == "consensus" and "update" in source:
        # A training run agrees once per update: the last agreement stands for it.
        source = source[source["update"] == source.groupby("trial")["update"].transform("max")]
    y = source[plan.y]
    table = source[np.isfinite(y) & ((y > 0) if plan.log else True)]
    if isinstance(plan, Against):
        table = table[table[plan.x] > 0]
    if not isinstance(plan, Final) and table[plan.x].nunique() < 2:
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


def _apart(results: Results) -> Sequence[str]:
    """What makes environments different: returns in one are not to be measured by those in another."""
    return results.worlds if results.workload == "training" else ()


def _roles(
    table: pd.DataFrame, varied: Sequence[str], apart: Sequence[str] = ()
) -> tuple[pd.DataFrame, Roles]:
    """Gives each varied column something to be told by: colour, dashes, then panels, which the rest shares.

    Columns in ``apart`` always are told by panels.
    """
    seen = sorted((path for path in varied if table[path].nunique() > 1), key=lambda path: path in apart)
    lines = min(2, sum(path not in apart for path in seen))
    table = table.copy()
    numeric = frozenset(path for path in seen if pd.api.types.is_numeric_dtype(table[path]))
    order: dict[str, list[str]] = {}
    for path in seen:
        values = sorted(table[path].unique()) if path in numeric else list(dict.fromkeys(table[path]))
        order[path] = [said(path, value) for value in values]
        table[path] = table[path].map(lambda value, path=path: said(path, value))
    # Renamed before drawing: the room a legend gets depends on the length of its title.
    names = {path: title(path) for path in seen}
    if len(set(names.values())) < len(names):
        names = {path: path for path in seen}
    table = table.rename(columns=names)
    order = {names[path]: values for path, values in order.items()}
    numeric = frozenset(names[path] for path in numeric)
    seen = list(names.values())
    col = None
    if panels := seen[lines:]:
        col = panels[0] if len(panels) == 1 else PANEL
        if col == PANEL:
            parts = [table[path].map(lambda value, path=path: f"{path} = {value}") for path in panels]
            table[PANEL] = parts[0].str.cat(pd.concat(parts[1:], axis=1), sep=", ")
            order[PANEL] = list(dict.fromkeys(table[PANEL]))
    hue, style = (*seen[:lines], None, None)[:2]
    return table, Roles(hue, style, col, order, numeric)


def _curve(table: pd.DataFrame, plan: Curve, roles: Roles, *, middle: bool) -> sns.FacetGrid | None:
    """None where the seeds of no condition have a part of the x axis in common."""
    groups = [column for column in (roles.hue, roles.style, roles.col) if column]
    table = aligned(table, plan.x, plan.y, groups, log=plan.log)
    if table.empty:
        return None
    few = table.groupby([*groups, "seed"])[plan.x].nunique().max() <= 12
    grid = roles.relplot(
        table,
        kind="line",
        x=plan.x,
        y=plan.y,
        **over_seeds(table, log=plan.log, middle=middle),
        err_kws={"alpha": 0.15, "linewidth": 0},
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


def _final(table: pd.DataFrame, plan: Final, roles: Roles, *, middle: bool) -> sns.FacetGrid:
    x, roles = roles.across()
    hue = roles.hue
    shared = {"data": table, "x": x, "y": plan.y, "order": roles.levels(x)}
    if hue:
        shared |= {"hue": hue, "hue_order": roles.levels(hue), "palette": roles.palette()}
        shared |= {"markers": roles.again(MARKERS)} if roles.exhausted else {}
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
        **over_seeds(table, log=plan.log, middle=middle),
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


def _finish(grid: sns.FacetGrid, results: Results, shown: str) -> None:
    if grid.axes.size > 1:
        grid.set_titles(
            f"{title(str(grid._col_var))} = {{col_name}}" if grid._col_var != PANEL else "{col_name}"
        )
    _head(grid.figure, results.question, shown)


def _head(figure: Figure, question: str, shown: str) -> None:
    """The question, and below it what is drawn, as far apart whatever the height of the figure."""
    width, height = figure.get_size_inches()
    wrapped = "\n".join(textwrap.wrap(question, int(width * 11)))
    figure.suptitle(wrapped, x=0.02, y=1 + 0.1 / height, ha="left", va="bottom", fontsize=13)
    figure.text(0.02, 1.0, shown, ha="left", va="center", fontsize=10, color="0.35")
