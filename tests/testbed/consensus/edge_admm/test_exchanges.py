"""Exchanges of edge-ADMM when requests come again, agents crash, and each agent has its own clock."""

import numpy as np
import pytest

import topologies
from testbed.consensus.problems.mean import MeanSettings
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.consensus.traits import ALGORITHMS, BY_AGENT, BY_LINK
from testbed.network import Network, NetworkSettings, Streams, Trace


def agree(network=None, agents=6, hand=None, **settings):
    """One agreement on the mean over a ring; `hand(network)` may meddle first."""
    streams = Streams(0)
    posed = MeanSettings(agents=agents, dimension=4).make(Streams(0))
    graph = topologies.make("ring" if agents > 2 else "path", agents)
    net = Network(graph, NetworkSettings.model_validate(network or {}), streams, trace=Trace())
    if hand is not None:
        hand(net)
    chosen = ConsensusSettings.model_validate({"penalty": 0.5} | settings)
    result = make_consensus(net, chosen, streams).agree(posed.local)
    net.ledger.check()
    return result, posed, net


def error(result, posed):
    return max(np.abs(s - posed.optimum).max() for s in result.signals)


def test_duplicated_messages_change_nothing_but_the_traffic():
    link = {"delay": 0.004}
    once, _, _ = agree({"link": link}, budget={"activations": 100})
    twice, _, _ = agree({"link": link | {"duplicate": 1.0}}, budget={"activations": 100})
    for s, r in zip(once.signals, twice.signals, strict=True):
        assert s.tobytes() == r.tobytes()
    assert twice.counts.solves == once.counts.solves == 200
    assert (twice.counts.completed, twice.counts.half_committed, twice.counts.busy) == (100, 0, 0)
    # While the first request is being worked on its copy is not answered by itself.
    assert twice.counts.repeated == 100


def test_a_repeated_request_gets_the_answer_it_got_before():
    # The copy comes long after the original (jitter), when it has been answered and perhaps forgotten about.
    link = {"delay": 0.05, "jitter": 0.05, "duplicate": 1.0}
    result, posed, net = agree({"link": link}, compute=0.001, timeout=0.5, budget={"activations": 300})
    counts = result.counts
    assert counts.completed == 300
    assert counts.solves == 600
    assert counts.repeated > 250
    assert counts.half_committed == 0
    # Answers to copies are further messages, which the initiator ignores.
    assert net.ledger.snapshot()["messages_sent"] > 600
    assert counts.stale > 0
    assert error(result, posed) < 1e-4


def test_a_refused_request_that_comes_again_is_refused_again():
    link = {"delay": 0.01, "jitter": 0.01, "duplicate": 1.0}
    result, posed, _ = agree(
        {"link": link}, activation="poisson", activation_rate=10, timeout=0.5, budget={"activations": 3000},
        curve_every=1000,
    )  # fmt: skip
    assert result.counts.busy > 300
    assert result.counts.half_committed == 0
    assert error(result, posed) < 1e-9


def test_gossip_rings_for_agents_not_links_and_turns_to_each_neighbour_as_often():
    result, posed, _ = agree(
        activation="gossip", activation_rate=5, compute=0.0005, budget={"activations": 4000}, curve_every=1000
    )
    assert result.seconds == pytest.approx(4000 / (6 * 5), rel=0.06)
    shares = np.bincount([i * 6 + j for i, j in result.order], minlength=36)
    assert (shares > 0).sum() == 6
    counts = shares[shares > 0]
    assert np.abs(counts - counts.mean()).max() < 5 * np.sqrt(counts.mean())
    assert error(result, posed) < 1e-9


def test_gossip_is_fairer_to_agents_than_links_are():
    """On a star, half the rings are the leaves' one link: the hub exchanges in every exchange."""
    graph = topologies.make("star", 5)
    for activation, seconds in (("poisson", 400 / (4 * 5)), ("gossip", 400 / (5 * 5))):
        streams = Streams(0)
        posed = MeanSettings(agents=5).make(streams)
        settings = ConsensusSettings.model_validate(
            {"activation": activation, "compute": 0, "budget": {"activations": 400}}
        )
        consensus = make_consensus(Network(graph, NetworkSettings(), streams), settings, streams)
        assert consensus.agree(posed.local).seconds == pytest.approx(seconds, rel=0.15)


@pytest.mark.parametrize("state", ["kept", "lost"])
def test_a_crash_in_an_exchange_gives_it_up_and_the_optimum_is_reached_after_the_restart(state):
    crash = {"fault": "crash", "agent": 1, "down": 0.505, "up": 2.0, "state": state}
    result, posed, _ = agree(
        {"link": {"delay": 0.004}, "faults": [crash]}, activation="round_robin", budget={"activations": 1500}
    )
    counts = result.counts
    assert counts.down > 0
    assert counts.given_up > 0
    assert counts.completed + counts.given_up + counts.down == 1500
    assert error(result, posed) < 1e-9


def test_an_initiator_that_crashes_gives_up_at_once_and_a_responder_never_answers():
    for agent, outcome in ((0, 1), (1, 1)):
        crash = {"fault": "crash", "agent": agent, "down": 0.015, "up": 0.018}
        result, _, net = agree(
            {"link": {"delay": 0.002}, "faults": [crash]},
            agents=2,
            activation="round_robin",
            timeout=0.1,
            budget={"activations": 1},
        )
        assert result.counts.given_up == outcome
        assert result.counts.completed == 0
        # Crashed at 15 ms, in the responder's solve: the initiator knows at once, or at its timeout.
        assert result.seconds == pytest.approx(0.015 if agent == 0 else 0.11)
        assert net.ledger.snapshot()["messages_sent"] == 1


def test_a_straggler_takes_longer_over_its_solves():
    slow = {"faults": [{"fault": "straggler", "agent": 0, "factor": 3, "down": 0}]}
    result, _, _ = agree(slow, agents=2, timeout=1, compute=0.01, budget={"activations": 10})
    assert result.seconds == pytest.approx(10 * (0.01 + 0.03))


def test_undetected_damage_is_read_as_it_came():
    damaged = {"link": {"corrupt": {"random": 0.3, "detected": False, "noise": 0.1}}}
    result, posed, _ = agree(damaged, budget={"activations": 600}, curve_every=100)
    assert 1e-6 < error(result, posed) < 1


def test_every_algorithm_can_be_named_and_knows_its_activations():
    for name, kind in ALGORITHMS.builtin().items():
        allowed = kind.allowed_activations
        assert ConsensusSettings(algorithm=name).activation == allowed[0]
        for activation in {*BY_LINK, *BY_AGENT}:
            chosen = {"algorithm": name, "activation": activation, "budget": {"activations": 24}}
            if activation in allowed:
                result, _, _ = agree(**chosen)
                assert result.counts.activations == 24
            else:
                with pytest.raises(ValueError, match=f"'{activation}' is not available with {name}: choose"):
                    ConsensusSettings.model_validate(chosen)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "relaxed_admm", "relaxation": 1.0}, "relaxation"),
        (
            {"algorithm": "relaxed_admm", "period": 0.001},
            "period 0.001 must not be shorter than compute 0.01",
        ),
        ({"algorithm": "push_sum", "subset": 0.5}, "subset 0.5 with push_sum: must be 1"),
        ({"codec": "int4"}, "codec"),
        (
            {"algorithm": "push_sum", "coupling": 1},
            "coupling 1.0 with push_sum: must be null, because averaging",
        ),
        ({"algorithm": "relaxed_admm", "initial_dual": 1}, "initial_dual 1.0 with relaxed_admm: must be 0"),
        ({"coupling": 0}, "coupling"),
        ({"subset": 0.0}, "subset"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ConsensusSettings.model_validate(settings)
