"""Relaxed ADMM on the network against the sequential reference and exact optima."""

import numpy as np
import pytest
import reference_consensus as reference

import topologies
from testbed.consensus.problems.least_squares import LeastSquaresSettings
from testbed.consensus.problems.mean import MeanSettings
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams, Trace


def agree(problems, graph, network=None, seed=0, **settings):
    """One agreement, with the signals at every row of its curve."""
    streams = Streams(seed)
    net = Network(graph, NetworkSettings.model_validate(network or {}), streams, trace=Trace())
    history = []
    consensus = make_consensus(
        net, ConsensusSettings.model_validate({"algorithm": "relaxed_admm"} | settings), streams
    )
    result = consensus.agree(problems, measure=lambda s: history.append(list(s)) or {})
    net.ledger.check()
    return result, history, net


def posed(name="mean", agents=6):
    settings = {"mean": MeanSettings, "least_squares": LeastSquaresSettings}[name]
    return settings(agents=agents, dimension=4).make(Streams(0))


@pytest.mark.parametrize("link", [{}, {"delay": 0.02, "jitter": 0.01, "rate": 1e5}])
@pytest.mark.parametrize("topology", ["ring", "star", "erdos_renyi"])
@pytest.mark.parametrize("problem", ["mean", "least_squares"])
def test_without_losses_rounds_give_the_reference_bit_for_bit(problem, topology, link):
    graph = topologies.make(topology, 6, seed=1, **({"p": 0.5} if topology == "erdos_renyi" else {}))
    local = posed(problem).local
    _, history, _ = agree(
        local, graph, {"link": link}, penalty=0.7, relaxation=0.6, budget={"activations": 6 * 25}
    )
    links = sorted(tuple(sorted(edge)) for edge in graph.edges)
    expected = list(reference.relaxed_admm(local, links, 25, 0.7, 0.6))
    assert len(expected) == len(history) - 1
    for ours, theirs in zip(history[1:], expected, strict=True):
        for s, r in zip(ours, theirs, strict=True):
            assert s.tobytes() == r.tobytes()


@pytest.mark.parametrize("activation", ["synchronous", "asynchronous", "gossip"])
@pytest.mark.parametrize("problem", ["mean", "least_squares"])
def test_the_exact_optimum_is_reached_however_agents_act_and_although_messages_are_lost(problem, activation):
    aim = posed(problem)
    result, _, _ = agree(
        aim.local,
        topologies.make("ring", 6),
        {"link": {"loss": 0.3, "delay": 0.03, "jitter": 0.02}},
        penalty=0.5 if problem == "mean" else 8.0,
        activation=activation,
        budget={"activations": 6000},
        curve_every=2000,
    )
    for signal in result.signals:
        np.testing.assert_allclose(signal, aim.optimum, atol=1e-8, rtol=0)
    assert result.measured["primal_residual"] < 1e-8


def test_a_round_lasts_a_solve_and_twice_the_slowest_latency_and_each_agent_writes_to_each_neighbour():
    result, _, _ = agree(
        posed().local,
        topologies.make("ring", 6),
        {"link": {"delay": 0.005}, "links": {"0-1": {"delay": 0.02}}},
        compute=0.01,
        budget={"activations": 60},
    )
    assert result.seconds == pytest.approx(10 * (0.01 + 2 * 0.02))
    assert (result.counts.activations, result.counts.solves, result.counts.completed) == (60, 60, 120)
    assert result.bytes == 120 * (16 + 4 * 8)
    assert len(result.curve) == 11


def test_a_message_later_than_its_round_counts_in_the_round_it_arrives_in():
    graph, aim = topologies.make("path", 2), posed(agents=2)
    rounds = {"compute": 0, "period": 1.0, "penalty": 1.0, "relaxation": 0.5, "budget": {"activations": 8}}
    _, history, _ = agree(aim.local, graph, {"link": {"delay": 1.5}}, **rounds)
    a = np.stack([problem.a for problem in aim.local])
    # What is sent in round k is there in round k + 2, and until then nothing is.
    np.testing.assert_allclose(history[1], a / 2)
    np.testing.assert_allclose(history[2], a / 2)
    np.testing.assert_allclose(history[3], (a + 0.5 * 2 * a[::-1] / 2) / 2)


def test_lost_messages_hold_the_variables():
    _, history, _ = agree(
        posed().local, topologies.make("ring", 6), {"link": {"loss": 1.0}}, budget={"activations": 60}
    )
    for later in history[2:]:
        np.testing.assert_array_equal(later, history[1])


def test_a_straggler_sits_out_the_rounds_that_begin_before_it_is_done():
    result, _, _ = agree(
        posed().local,
        topologies.make("ring", 6),
        {"faults": [{"fault": "straggler", "agent": 2, "factor": 3.5, "down": 0}]},
        compute=0.01,
        period=0.011,
        budget={"activations": 6 * 40},
    )
    # 35 ms are four periods of 11 ms: it begins every fourth round.
    assert result.counts.busy == 30
    assert result.counts.solves == 240 - 30


def test_an_agent_that_forgets_starts_with_nothing_and_the_optimum_is_still_reached():
    aim = posed()
    crash = {"fault": "crash", "agent": 1, "down": 0.5, "up": 0.7, "state": "lost"}
    result, history, _ = agree(
        aim.local,
        topologies.make("ring", 6),
        {"link": {"delay": 0.004}, "faults": [crash]},
        penalty=0.5,
        compute=0.01,
        period=0.02,
        budget={"activations": 6 * 400},
    )
    assert result.counts.down == 10
    # The first solve after that knows of its own problem only: a / (1 + rho degree).
    np.testing.assert_allclose(history[36][1], aim.local[1].a / 2)
    assert not np.allclose(history[35][1], history[36][1])
    np.testing.assert_allclose(np.stack(result.signals), np.tile(aim.optimum, (6, 1)), atol=1e-9)


def test_the_same_seed_gives_the_same_trace_and_another_does_not():
    lossy = {"link": LinkSettings(delay=0.01, jitter=0.004, loss=0.2)}
    traces = []
    for seed in (5, 5, 6):
        _, _, net = agree(
            posed().local,
            topologies.make("ring", 6),
            lossy,
            seed,
            activation="gossip",
            codec="int8",
            subset=0.5,
            budget={"activations": 150},
        )
        traces.append("\n".join(net.trace.lines()))
    assert traces[0] == traces[1] != traces[2]


def test_clocks_ring_at_their_rate():
    result, _, _ = agree(
        posed().local,
        topologies.make("ring", 6),
        activation="asynchronous",
        activation_rate=20,
        compute=0.001,
        budget={"activations": 3000},
        curve_every=1000,
    )
    assert result.seconds == pytest.approx(3000 / (6 * 20), rel=0.05)
    assert result.counts.solves + result.counts.busy == 3000
    assert result.counts.completed + result.late == 2 * result.counts.solves


@pytest.mark.parametrize(
    ("budget", "column", "limit"),
    [
        ({"activations": 40}, "activations", 42),  # whole rounds of six
        ({"activations": 500, "exchanges": 20}, "exchanges", 24),
        ({"activations": 500, "seconds": 0.055}, "seconds", 0.055),
    ],
)
def test_whichever_budget_is_reached_first_ends_the_agreement(budget, column, limit):
    result, _, net = agree(posed().local, topologies.make("ring", 6), compute=0.01, budget=budget)
    assert result.curve[-1][column] == pytest.approx(limit, abs=1e-12)
    assert net.clock.peek() == np.inf  # nothing is left on the clock
