"""Construction of a graph from the name of a family and a number of nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import networkx as nx
import numpy as np

from topologies.errors import TopologyError, suggestion, whole
from topologies.registry import FAMILIES, Family

# A family connected once in a few hundred draws still works; a hopeless one ends within about a second.
DRAWS = 1000

FEWEST, WORK = 5, 1_000_000
"""Nodes and links in all draws together: large graphs get fewer draws, but at least FEWEST."""

# Isolated parts are about Poisson: a graph with 14 of them on average is connected once in a million draws.
HOPELESS = 14.0

MOST = 100_000
"""Most nodes of a graph: a typing error should not fill the memory."""


def make(
    name: str, nodes: int, *, seed: int = 0, allow_disconnected: bool = False, **parameters: object
) -> nx.Graph[int]:
    """Return the graph of family `name` on the nodes 0..nodes-1, its links in ascending order.

    Random families are drawn from `seed` (and the family's name: two families never share draws), repeatedly
    until the graph is connected: at most DRAWS times, fewer where that is hopeless or the graphs are large.
    With `allow_disconnected` the first draw is returned. The other families do not use `seed`. `graph.graph`
    has `family` and `parameters` (all of them, with the values used); `random_geometric` nodes have their
    position in `pos`.

    Raises TopologyError for an unknown name or parameter, a value out of range, a number of nodes for which
    the family has no graph or one of more than MOST_LINKS links, or numbers for which no connected graph was
    found.
    """
    if not isinstance(name, str) or name not in FAMILIES:
        hint = suggestion(str(name), FAMILIES)
        raise TopologyError(f"name: {name!r} is not a topology{hint}; one of {', '.join(FAMILIES)}")
    family = FAMILIES[name]
    for parameter in parameters:
        if parameter not in family.parameters:
            allowed = ", ".join(family.parameters) or "no parameters"
            hint = suggestion(parameter, family.parameters)
            raise TopologyError(f"not a parameter of {name}{hint}, which takes {allowed}", field=parameter)
    count = whole("nodes", nodes, minimum=2)
    if count > MOST:
        raise TopologyError(f"{nodes} are more than the {MOST:,} that a graph can have", field="nodes")
    start = whole("seed", seed, minimum=0)
    chosen = {**family.parameters, **parameters}
    if family.random:
        graph = _draw(family, count, start, allow_disconnected, chosen)
    else:
        graph = family.build(count, **chosen)
    return in_order(graph, {"family": name, "parameters": {**chosen, **graph.graph}})


def in_order(graph: nx.Graph[int], facts: Mapping[str, object]) -> nx.Graph[int]:
    """Return a copy with nodes ascending, links (u < v) ascending, and `facts` for its graph attributes.

    Iteration over nodes or links then has one order, regardless of how the graph was made.
    """
    ordered: nx.Graph[int] = nx.Graph()
    ordered.graph.update(facts)
    ordered.add_nodes_from((node, graph.nodes[node]) for node in sorted(graph))
    ordered.add_edges_from(
        (u, v, graph.edges[u, v]) for u, v in sorted((min(edge), max(edge)) for edge in graph.edges)
    )
    return ordered


def _draw(
    family: Family, nodes: int, seed: int, allow_disconnected: bool, parameters: Mapping[str, object]
) -> nx.Graph[int]:
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(family.name.encode())))
    work = parts = draws = 0
    while draws < DRAWS and (draws < FEWEST or work < WORK) and not _is_hopeless(parts, draws):
        graph = family.build(nodes, generator, **parameters)
        if allow_disconnected or nx.is_connected(graph):
            return graph
        draws += 1
        parts += nx.number_connected_components(graph) - 1
        work += nodes + graph.number_of_edges()
    numbers = ", ".join(f"{name} {value}" for name, value in parameters.items())
    raise TopologyError(
        f"{family.name}: none of {draws} graphs with {nodes} nodes and {numbers} was connected (they have"
        f" {1 + parts / draws:.0f} parts on average); ask for more links or fewer nodes, or"
        " allow_disconnected"
    )


def _is_hopeless(parts: int, draws: int) -> bool:
    """Whether the mean number of isolated parts is above HOPELESS by three standard errors."""
    if draws == 0:
        return False
    mean = parts / draws
    return mean - 3 * math.sqrt(mean / draws) > HOPELESS
