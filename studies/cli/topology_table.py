"""``testbed topologies``: graphs and the numbers that determine how fast agents reach consensus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import networkx as nx
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import topologies
from studies.text import visible
from topologies import drawing, fonts

HEADINGS = ("topology", "links", "degree", "diameter", "λ2", "w2", "penalty", "factor")


def show(console: Console, nodes: int, names: Sequence[str] | None, seed: int) -> list[str]:
    """Prints one row per family, with the reason if a family has no graph of this size.

    Args:
        console: the console to write to.
        nodes: number of nodes of each graph.
        names: families, or None for all.
        seed: seed of the random families.

    Returns:
        The families that have a graph of this size.

    Raises:
        topologies.TopologyError: a name is unknown.
    """
    table = _table(f"{nodes} nodes")
    listed, reasons = [], []
    for name in names or topologies.FAMILIES:
        try:
            graph = topologies.make(name, nodes, seed=seed)
        except topologies.TopologyError as error:
            if name not in topologies.FAMILIES:
                raise
            reasons.append(f"[bold]{name}[/]: {escape(str(error))}")
            continue
        table.add_row(name, *_numbers(graph))
        listed.append(name)
    if table.row_count:
        console.print(table)
    for reason in reasons:
        console.print(f"none of this size: {reason}")
    return listed


def show_file(console: Console, file: Path, drawn: Path | None) -> str | None:
    """Prints the row of a graph of the user's own and the names of its nodes, and draws it if asked to.

    Returns a line on characters of the drawing that no font has, if there are any.

    Args:
        console: the console to write to.
        file: the graph; it may have several parts.
        drawn: the PNG to write; None: there is no drawing.

    Raises:
        topologies.TopologyError: the file holds no graph that agents can have, or the PNG cannot be written.
    """
    graph = topologies.read(file, allow_disconnected=True)
    names = topologies.node_names(graph)
    table = _table(f"{len(graph)} nodes")
    table.add_row(escape(visible(file.name)), *_numbers(graph))
    console.print(table)
    if given := topologies.given_names(graph):
        console.print("agents are numbered, and named as in the file:")
        for node, name in given.items():
            console.print(f"  {node:>{len(str(len(graph) - 1))}}  {name}", markup=False)
    if not nx.is_connected(graph):
        parts = nx.number_connected_components(graph)
        console.print(f"it has {parts} parts: a study needs topology.allow_disconnected: true")
    if drawn is None:
        return None
    title = f"{visible(file.stem)}, {len(graph)} nodes"
    drawing.draw(graph, drawn, title=title)
    return fonts.complaint([title, *names])


def _table(title: str) -> Table:
    table = Table(
        title=title,
        caption=_CAPTION,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == HEADINGS[0] else "right", no_wrap=True)
    return table


def _numbers(graph: nx.Graph[int]) -> list[str]:
    """The cells of a graph, for all headings but the first."""
    row = topologies.spectrum.summary(graph)
    low, high = row.degree_min, row.degree_max
    return [
        str(row.edges),
        str(low) if low == high else f"{low} to {high}",
        f"{row.diameter:g}",
        f"{row.algebraic_connectivity:.3f}",
        f"{row.w2:.3f}",
        f"{row.best_penalty:.3f}",
        f"{row.best_factor:.3f}",
    ]


_CAPTION = """λ2: second smallest Laplacian eigenvalue (algebraic connectivity).
w2: second largest eigenvalue of the random-walk matrix.
penalty: ordinary ADMM's best for averaging; factor: by which its error then shrinks per round."""


def draw(name: str, nodes: int, seed: int, path: Path) -> None:
    """Draws one family's graph.

    Raises:
        topologies.TopologyError: there is no such graph, or the file cannot be made.
    """
    drawing.draw(topologies.make(name, nodes, seed=seed), path, title=f"{name}, {nodes} nodes")
