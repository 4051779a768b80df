"""The deterministic families: one graph for each number of nodes, or a clear refusal.

Every builder takes the number of nodes (at least 2, already checked) and the family's own parameters,
returns a graph on 0..nodes-1 whose graph attributes are the parameters that it chose itself, and raises
TopologyError when no such graph exists, naming the numbers that work.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import networkx as nx

from topologies.errors import TopologyError, few_links, listed, whole
from topologies.registry import family


@family
def ring(nodes: int) -> nx.Graph[int]:
    """Each node linked to the next and the last to the first."""
    if nodes < 3:
        raise TopologyError(
            f"{nodes} is too few for a ring, which needs at least 3; a path needs 2", field="nodes"
        )
    graph: nx.Graph[int] = nx.cycle_graph(nodes)
    return graph


@family
def path(nodes: int) -> nx.Graph[int]:
    """A line: each node linked to the next."""
    graph: nx.Graph[int] = nx.path_graph(nodes)
    return graph


@family
def star(nodes: int, center: object = 0) -> nx.Graph[int]:
    """Node `center` linked to every other node."""
    middle = whole("center", center, minimum=0)
    if middle >= nodes:
        raise TopologyError(f"{middle} is not a node, must be from 0 to {nodes - 1}", field="center")
    graph: nx.Graph[int] = nx.star_graph([middle, *(node for node in range(nodes) if node != middle)])
    return graph


@family
def complete(nodes: int) -> nx.Graph[int]:
    """Every pair linked."""
    few_links(math.comb(nodes, 2))
    graph: nx.Graph[int] = nx.complete_graph(nodes)
    return graph


@family
def grid(nodes: int, rows: object = None, columns: object = None) -> nx.Graph[int]:
    """A lattice with node row * columns + column at (row, column); most square unless a side is given."""
    height, width = _sides("grid", nodes, rows, columns, smallest=2, smallest_given=1)
    return _numbered_lattice(height, width, periodic=False)


@family
def torus(nodes: int, rows: object = None, columns: object = None) -> nx.Graph[int]:
    """A lattice with opposite sides joined: every node has four neighbours, so both sides are at least 3."""
    height, width = _sides("torus", nodes, rows, columns, smallest=3, smallest_given=3)
    return _numbered_lattice(height, width, periodic=True)


@family
def hypercube(nodes: int) -> nx.Graph[int]:
    """Nodes linked when their binary numbers differ in one digit; the number of nodes is a power of two."""
    dimension = nodes.bit_length() - 1
    if nodes != 2**dimension:
        around = f"{2**dimension} and {2 ** (dimension + 1)}"
        raise TopologyError(
            f"{nodes} is not a power of two, as a hypercube needs; the nearest are {around}", field="nodes"
        )
    cube: nx.Graph[int] = nx.empty_graph(nodes)
    # nx.hypercube_graph names nodes by tuples of digits; numbering them here keeps digit k = bit k.
    cube.add_edges_from((node, node ^ 1 << bit) for node in range(nodes) for bit in range(dimension))
    return cube


@family
def balanced_tree(nodes: int, r: object = 2) -> nx.Graph[int]:
    """A tree with root 0, every inner node with `r` children and all leaves at one depth."""
    children = whole("r", r, minimum=1)
    sizes = [1]
    while sizes[-1] < nodes:
        sizes.append(sizes[-1] * children + 1)
    if sizes[-1] != nodes:
        around = [size for size in sizes[-2:] if size >= 2]
        raise TopologyError(
            f"{nodes} cannot form a balanced tree with r {children}; {listed(around)} can",
            field="nodes",
        )
    return nx.balanced_tree(children, len(sizes) - 1)


@family
def barbell(nodes: int, m1: object = None, m2: object = None) -> nx.Graph[int]:
    """Two complete graphs of `m1` nodes joined by a path of `m2` further nodes.

    Unless given, the path is as short as possible: no node when `nodes` is even, one when it is odd.
    """
    if nodes < 6:
        raise TopologyError(
            f"{nodes} is too few for a barbell, which needs at least 6 (two triangles)", field="nodes"
        )
    if m1 is not None:
        bell = whole("m1", m1, minimum=3)
        middle = nodes - 2 * bell if m2 is None else whole("m2", m2, minimum=0)
    else:
        middle = nodes % 2 if m2 is None else whole("m2", m2, minimum=0)
        bell = (nodes - middle) // 2
    if bell < 3 or middle < 0 or 2 * bell + middle != nodes:
        given = {"m1": m1, "m2": m2}
        asked = [f"{name} {value}" for name, value in given.items() if value is not None]
        raise TopologyError(
            f"{nodes} cannot form a barbell with {listed(asked)}; "
            "2 * m1 + m2 must be nodes, m1 at least 3 and m2 at least 0",
            field="nodes",
        )
    few_links(2 * math.comb(bell, 2) + middle + 1)
    graph = nx.barbell_graph(bell, middle)
    graph.graph.update(m1=bell, m2=middle)
    return graph


@family
def exponential(nodes: int) -> nx.Graph[int]:
    """Node i linked to i +- 1, 2, 4, ... (modulo nodes): the static exponential graph.

    Source: Ying et al. 2021, "Exponential graph is provably efficient for decentralized deep training"
    (arXiv 2110.13363), its directed links made two-way. Its one-peer rounds are in topologies.schedules.
    """
    return nx.circulant_graph(nodes, [2**k for k in range((nodes - 1).bit_length())])


def _numbered_lattice(rows: int, columns: int, *, periodic: bool) -> nx.Graph[int]:
    lattice = nx.grid_2d_graph(rows, columns, periodic=periodic)
    numbered = nx.relabel_nodes(lattice, {(i, j): i * columns + j for i, j in lattice})
    numbered.graph.update(rows=rows, columns=columns)
    return numbered


def _sides(
    family: str, nodes: int, rows: object, columns: object, *, smallest: int, smallest_given: int
) -> tuple[int, int]:
    """Return (rows, columns) with product `nodes`: as given, or most square with rows <= columns."""
    given = {
        name: whole(name, value, smallest_given)
        for name, value in (("rows", rows), ("columns", columns))
        if value is not None
    }
    if not given:
        square = _most_square(nodes, smallest)
        if square is not None:
            return square
        around = _around(nodes, lambda count: _most_square(count, smallest) is not None)
        line = ", or set rows: 1 for a single line" if smallest_given == 1 else ""
        raise TopologyError(
            f"{nodes} cannot form a {family} with both sides at least {smallest}; the nearest that "
            f"can {'are' if len(around) > 1 else 'is'} {listed(around)}{line}",
            field="nodes",
        )
    height = given["rows"] if "rows" in given else nodes // given["columns"]
    width = given["columns"] if "columns" in given else nodes // height
    if height * width != nodes or min(height, width) < smallest_given:
        asked = listed([f"{name} {value}" for name, value in given.items()])
        raise TopologyError(
            f"{nodes} cannot form a {family} with {asked}; "
            f"rows * columns must be nodes, both at least {smallest_given}",
            field="nodes",
        )
    return height, width


def _most_square(nodes: int, smallest: int) -> tuple[int, int] | None:
    for rows in range(math.isqrt(nodes), smallest - 1, -1):
        if nodes % rows == 0:
            return rows, nodes // rows
    return None


def _around(nodes: int, works: Callable[[int], bool]) -> list[int]:
    """Return the nearest count below (if there is one) and the nearest above `nodes` that work."""
    below = next((count for count in range(nodes - 1, 1, -1) if works(count)), None)
    above = next(count for count in range(nodes + 1, 2 * nodes + 10) if works(count))
    return [above] if below is None else [below, above]
