"""The dual limit against closed forms and a dense solver: total variation in place of the constraint."""

import networkx as nx
import numpy as np
import pytest

import topologies
from testbed.consensus.edge_admm.agent import EdgeAgent
from testbed.consensus.one_way.relaxed_admm import RelaxedAgent
from testbed.consensus.payloads import Payload
from testbed.consensus.problems.mean import MeanProblem, mean_problem
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Network, NetworkSettings, Streams

ALGORITHMS = ("edge_admm", "relaxed_admm")
START = np.random.default_rng(5).standard_normal((5, 3))
RING = topologies.make("ring", 5)


def _agreed(algorithm, graph, start, limit, activations=600, faults=(), audit=False, **chosen):
    settings = ConsensusSettings.model_validate(
        {"algorithm": algorithm, "dual_limit": limit, "curve_every": 500, **chosen}
        | {"budget": {"activations": activations}}
    )
    streams = Streams(0)
    network = Network(graph, _settings(faults, audit), streams)
    return np.stack(make_consensus(network, settings, streams).agree(mean_problem(start).local).signals)


def _settings(faults, audit):
    return NetworkSettings.model_validate({"audit": audit, "faults": list(faults)})


def _objective(signals, start, links, limit, coupling=None):
    """Half the squared distances from the start, plus limit |.|_1 or Huber's function on each link."""
    apart = np.abs(np.array([signals[i] - signals[j] for i, j in links]))
    cost = limit * apart
    if coupling is not None:
        knee = limit / coupling
        cost = np.where(apart <= knee, coupling / 2 * apart**2, limit * (apart - knee / 2))
    return 0.5 * np.square(signals - start).sum() + cost.sum()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("limit", [0.1, 0.4, 2.0])
def test_two_agents_end_where_the_closed_form_says(algorithm, limit):
    """s_1 = a_1 + clip((a_2 - a_1) / 2, -lambda, lambda), and the same the other way round."""
    start = np.array([[0.0, 1.0, -3.0], [1.0, 1.2, 2.0]])
    moved = np.clip((start[1] - start[0]) / 2, -limit, limit)
    expected = np.stack([start[0] + moved, start[1] - moved])
    found = _agreed(algorithm, nx.path_graph(2), start, limit, activations=400)
    np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("coupling", [None, 0.7])
def test_no_other_signals_near_by_cost_less(algorithm, coupling):
    links = sorted(RING.edges)
    found = _agreed(algorithm, RING, START, 0.3, coupling=coupling, activations=1500)
    least = _objective(found, START, links, 0.3, coupling)
    generator = np.random.default_rng(0)
    for size in (1e-1, 1e-2, 1e-3):
        for _ in range(100):
            other = found + size * generator.standard_normal(found.shape)
            assert _objective(other, START, links, 0.3, coupling) > least - 1e-9
    together = np.tile(START.mean(axis=0), (5, 1))
    assert _objective(together, START, links, 0.3, coupling) > least + 0.01


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_limit_above_the_duals_of_the_optimum_leaves_exact_consensus(algorithm):
    found = _agreed(algorithm, RING, START, 10.0, activations=1500)
    np.testing.assert_allclose(found, np.tile(START.mean(axis=0), (5, 1)), atol=1e-5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("codec", ["float32", "int8"])
def test_rounded_messages_hold_the_audit_and_end_close_by(algorithm, codec):
    exact = _agreed(algorithm, RING, START, 0.3, audit=True, activations=200)
    found = _agreed(algorithm, RING, START, 0.3, codec=codec, audit=True, activations=200)
    np.testing.assert_allclose(found, exact, atol=1e-4 if codec == "float32" else 0.2)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("target", [30.0, -1e6])
def test_a_liar_moves_each_neighbour_by_no_more_than_the_limit(algorithm, target):
    """f_q is strongly convex (1): a gradient that changes by lambda at d_q links moves s_q by lambda d_q."""
    limit = 0.25
    lie = {"fault": "byzantine", "agent": 0, "behaviour": {"name": "collude", "target": target}, "down": 0.0}
    found = _agreed(algorithm, RING, START, limit, faults=[lie], audit=True, activations=200)
    assert (np.abs(found[1:] - START[1:]) <= 2 * limit + 1e-5).all()
    unlimited = _agreed(algorithm, RING, START, None, faults=[lie], activations=200)
    assert np.abs(unlimited[1:] - START[1:]).max() > 2


def test_what_a_message_can_do_is_bounded_by_the_limit():
    generator = np.random.default_rng(0)
    agent = EdgeAgent(0, MeanProblem(START[0]), [(0, 1)], 2.0, dual_limit=0.5)
    agent.solve()
    agent.commit((0, 1), 1e9 * generator.standard_normal(3))
    np.testing.assert_array_equal(np.abs(agent.y[0, 1]), 0.5)
    relaxed = RelaxedAgent(0, MeanProblem(START[0]), [1], 2.0, 0.5, dual_limit=0.5)
    relaxed.start_round()
    relaxed.solve([1])
    relaxed.receive(1, Payload(np.array([1e9, -1e9, 0.0]), None, 24, True, None), 0.0)
    assert (np.abs(relaxed.z[1] - 0.5 * relaxed.offer(1)) <= 0.5 + 1e-12).all()
