"""Graphs that change from round to round."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.errors import whole

Round = tuple[tuple[int, int], ...]


def one_peer_exponential(nodes: int) -> Iterator[Round]:
    """Yield the rounds of the one-peer exponential graph without end: n links (source, destination) per
    round.

    In round t every node i hears node i + 2^(t mod T) (modulo nodes), T = ceil(log2 nodes), so every node
    sends to one peer and hears one. When `nodes` is a power of two, T rounds in which every node takes the
    mean of itself and the peer it hears give every node the exact mean of all. All links are in the family
    `exponential`.

    Source: Ying et al. 2021, "Exponential graph is provably efficient for decentralized deep training"
    (arXiv 2110.13363). Raises TopologyError unless `nodes` is a whole number of at least 2.
    """
    count = whole("nodes", nodes, minimum=2)
    rounds = [
        tuple(((node + 2**k) % count, node) for node in range(count)) for k in range((count - 1).bit_length())
    ]
    return itertools.cycle(rounds)


def averaging_weights(nodes: int, links: Iterable[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the matrix [nodes, nodes] by which each node averages itself and all nodes it hears.

    `links` are pairs (source, destination); row i has the weights of node i's result.
    """
    weights: NDArray[np.float64] = np.eye(nodes)
    for source, destination in links:
        weights[destination, source] = 1.0
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


class JointConnectivity:
    """Share of windows of `window` successive rounds whose union is strongly connected.

    Algorithms on changing graphs converge when all such windows do (Jadbabaie, Lin & Morse 2003).
    """

    def __init__(self, nodes: Iterable[int], window: int) -> None:
        """Raises TopologyError unless `window` is a whole number of at least 1."""
        self.nodes = sorted(nodes)
        self.window = whole("window", window, minimum=1)
        self.windows = 0
        """Windows seen so far; they overlap."""
        self.connected = 0
        """Windows that are connected."""
        self._rounds: deque[Round] = deque()
        self._counts: Counter[tuple[int, int]] = Counter()
        self._last: tuple[frozenset[tuple[int, int]], bool] | None = None

    def add(self, links: Iterable[tuple[int, int]]) -> None:
        """Add the next round: its links (source, destination), two-way links in both directions."""
        links = tuple(links)
        self._rounds.append(links)
        self._counts.update(links)
        if len(self._rounds) > self.window:
            self._counts.subtract(self._rounds.popleft())
            self._counts = +self._counts
        if len(self._rounds) == self.window:
            self.windows += 1
            self.connected += self._reaches(frozenset(self._counts))

    def _reaches(self, union: frozenset[tuple[int, int]]) -> bool:
        if self._last is None or self._last[0] != union:
            graph: nx.DiGraph[int] = nx.DiGraph()
            graph.add_nodes_from(self.nodes)
            graph.add_edges_from(union)
            self._last = union, nx.is_strongly_connected(graph)
        return self._last[1]

    @property
    def share(self) -> float:
        """Connected windows among those seen; nan before there is a full window."""
        return self.connected / self.windows if self.windows else float("nan")

    def state_dict(self) -> dict[str, Any]:
        """Its state, JSON-able."""
        rounds = [[list(link) for link in links] for links in self._rounds]
        return {"windows": self.windows, "connected": self.connected, "rounds": rounds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that `state_dict` gave."""
        self.windows, self.connected = state["windows"], state["connected"]
        self._rounds = deque(tuple((u, v) for u, v in links) for links in state["rounds"])
        self._counts = Counter(link for links in self._rounds for link in links)
