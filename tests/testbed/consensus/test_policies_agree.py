"""MATRPO's own subproblems on the simulated network against the sequential reference."""

import numpy as np
import pytest
import torch

import topologies
from policies.algorithms.matrpo import Matrpo, MatrpoSettings, SolverSettings
from testbed import environments
from testbed.collection import Collector
from testbed.consensus import reference
from testbed.consensus.edge_admm import EdgeADMM
from testbed.consensus.settings import Budget, ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams

AGENTS = 4


@pytest.fixture(scope="module")
def pose():
    """Poses the same four subproblems, from one real batch in float64, as often as asked."""
    settings = MatrpoSettings(precision="float64", hidden=(16, 16), solver=SolverSettings(tolerance=0.01))
    world = environments.make("navigation", agents=AGENTS, batch=2)
    generator = np.random.default_rng(0)
    learner = Matrpo(
        settings, agents=AGENTS, observation_size=world.observation_size, actions=5, generator=generator
    )
    batch, _ = Collector(world, seed=0).collect(learner, 100, generator)
    advantages, _, _ = learner._advantages(batch)
    return lambda: learner.pose(batch, advantages, np.random.default_rng(1))


@pytest.mark.parametrize("topology", ["ring", "star", "erdos_renyi"])
def test_a_perfect_network_gives_the_reference_bit_for_bit(pose, topology):
    graph = topologies.make(topology, AGENTS, seed=2)
    streams = Streams(0)
    history = []
    settings = ConsensusSettings(penalty=1.0, budget=Budget(activations=24))
    network = Network(graph, NetworkSettings(link=LinkSettings(delay=0.004)), streams)
    result = EdgeADMM(network, settings, streams).agree(
        pose(), measure=lambda signals: history.append(list(signals)) or {}
    )
    links = sorted(tuple(sorted(edge)) for edge in graph.edges)
    expected = reference.edge_admm(pose(), links, result.order, 1.0)
    assert len(expected) == len(history) - 1 == 24
    for ours, theirs in zip(history[1:], expected, strict=True):
        for s, r in zip(ours, theirs, strict=True):
            assert s.dtype == torch.float64
            assert s.numpy().tobytes() == r.numpy().tobytes()


def test_more_exchanges_bring_more_agreement(pose):
    graph = topologies.make("ring", AGENTS)
    reached = []
    for activations in (8, 40, 120):
        streams = Streams(0)
        settings = ConsensusSettings(budget=Budget(activations=activations))
        result = EdgeADMM(Network(graph, NetworkSettings(), streams), settings, streams).agree(pose())
        reached.append(result.measured["relative_disagreement"])
    assert reached[0] > reached[1] > reached[2]


def test_a_message_is_as_large_as_the_numbers_in_it(pose):
    graph = topologies.make("ring", AGENTS)
    streams = Streams(0)
    settings = ConsensusSettings(budget=Budget(activations=5))
    result = EdgeADMM(Network(graph, NetworkSettings(), streams), settings, streams).agree(pose())
    samples, header = 200, 16
    assert result.bytes == 5 * 2 * (samples * AGENTS * 8 + header)
