"""A grid of panels and the legend right of it, measured as seldom as possible: it costs more than drawing.

Seaborn's ``FacetGrid`` measures all panels twice whenever it has drawn something, and its ``legend_out``
draws the whole figure twice to know the legend's width.
"""

from __future__ import annotations

from typing import Any

import seaborn as sns

GAP = 0.01
"""Distance of the legend from the panels, as a share of the figure's width."""


class Panels(sns.FacetGrid):  # type: ignore[misc]  # seaborn has no types
    """Seaborn's grid, laid out only where asked for."""

    def tight_layout(self, *args: Any, **kwargs: Any) -> Panels:
        """Leaves the layout to :meth:`lay_out`."""
        return self

    def lay_out(self) -> None:
        """Gives the labels and titles of all panels the room that they need."""
        self.figure.tight_layout()


def move_legend_outside(grid: sns.FacetGrid) -> None:
    """Moves the legend right of the panels and makes the figure wider by it; the panels keep their size.

    Args:
        grid: made with ``legend_out=False``; without a legend it stays as it is.
    """
    if grid.legend is None:
        return
    sns.move_legend(grid, "center right", frameon=False)
    figure = grid.figure
    width, height = figure.get_size_inches()
    more = grid.legend.get_window_extent().width / figure.dpi
    figure.set_size_inches(width + more, height)
    figure.subplots_adjust(right=1 - GAP - more / (width + more))
