"""Requests that wait until the agent they reached is free, instead of being refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import topologies
from testbed.consensus.edge_admm.agent import EdgeAgent
from testbed.consensus.edge_admm.exchange import Exchange
from testbed.consensus.edge_admm.exchange_protocol import ExchangeProtocol
from testbed.consensus.edge_admm.waiting import WaitingRequests
from testbed.consensus.problems.mean import MeanSettings
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Network, NetworkSettings, Streams, Trace

WAITING = ["wait_by_age", "wait_by_number"]


class Seen:
    """An observer that keeps the agents of an agreement."""

    agents: list[EdgeAgent]

    def __call__(self, run):
        self.agents = run.agents or self.agents


def agree(busy, network=None, *, agents=8, seed=0, seen=None, **chosen):
    """One agreement on the mean over a random graph of four neighbours."""
    streams = Streams(seed)
    posed = MeanSettings(agents=agents, dimension=3).make(Streams(seed))
    graph = topologies.make("random_regular", agents, seed=seed, d=4)
    given = {"link": {"delay": 0.2}, "audit": True} | (network or {})
    net = Network(graph, NetworkSettings.model_validate(given), streams, trace=Trace())
    chosen = {"activation": "poisson", "activation_rate": 20, "budget": {"seconds": 5}} | chosen
    consensus = ConsensusSettings.model_validate(
        {"penalty": 0.5, "when_busy": busy, "curve_every": 1000} | chosen
    )
    algorithm = make_consensus(net, consensus, streams)
    algorithm.observer = seen
    result = algorithm.agree(posed.local)
    net.ledger.check()
    return result, posed, net


@pytest.mark.parametrize("busy", WAITING)
@pytest.mark.parametrize("activation", ["poisson", "gossip"])
def test_slow_links_complete_several_times_as_many_exchanges_in_the_same_time(busy, activation):
    refusing, waiting = (
        sum(
            agree(each, {"audit": False}, seed=seed, activation=activation)[0].counts.completed
            for seed in range(3)
        )
        for each in ("refuse", busy)
    )
    assert waiting > 2.5 * refusing


@settings(max_examples=25)
@given(
    busy=st.sampled_from(WAITING),
    seed=st.integers(0, 1000),
    agents=st.integers(5, 9),
    delay=st.sampled_from([0, 0.004, 0.05, 0.2]),
    rate=st.sampled_from([1, 20]),
    activation=st.sampled_from(["poisson", "gossip"]),
)
def test_nobody_waits_in_vain_and_the_numbers_are_those_of_exchanges_one_after_the_other(
    busy, seed, agents, delay, rate, activation
):
    seen = Seen()
    result, posed, net = agree(
        busy,
        {"link": {"delay": delay}},
        seen=seen,
        agents=agents,
        seed=seed,
        activation=activation,
        activation_rate=rate,
        budget={"activations": 200},
    )
    counts = result.counts
    assert counts.given_up == counts.half_committed == 0  # a circle would last until the timeouts
    assert counts.completed + counts.busy == counts.activations
    answered = [row.fields["link"] for row in net.trace.events if row.event == "answered"]
    assert len(answered) == counts.completed
    agents = [
        EdgeAgent(q, posed.local[q], sorted(tuple(sorted(edge)) for edge in net.graph.edges), 0.5)
        for q in range(agents)
    ]
    for name in answered:
        link = tuple(map(int, name.split("-")))
        for end in link:
            agents[end].solve()
        offers = agents[link[0]].offer(link) + agents[link[1]].offer(link)
        for end in link:
            agents[end].commit(link, offers)
    for ours, expected in zip(seen.agents, agents, strict=True):
        for link in ours.links:
            assert ours.y[link].tobytes() == expected.y[link].tobytes()
            assert ours.z[link].tobytes() == expected.z[link].tobytes()


@given(st.data())
@pytest.mark.parametrize("busy", WAITING)
def test_agents_that_wait_for_each_other_never_form_a_circle(busy, data):
    agents = data.draw(st.integers(2, 7))
    waiting = WaitingRequests(busy, None, agents)
    numbers = data.draw(st.permutations(range(agents)))
    begun = {}  # every agent has begun an exchange with another
    for agent, number in enumerate(numbers):
        other = data.draw(st.integers(0, agents - 1).filter(lambda each, agent=agent: each != agent))
        begun[agent] = Exchange((min(agent, other), max(agent, other)), agent, number)
    after = {
        agent: mine.responder
        for agent, mine in begun.items()
        if waiting.may_wait(mine, begun[mine.responder])
    }
    for start in after:
        agent, seen = start, set()
        while agent in after:
            assert agent not in seen
            seen.add(agent)
            agent = after[agent]


def test_one_at_a_time_nobody_waits_and_nothing_changes():
    traces = []
    for busy in ("refuse", *WAITING):
        result, _, net = agree(busy, activation="sequential", budget={"activations": 50})
        assert result.counts.held == 0
        traces.append("\n".join(net.trace.lines()))
    assert traces[0] == traces[1] == traces[2]


@pytest.mark.parametrize("busy", WAITING)
def test_a_request_waits_no_longer_than_its_sender(busy, monkeypatch):
    # Agent 0 computes for 0.6 s, and requests to it time out after 1 s.
    slow = {"fault": "straggler", "agent": 0, "factor": 60, "down": "0s"}
    network = {"link": {"delay": 0.01}, "faults": [slow]}
    result, _, _ = agree(busy, network, timeout=1.0, budget={"activations": 400})
    assert result.counts.held > 0
    assert result.counts.given_up == result.counts.half_committed == 0
    monkeypatch.setattr(ExchangeProtocol, "_to_spare", lambda *_: 100.0)
    result, _, _ = agree(busy, network, timeout=1.0, budget={"activations": 400})
    assert result.counts.given_up > 0


@pytest.mark.parametrize("busy", WAITING)
def test_requests_that_wait_for_an_agent_are_lost_when_it_crashes(busy):
    crash = {"link": {"delay": 0.2}, "faults": [{"fault": "crash", "agent": 0, "down": "1s", "up": "2s"}]}
    result, _, _ = agree(busy, crash)
    again, _, _ = agree(busy, crash)
    assert result.counts.given_up > 0
    assert result.counts == again.counts
    for s, r in zip(result.signals, again.signals, strict=True):
        assert s.tobytes() == r.tobytes()


def test_algorithms_with_one_way_messages_refuse_nobody():
    with pytest.raises(
        ValidationError,
        match="when_busy wait_by_age with relaxed_admm: must be refuse, because only edge_admm",
    ):
        ConsensusSettings(algorithm="relaxed_admm", when_busy="wait_by_age")


@pytest.mark.parametrize("busy", WAITING)
def test_it_still_reaches_the_optimum(busy):
    result, posed, _ = agree(busy, {"link": {"delay": 0.02}}, budget={"exchanges": 1200, "seconds": 1000})
    for signal in result.signals:
        np.testing.assert_allclose(signal, posed.optimum, atol=1e-8)
