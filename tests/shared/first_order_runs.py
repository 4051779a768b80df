"""First-order methods in synchronous rounds, and the data that their dense references use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

import topologies
from testbed.consensus.consensus_run import ConsensusRun
from testbed.consensus.problems.base import ConsensusProblem
from testbed.consensus.problems.least_squares import least_squares_problem
from testbed.consensus.problems.smooth import SmoothProblem
from testbed.consensus.registry import make_consensus
from testbed.consensus.result import ConsensusResult
from testbed.consensus.settings import ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams

METHODS = ["dgd", "extra", "gradient_tracking", "nids", "dsgd"]


@dataclass
class Quadratics:
    """Agents with the objectives s . H_i s / 2 - c_i . s: hessians [n, m, m], linear terms [n, m]."""

    problem: ConsensusProblem
    hessians: np.ndarray
    linear: np.ndarray

    @property
    def smoothness(self) -> float:
        """L, the largest over the agents."""
        return float(np.linalg.eigvalsh(self.hessians).max())

    def gradients(self, x: np.ndarray) -> np.ndarray:
        """Each agent's at its row of x [n, m]."""
        return np.einsum("imk,ik->im", self.hessians, x) - self.linear

    def end_of_dgd(self, weights: np.ndarray, step: float) -> np.ndarray:
        """The x [n, m] with x = W x - step g(x)."""
        agents, dimension = self.linear.shape
        matrix = np.kron(np.eye(agents) - weights, np.eye(dimension))
        for i, hessian in enumerate(self.hessians):
            part = slice(i * dimension, (i + 1) * dimension)
            matrix[part, part] += step * hessian
        return np.linalg.solve(matrix, step * self.linear.ravel()).reshape(agents, dimension)


def quadratics(agents: int, dimension: int = 3, rows: int = 12, seed: int = 0) -> Quadratics:
    """A linear regression whose rows are divided among the agents."""
    generator = np.random.default_rng(seed)
    left = generator.standard_normal((agents, rows, dimension)) / np.sqrt(rows)
    right = left @ np.ones(dimension) + generator.standard_normal((agents, rows)) / np.sqrt(rows)
    problem = least_squares_problem(left, right)
    return Quadratics(problem, np.einsum("irm,irk->imk", left, left), np.einsum("irm,ir->im", left, right))


def smooth(problem: ConsensusProblem) -> list[SmoothProblem]:
    """The agents' problems, all of which have gradients."""
    found = [local for local in problem.local if isinstance(local, SmoothProblem)]
    assert len(found) == len(problem.local)
    return found


def rounds_of(
    problem: ConsensusProblem,
    graph: "nx.Graph[int]",
    rounds: int,
    link: LinkSettings | None = None,
    observer: Callable[[ConsensusRun], None] | None = None,
    **settings: Any,
) -> tuple[np.ndarray, ConsensusResult]:
    """The signals of all agents after each synchronous round [rounds + 1, n, m], and the result; audited."""
    streams = Streams(0)
    network = Network(graph, NetworkSettings(link=link or LinkSettings(delay=0.005), audit=True), streams)
    chosen = {"budget": {"activations": rounds * len(graph)}} | settings
    history: list[np.ndarray] = []

    def measure(signals: Any) -> dict[str, float]:
        history.append(np.stack(signals))
        return {}

    consensus = make_consensus(network, ConsensusSettings.model_validate(chosen), streams)
    consensus.observer = observer
    result = consensus.agree(problem.local, measure=measure)
    network.ledger.check()
    return np.stack(history), result


def weights_of(graph: "nx.Graph[int]") -> np.ndarray:
    """The Metropolis weights W [n, n]."""
    return topologies.spectrum.metropolis_weights(graph)
