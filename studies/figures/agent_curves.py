"""Curves of single agents over updates: a panel per condition, a line per agent, a band over the seeds.

If the curve of an agent would be flat on an axis shared with the others, each agent has a panel with its own
axis, and a line per condition.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

import topologies
from studies.analysis.bootstrap import described, estimator
from studies.analysis.conditions import grouped
from studies.analysis.fault_windows import along
from studies.columns import title_in, unit
from studies.figures.bands import aligned
from studies.figures.encoding import COLOURS, Encoding, legend_text
from studies.figures.fault_bands import draw_fault_bands
from studies.figures.lines import draw_lines
from studies.figures.panels import PANEL, PANELS, Measured, finished, finite, panel_per_condition
from studies.figures.plan import FigureData
from studies.figures.ticks import readable

AGENT = "agent"
CONDITION = "condition"
FLAT = 0.03
"""Share of an axis below which a curve looks flat; each agent then has a panel with its own axis."""


@dataclass(frozen=True)
class AgentCurves(Measured):
    """``y`` of each agent against the updates."""

    name: str
    y: str

    def draw(self, results: FigureData) -> Figure | None:
        """The lines; None where there are no two updates, a single agent, or one and the same value."""
        source = results.curves.get("agents")
        if source is None or self.y not in source:
            return None
        table = source[finite(source, self.y, positive=False)]
        if min(table[name].nunique() for name in ("update", AGENT, self.y)) < 2:
            return None
        table, panels, left_out = panel_per_condition(table, results.varied)
        numbers = sorted(table[AGENT].astype(int).unique())
        titles = {agent: legend_text(topologies.named_node(agent, results.names)) for agent in numbers}
        table[AGENT] = table[AGENT].astype(int).map(titles)
        measured = table
        how = estimator(results.workload, self.y)
        shown = described([group["seed"].nunique() for _, group in grouped(table, [PANEL])], how) + left_out
        table = aligned(table, "update", self.y, [PANEL, AGENT], log=False)
        if table.empty:
            return None
        agents = [title for title in titles.values() if title in set(table[AGENT])]
        several = len(panels) > 1
        apart = len(agents) <= PANELS and len(panels) <= COLOURS and _scales_differ(table, self.y)
        if apart and several:
            table, measured = (each.rename(columns={PANEL: CONDITION}) for each in (table, measured))
        col = AGENT if apart else PANEL if several else None
        hue = CONDITION if apart and several else AGENT
        encoding = Encoding(hue, None, col, {AGENT: agents, PANEL: panels, CONDITION: panels})
        grid = draw_lines(table, "update", self.y, encoding, how, sharey=not apart, legend=col != hue)
        encoding.mark(grid)
        grid.set_ylabels(title_in("agents", self.y))
        for axes in grid.axes.flat:
            readable(axes, "x", whole=unit("update") == "count")
            readable(axes, "y")
        if results.faults:
            spans = along(results.faults, results.curves, "training", "update")
            conditions = Encoding(hue if hue == CONDITION else None, None, col, encoding.order)
            draw_fault_bands(grid, measured, "update", conditions, spans)
        return finished(grid, results, f"each agent over the updates; {shown}")


def _scales_differ(table: pd.DataFrame, y: str) -> bool:
    """Whether the curve of an agent would be flat on an axis that all agents share."""
    ranges = table.groupby(AGENT)[y].agg(["min", "max"])
    each = ranges["max"] - ranges["min"]
    whole = float(ranges["max"].max() - ranges["min"].min())
    return bool((each > 0).all() and each.min() < FLAT * whole)
