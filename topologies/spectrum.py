"""Spectral properties of a graph, which bound how fast agents on it can agree."""

from __future__ import annotations

import math
from dataclasses import dataclass

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.admm_rate import adjacency, best_penalty
from topologies.errors import TopologyError


@dataclass(frozen=True)
class Spectrum:
    """One line of numbers about a graph.

    `diameter` is the longest shortest path in links (inf if the graph is not connected).
    `algebraic_connectivity` is the second smallest eigenvalue of the Laplacian D - A (Fiedler 1973).
    `w2` is the second largest eigenvalue of the random-walk matrix D^-1 A, equally of D^-1/2 A D^-1/2.
    `best_penalty` is the penalty with which ordinary ADMM agrees fastest on a mean, `best_factor` the factor
    by which its error then shrinks per round in the long run (nan and 1 if the graph is not connected).
    """

    nodes: int
    edges: int
    degree_min: int
    degree_max: int
    diameter: float
    algebraic_connectivity: float
    w2: float
    best_penalty: float
    best_factor: float


def summary(graph: nx.Graph[int]) -> Spectrum:
    """Return the Spectrum of an undirected graph of at least two nodes; edge weights are ignored.

    Raises TopologyError for a graph with fewer than two nodes, directions, parallel links or self-loops.
    """
    links = _checked_adjacency(graph)
    degrees = links.sum(axis=1)
    connected = nx.is_connected(graph)
    # An isolated node's walk stays at the node.
    scale = 1 / np.sqrt(np.maximum(degrees, 1))
    walk = scale[:, None] * links * scale + np.diag((degrees == 0).astype(float))
    w2 = float(np.linalg.eigvalsh(walk)[-2])
    penalty, factor = best_penalty(graph, w2) if connected else (math.nan, 1.0)
    return Spectrum(
        nodes=len(graph),
        edges=graph.number_of_edges(),
        degree_min=int(degrees.min()),
        degree_max=int(degrees.max()),
        diameter=nx.diameter(graph) if connected else math.inf,
        algebraic_connectivity=float(np.linalg.eigvalsh(np.diag(degrees) - links)[1]) if connected else 0.0,
        w2=w2,
        best_penalty=penalty,
        best_factor=factor,
    )


def metropolis_weights(graph: nx.Graph[int]) -> NDArray[np.float64]:
    """Return the Metropolis averaging matrix [nodes, nodes]: symmetric, doubly stochastic, nodes ascending.

    W_ij = 1 / (1 + max(d_i, d_j)) on links, W_ii the rest. Source: Xiao, Boyd & Lall 2005, "A scheme for
    robust distributed sensor fusion based on average consensus".

    Raises TopologyError as `summary` does.
    """
    links = _checked_adjacency(graph)
    degrees = links.sum(axis=1)
    weights: NDArray[np.float64] = links / (1 + np.maximum(degrees[:, None], degrees))
    np.fill_diagonal(weights, 1 - weights.sum(axis=1))
    return weights


def _checked_adjacency(graph: nx.Graph[int]) -> NDArray[np.float64]:
    if len(graph) < 2:
        raise TopologyError(f"{len(graph)} nodes; at least 2 are needed", field="graph")
    if graph.is_directed() or graph.is_multigraph() or nx.number_of_selfloops(graph):
        raise TopologyError(
            "directions, parallel links or self-loops; a simple undirected graph is needed", field="graph"
        )
    return adjacency(graph)
