"""The algorithms on the simulated network converge exactly as fast as theory says.

On a d-regular graph and the mean problem, with w an eigenvalue of A / d and b = rho d / (1 + rho d), relaxed
ADMM has the modes r = b w +- sqrt(b^2 w^2 - 2 b + 1), but only 2 b - 1 at w = 1 and 1 - 2 b at w = -1.
"""

from collections.abc import Sequence

import networkx as nx
import numpy as np
import pytest
import reference_consensus as reference

import topologies
from testbed.consensus.one_way.base import OneWayAgent
from testbed.consensus.one_way.relaxed_admm import RelaxedADMM, RelaxedAgent
from testbed.consensus.problems.base import LocalProblem
from testbed.consensus.problems.lasso import LassoSettings
from testbed.consensus.problems.least_squares import LeastSquaresSettings
from testbed.consensus.problems.mean import mean_problem
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import Budget, ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams
from topologies.admm_rate import factor
from topologies.spectrum import summary

REGULAR = ["ring", "torus", "complete"]


def signals_by_round(
    graph: "nx.Graph[int]",
    start: np.ndarray,
    rounds: int,
    *,
    penalty: float,
    relaxation: float = 0.5,
    link: LinkSettings | None = None,
    algorithm: type[RelaxedADMM] = RelaxedADMM,
) -> np.ndarray:
    """What every agent holds after each round of one second [rounds, n, m], having begun with ``start``."""
    streams = Streams(0)
    settings = ConsensusSettings(
        algorithm="relaxed_admm",
        penalty=penalty,
        relaxation=relaxation,
        compute=0,
        period=1.0,
        budget=Budget(activations=len(graph) * rounds),
    )
    network = Network(graph, NetworkSettings(link=link or LinkSettings()), streams)
    history: list[np.ndarray] = []
    algorithm(network, settings, streams).agree(
        mean_problem(start).local, measure=lambda signals: history.append(np.stack(signals)) or {}
    )
    network.ledger.check()
    return np.stack(history[1:])


def fitted_factor(errors: np.ndarray) -> float:
    """By which the error shrinks a round, from where it has settled down to where rounding sets in."""
    rounds = np.flatnonzero((errors < 1e-3 * errors[0]) & (errors > 1e-12))
    return float(np.exp(np.polyfit(rounds, np.log(errors[rounds]), 1)[0]))


def simulated_factor(graph: "nx.Graph[int]", about: float, **options: object) -> float:
    """Measured over the rounds that it takes to shrink the error to 1e-10 if the factor is ``about`` that."""
    rounds = int(np.log(1e-10) / np.log(about))
    start = np.random.default_rng(1).standard_normal((len(graph), 1))
    signals = signals_by_round(graph, start, rounds, **options)  # type: ignore[arg-type]
    return fitted_factor(np.linalg.norm(signals - start.mean(axis=0), axis=(1, 2)))


def modes(graph: "nx.Graph[int]", penalty: float) -> np.ndarray:
    """The closed form for a regular graph, consensus left out."""
    degree = graph.degree(0)
    b = penalty * degree / (1 + penalty * degree)
    found: list[complex] = []
    for w in np.linalg.eigvalsh(nx.to_numpy_array(graph, nodelist=range(len(graph))) / degree):
        if np.isclose(w, 1):
            found.append(2 * b - 1)
        elif np.isclose(w, -1):
            found.append(1 - 2 * b)
        else:
            root = np.sqrt(complex(b * b * w * w - 2 * b + 1))
            found += [b * w + root, b * w - root]
    return np.array(found)


@pytest.mark.parametrize(("penalty", "relaxation"), [(0.2, 0.5), (1.3, 0.5), (0.5, 0.8)])
@pytest.mark.parametrize("topology", REGULAR)
def test_synchronous_rounds_shrink_the_error_by_the_largest_mode(topology, penalty, relaxation):
    graph = topologies.make(topology, 12)
    expected = np.abs(1 - relaxation + relaxation * modes(graph, penalty)).max()
    assert expected == pytest.approx(factor(graph, penalty, relaxation), abs=1e-9)
    found = simulated_factor(graph, expected, penalty=penalty, relaxation=relaxation)
    assert found == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("topology", "rate"),
    [("ring", 0.834), ("torus", 0.634), ("complete", 0.500), ("star", 0.500), ("path", 0.904)],
)
def test_the_best_penalty_has_the_factor_it_should_and_its_neighbours_are_slower(topology, rate):
    graph = topologies.make(topology, 16)
    best = summary(graph)
    assert best.best_factor == pytest.approx(rate, abs=5e-4)
    found, less, more = (
        simulated_factor(graph, rate, penalty=share * best.best_penalty) for share in (1, 0.6, 1.6)
    )
    # A double root: the error is not quite a power, and the fitted factor a little high.
    assert found == pytest.approx(rate, abs=0.025)
    assert found < min(less, more)


@pytest.mark.parametrize("tau", [1, 3])
@pytest.mark.parametrize("topology", REGULAR)
def test_a_delay_of_tau_rounds_has_the_factor_of_the_largest_root(topology, tau):
    graph, penalty, relaxation = topologies.make(topology, 12), 0.4, 0.7
    largest = 0.0
    for r in modes(graph, penalty):
        # L^(tau+1) - (1 - alpha) L^tau - alpha r = 0
        polynomial = [1, -(1 - relaxation), *[0] * (tau - 1), -relaxation * r]
        largest = max(largest, float(np.abs(np.roots(polynomial)).max()))
    link = LinkSettings(delay=tau + 0.5)
    found = simulated_factor(graph, largest, penalty=penalty, relaxation=relaxation, link=link)
    assert found == pytest.approx(largest, abs=0.005)
    assert found < 1


@pytest.mark.parametrize("loss", [0.1, 0.3, 0.6])
def test_under_independent_loss_the_expected_iterate_moves_as_with_a_smaller_relaxation(loss):
    copies, nodes, rounds, penalty, relaxation = 120, 4, 14, 0.6, 0.6
    ring = topologies.make("ring", nodes)
    start = np.array([[1.0], [-0.5], [2.0], [0.0]])
    # Many rings side by side are as many independent runs.
    signals = signals_by_round(
        nx.disjoint_union_all([ring] * copies),
        np.tile(start, (copies, 1)),
        rounds,
        penalty=penalty,
        relaxation=relaxation,
        link=LinkSettings(loss=loss),
    ).reshape(rounds, copies, nodes)
    smaller = (1 - loss) * relaxation
    links = sorted(tuple(sorted(edge)) for edge in ring.edges)
    local = mean_problem(start).local
    expected = np.array(list(reference.relaxed_admm(local, links, rounds, penalty, smaller)))[:, :, 0]
    mean = signals.mean(axis=1)
    spread = signals.std(axis=1) / np.sqrt(copies)
    assert (np.abs(mean - expected) <= 4.5 * spread + 1e-12).all()
    assert spread[1:].min() > 0
    # And that recursion has the factor of theory, in the long run.
    long = np.array(list(reference.relaxed_admm(local, links, 400, penalty, smaller)))[:, :, 0]
    largest = np.abs(1 - smaller + smaller * modes(ring, penalty)).max()
    assert fitted_factor(np.linalg.norm(long - start.mean(), axis=1)) == pytest.approx(largest, abs=0.006)


class ZeroFilling(RelaxedADMM):
    """The trap: what was not heard in a round is taken for zero, instead of holding z."""

    def agent(self, index: int, problem: LocalProblem, neighbours: Sequence[int]) -> OneWayAgent:
        """An agent that falls into it."""
        return ZeroFillingAgent(index, problem, neighbours, self.settings.penalty, self.settings.relaxation)


class ZeroFillingAgent(RelaxedAgent):
    """Pretends, at the beginning of a round, to have heard zeros from those who were silent in the last."""

    silent: set[int] = frozenset()

    def start_round(self) -> None:
        """Fill in, and listen again."""
        for neighbour in self.silent:
            self.z[neighbour] = (1 - self.alpha) * self.z[neighbour]
        super().start_round()
        self.silent = set(self.neighbours)

    def receive(self, neighbour, payload, extra):
        """This one was not silent."""
        self.silent.discard(neighbour)
        super().receive(neighbour, payload, extra)


def assert_unbiased_at_60_percent_loss(algorithm: type[RelaxedADMM]) -> None:
    start = np.random.default_rng(2).standard_normal((8, 3))
    graph, link = topologies.make("ring", 8), LinkSettings(loss=0.6)
    signals = signals_by_round(graph, start, 1000, penalty=0.6, link=link, algorithm=algorithm)
    assert np.abs(signals[-1] - start.mean(axis=0)).max() < 1e-10


def test_relaxed_admm_reaches_the_true_mean_at_60_percent_loss():
    assert_unbiased_at_60_percent_loss(RelaxedADMM)


def test_zero_filling_instead_of_holding_does_not_pass_that_test():
    with pytest.raises(AssertionError):
        assert_unbiased_at_60_percent_loss(ZeroFilling)
    # It is the losses that it stumbles over.
    start = np.random.default_rng(2).standard_normal((8, 3))
    graph = topologies.make("ring", 8)
    signals = signals_by_round(graph, start, 300, penalty=0.6, algorithm=ZeroFilling)
    assert np.abs(signals[-1] - start.mean(axis=0)).max() < 1e-10


@pytest.mark.parametrize("activation", ["sequential", "poisson", "gossip"])
@pytest.mark.parametrize("problem", [LeastSquaresSettings(rows=4), LassoSettings(rows=4)])
def test_asynchronous_edge_admm_converges_at_least_as_one_over_k_on_convex_problems(problem, activation):
    """Wei & Ozdaglar 2013 (arXiv 1307.8254); with 4 rows for 10 coordinates no agent is strictly convex."""
    streams = Streams(3)
    posed = problem.make(streams)
    settings = ConsensusSettings(
        penalty=3.0, activation=activation, budget=Budget(activations=2400), curve_every=40
    )
    network = Network(topologies.make("ring", 8), NetworkSettings(link=LinkSettings(delay=0.002)), streams)
    result = make_consensus(network, settings, streams).agree(
        posed.local,
        measure=lambda signals: {"error": float(np.linalg.norm(np.stack(signals) - posed.optimum))},
    )
    rows = [row for row in result.curve if row["activations"] >= 200]
    steps = np.log([row["exchanges"] for row in rows])
    for column in ("error", "disagreement", "primal_residual"):
        slope = np.polyfit(steps, np.log([row[column] for row in rows]), 1)[0]
        assert slope <= -1, column
