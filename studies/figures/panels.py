"""Common parts of figures that encode varied columns by panels, colours or dashes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from studies import text
from studies.columns import column_title, format_levels, geometric
from studies.figures.encoding import Encoding, legend_text
from studies.figures.plan import FigureData, Plan, head

PANEL = "panel"
"""The column that joins the varied settings which share the panels."""


PANELS = 12
"""Maximum number of panels where each condition has one."""


class Measured(Plan):
    """A figure of one metric, ``y``."""

    y: str

    @property
    def log(self) -> bool:
        """Whether the y axis is logarithmic: if the metric's logarithms are averaged."""
        return geometric(self.y)

    def zeros(self, source: pd.DataFrame) -> bool:
        """Whether there are zeros, which a logarithmic axis cannot show."""
        return self.log and bool((source[self.y] == 0).any())


def trials(source: pd.DataFrame, wrong: Any) -> int:
    """The number of trials that have ``wrong`` rows."""
    return int(source.loc[wrong, "trial"].nunique())


def more_than_one(table: pd.DataFrame, varied: Sequence[str]) -> bool:
    """Whether the rows differ in a varied setting."""
    return any(table[path].nunique() > 1 for path in varied)


def finite(table: pd.DataFrame, y: str, *, positive: bool) -> Any:
    """Mask of the rows with a finite number, positive if the axis requires it."""
    found = np.isfinite(table[y])
    return found & (table[y] > 0) if positive else found


def assign_encoding(
    table: pd.DataFrame, varied: Sequence[str], apart: Sequence[str] = ()
) -> tuple[pd.DataFrame, Encoding]:
    """Assigns each varied column an encoding: colour, dashes, then panels, which the rest shares.

    Columns in ``apart`` always have panels.
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
    # Renamed before drawing: the space for a legend depends on the length of its title.
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


def panel_per_condition(table: pd.DataFrame, varied: Sequence[str]) -> tuple[pd.DataFrame, list[str], str]:
    """Gives each condition a panel, the first ``PANELS`` of them.

    Returns:
        A copy with the column ``PANEL``, the titles of the panels in order, and a note if some are left out.
    """
    seen = [path for path in varied if table[path].nunique() > 1]
    words = pd.Series("", index=table.index)
    for path in seen:
        values = list(dict.fromkeys(table[path]))
        named = dict(zip(values, format_levels(path, values), strict=True))
        title = f"{column_title(path)} " if pd.api.types.is_numeric_dtype(table[path]) else ""
        words = (
            words
            + (", " if path != seen[0] else "")
            + table[path].map(named).map(lambda word, title=title: title + word)
        )
    levels = list(dict.fromkeys(words))
    titles = dict(zip(levels, text.apart([legend_text(each) for each in levels]), strict=True))
    shown = list(titles.values())[:PANELS]
    table = table.assign(**{PANEL: words.map(titles)})
    note = f"; the first {PANELS} of {len(levels)} conditions" if len(levels) > PANELS else ""
    return table[table[PANEL].isin(shown)].copy(), shown, note


def finished(grid: sns.FacetGrid, results: FigureData, shown: str) -> Figure:
    """The figure of a grid, with titles above its panels, and the question and description above those."""
    if grid.axes.size > 1:
        told = str(grid._col_var).replace("{", "{{").replace("}", "}}")
        grid.set_titles(f"{told} = {{col_name}}" if grid._col_var != PANEL else "{col_name}")
    head(grid.figure, results.question, shown)
    figure: Figure = grid.figure
    return figure
