"""Graphs that change from round to round."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from topologies.errors import whole

Round = tuple[tuple[int, int], ...]


def one_peer_exponential(nodes: int) -> Iterator[Round]:
    """Yield the rounds of the one-peer exponential graph without end: links (source, destination), n a round.

    In round t every node i hears node i + 2^(t mod T) (modulo nodes), T = ceil(log2 nodes), so everyone sends
    to one peer and hears one. When `nodes` is a power of two, T rounds in which everyone takes the mean of
    itself and what it hears give everyone the exact mean of all. All links are in the family `exponential`.

    Source: Ying et al. 2021, "Exponential graph is provably efficient for decentralized deep training"
    (arXiv 2110.13363). Raises TopologyError unless `nodes` is a whole number of at least 2.
    """
    count = whole("nodes", nodes, minimum=2)
    rounds = [
        tuple(((node + 2**k) % count, node) for node in range(count)) for k in range((count - 1).bit_length())
    ]
    return itertools.cycle(rounds)


def averaging_weights(nodes: int, links: Iterable[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the matrix [nodes, nodes] by which each node takes the plain mean of itself and all it hears.

    `links` are pairs (source, destination); row i weighs what node i ends up with.
    """
    weights: NDArray[np.float64] = np.eye(nodes)
    for source, destination in links:
        weights[destination, source] = 1.0
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
