"""Quadratic coupling against dense linear systems, optimality conditions and the sequential reference."""

from itertools import islice

import numpy as np
import pytest
import reference_consensus as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from one_exchange import exchange

import topologies
from testbed import workloads
from testbed.consensus.coupled_optimum import coupled_optimum
from testbed.consensus.edge_admm.agent import EdgeAgent
from testbed.consensus.problems.lasso import LassoSettings
from testbed.consensus.problems.least_squares import LeastSquaresSettings, least_squares_problem
from testbed.consensus.problems.logistic import LogisticSettings
from testbed.consensus.problems.mean import MeanProblem, MeanSettings
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Network, NetworkSettings, Streams

AGENTS, DIMENSION = 6, 4
KINDS = {
    "mean": MeanSettings,
    "least_squares": LeastSquaresSettings,
    "lasso": LassoSettings,
    "logistic": LogisticSettings,
}
TOPOLOGIES = ["ring", "star", "erdos_renyi"]
PENALTY = {"mean": 0.5, "least_squares": 8.0}
GAMMAS = [0.01, 0.3, 1.0, 10.0, 100.0]
ADMM = ["edge_admm", "relaxed_admm"]


def graph_of(name, agents=AGENTS):
    return topologies.make(name, agents, seed=1, **({"p": 0.5} if name == "erdos_renyi" else {}))


def links_of(graph):
    return sorted(tuple(sorted(edge)) for edge in graph.edges)


def posed(name, seed=0):
    return KINDS[name](agents=AGENTS, dimension=DIMENSION).make(Streams(seed))


def closed_form(problems, links, gamma):
    """The coupled optimum [n, m] of means or least squares: one dense linear system for all agents."""
    n, m = len(problems), problems[0].dimension
    matrix, right = np.zeros((n, m, n, m)), np.zeros((n, m))
    for q, problem in enumerate(problems):
        mean = isinstance(problem, MeanProblem)
        matrix[q, :, q, :] += np.eye(m) if mean else problem.rows.T @ problem.rows
        right[q] = problem.a if mean else problem.rows.T @ problem.right
    for i, j in links:
        for a, b, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
            matrix[a, :, b, :] += sign * gamma * np.eye(m)
    return np.linalg.solve(matrix.reshape(n * m, n * m), right.ravel()).reshape(n, m)


def agree(problems, graph, network=None, seed=0, **chosen):
    """One agreement, with the signals at every row of its curve."""
    streams, history = Streams(seed), []
    net = Network(graph, NetworkSettings.model_validate({"audit": True} | (network or {})), streams)
    consensus = make_consensus(net, ConsensusSettings.model_validate(chosen), streams)
    return consensus.agree(problems, measure=lambda s: history.append(list(s)) or {}), history


@pytest.mark.parametrize("initial_dual", [0, 1])
@pytest.mark.parametrize("gamma", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("problem", ["mean", "least_squares"])
def test_edge_admm_gives_the_reference_bit_for_bit(problem, topology, gamma, initial_dual):
    graph, local = graph_of(topology), posed(problem).local
    chosen = {"penalty": 0.7, "coupling": gamma, "initial_dual": initial_dual, "budget": {"activations": 40}}
    result, history = agree(local, graph, **chosen)
    expected = list(reference.edge_admm(local, links_of(graph), result.order, 0.7, gamma, initial_dual))
    assert len(expected) == 40
    assert [[s.tobytes() for s in row] for row in history[1:]] == [
        [s.tobytes() for s in row] for row in expected
    ]


@pytest.mark.parametrize("gamma", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("problem", ["mean", "least_squares"])
def test_relaxed_admm_gives_the_reference_bit_for_bit(problem, topology, gamma):
    graph, local = graph_of(topology), posed(problem).local
    chosen = {"algorithm": "relaxed_admm", "penalty": 0.7, "relaxation": 0.6, "coupling": gamma}
    _, history = agree(local, graph, **chosen, budget={"activations": AGENTS * 20})
    expected = list(reference.relaxed_admm(local, links_of(graph), 20, 0.7, 0.6, gamma))
    assert [[s.tobytes() for s in row] for row in history[1:]] == [
        [s.tobytes() for s in row] for row in expected
    ]


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("problem", ["mean", "least_squares"])
@pytest.mark.parametrize("algorithm", ADMM)
def test_the_fixed_point_is_the_solution_of_the_dense_system(algorithm, problem, topology, gamma):
    local, links = posed(problem).local, links_of(graph_of(topology))
    # What goes round in a circle of links dies out over some 2 gamma / beta exchanges of each link.
    penalty = max(PENALTY[problem], gamma / 20) if gamma > 0.1 else 0.3
    if algorithm == "edge_admm":
        order = np.random.default_rng(0).integers(len(links), size=4500)
        steps = reference.edge_admm(local, links, [links[k] for k in order], penalty, gamma)
    else:
        steps = reference.relaxed_admm(local, links, 1500, penalty, 0.5, gamma)
    expected = closed_form(local, links, gamma)
    for signals in islice(steps, 99, None, 100):
        if np.abs(np.stack(signals) - expected).max() < 1e-9:
            break
    later = [signals, *islice(steps, 2 * len(links))]  # and there they stay
    np.testing.assert_allclose(np.stack(later), np.broadcast_to(expected, np.shape(later)), atol=1e-8, rtol=0)


@pytest.mark.parametrize("problem", ["mean", "least_squares"])
@pytest.mark.parametrize("algorithm", ADMM)
def test_so_it_is_on_the_network_and_there_the_residual_ends_at_zero(algorithm, problem):
    local, graph = posed(problem).local, graph_of("ring")
    chosen = {"algorithm": algorithm, "penalty": PENALTY[problem], "coupling": 1.0, "curve_every": 500}
    result, _ = agree(local, graph, {"audit": False}, **chosen, budget={"activations": 1500})
    expected = closed_form(local, links_of(graph), 1.0)
    np.testing.assert_allclose(np.stack(result.signals), expected, atol=1e-8, rtol=0)
    assert result.measured["primal_residual"] < 1e-8


@pytest.mark.parametrize("activation", ["synchronous", "asynchronous", "gossip"])
@pytest.mark.parametrize("gamma", [0.1, 1.0, 30.0])
def test_losses_delays_and_stragglers_do_not_change_the_fixed_point_of_relaxed_admm(gamma, activation):
    local, graph = posed("least_squares").local, graph_of("ring")
    slow = {"fault": "straggler", "agent": 2, "factor": 7, "down": 0}
    result, _ = agree(
        local,
        graph,
        {"audit": False, "faults": [slow]}
        | {"link": {"loss": 0.3, "delay": 0.05, "jitter": 0.04, "duplicate": 0.1}},
        algorithm="relaxed_admm",
        penalty=4.0,
        relaxation=0.6,
        coupling=gamma,
        activation=activation,
        curve_every=1000,
        budget={"activations": 4000},
    )
    expected = closed_form(local, links_of(graph), gamma)
    np.testing.assert_allclose(np.stack(result.signals), expected, atol=1e-8, rtol=0)


def test_losses_do_not_change_the_fixed_point_of_edge_admm():
    local, graph = posed("mean").local, graph_of("ring")
    lossy = {"link": {"loss": 0.3, "delay": 0.005}}
    chosen = {"penalty": 0.5, "coupling": 2.0, "curve_every": 1000, "budget": {"activations": 3000}}
    result, _ = agree(local, graph, lossy, **chosen)
    assert result.counts.half_committed > 100
    expected = closed_form(local, links_of(graph), 2.0)
    np.testing.assert_allclose(np.stack(result.signals), expected, atol=1e-3)


@pytest.mark.parametrize("algorithm", ADMM)
def test_strong_coupling_approaches_exact_consensus(algorithm):
    aim, graph = posed("mean"), graph_of("ring")
    chosen = {"algorithm": algorithm, "penalty": 0.5, "curve_every": 1000, "budget": {"activations": 3000}}
    apart = []
    for gamma in (10.0, 100.0, 1000.0, 1e6):
        result, _ = agree(aim.local, graph, {"audit": False}, **chosen, coupling=gamma)
        apart.append(np.abs(np.stack(result.signals) - aim.optimum).max())
    assert apart[0] > 1e-3
    np.testing.assert_allclose(np.divide(apart[:2], apart[1:3]), 10, rtol=0.2)  # the distance is of 1 / gamma
    assert apart[3] < 1e-5


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("gamma", [0.02, 1.0, 50.0])
@pytest.mark.parametrize("subset", [1.0, 0.4])
@pytest.mark.parametrize("codec", [None, "float32", "float16", "int8"])
def test_a_completed_exchange_leaves_both_ends_with_one_dual_and_the_force_of_the_coupling(
    codec, subset, gamma, library
):
    found = exchange(codec, subset, library, gamma)
    z, y = ([each[found.about] for each in both] for both in (found.z, found.y))
    np.testing.assert_array_equal(y[0], y[1])
    np.testing.assert_allclose(gamma * (z[0] + z[1]), y[0], atol=1e-12)


def test_a_commit_minimises_the_augmented_lagrangian_over_the_link_s_variables():
    generator, link, beta, gamma = np.random.default_rng(5), (0, 1), 0.7, 0.4
    agents = [EdgeAgent(q, MeanProblem(generator.standard_normal(3)), [link], beta, gamma) for q in (0, 1)]
    for agent in agents:
        agent.z[link], agent.y[link] = generator.standard_normal(3), generator.standard_normal(3)
        agent.solve()
    before = [agent.y[link] for agent in agents]
    ends = [agent.sign[link] * agent.s for agent in agents]

    def value(z):
        cost = gamma / 2 * np.sum((z[0] + z[1]) ** 2)
        for q in (0, 1):
            cost += before[q] @ (ends[q] - z[q]) + beta / 2 * np.sum((ends[q] - z[q]) ** 2)
        return cost

    offers = agents[0].offer(link) + agents[1].offer(link)
    for agent in agents:
        agent.commit(link, offers)
    found = np.stack([agent.z[link] for agent in agents])
    for _ in range(200):
        assert value(found + 0.1 * generator.standard_normal((2, 3))) > value(found)
    for q, agent in enumerate(agents):
        np.testing.assert_allclose(agent.y[link], before[q] + beta * (ends[q] - found[q]), atol=1e-14)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(["lasso", "logistic"]),
    seed=st.integers(0, 1000),
    gamma=st.sampled_from([0.01, 1.0, 100.0]),
    topology=st.sampled_from(TOPOLOGIES),
)
def test_the_coupled_optimum_of_other_problems_meets_its_optimality_conditions(name, seed, gamma, topology):
    aim, links = posed(name, seed), links_of(graph_of(topology))
    s = coupled_optimum(aim.local, links, gamma, aim.optimum)
    force = np.zeros_like(s)
    for i, j in links:
        force[i] += gamma * (s[j] - s[i])
        force[j] += gamma * (s[i] - s[j])
    for q, problem in enumerate(aim.local):
        if name == "logistic":
            wrong = 1 / (1 + np.exp(problem.signed @ s[q]))
            slope = force[q] + problem.signed.T @ wrong - problem.ridge * s[q]
            np.testing.assert_allclose(slope, 0, atol=1e-8)
        else:
            slope = force[q] + problem.linear - problem.gram @ s[q]
            nonzero = s[q] != 0
            np.testing.assert_allclose(slope[nonzero], problem.l1 * np.sign(s[q][nonzero]), atol=1e-8)
            assert (np.abs(slope) <= problem.l1 + 1e-8).all()


@pytest.mark.parametrize("gamma", [1e-3, *GAMMAS, 1e6])
@pytest.mark.parametrize("problem", ["mean", "least_squares"])
def test_the_coupled_optimum_is_the_solution_of_the_dense_system(problem, gamma):
    aim, links = posed(problem), links_of(graph_of("erdos_renyi"))
    found = coupled_optimum(aim.local, links, gamma, aim.optimum)
    np.testing.assert_allclose(found, closed_form(aim.local, links, gamma), atol=1e-9)


def test_directions_that_nobody_of_the_connected_determines_stay_at_zero():
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((4, 1, 3))  # a pair of agents determines two directions of three
    aim = least_squares_problem(rows, generator.standard_normal((4, 1)))
    found = coupled_optimum(aim.local, [(0, 1), (2, 3)], 1.0, aim.optimum)
    for pair in ([0, 1], [2, 3]):
        null = np.linalg.svd(rows[pair, 0])[2][-1]
        np.testing.assert_allclose(found[pair] @ null, 0, atol=1e-12)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("algorithm", ADMM)
def test_the_error_of_a_problem_is_the_distance_to_the_coupled_optimum(algorithm, name):
    trial = workloads.ProblemWorkload(
        problem={"name": name, "agents": AGENTS, "dimension": DIMENSION},
        consensus={"algorithm": algorithm, "penalty": 2.0, "coupling": 3.0, "curve_every": 500}
        | {"budget": {"activations": 3000}},
    )
    result = workloads.run(trial, seed=0, graph=graph_of("ring"))
    assert result.metrics["error"] < 1e-8
    assert result.metrics["relative_disagreement"] > 1e-3
    first = result.curves["consensus"][0]["error"]
    assert first == pytest.approx(1)  # all signals zero: as far away as the optimum is large
