"""Curves of single agents over updates: a panel per condition, a line per agent, a band over the seeds."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from studies.analysis.bootstrap import described, estimator
from studies.analysis.conditions import grouped
from studies.columns import column_title, title_in, unit
from studies.figures.bands import aligned, over_seeds
from studies.figures.encoding import Encoding
from studies.figures.panels import PANEL, Measured, finished, finite, panel_per_condition
from studies.figures.plan import FigureData
from studies.figures.ticks import readable

AGENT = "agent"


@dataclass(frozen=True)
class AgentCurves(Measured):
    """``y`` of each agent against the updates."""

    name: str
    y: str

    def draw(self, results: FigureData) -> Figure | None:
        """The lines; None where there are no two updates, or a single agent."""
        source = results.curves.get("agents")
        if source is None or self.y not in source:
            return None
        table = source[finite(source, self.y, positive=False)]
        if table["update"].nunique() < 2 or table[AGENT].nunique() < 2:
            return None
        table, panels, left_out = panel_per_condition(table, results.varied)
        table[AGENT] = table[AGENT].astype(int).astype(str)
        how = estimator(results.workload, self.y)
        shown = described([group["seed"].nunique() for _, group in grouped(table, [PANEL])], how) + left_out
        table = aligned(table, "update", self.y, [PANEL, AGENT], log=False)
        if table.empty:
            return None
        agents = sorted(table[AGENT].unique(), key=int)
        encoding = Encoding(AGENT, None, PANEL if len(panels) > 1 else None, {AGENT: agents, PANEL: panels})
        few = table["update"].nunique() <= 12
        grid = encoding.relplot(
            table,
            kind="line",
            x="update",
            y=self.y,
            **over_seeds(table, how),
            err_kws={"alpha": 0.15, "linewidth": 0},
            **({"marker": "o", "markersize": 5} if few else {}),
        )
        grid.set_axis_labels(column_title("update"), title_in("agents", self.y))
        for axes in grid.axes.flat:
            readable(axes, "x", whole=unit("update") == "count")
            readable(axes, "y")
        return finished(grid, results, f"each agent over the updates; {shown}")
