"""The visual encoding of varied columns in a figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from studies import text
from studies.figures.grid import Panels, move_legend_outside
from studies.figures.looks import HUES, MARKERS, colours, look

COLOURS = len(HUES)
"""Number of colours that the colour-blind can tell apart."""

FEW = 12
"""Most points of a line that each have a marker."""
APART = 0.16
"""Distance of the markers of a longer line, as a share of the panel's diagonal."""


def legend_text(words: str) -> str:
    """A shortened label that matplotlib does not hide, as it does labels that begin with ``_``."""
    words = text.shortened(words)
    return f"\u200a{words}" if words.startswith("_") else words


@dataclass(frozen=True)
class Encoding:
    """The varied columns encoded by colour, by dashes or markers, and by a panel per value."""

    hue: str | None = None
    style: str | None = None
    col: str | None = None
    order: Mapping[str, list[str]] | None = None
    numeric: frozenset[str] = frozenset()

    def levels(self, column: str | None) -> list[str]:
        return (self.order or {}).get(column or "", [])

    def across(self) -> tuple[str | None, Encoding]:
        """The column for an x axis of varied values, and the encoding of the remaining ones.

        The first varied column, unless only the second one is a number.
        """
        x, hue = self.hue, self.style
        if hue in self.numeric and x not in self.numeric:
            x, hue = hue, x
        return x, Encoding(hue, None, self.col, self.order, self.numeric)

    def columns(self) -> int | None:
        """Number of panels side by side; None: all of them."""
        count = len(self.levels(self.col))
        return None if count <= 3 else 2 if count == 4 else 3

    def palette(self) -> Any:
        """Colours that the colour-blind can tell apart; numbers get a scale from dark to light.

        There are ten such colours. For more names they repeat, and ``again`` distinguishes them; if dashes
        and markers encode another column, there are as many hues instead.
        """
        count = len(self.levels(self.hue))
        if self.exhausted and self.style:
            return sns.color_palette("husl", count)
        return colours(count, numeric=self.hue in self.numeric)

    @property
    def exhausted(self) -> bool:
        """Whether there are more names than colours."""
        return self.hue not in self.numeric and len(self.levels(self.hue)) > COLOURS

    def again(self, looks: Sequence[Any]) -> list[Any]:
        """The look of each colour in the palette: the first one at its first use, the next at the next."""
        return [looks[i // COLOURS % len(looks)] for i in range(len(self.levels(self.hue)))]

    @property
    def dashed(self) -> str | None:
        """The column that dashes encode: that of the colours, too, where these repeat."""
        return self.hue if self.exhausted and not self.style else self.style

    def looks(self, looks: Sequence[Any], column: str | None) -> list[Any]:
        """The look of each level of a column; that of colours which repeat tells their uses apart."""
        if column == self.hue and self.exhausted and not self.style:
            return self.again(looks)
        return [look(looks, level) for level in range(len(self.levels(column)))]

    def grid(self, table: pd.DataFrame, *, sharey: bool = True) -> Panels:
        """Empty panels, one for each value that has one; they may have y axes apart."""
        return Panels(
            table,
            col=self.col,
            col_order=self.levels(self.col) or None,
            col_wrap=self.columns(),
            sharey=sharey,
            height=4.2,
            aspect=1.45,
            dropna=False,
            legend_out=False,
        )

    def panels(self, grid: sns.FacetGrid, table: pd.DataFrame) -> Iterator[tuple[Axes, pd.DataFrame]]:
        """The axes of each panel of a figure, with the rows of a table that belong there."""
        if self.col is None:
            yield grid.ax, table
            return
        for value, axes in grid.axes_dict.items():
            yield axes, table[table[self.col] == value]

    def scatter(self, table: pd.DataFrame, **more: Any) -> sns.FacetGrid:
        """Seaborn's scatter plot with the varied columns encoded by colours, markers and panels."""
        style = self.style or self.hue
        grid = sns.relplot(
            data=table,
            kind="scatter",
            hue=self.hue,
            hue_order=self.levels(self.hue) or None,
            palette=self.palette() if self.hue else None,
            style=style,
            style_order=self.levels(style) or None,
            markers=self.looks(MARKERS, style),
            col=self.col,
            col_order=self.levels(self.col) or None,
            col_wrap=self.columns(),
            height=4.2,
            aspect=1.45,
            facet_kws={"legend_out": False},
            **more,
        )
        move_legend_outside(grid)
        return grid

    def mark(self, grid: sns.FacetGrid) -> None:
        """Gives the lines of each colour a marker at a few places, so that they differ without colours, too.

        Lines of few points have one at each.
        """
        palette = [to_hex(colour) for colour in self.palette()] if self.hue else []
        shapes = {} if self.exhausted else {hue: look(MARKERS, i) for i, hue in enumerate(palette)}
        for axes in grid.axes.flat:
            for line in axes.lines:
                place = palette.index(hue) if (hue := to_hex(line.get_color())) in palette else 0
                if len(line.get_xdata()) <= FEW:
                    line.set(marker=shapes.get(hue, "o"), markersize=5)
                elif hue in shapes:
                    begins = 0.05 + APART * (place % 5) / 5  # so that those of lines close together differ
                    line.set(marker=shapes[hue], markersize=5, markevery=(begins, APART))
                line.set(markeredgecolor="white", markeredgewidth=0.6)
        for handle in grid.legend.legend_handles if grid.legend else ():
            if isinstance(handle, Line2D) and (hue := to_hex(handle.get_color())) in shapes:
                handle.set(marker=shapes[hue], markersize=5, markeredgecolor="white", markeredgewidth=0.6)
