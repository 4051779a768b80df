"""The legend of a grid of panels, right of them, measured without drawing the figure.

Seaborn's ``legend_out`` draws the whole figure twice to know the legend's width; grids are made without it.
"""

from __future__ import annotations

import seaborn as sns

GAP = 0.01
"""Distance of the legend from the panels, as a share of the figure's width."""


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
