"""The random families: one draw each, from a seed; topologies.families redraws until the graph is connected.

Every builder takes the number of nodes (at least 2, already checked), a numpy Generator and the family's own
parameters under NetworkX's names, and returns a graph on 0..nodes-1 that may be disconnected.
"""

from __future__ import annotations

import math
import random
from typing import Any

import networkx as nx
import numpy as np

from topologies.errors import TopologyError, few_links, listed, positive, share, whole
from topologies.registry import family

WORK = 2_000_000
"""Most draws of one graph (a second or two), where an algorithm tries until it succeeds."""

_PAIRS = 2_000_000
"""Number of pairs of nodes whose distances are computed together."""


@family
def random_regular(nodes: int, generator: np.random.Generator, d: object = 3) -> nx.Graph[int]:
    """A random graph in which every node has `d` neighbours (NetworkX: Steger & Wormald 1999).

    That algorithm restarts whenever it reaches a dead end, which is nearly always with `d` close to the
    number of nodes: the complement of a random graph with few links is drawn then.
    """
    links = whole("d", d, minimum=1)
    if links >= nodes:
        raise TopologyError(f"{links} is not below the number of nodes, {nodes}", field="d")
    if nodes * links % 2:
        around = [value for value in (links - 1, links + 1) if 1 <= value < nodes]
        raise TopologyError(
            f"{links} times {nodes} nodes is odd, so no such graph exists; "
            f"d {listed(around, 'or')}, or {nodes - 1} or {nodes + 1} nodes, would work",
            field="d",
        )
    if links == 1 and nodes > 2:
        raise TopologyError("1 only links nodes in pairs: must be at least 2", field="d")
    few_links(nodes * links / 2)
    seed = _seed(generator)
    missing = nodes - 1 - links
    if missing == 0:
        everyone: nx.Graph[int] = nx.complete_graph(nodes)
        return everyone
    # Measured: with so few pairs left out, not one attempt in ten thousand succeeds.
    hopeless = (nodes >= 40 and missing <= nodes / 10) or (nodes >= 128 and missing <= nodes / 5)
    graph = None if hopeless else _regular(nodes, links, seed)
    if graph is None and missing < links:
        few = _regular(nodes, missing, seed)
        graph = None if few is None else nx.complement(few)
    if graph is None:
        raise TopologyError(
            f"no graph with {nodes} nodes and d {links} was found; must be smaller", field="d"
        )
    return graph


@family
def erdos_renyi(nodes: int, generator: np.random.Generator, p: object = 0.3) -> nx.Graph[int]:
    """Every pair linked with probability `p`, independently (NetworkX: Batagelj & Brandes 2005)."""
    chosen = share("p", p)
    few_links(chosen * math.comb(nodes, 2))
    graph: nx.Graph[int] = nx.fast_gnp_random_graph(nodes, chosen, seed=_seed(generator))
    return graph


@family
def watts_strogatz(
    nodes: int, generator: np.random.Generator, k: object = 4, p: object = 0.2
) -> nx.Graph[int]:
    """A ring lattice with `k` links per node, each rewired with probability `p` (Watts & Strogatz 1998)."""
    links = whole("k", k, minimum=2)
    if links % 2 or links >= nodes:
        raise TopologyError(f"{links} is not an even number below the number of nodes, {nodes}", field="k")
    chosen = share("p", p)
    few_links(nodes * links / 2)
    most = WORK + 2 * nodes * links
    try:
        # A rewired link tries one node after another until it finds one not linked yet.
        if chosen * nodes * links * nodes / (nodes - links) > most:
            raise _TooLongError
        graph: nx.Graph[int] = nx.watts_strogatz_graph(
            nodes, links, chosen, seed=_Counted(_seed(generator), most)
        )
    except _TooLongError:
        raise TopologyError(
            f"{links} of {nodes - 1} other nodes leaves too few targets to rewire links to with p"
            f" {chosen:g}; k or p must be smaller",
            field="k",
        ) from None
    return graph


@family
def barabasi_albert(nodes: int, generator: np.random.Generator, m: object = 2) -> nx.Graph[int]:
    """Nodes arrive one by one with `m` links to nodes of high degree (Barabási & Albert 1999)."""
    links = whole("m", m, minimum=1)
    if links >= nodes:
        raise TopologyError(f"{links} is not below the number of nodes, {nodes}", field="m")
    few_links(links * (nodes - links))
    return nx.barabasi_albert_graph(nodes, links, seed=_seed(generator))


@family
def random_geometric(nodes: int, generator: np.random.Generator, radius: object = 0.4) -> nx.Graph[int]:
    """Nodes uniform in the unit square (node attribute `pos`), linked when at most `radius` apart."""
    reach = positive("radius", radius)
    places = generator.random((nodes, 2))
    few_links(min(1.0, math.pi * reach**2 / 4) * math.comb(nodes, 2))  # at a corner: fewest neighbours
    # nx.random_geometric_graph uses another algorithm when SciPy is present, and a slow one when it is not.
    graph: nx.Graph[int] = nx.empty_graph(nodes)
    order = np.argsort(places[:, 0], kind="stable")
    across = places[order, 0]
    widest = reach * (1 + 1e-9)  # rounding must not hide a pair
    rows = max(1, _PAIRS // nodes)
    links = 0
    for start in range(0, nodes, rows):
        some = order[start : start + rows]
        end = int(np.searchsorted(across, places[some[-1], 0] + widest, side="right"))
        others = order[start:end]
        apart = np.linalg.norm(places[some][:, None] - places[others][None], axis=-1)
        near = np.argwhere(np.triu(apart <= reach, k=1))
        links += len(near)
        few_links(links)
        graph.add_edges_from((int(some[i]), int(others[j])) for i, j in near)
    nx.set_node_attributes(graph, {node: (float(x), float(y)) for node, (x, y) in enumerate(places)}, "pos")
    return graph


class _TooLongError(Exception):
    """An algorithm that tries until it succeeds has not succeeded."""


class _Counted(random.Random):
    """Python's generator as NetworkX uses it; it stops an algorithm that makes more than `most` draws."""

    def __init__(self, seed: int, most: int) -> None:
        super().__init__(seed)
        self.left = most

    def choice(self, seq: Any) -> Any:
        self._spend(1)
        return super().choice(seq)

    def shuffle(self, x: Any) -> None:
        self._spend(len(x))
        super().shuffle(x)

    def _spend(self, draws: int) -> None:
        self.left -= draws
        if self.left < 0:
            raise _TooLongError


def _regular(nodes: int, degree: int, seed: int) -> nx.Graph[int] | None:
    """A random regular graph, or None if that takes too long."""
    try:
        graph: nx.Graph[int] = nx.random_regular_graph(
            degree, nodes, seed=_Counted(seed, WORK + 10 * nodes * degree)
        )
    except _TooLongError:
        return None
    return graph


def _seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**32))
