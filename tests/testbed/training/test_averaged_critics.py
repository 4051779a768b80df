"""FDMARL's critics over the simulated network: exact means, weights, bytes and seconds, losses, settings."""

import math

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import topologies
from testbed import workloads
from testbed.consensus.one_way.base import ONE_WAY_HEADER, WEIGHT_BYTES
from testbed.consensus.references import ACKNOWLEDGEMENT, STAMP
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.consensus.traits import averaging
from testbed.network import LinkSettings, Network, NetworkSettings, Streams
from testbed.training.communication import NetworkCommunication
from testbed.workloads import TrainingWorkload


def communication(graph, link=None, seed=0, **consensus):
    streams = Streams(seed)
    network = Network(graph, NetworkSettings(link=link or LinkSettings()), streams)
    linked = sum(degree > 0 for _, degree in graph.degree)  # the others are never activated
    settings = {"algorithm": "metropolis", "budget": {"activations": max(1, linked)}} | consensus
    return NetworkCommunication(make_consensus(network, ConsensusSettings.model_validate(settings), streams))


def drawn(agents, size=50, kind=torch.float32):
    return torch.randn(agents, size, generator=torch.Generator().manual_seed(0)).to(kind)


def weights_of(graph, **options):
    """The matrix by which one averaging multiplies: what becomes of the unit vectors."""
    agents = len(graph)
    return communication(graph, **options).average(torch.eye(agents, dtype=torch.float64))[0].numpy()


@pytest.mark.parametrize("agents", [2, 3, 5, 8])
def test_one_round_of_a_perfect_complete_graph_is_the_exact_mean(agents):
    vectors = drawn(agents, kind=torch.float64)
    averaged, row = communication(nx.complete_graph(agents)).average(vectors)
    torch.testing.assert_close(averaged, vectors.mean(0).expand(agents, -1), rtol=0, atol=1e-14)
    assert row["exchanges"] == agents * (agents - 1)
    assert row["relative_disagreement_before"] > 0.5
    assert row["relative_disagreement"] < 1e-14


@given(agents=st.integers(2, 9), chance=st.floats(0, 1), seed=st.integers(0, 1000))
def test_weights_are_doubly_stochastic_and_only_on_links(agents, chance, seed):
    graph = nx.gnp_random_graph(agents, chance, seed=seed)
    weights = weights_of(graph)
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-12)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-12)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights, topologies.spectrum.metropolis_weights(graph), atol=1e-12)


@given(loss=st.floats(0, 0.95), seed=st.integers(0, 1000))
def test_weights_over_what_arrived_add_up_to_one(loss, seed):
    """The weight of what was lost goes to the agent itself; columns then no longer add up to one."""
    graph = topologies.make("ring", 6)
    weights, whole = weights_of(graph, link=LinkSettings(loss=loss), seed=seed), weights_of(graph)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-12)
    apart = ~np.eye(6, dtype=bool)
    assert all(
        w == pytest.approx(0) or w == pytest.approx(full)
        for w, full in zip(weights[apart], whole[apart], strict=True)
    )
    assert (weights.diagonal() >= whole.diagonal() - 1e-12).all()


@pytest.mark.parametrize("algorithm", averaging())
def test_numbers_travel_as_they_are_and_take_time(algorithm):
    """32-bit numbers take four bytes each, running sums of them eight, and the round as long as they need."""
    link = LinkSettings(delay=0.01, rate=1e6)
    network = communication(topologies.make("ring", 4), link, algorithm=algorithm, compute=0.05)
    averaged, row = network.average(drawn(4, 1000))
    assert averaged.dtype == torch.float32
    each = 8 if algorithm == "robust_push_sum" else 4
    message = each * 1000 + ONE_WAY_HEADER + WEIGHT_BYTES * (algorithm in ("push_sum", "robust_push_sum"))
    answer = 0
    if algorithm == "choco_gossip":  # it names the copy that it is the difference from, and is acknowledged
        message += STAMP.size
        answer = ONE_WAY_HEADER + ACKNOWLEDGEMENT.size
    assert row["consensus_bytes"] == network.sent_bytes == 8 * (message + answer)
    once = 0.01 + message / 1e6
    assert row["consensus_seconds"] == pytest.approx(0.05 + 2 * once)
    assert communication(topologies.make("ring", 4), codec="float16").average(drawn(4, 1000))[1][
        "consensus_bytes"
    ] == 8 * (2 * 1000 + ONE_WAY_HEADER)


def test_nothing_heard_changes_nothing():
    vectors = drawn(4)
    averaged, row = communication(topologies.make("ring", 4), LinkSettings(loss=1)).average(vectors)
    assert torch.equal(averaged, vectors)
    assert row["exchanges"] == 0
    assert row["relative_disagreement"] == row["relative_disagreement_before"]


# --- in a training run -------------------------------------------------------------------------------------


def trial(consensus=None, algorithm=None, **network):
    data = {
        "algorithm": {"name": "fdmarl", "hidden": [8], "minibatch": 50} | (algorithm or {}),
        "environment": {"name": "navigation", "agents": 4, "episode_length": 20},
        "training": {"updates": 2, "samples": 200},
        "network": {"link": network or {"delay": "5ms"}},
    }
    return TrainingWorkload.model_validate(data | ({} if consensus is None else {"consensus": consensus}))


def test_it_is_one_round_of_metropolis_averaging_unless_something_else_is_said():
    usual = trial().consensus
    assert (usual.algorithm, usual.activation, usual.budget.activations) == ("metropolis", "synchronous", 4)
    assert trial(ConsensusSettings()).consensus == trial({}).consensus == usual
    said = trial({"algorithm": "push_sum", "compute": 0.5}).consensus
    assert (said.algorithm, said.compute, said.budget.activations) == ("push_sum", 0.5, 4)
    assert trial({"budget": {"seconds": 1.0}}).consensus.budget.activations is None
    resolved = trial().model_dump(mode="json")
    assert resolved["consensus"]["algorithm"] == "metropolis"
    assert TrainingWorkload.model_validate(resolved) == trial()
    assert TrainingWorkload().consensus == ConsensusSettings()
    with pytest.raises(ValueError, match=r"'edge_admm' does not average vectors, as fdmarl needs"):
        trial({"algorithm": "edge_admm"})


@pytest.mark.parametrize("form", ["minibatch", "online"])
def test_every_round_of_an_update_is_counted_and_the_curve_is_that_of_the_last(form):
    result = workloads.run(trial(algorithm={"form": form}), seed=0, graph=topologies.make("ring", 4))
    first, second = result.curves["training"]
    # 20 steps of 10 episodes: in minibatches of 50, or one by one; the first step of all has none before it.
    expected = {"minibatch": (4, 4), "online": (19, 20)}[form]
    assert (first["consensus_rounds"], second["consensus_rounds"]) == expected
    for row, rounds in zip((first, second), expected, strict=True):
        assert row["activations"] == 4 * rounds
        assert row["exchanges"] == 8 * rounds
        assert 0 < row["relative_disagreement"] < row["relative_disagreement_before"]
    assert second["bytes"] == first["consensus_bytes"] + second["consensus_bytes"]
    assert second["seconds"] == pytest.approx(first["consensus_seconds"] + second["consensus_seconds"])
    curve = [row for row in result.curves["consensus"] if row["update"] == 2]
    assert [row["activations"] for row in curve] == [0, 4]
    assert curve[-1]["relative_disagreement"] == second["relative_disagreement"]


def test_losses_leave_critics_further_apart():
    graph = topologies.make("ring", 4)
    rows = [
        workloads.run(trial(delay="5ms", loss=loss), seed=0, graph=graph).curves["training"][-1]
        for loss in (0.0, 0.5, 1.0)
    ]
    apart = [row["relative_disagreement"] for row in rows]
    assert apart[0] < apart[1] < apart[2]
    assert rows[2]["exchanges"] == 0
    assert all(math.isfinite(value) for row in rows for value in row.values())
