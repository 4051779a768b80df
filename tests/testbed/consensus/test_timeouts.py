"""How long an agent waits for an answer: nobody is given up whose answer can still come."""

import numpy as np
import pytest

import topologies
from testbed.consensus.problems.mean import MeanSettings
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.consensus.traits import averaging
from testbed.network import Network, NetworkSettings, Streams


def agree(network, activations=100, **settings):
    """One agreement of four agents on a ring, and the largest error of any of them."""
    streams = Streams(0)
    posed = MeanSettings(agents=4, dimension=2).make(streams)
    net = Network(topologies.make("ring", 4), NetworkSettings.model_validate(network), streams)
    chosen = {"budget": {"activations": activations}, "curve_every": 100} | settings
    consensus = make_consensus(net, ConsensusSettings.model_validate(chosen), streams)
    result = consensus.agree(posed.local)
    return result, max(np.abs(signal - posed.optimum).max() for signal in result.signals)


@pytest.mark.parametrize("transport", ["datagram", "reliable"])
@pytest.mark.parametrize("activation", ["sequential", "round_robin"])
def test_where_nothing_takes_time_exchanges_complete_as_where_it_takes_some(activation, transport):
    results = [
        agree({"link": {"delay": delay}, "transport": transport}, compute=0, activation=activation)
        for delay in (0, 0.001)
    ]
    for result, _ in results:
        assert (result.counts.completed, result.counts.half_committed) == (100, 0)
    assert results[0][0].seconds == 0
    assert results[0][1] == results[1][1]


@pytest.mark.parametrize("algorithm", ["relaxed_admm", *averaging()])
def test_rounds_where_nothing_takes_time_hear_all_messages(algorithm):
    still, slow = (agree({"link": {"delay": d}}, compute=0, algorithm=algorithm) for d in (0, 0.001))
    assert still[0].counts.completed == slow[0].counts.completed == 200
    assert still[1] == slow[1]


@pytest.mark.parametrize("link", [
    {"jitter": 0.01},
    {"jitter": 0.01, "distribution": "normal"},
    {"jitter": 0.01, "distribution": "exponential"},
    {"jitter": 0.01, "distribution": "pareto"},
    {"delay": 0.001, "jitter": 0.02, "distribution": "lognormal"},
])  # fmt: skip
def test_jitter_above_the_mean_delay_is_waited_for(link):
    counts = agree({"link": link}, 150, compute=0)[0].counts
    assert counts.given_up <= 3
    counts = agree({"link": link}, 100, compute=0, algorithm="relaxed_admm")[0].counts
    assert counts.completed >= 0.95 * 200


def test_a_straggler_is_waited_for():
    slow = {"fault": "straggler", "agent": 0, "factor": 30, "down": 0}
    counts = agree({"link": {"delay": 0.001}, "faults": [slow]})[0].counts
    assert (counts.completed, counts.given_up) == (100, 0)


def test_a_queue_is_waited_for():
    """Each request finds twenty packets of its size waiting, on a link whose nominal latency is one."""
    streams = Streams(0)
    net = Network(
        topologies.make("path", 2), NetworkSettings.model_validate({"link": {"rate": 1000}}), streams
    )
    settings = ConsensusSettings.model_validate({"compute": 0, "budget": {"activations": 1}})
    posed = MeanSettings(agents=2, dimension=2).make(streams)
    agreement = make_consensus(net, settings, streams).consensus_run(posed.local, None, None)
    for source, destination in ((0, 1), (1, 0)):
        before = net.patience(source, destination, 32)
        net.send(source, destination, None, 640, "other")
        assert net.patience(source, destination, 32) == pytest.approx(before + 0.64)
    assert agreement._timeout(0, 1, 32) > 1.28  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("delay", "compute"), [(0.001, 0.01), (0.005, 0.01), (0.3, 0.01), (0.1, 0.7), (0.1, 0)]
)
def test_an_answer_that_comes_at_the_very_end_of_the_wait_counts(delay, compute):
    """At whatever time that is: sums of floats differ in the last digits."""
    settings = {"compute": compute, "timeout": 2 * delay + compute}
    counts = agree({"link": {"delay": delay}}, 150, **settings)[0].counts
    assert (counts.completed, counts.half_committed) == (150, 0)
    too_short = {"compute": compute, "timeout": (2 * delay + compute) * (1 - 1e-9)}
    assert agree({"link": {"delay": delay}}, 30, **too_short)[0].counts.completed == 0


OUTAGE = {"link": "all", "down": 0.1, "up": 0.9}
LOSSES = [
    ({"loss": 0.1}, []),
    ({"loss": 0.3}, []),
    ({"loss": {"gemodel": {"p": 0.05, "r": 0.3}}}, []),
    ({"corrupt": 0.3}, []),
    ({"rate": "100kbit", "limit": 1, "loss": 0.2}, []),
    ({"jitter": 0.02, "duplicate": 0.3, "loss": 0.2}, []),
    ({}, [OUTAGE]),
]


@pytest.mark.parametrize("activation", ["sequential", "poisson"])
@pytest.mark.parametrize(("link", "faults"), LOSSES)
def test_a_reliable_transport_half_commits_nothing_that_is_delivered_in_the_end(link, faults, activation):
    network = {"link": {"delay": 0.005} | link, "transport": "reliable", "faults": faults}
    result, _ = agree(network, 100, activation=activation)
    assert (result.counts.half_committed, result.counts.given_up) == (0, 0)
    assert result.counts.completed + result.counts.busy == 100
    assert result.counts.completed > 25


def test_a_reliable_transport_that_gives_up_is_not_waited_for_any_longer():
    """Waits of 50, 100, 200 and 400 ms at the most, there and back: then neither transport tries again."""
    network = {"transport": "reliable", "retransmission_timeout": 0.05, "retries": 3}
    down = [{"link": "all", "down": 0}]
    result, _ = agree(network | {"faults": down}, 1, activation="round_robin")
    assert result.counts.given_up == 1
    assert result.seconds == pytest.approx(0.01 + 0.75 + 0.01 + 0.75)


def test_a_retransmission_does_not_race_with_the_acknowledgement_that_comes_at_that_moment():
    network = {"link": {"delay": 0.3}, "transport": "reliable", "retransmission_timeout": 0.6}
    streams = Streams(0)
    net = Network(topologies.make("path", 2), NetworkSettings.model_validate(network), streams)
    for node in (0, 1):
        net.attach(node, lambda message: None)
    for pause in (0.1, 0.7, 0.3, 1.1):
        net.clock.run(until=net.clock.now + pause)
        net.send(0, 1, None, 10, "data")
    net.clock.run()
    assert net.ledger.retransmitted == 0
