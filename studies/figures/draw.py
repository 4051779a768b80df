"""Figures of a study: chosen by its workload and by what it varies."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")  # figures go to files; a study also runs where there is no screen

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure

from studies import text
from studies.analysis.bootstrap import Estimator, described, estimator, left_out
from studies.analysis.conditions import grouped
from studies.columns import column_title, format_levels, format_value, unit
from studies.figures import fonts, forest_plot
from studies.figures.bands import aligned, over_seeds
from studies.figures.baseline_lines import draw_baselines
from studies.figures.catalogue import PLANS, Against, Curve, Final, Plan
from studies.figures.encoding import MARKERS, Encoding, legend_text
from studies.figures.scatter import scatter
from studies.figures.ticks import readable
from studies.formatting import equal
from testbed.common.atomic_files import atomic_write
from testbed.training.baselines import Baseline

PANEL = "panel"
"""The column that joins the varied parameters which share the panels."""
QUESTION = 400
"""Letters of a question that are shown above a figure."""


@dataclass(frozen=True)
class FigureData:
    """The data of the figures of one study.

    Attributes:
        workload: decides which figures there are.
        question: above each figure; may be empty.
        varied: what the study varies; columns of the tables.
        summary: one row per trial.
        curves: name -> rows of all trials, with the varied columns and ``seed``.
        baselines: hash of a trial -> what policies without learning earn in its environment.
        environment_factors: those of ``varied`` that change the environment.
        comparison_factor: the one of ``varied`` whose values are compared with the first of them.
    """

    workload: str
    question: str
    varied: Sequence[str]
    summary: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    baselines: Mapping[str, Sequence[Baseline]] = field(default_factory=dict)
    environment_factors: Sequence[str] = ()
    comparison_factor: str | None = None


Warn = Callable[[str], None]


def draw(results: FigureData, folder: Path, warn: Warn | None = None) -> list[Path]:
    """Draws all figures as PNG and SVG; returns the PNG files.

    Args:
        results: what to draw.
        folder: where the files go.
        warn: gets a line for each figure that cannot be drawn, whose files are removed, and one if letters
            are in no font; without it, such a figure's exception is raised.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    style, missing = _style(results)
    for name, make in _plans(results):
        open_before = plt.get_fignums()
        try:
            with style():
                figure = make()
                if figure is not None:
                    drawn.append(_save(figure, folder, name))
        except Exception as error:  # a figure is worth less than the others and the tables
            if warn is None:
                raise
            for ending in ENDINGS:
                (folder / f"{name}.{ending}").unlink(missing_ok=True)
            reason = text.visible(" ".join(f"{type(error).__name__}: {error}".split()))
            warn(f"figure {name} could not be drawn: {text.shortened(reason, 200)}")
            for number in set(plt.get_fignums()) - set(open_before):
                plt.close(number)
    if missing and warn is not None:
        warn(f"no installed font has {_named(missing)}: figures have empty boxes there")
    return drawn


def drawings(results: FigureData, wanted: str | None = None) -> Generator[tuple[str, Figure], None, None]:
    """The name of each figure that the results allow, and the figure, which whoever takes it must close.

    With ``wanted`` the one of that name alone, if there is such a figure.
    """
    style, _ = _style(results)
    for name, make in _plans(results):
        if wanted in (None, name):
            with style():
                figure = make()
            if figure is not None:
                yield name, figure


def _plans(results: FigureData) -> Iterator[tuple[str, Callable[[], Figure | None]]]:
    """The name of each figure that there may be, and what draws it, or finds that it would show nothing."""
    for plan in PLANS[results.workload]:
        yield plan.name, partial(_drawn, results, plan)
    if results.workload == "training":
        for name in forest_plot.NAMES:
            yield name, partial(_compared, results, name)


def _compared(results: FigureData, name: str) -> Figure | None:
    factors = results.comparison_factor, results.environment_factors
    found = forest_plot.draw_comparison(name, results.summary, results.varied, *factors)
    if found is None:
        return None
    figure, shown = found
    _head(figure, results.question, shown)
    return figure


def _style(results: FigureData) -> tuple[Callable[[], AbstractContextManager[None]], str]:
    """The settings in which figures are drawn and saved, and the letters of their text that no font has."""
    texts = [text.visible(results.question), *map(column_title, results.varied)]
    texts += [format_value(path, value) for path in results.varied for value in results.summary.get(path, ())]
    families, missing = fonts.families(texts)

    @contextmanager
    def style() -> Iterator[None]:
        look = {**sns.plotting_context("notebook"), **sns.axes_style("whitegrid"), **_FIXED}
        with mpl.rc_context({**look, "font.family": families}), fonts.quiet():
            yield

    return style, missing


def _named(letters: str) -> str:
    more = f" and {len(letters) - 12} more" if len(letters) > 12 else ""
    return f"the letter{'s' * (len(letters) > 1)} {' '.join(letters[:12])}{more}"


def _drawn(results: FigureData, plan: Plan) -> Figure | None:
    source = results.curves.get(plan.table) if isinstance(plan, Curve) else results.summary
    table = _usable(source, plan)
    if source is None or table is None:
        return None
    if isinstance(plan, Curve) and results.workload != "training":
        table = _longest(table, results.varied)
    how = estimator(results.workload, plan.y)
    groups = [group for _, group in grouped(table, results.varied)]
    if isinstance(plan, Final) and plan.log:  # there is no place for zero on its axis
        groups = [group for group in groups if how(group[plan.y]).value > 0]
        table = pd.concat(groups) if groups else table[:0]
    if table.empty or not (isinstance(plan, Curve) or _more_than_one(table, results.varied)):
        return None
    shown = _described(plan, how, groups, zeros=plan.log and bool((source[plan.y] == 0).any()))
    wrong = _infinite(source, plan)
    table, encoding = _roles(table, results.varied, _apart(results) if isinstance(plan, Curve) else ())
    match plan:
        case Curve():
            grid = _curve(table, plan, encoding, how)
        case Final():
            grid = _final(table, plan, encoding, how)
        case Against():
            grid, joined = scatter(table, plan, encoding, results.workload)
            left = "; those at 0 left out" if shown.endswith("0 left out") else ""
            shown = f"a point per trial{f', lines through {joined}' if joined else ''}{left}"
    if grid is None:
        return None
    if not isinstance(plan, Against):
        draw_baselines(grid, table, plan, encoding, results.baselines)
    _finish(grid, results, shown + left_out(wrong))
    figure: Figure = grid.figure
    return figure


def _infinite(source: pd.DataFrame, plan: Plan) -> int:
    """Trials that have something not finite; along curves nan may be a number that was not measured there."""
    y = source[plan.y]
    wrong = np.isinf(y) if isinstance(plan, Curve) else ~np.isfinite(y)
    return int(source.loc[wrong, "trial"].nunique())


def _described(plan: Plan, how: Estimator, groups: Sequence[pd.DataFrame], *, zeros: bool) -> str:
    """What is drawn over the seeds of conditions, and what is not."""
    words = described([group["seed"].nunique() for group in groups], how)
    if isinstance(plan, Final):
        equals = [len(group) > 1 and equal(list(group[plan.y])) for group in groups]
        if any(equals):
            words += "; all seeds equal" if all(equals) else "; no interval where all seeds are equal"
    if not zeros:
        return words
    return f"{words}; {'conditions with a' if isinstance(plan, Final) else 'values of'} 0 left out"


ENDINGS = ("svg", "png")


def _save(figure: Figure, folder: Path, name: str) -> Path:
    for ending in ENDINGS:
        path = folder / f"{name}.{ending}"
        with atomic_write(path) as part:
            metadata = {"Date": None} if ending == "svg" else None
            figure.savefig(part, format=ending, dpi=150, bbox_inches="tight", metadata=metadata)
    plt.close(figure)
    return folder / f"{name}.png"


_FIXED: Any = {
    "svg.hashsalt": "testbed",
    "svg.fonttype": "none",
    "text.usetex": False,  # labels are text, never formulas
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "grid.color": "0.9",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def _usable(source: pd.DataFrame | None, plan: Plan) -> pd.DataFrame | None:
    """The rows that can be drawn: numbers, and positive ones in points and lines on a logarithmic axis."""
    needed = [plan.y] if isinstance(plan, Final) else [plan.x, plan.y]
    positive = plan.log and not isinstance(plan, Final)
    if source is None or not set(needed) <= set(source.columns):
        return None
    if isinstance(plan, Curve) and plan.x != "update" and plan.table == "consensus" and "update" in source:
        # A training run agrees once per update: the last agreement stands for it.
        source = source[source["update"] == source.groupby("trial")["update"].transform("max")]
    y = source[plan.y]
    table = source[np.isfinite(y) & ((y > 0) if positive else True)]
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


def _apart(results: FigureData) -> Sequence[str]:
    """What makes environments different: returns in one are not to be measured by those in another."""
    return results.environment_factors if results.workload == "training" else ()


def _roles(
    table: pd.DataFrame, varied: Sequence[str], apart: Sequence[str] = ()
) -> tuple[pd.DataFrame, Encoding]:
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
        order[path] = text.apart([legend_text(words) for words in format_levels(path, values)])
        table[path] = table[path].map(dict(zip(values, order[path], strict=True)))
    # Renamed before drawing: the room a legend gets depends on the length of its title.
    others = [str(column) for column in table if column not in seen]
    titles = [column_title(path) for path in seen]
    if len(set(titles)) < len(titles):
        titles = [text.label(path) for path in seen]
    titles = text.apart([*others, *map(legend_text, titles)])[len(others) :]
    names = dict(zip(seen, titles, strict=True))
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
    return table, Encoding(hue, style, col, order, numeric)


def _curve(table: pd.DataFrame, plan: Curve, encoding: Encoding, how: Estimator) -> sns.FacetGrid | None:
    """None where the seeds of no condition have a part of the x axis in common."""
    groups = [column for column in (encoding.hue, encoding.style, encoding.col) if column]
    table = aligned(table, plan.x, plan.y, groups, log=plan.log)
    if table.empty:
        return None
    few = table.groupby([*groups, "seed"])[plan.x].nunique().max() <= 12
    grid = encoding.relplot(
        table,
        kind="line",
        x=plan.x,
        y=plan.y,
        **over_seeds(table, how),
        err_kws={"alpha": 0.15, "linewidth": 0},
        **({"marker": "o", "markersize": 5} if few else {}),
    )
    grid.set_axis_labels(column_title(plan.x), column_title(plan.y))
    for axes in grid.axes.flat:
        if plan.log:
            axes.set_yscale("log")
        readable(axes, "x", whole=unit(plan.x) == "count")
        readable(axes, "y")
    return grid


def _final(table: pd.DataFrame, plan: Final, encoding: Encoding, how: Estimator) -> sns.FacetGrid:
    x, encoding = encoding.across()
    hue = encoding.hue
    shared = {"data": table, "x": x, "y": plan.y, "order": encoding.levels(x)}
    if hue:
        shared |= {"hue": hue, "hue_order": encoding.levels(hue), "palette": encoding.palette()}
        shared |= {"markers": encoding.again(MARKERS)} if encoding.exhausted else {}
    else:
        shared |= {"color": sns.color_palette("colorblind")[0]}
    dodge = 0.12 * (len(encoding.levels(hue)) - 1) if hue else False
    grid = sns.catplot(
        **shared,
        kind="point",
        col=encoding.col,
        col_order=encoding.levels(encoding.col) or None,
        col_wrap=encoding.columns(),
        dodge=dodge,
        **over_seeds(table, how),
        linestyle="-" if x in encoding.numeric else "none",
        linewidth=1.2,
        markersize=7,
        capsize=0.08,
        err_kws={"linewidth": 1.2},
        height=4.2,
        aspect=1.45,
    )
    grid.set_axis_labels(str(x), f"{column_title(plan.y)},\n{plan.when}")
    for axes in grid.axes.flat:
        if plan.log:
            axes.set_yscale("log")
        readable(axes, "y")
        letters = [len(level) for level in encoding.levels(x)]
        if max(letters) * len(letters) > 60:
            crowded = len(letters) > 10 or max(letters) > 30  # sloping labels would lie over each other
            axes.tick_params(axis="x", labelrotation=90 if crowded else 25)
            for tick in axes.get_xticklabels():
                tick.set_horizontalalignment("right")
    return grid


def _finish(grid: sns.FacetGrid, results: FigureData, shown: str) -> None:
    if grid.axes.size > 1:
        told = str(grid._col_var).replace("{", "{{").replace("}", "}}")
        grid.set_titles(f"{told} = {{col_name}}" if grid._col_var != PANEL else "{col_name}")
    _head(grid.figure, results.question, shown)


def _head(figure: Figure, question: str, shown: str) -> None:
    """The question, and below it what is drawn, as far apart whatever the height of the figure."""
    width, height = figure.get_size_inches()
    asked = text.shortened(text.visible(" ".join(question.split())), QUESTION)
    wrapped = "\n".join(textwrap.wrap(asked, int(width * 11)))
    # A legend of many entries is higher than the figure.
    tops = [legend.get_window_extent().y1 / figure.dpi / height for legend in figure.legends]
    top = max([1.0, *tops])
    figure.suptitle(wrapped, x=0.02, y=top + 0.1 / height, ha="left", va="bottom", fontsize=13)
    figure.text(0.02, top, shown, ha="left", va="center", fontsize=10, color="0.35")
