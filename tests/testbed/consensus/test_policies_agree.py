"""MATRPO's own subproblems on the simulated network against the sequential reference."""

import numpy as np
import pytest
import reference_consensus as reference
import torch

import topologies
from policies.algorithms.learner import Spaces
from policies.algorithms.matrpo import Matrpo, MatrpoSettings
from policies.natural_gradient.solver import SolverSettings
from testbed import environments
from testbed.consensus.edge_admm.algorithm import EdgeADMM
from testbed.consensus.payloads import Codecs
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import Budget, ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams
from testbed.training.rollout import Collector

AGENTS = 4


@pytest.fixture(scope="module")
def pose():
    """Poses the same four subproblems, from one real batch in float64, as often as asked."""
    settings = MatrpoSettings(precision="float64", hidden=(16, 16), solver=SolverSettings(tolerance=0.01))
    world = environments.make("navigation", agents=AGENTS, batch=2)
    generator = np.random.default_rng(0)
    learner = Matrpo(settings, Spaces(AGENTS, world.observation_size, 5), generator)
    batch, _ = Collector(world, seed=0).collect(learner, 100, generator)
    advantages, _, _ = learner.estimate_advantages(batch)
    return lambda: learner.build_subproblems(batch, advantages, np.random.default_rng(1))


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
    expected = list(reference.edge_admm(pose(), links, result.order, 1.0))
    assert len(expected) == len(history) - 1 == 24
    for ours, theirs in zip(history[1:], expected, strict=True):
        for s, r in zip(ours, theirs, strict=True):
            assert s.dtype == torch.float64
            assert s.numpy().tobytes() == r.numpy().tobytes()


def test_relaxed_admm_on_a_perfect_network_gives_the_reference_bit_for_bit(pose):
    graph = topologies.make("star", AGENTS)
    streams = Streams(0)
    history = []
    settings = ConsensusSettings(
        algorithm="relaxed_admm", activation="synchronous", budget=Budget(activations=8 * AGENTS)
    )
    network = Network(graph, NetworkSettings(link=LinkSettings(delay=0.004)), streams)
    make_consensus(network, settings, streams).agree(
        pose(), measure=lambda signals: history.append(list(signals)) or {}
    )
    links = sorted(tuple(sorted(edge)) for edge in graph.edges)
    expected = list(reference.relaxed_admm(pose(), links, 8, 1.0, 0.5))
    assert len(expected) == len(history) - 1
    for ours, theirs in zip(history[1:], expected, strict=True):
        for s, r in zip(ours, theirs, strict=True):
            assert s.numpy().tobytes() == r.numpy().tobytes()


@pytest.mark.parametrize("algorithm", ["edge_admm", "relaxed_admm"])
@pytest.mark.parametrize("codec", ["float32", "int8"])
def test_policies_agree_by_coarser_numbers_and_subsets_too(pose, codec, algorithm):
    streams = Streams(0)
    settings = ConsensusSettings.model_validate(
        {"algorithm": algorithm, "codec": codec, "subset": 0.5, "budget": {"activations": 60}}
    )
    result = make_consensus(
        Network(topologies.make("ring", AGENTS), NetworkSettings(), streams), settings, streams
    ).agree(pose())
    assert all(s.dtype == torch.float64 for s in result.signals)
    assert result.measured["relative_disagreement"] < 0.5 * result.curve[5]["relative_disagreement"]
    each = 16 + 8 + 400 * (4 if codec == "float32" else 1) + 4 * (codec == "int8")
    assert result.bytes == 120 * each


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


def test_a_random_subset_keeps_the_numbers_of_a_sample_together(pose):
    streams = Streams(0)
    settings = ConsensusSettings(subset=0.25, budget=Budget(activations=6))
    where = Codecs(settings, streams).coordinates(200 * AGENTS, 0, 1, AGENTS)
    samples = where.reshape(50, AGENTS)
    np.testing.assert_array_equal(samples % AGENTS, np.tile(np.arange(AGENTS), (50, 1)))
    assert len(np.unique(samples // AGENTS)) == 50
    network = Network(topologies.make("ring", AGENTS), NetworkSettings(), streams)
    result = EdgeADMM(network, settings, streams).agree(pose())
    header, seed = 16, 8
    assert result.bytes == 6 * 2 * (50 * AGENTS * 8 + header + seed)


def test_an_agent_that_lost_its_state_and_never_solves_again_adopts_no_step(pose):
    crash = {"fault": "crash", "agent": 0, "down": 0.5, "up": 0.55, "state": "lost"}
    streams = Streams(0)
    network = Network(topologies.make("ring", AGENTS), NetworkSettings(faults=[crash]), streams)
    settings = ConsensusSettings(budget=Budget(seconds=0.551))
    problems = pose()
    result = EdgeADMM(network, settings, streams).agree(problems)
    assert not result.signals[0].any()
    assert not problems[0].x.any()
    assert problems[1].x.any()
