"""The random families: one draw each, from a seed; topologies.families redraws until the graph is connected.

Every builder takes the number of nodes (at least 2, already checked), a numpy Generator and the family's own
parameters under NetworkX's names, and returns a graph on 0..nodes-1 that may be disconnected.
"""

from __future__ import annotations

import networkx as nx
import numpy as np

from topologies.errors import TopologyError, listed, positive, share, whole


def random_regular(nodes: int, generator: np.random.Generator, d: object = 3) -> nx.Graph[int]:
    """A random graph in which everyone has `d` neighbours (NetworkX: Steger & Wormald 1999)."""
    links = whole("d", d, minimum=1)
    if links >= nodes:
        raise TopologyError(f"d: {links} is not below the number of nodes, {nodes}")
    if nodes * links % 2:
        around = [value for value in (links - 1, links + 1) if 1 <= value < nodes]
        raise TopologyError(
            f"d: {links} times {nodes} nodes is odd, so no such graph exists; "
            f"d {listed(around, 'or')}, or {nodes - 1} or {nodes + 1} nodes, would do"
        )
    graph: nx.Graph[int] = nx.random_regular_graph(links, nodes, seed=_seed(generator))
    return graph


def erdos_renyi(nodes: int, generator: np.random.Generator, p: object = 0.3) -> nx.Graph[int]:
    """Every pair linked with probability `p`, independently (NetworkX: Batagelj & Brandes 2005)."""
    chosen = share("p", p)
    graph: nx.Graph[int] = nx.fast_gnp_random_graph(nodes, chosen, seed=_seed(generator))
    return graph


def watts_strogatz(
    nodes: int, generator: np.random.Generator, k: object = 4, p: object = 0.2
) -> nx.Graph[int]:
    """A ring lattice, `k` links a node, each rewired with probability `p` (Watts & Strogatz 1998)."""
    links = whole("k", k, minimum=2)
    if links % 2 or links >= nodes:
        raise TopologyError(f"k: {links} is not an even number below the number of nodes, {nodes}")
    chosen = share("p", p)
    graph: nx.Graph[int] = nx.watts_strogatz_graph(nodes, links, chosen, seed=_seed(generator))
    return graph


def barabasi_albert(nodes: int, generator: np.random.Generator, m: object = 2) -> nx.Graph[int]:
    """Nodes arrive one by one with `m` links to nodes of high degree (Barabási & Albert 1999)."""
    links = whole("m", m, minimum=1)
    if links >= nodes:
        raise TopologyError(f"m: {links} is not below the number of nodes, {nodes}")
    return nx.barabasi_albert_graph(nodes, links, seed=_seed(generator))


def random_geometric(nodes: int, generator: np.random.Generator, radius: object = 0.4) -> nx.Graph[int]:
    """Nodes uniform in the unit square (node attribute `pos`), linked when at most `radius` apart."""
    reach = positive("radius", radius)
    places = generator.random((nodes, 2))
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    # nx.random_geometric_graph takes another road when SciPy is present, and a slow one when it is not.
    graph: nx.Graph[int] = nx.empty_graph(nodes)
    graph.add_edges_from((int(u), int(v)) for u, v in np.argwhere(np.triu(apart <= reach, k=1)))
    nx.set_node_attributes(graph, {node: (float(x), float(y)) for node, (x, y) in enumerate(places)}, "pos")
    return graph


def _seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**32))
