"""``testbed topologies``: graphs and the numbers that determine how fast agents reach consensus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import topologies
from topologies import drawing

HEADINGS = ("topology", "links", "degree", "diameter", "λ2", "w2", "penalty", "factor")


def show(console: Console, nodes: int, names: Sequence[str] | None, seed: int) -> None:
    """Prints one row per family, with the reason if a family has no graph of this size.

    Args:
        console: the console to write to.
        nodes: number of nodes of each graph.
        names: families, or None for all.
        seed: seed of the random families.

    Raises:
        topologies.TopologyError: a name is unknown.
    """
    table = Table(
        title=f"{nodes} nodes",
        caption=_CAPTION,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == HEADINGS[0] else "right", no_wrap=True)
    reasons = []
    for name in names or topologies.FAMILIES:
        try:
            graph = topologies.make(name, nodes, seed=seed)
        except topologies.TopologyError as error:
            if name not in topologies.FAMILIES:
                raise
            reasons.append(f"[bold]{name}[/]: {escape(str(error))}")
            continue
        row = topologies.spectrum.summary(graph)
        low, high = row.degree_min, row.degree_max
        table.add_row(
            name,
            str(row.edges),
            str(low) if low == high else f"{low} to {high}",
            f"{row.diameter:g}",
            f"{row.algebraic_connectivity:.3f}",
            f"{row.w2:.3f}",
            f"{row.best_penalty:.3f}",
            f"{row.best_factor:.3f}",
        )
    if table.row_count:
        console.print(table)
    for reason in reasons:
        console.print(f"none of this size: {reason}")


_CAPTION = """λ2: second smallest Laplacian eigenvalue (algebraic connectivity).
w2: second largest eigenvalue of the random walk's matrix.
penalty: ordinary ADMM's best for averaging; factor: by which its error then shrinks per round."""


def draw(name: str, nodes: int, seed: int, path: Path) -> None:
    """Draws one family's graph.

    Raises:
        topologies.TopologyError: there is no such graph, or the file cannot be made.
    """
    drawing.draw(topologies.make(name, nodes, seed=seed), path, title=f"{name}, {nodes} nodes")
