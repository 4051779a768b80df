"""Convergence rate of ADMM on a graph: its exact recursion on the mean problem, and the best penalty.

Each node i holds a number and wants the mean of all, f_i(s) = (s - a_i)^2 / 2. Relaxed ADMM (Bastianello,
Carli, Schenato & Todescato 2021, "Asynchronous distributed optimization over lossy networks via relaxed
ADMM") keeps one z_ij for each neighbour j:

    s_i = (a_i + sum_j z_ij) / (1 + penalty d_i)
    z_ji <- (1 - relaxation) z_ji + relaxation (2 penalty s_i - z_ij)

From z = 0 the z_ij stay of the form u_i + v_j, so errors follow a linear map on (u, v), with relaxation 1

    u <- -v        v <- -u + 2 penalty (1 + penalty D)^-1 (D u + A v)

whose eigenvalues r are the modes here; with any relaxation a mode's factor is 1 - relaxation + relaxation r.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import networkx as nx
import numpy as np
from numpy.typing import NDArray

# The coarse search goes from 2^-3 to 2^6 times the best penalty of a regular graph, 6 steps per octave:
# on irregular graphs the factor can have two valleys, a fraction of an octave apart.
_GRID = np.log(2) * np.arange(-18, 37) / 6
_TOLERANCE = 1e-7
_GOLDEN = (math.sqrt(5) - 1) / 2


def modes(graph: nx.Graph[int], penalty: float) -> NDArray[np.complex128]:
    """Return the eigenvalues r of the recursion with relaxation 1 on a connected graph, except consensus.

    Excluded are the pairs (u, v) that leave every z_ij unchanged: u = -v constant (r = 1), and on a bipartite
    graph u = v of opposite sign on the two sides (r = -1). Hence 2n - 1 or 2n - 2 numbers for n nodes.
    One eigenvalue problem of a dense 2n x 2n matrix.
    """
    return _modes(adjacency(graph), nx.is_bipartite(graph), penalty)


def factor(graph: nx.Graph[int], penalty: float, relaxation: float = 0.5) -> float:
    """Return the factor by which the error shrinks per round in the long run, on a connected graph.

    0 < relaxation < 1, where 1/2 is ordinary ADMM. With a share p of messages lost at random, the expected
    error shrinks as it would with relaxation (1 - p) times as large.
    """
    return _largest(modes(graph, penalty), relaxation)


def best_penalty(graph: nx.Graph[int], w2: float) -> tuple[float, float]:
    """Return the penalty with the smallest factor for ordinary ADMM (relaxation 1/2), and that factor.

    `w2` is the second largest eigenvalue of D^-1/2 A D^-1/2 of the connected `graph`.

    With all degrees d, a mode of A/d with eigenvalue w has r = b w +- sqrt(b^2 w^2 - 2 b + 1), where
    b = penalty d / (1 + penalty d). The best penalty is 1 / (d sqrt(1 - w2^2)): r is a double root b w2.
    Only complete graphs have w2 < 0; there r = 2 b - 1 (w = 1) takes over at b = 1/2, which is as for w2 = 0.
    On other graphs: a coarse, then golden-section searches over log(penalty); some hundred dense 2n x 2n
    eigenvalue problems (n = 16: 0.05 s, n = 128: seconds).
    """
    links = adjacency(graph)
    degrees = links.sum(axis=1)
    w = max(w2, 0.0)
    root = math.sqrt(1 - w * w)
    guess = 1 / (float(degrees.mean()) * root)
    if degrees.min() == degrees.max():
        return guess, (1 + w / (1 + root)) / 2
    bipartite = nx.is_bipartite(graph)

    def at(log_penalty: float) -> float:
        return _largest(_modes(links, bipartite, math.exp(log_penalty)), 0.5)

    grid = [math.log(guess) + float(step) for step in _GRID]
    values = [at(log_penalty) for log_penalty in grid]
    valleys = [
        _lowest(at, low, high)
        for (low, _, high), (left, middle, right) in zip(_triples(grid), _triples(values), strict=True)
        if middle <= min(left, right)
    ]
    value, log_penalty = min(valleys)
    return math.exp(log_penalty), value


def adjacency(graph: nx.Graph[int]) -> NDArray[np.float64]:
    """Return the matrix [nodes, nodes] with 1 for each link, rows in ascending order of the nodes."""
    row = {node: index for index, node in enumerate(sorted(graph))}
    matrix = np.zeros((len(row), len(row)))
    for u, v in graph.edges:
        matrix[row[u], row[v]] = matrix[row[v], row[u]] = 1.0
    return matrix


def _triples(row: list[float]) -> list[tuple[float, float, float]]:
    """Return each entry between its neighbours; an entry at the end is its own neighbour there."""
    return list(zip([row[0], *row[:-1]], row, [*row[1:], row[-1]], strict=True))


def _lowest(at: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """Return (value, place) at the bottom of a valley by golden-section search: the bottom may be a kink."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = at(left), at(right)
    while high - low > _TOLERANCE:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = at(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = at(right)
    return min((at_left, left), (at_right, right))


def _modes(links: NDArray[np.float64], bipartite: bool, penalty: float) -> NDArray[np.complex128]:
    n = len(links)
    degrees = links.sum(axis=1)
    gain = 2 * penalty / (1 + penalty * degrees)
    recursion = np.zeros((2 * n, 2 * n))
    recursion[:n, n:] = -np.eye(n)
    recursion[n:, :n] = np.diag(gain * degrees - 1)
    recursion[n:, n:] = gain[:, None] * links
    r = np.linalg.eigvals(recursion).astype(np.complex128)
    # Both are simple eigenvalues, so the nearest to each is the one to exclude.
    r = np.delete(r, np.argmin(np.abs(r - 1)))
    return np.delete(r, np.argmin(np.abs(r + 1))) if bipartite else r


def _largest(r: NDArray[np.complex128], relaxation: float) -> float:
    return float(np.abs(1 - relaxation + relaxation * r).max())
