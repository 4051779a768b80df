"""Space-time diagrams: a line per agent, an arrow per message, in simulated time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from testbed.common.atomic_files import atomic_write
from testbed.network.trace.spacetime import Flight, SpaceTime
from topologies import fonts

# Okabe & Ito's colours, which the colour-blind can tell apart.
_BLUE, _GREEN, _PURPLE, _SKY, _ORANGE, _RED = [
    "#0072B2",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#D55E00",
]
_KINDS = {"request": _BLUE, "response": _PURPLE, "busy": "0.55", "acknowledgement": "0.75"}
_OTHER_KINDS = (_BLUE, _PURPLE, _SKY, _GREEN)
_FATES = {"late": "late: never delivered", "in flight": "still in flight"}
_MARKS = {
    "completed": ("completed", "o", _GREEN, 14),
    "half_committed": ("half-committed", "D", _ORANGE, 52),
    "given_up": ("given up", "v", _RED, 30),
    "busy": ("found busy", "s", "0.55", 16),
    "stale": ("stale answer", "P", "0.55", 24),
}
"""Event -> its name in the legend, marker, colour, size in square points."""

_SPELLS = {"crashed": "white", "slow": _ORANGE, "lying": _PURPLE}
"""The fill of an agent's thick line by what a fault does to it; a liar's is hatched."""

_FIXED: Any = {"svg.hashsalt": "testbed", "svg.fonttype": "none"}


def draw(
    diagram: SpaceTime,
    paths: Iterable[Path | str],
    *,
    title: str = "",
    agents: Literal["horizontal", "vertical"] = "horizontal",
    names: Sequence[str] | None = None,
) -> list[Path]:
    """Draw a diagram into files that end in .png or .svg and return them; existing files are replaced.

    ``agents`` are lines from left to right, time with them, or from top to bottom. A message is an arrow from
    where and when it was sent to where and when it arrived, coloured by kind; a cross marks the end of a lost
    one. A direction that is down or held is shaded along its source, on its destination's side: half of the
    lane if the two are next to each other. An agent that has crashed, is slow or lies has a thick line:
    empty, filled or hatched. ``names``, one per agent, are shown with the agents' numbers.

    Raises ValueError for another ending, OSError if a file cannot be written.
    """
    wanted = [Path(path) for path in paths]
    for path in wanted:
        if path.suffix not in (".png", ".svg"):
            raise ValueError(f"{path}: a diagram ends in .png or .svg")
    with mpl.rc_context(_FIXED), fonts.fitting([title, *(names or ())]):
        figure = _Drawing(diagram, upright=agents == "vertical", names=names).figure(title)
        for path in wanted:
            form = path.suffix.removeprefix(".")
            with atomic_write(path) as part:
                figure.savefig(part, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)
    return wanted


class _Drawing:
    """One picture under way. Places are (time, row) and swapped when the agents are upright."""

    def __init__(self, diagram: SpaceTime, *, upright: bool, names: Sequence[str] | None) -> None:
        self.names = names
        self.diagram, self.upright = diagram, upright
        self.rows = {agent: row for row, agent in enumerate(diagram.agents)}
        self.legend: dict[str, Any] = {}

    def figure(self, title: str) -> Figure:
        """All of it."""
        across = min(max(0.62 * len(self.rows), 1.5), 12.0)
        size = (across + 2.0, 10.5) if self.upright else (12.5, across + 1.6)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        self._axes(axes)
        self._outages(axes)
        self._spells(axes)
        self._flights(axes)
        self._marks(axes)
        axes.set_title(title, loc="left", fontsize=11)
        if self.legend:
            figure.legend(
                self.legend.values(),
                self.legend.keys(),
                loc="outside lower left",
                ncols=max(1, int(size[0] / 1.7)),
                frameon=False,
                fontsize=9,
            )
        return figure

    def _axes(self, axes: Axes) -> None:
        begin, end = self.diagram.begin, self.diagram.end
        margin = 0.01 * (end - begin) or 1.0
        time, line, rows = (begin - margin, end + margin), (begin, end), list(self.rows.values())
        names = [f"agent {agent}" for agent in self.rows]
        if self.names is not None:
            names = [f"{self.names[agent]} ({agent})" for agent in self.rows]
        if self.upright:
            axes.vlines(rows, *line, color="0.3", linewidth=1, zorder=2)
            axes.set(xticks=rows, ylim=time[::-1], xlim=(-0.6, len(rows) - 0.4), ylabel="simulated time (s)")
            turned = len(rows) > 10 or max(map(len, names)) > 9
            axes.set_xticks(rows, names, rotation=90 if turned else 0, parse_math=False)
            axes.xaxis.tick_top()
        else:
            axes.hlines(rows, *line, color="0.3", linewidth=1, zorder=2)
            axes.set(xlim=time, ylim=(len(rows) - 0.4, -0.6), xlabel="simulated time (s)")
            axes.set_yticks(rows, names, parse_math=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.grid(axis="y" if self.upright else "x", color="0.92", linewidth=0.8)
        axes.set_axisbelow(True)

    def _outages(self, axes: Axes) -> None:
        for outage in self.diagram.outages:
            begin, end = max(outage.begin, self.diagram.begin), min(outage.end, self.diagram.end)
            row = self.rows[outage.source]
            # The lane between two lines belongs to both adjacent agents; for all others there is an edge.
            apart = self.rows[outage.destination] - row
            half = math.copysign(0.5 if abs(apart) == 1 else 0.14, apart)
            width, height = (half, end - begin) if self.upright else (end - begin, half)
            corner = self._place(begin, row)
            style: Any = {"color": _RED if outage.kind == "down" else _SKY, "alpha": 0.13, "linewidth": 0}
            axes.add_patch(Rectangle(corner, width, height, zorder=0, **style))
            self.legend[f"direction {outage.kind}"] = Patch(**style)

    def _spells(self, axes: Axes) -> None:
        for spell in self.diagram.spells:
            begin, end = max(spell.begin, self.diagram.begin), min(spell.end, self.diagram.end)
            row, thickness = self.rows[spell.agent], 0.16
            width, height = (thickness, end - begin) if self.upright else (end - begin, thickness)
            corner = self._place(begin, row - thickness / 2)
            style: Any = {"facecolor": _SPELLS[spell.kind], "edgecolor": "0.3"}
            if spell.kind == "lying":
                style["hatch"] = "////"
            axes.add_patch(Rectangle(corner, width, height, linewidth=0.8, zorder=2.5, **style))
            self.legend[f"agent {spell.kind}"] = Patch(linewidth=0.8, **style)

    def _flights(self, axes: Axes) -> None:
        kinds = list(dict.fromkeys(flight.kind for flight in self.diagram.flights))
        for index, kind in enumerate(kinds):
            colour = _KINDS.get(kind, _OTHER_KINDS[index % len(_OTHER_KINDS)])
            flights = [flight for flight in self.diagram.flights if flight.kind == kind]
            arrived = [flight for flight in flights if flight.fate == "delivered"]
            if arrived:
                self._arrows(axes, arrived, colour)
            self._stubs(axes, [flight for flight in flights if flight.fate != "delivered"], colour)
            self.legend[kind] = Line2D([], [], color=colour, linewidth=1.4)
        lost = [flight for flight in self.diagram.flights if flight.fate == "dropped"]
        if lost:
            x, y = zip(*(self._place(*_end(flight, self.rows)) for flight in lost), strict=True)
            self.legend["lost"] = axes.scatter(x, y, s=30, marker="x", color=_RED, linewidths=1.6, zorder=5)

    def _arrows(self, axes: Axes, flights: Sequence[Flight], colour: str) -> None:
        starts = [self._place(flight.begin, self.rows[flight.source]) for flight in flights]
        ends = [self._place(*_end(flight, self.rows)) for flight in flights]
        axes.quiver(
            *zip(*starts, strict=True),
            [end[0] - start[0] for start, end in zip(starts, ends, strict=True)],
            [end[1] - start[1] for start, end in zip(starts, ends, strict=True)],
            angles="xy",
            scale_units="xy",
            scale=1,
            units="inches",
            width=0.013,
            headwidth=6,
            headlength=7,
            headaxislength=6.5,
            minlength=0,
            color=colour,
            zorder=3,
        )

    def _stubs(self, axes: Axes, flights: Sequence[Flight], colour: str) -> None:
        """Draw packets that did not arrive: dashed, as far as they went."""
        lines = [
            [self._place(flight.begin, self.rows[flight.source]), self._place(*_end(flight, self.rows))]
            for flight in flights
        ]
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=1.1, linestyles="--", zorder=3))
        for fate, name in _FATES.items():
            ends = [self._place(*_end(flight, self.rows)) for flight in flights if flight.fate == fate]
            if ends:
                x, y = zip(*ends, strict=True)
                self.legend[name] = axes.scatter(x, y, s=40, marker="|", color="0.3", zorder=4)

    def _marks(self, axes: Axes) -> None:
        for event, (name, marker, colour, size) in _MARKS.items():
            marks = [mark for mark in self.diagram.marks if mark.event == event]
            if marks:
                x, y = zip(*(self._place(mark.time, self.rows[mark.agent]) for mark in marks), strict=True)
                style: Any = {"marker": marker, "color": colour, "edgecolors": "white", "linewidths": 0.6}
                self.legend[name] = axes.scatter(x, y, s=size, zorder=6, **style)

    def _place(self, time: float, row: float) -> tuple[float, float]:
        return (row, time) if self.upright else (time, row)


def _end(flight: Flight, rows: dict[int, int]) -> tuple[float, float]:
    """Time and row where a flight ends."""
    source, destination = rows[flight.source], rows[flight.destination]
    return flight.end, source + flight.reach * (destination - source)
