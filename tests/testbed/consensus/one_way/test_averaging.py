"""Averaging against matrix powers, and what losses do to the mean."""

import networkx as nx
import numpy as np
import pytest

import topologies
from testbed.consensus.problems.lasso import LassoSettings
from testbed.consensus.problems.mean import mean_problem
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams

AVERAGERS = ["metropolis", "push_sum", "robust_push_sum"]


def rounds_of(algorithm, graph, start, rounds, link=None, **settings):
    """What every agent holds after each synchronous round [rounds + 1, n, m]."""
    streams = Streams(0)
    network = Network(graph, NetworkSettings(link=link or LinkSettings()), streams)
    chosen = {"algorithm": algorithm, "budget": {"activations": rounds * len(graph)}} | settings
    history = []
    make_consensus(network, ConsensusSettings.model_validate(chosen), streams).agree(
        mean_problem(start).local, measure=lambda signals: history.append(np.stack(signals)) or {}
    )
    network.ledger.check()
    return np.stack(history)


def bias(algorithm, loss, copies=24):
    """Root mean square error of what rings of 8 agree on, in standard deviations of the agents' numbers."""
    start = np.random.default_rng(0).standard_normal((copies * 8, 1))
    ring = nx.disjoint_union_all([topologies.make("ring", 8)] * copies)
    final = rounds_of(algorithm, ring, start, 100, LinkSettings(loss=loss), curve_every=100)[-1]
    error = final.reshape(copies, 8) - start.reshape(copies, 8).mean(axis=1, keepdims=True)
    assert np.ptp(final.reshape(copies, 8), axis=1).max() < 0.02  # they do agree
    return float(np.sqrt(np.mean(error**2)))


def test_metropolis_averaging_is_a_power_of_the_weights():
    graph = topologies.make("barbell", 8)
    start = np.random.default_rng(0).standard_normal((8, 3))
    weights = topologies.spectrum.metropolis_weights(graph)
    history = rounds_of("metropolis", graph, start, 12)
    for k in range(1, 13):
        np.testing.assert_allclose(history[k], np.linalg.matrix_power(weights, k) @ start, atol=1e-13)


@pytest.mark.parametrize("algorithm", ["push_sum", "robust_push_sum"])
def test_push_sum_is_a_power_of_equal_shares(algorithm):
    graph = topologies.make("barbell", 8)
    start = np.random.default_rng(0).standard_normal((8, 3))
    links = nx.to_numpy_array(graph, nodelist=range(8)) + np.eye(8)
    shares = links / links.sum(axis=0)
    history = rounds_of(algorithm, graph, start, 12)
    for k in range(1, 13):
        power = np.linalg.matrix_power(shares, k)
        np.testing.assert_allclose(history[k], power @ start / power.sum(axis=1)[:, None], atol=1e-12)


@pytest.mark.parametrize("algorithm", AVERAGERS)
def test_without_losses_all_agree_on_the_mean(algorithm):
    assert bias(algorithm, 0.0, copies=3) < 1e-3


def test_losses_bias_metropolis_averaging_and_push_sum_but_not_running_sums():
    found = {algorithm: bias(algorithm, 0.3) for algorithm in AVERAGERS}
    assert found["robust_push_sum"] < 1e-3
    assert found["metropolis"] == pytest.approx(0.137, rel=0.4)
    assert found["push_sum"] == pytest.approx(0.124, rel=0.4)


def test_running_sums_reach_the_true_mean_at_60_percent_loss():
    start = np.random.default_rng(1).standard_normal((8, 2))
    final = rounds_of("robust_push_sum", topologies.make("ring", 8), start, 600, LinkSettings(loss=0.6))[-1]
    assert np.abs(final - start.mean(axis=0)).max() < 1e-10


@pytest.mark.parametrize("activation", ["asynchronous", "gossip"])
@pytest.mark.parametrize("algorithm", ["push_sum", "robust_push_sum"])
def test_push_sum_needs_no_rounds(algorithm, activation):
    start = np.random.default_rng(1).standard_normal((8, 2))
    final = rounds_of(
        algorithm, topologies.make("ring", 8), start, 400, activation=activation, curve_every=400
    )[-1]
    assert np.abs(final - start.mean(axis=0)).max() < 1e-9


def test_what_rounding_leaves_out_stays_with_the_sender():
    start = np.random.default_rng(1).standard_normal((8, 2))
    final = rounds_of("push_sum", topologies.make("ring", 8), start, 300, codec="int8")[-1]
    # Numbers are rounded to steps of about 1/127, yet the mean is kept: the rest is the last round's.
    assert np.abs(final - start.mean(axis=0)).max() < 0.02
    assert np.abs(final.mean(axis=0) - start.mean(axis=0)).max() < 5e-3


@pytest.mark.parametrize("algorithm", AVERAGERS)
def test_other_problems_than_the_mean_are_refused(algorithm):
    problem = LassoSettings(agents=4).make(Streams(0))
    streams = Streams(0)
    network = Network(topologies.make("ring", 4), NetworkSettings(), streams)
    consensus = make_consensus(
        network, ConsensusSettings(algorithm=algorithm, activation="synchronous"), streams
    )
    with pytest.raises(ValueError, match=f"'{algorithm}' averages vectors: the problem must be the mean"):
        consensus.agree(problem.local)
