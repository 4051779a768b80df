"""Topologies that change: which links are up when, what becomes of packets, and joint connectivity."""

import json
from functools import partial
from typing import Any

import networkx as nx
import numpy as np
import pytest
from pydantic import ValidationError

import topologies
from testbed.network import Network, NetworkSettings, Streams, Trace
from topologies.motion import RandomWaypoint

Way = tuple[int, int]


def _network(schedule: dict[str, Any], graph: Any = None, seed: int = 0, **fields: Any) -> Network:
    settings = NetworkSettings.model_validate({"schedule": schedule, "audit": True, **fields})
    network = Network(graph or nx.cycle_graph(4), settings, Streams(seed), trace=Trace())
    for node in network.graph.nodes:
        network.attach(node, lambda message: None)
    return network


def _up(network: Network) -> set[Way]:
    ways = [way for u, v in network.graph.edges for way in ((u, v), (v, u))]
    return {way for way in ways if network.link_is_up(*way)}


def _both(*links: Way) -> set[Way]:
    return {way for u, v in links for way in ((u, v), (v, u))}


def test_rounds_follow_each_other_again_and_again() -> None:
    rounds = [["0-1", "2-3"], [], ["1-2"]]
    network = _network({"name": "switching", "period": "500ms", "rounds": rounds})
    seen = []
    for time in (0.0, 0.25, 0.75, 1.25, 1.75, 2.25):
        network.clock.run(time)
        seen.append(_up(network))
    first, third = _both((0, 1), (2, 3)), _both((1, 2))
    assert seen == [first, first, set(), third, first, set()]


def test_packets_meet_links_that_are_not_there_as_they_meet_links_that_are_down() -> None:
    for in_flight, delivered in (("drop", [0.0]), ("deliver", [0.0, 0.9])):
        network = _network(
            {"name": "switching", "period": 1, "rounds": [["0-1"], []], "in_flight": in_flight},
            link={"delay": 0.5},
        )
        log: list[float] = []
        network.attach(1, lambda message, log=log: log.append(message.payload))
        for time in (0.0, 0.9, 1.5):
            network.clock.schedule(time, partial(network.send, 0, 1, time, 1, "x"))
        network.clock.run(1.95)
        assert log == delivered
        report = network.schedule_report()
        assert report is not None
        assert (report.rounds, report.refused, report.removed) == (2, 1, 2 - len(delivered))
        assert network.ledger.dropped["link_down"] == 3 - len(delivered)


def test_a_round_begins_before_the_messages_of_its_instant() -> None:
    network = _network({"name": "switching", "period": 1, "rounds": [["0-1"], ["1-2"]]}, link={"delay": 1})
    network.send(0, 1, None, 1, "arrives as its link goes")
    network.clock.run(1.5)
    assert network.ledger.dropped["link_down"] == 1


def test_a_link_needs_both_its_round_and_no_fault() -> None:
    network = _network(
        {"name": "switching", "period": 1, "rounds": [["0-1"], []]},
        faults=[{"link": "0-1", "down": 1.5, "up": 2.5}],
    )
    up = []
    for time in (0.5, 1.25, 1.75, 2.25, 2.75, 3.25):
        network.clock.run(time)
        up.append(network.link_is_up(0, 1))
    assert up == [True, False, False, False, True, False]
    assert network.trace is not None
    changes = [
        (event.time, event.event)
        for event in network.trace.events
        if event.event.startswith("link") and event.row()["source"] == 0 and event.row()["destination"] == 1
    ]
    assert changes == [(1.0, "link_down"), (2.5, "link_up"), (3.0, "link_down")]


@pytest.mark.parametrize("both_ways", [True, False])
def test_one_peer_exponential_lets_everyone_hear_one_other(both_ways: bool) -> None:
    graph = topologies.make("exponential", 8)
    network = _network(
        {"name": "one_peer_exponential", "period": 1, "both_ways": both_ways, "window": 3}, graph
    )
    for time in range(7):
        network.clock.run(time + 0.5)
        heard = {((node + 2 ** (time % 3)) % 8, node) for node in range(8)}
        assert _up(network) == (_both(*heard) if both_ways else heard)
    report = network.schedule_report()
    assert report is not None
    assert report.joint_connectivity == network.metrics()["joint_connectivity"] == 1.0


def test_agents_that_move_hear_those_within_range_and_linked() -> None:
    graph = topologies.make("complete", 6)
    graph.remove_edge(0, 1)
    schedule = {"name": "random_waypoint", "range": 0.4, "speed": [0.1, 0.3], "period": 0.5, "pause": 0.1}
    network = _network(schedule, graph, seed=5)
    streams = Streams(5)
    walk = RandomWaypoint([streams.fresh("waypoint", node) for node in range(6)], (0.1, 0.3), 0.1)
    changes = set()
    for time in range(40):
        network.clock.run(time / 2 + 0.25)
        where = walk.positions
        near = [(u, v) for u, v in graph.edges if np.linalg.norm(where[u] - where[v]) <= 0.4]
        assert _up(network) == _both(*near)
        changes.add(tuple(near))
        walk.advance(0.5)
    assert len(changes) > 10
    assert 0 < network.metrics()["joint_connectivity"] <= 1


def test_without_a_schedule_there_is_nothing_to_report() -> None:
    network = Network(nx.path_graph(2), NetworkSettings(), Streams(0))
    assert network.schedule_report() is None
    assert "joint_connectivity" not in network.metrics()


@pytest.mark.parametrize(
    "schedule",
    [
        {"name": "switching", "period": 0.3, "rounds": [["0-1", "2-3"], ["1-2"], []]},
        {"name": "random_waypoint", "range": 0.5, "speed": [0.1, 0.5], "period": 0.2},
    ],
    ids=["switching", "random_waypoint"],
)
def test_a_network_whose_topology_changes_is_saved_exactly(schedule: dict[str, Any]) -> None:
    fields = {"faults": [{"link": "all", "mtbf": 1, "mttr": 0.5}], "link": {"delay": 0.05, "loss": 0.2}}
    network, resumed = _network(schedule, **fields), _network(schedule, **fields)

    def play(each: Network, since: float, until: float) -> None:
        for time in np.arange(since, until, 0.1).tolist():
            for u, v in each.graph.edges:
                each.clock.schedule(time - each.clock.now, partial(each.send, u, v, None, 1, "x"))
        each.clock.run(until)

    play(network, 0.0, 3.0)
    network.flush()
    resumed.clock.run(1.0)
    saved = json.loads(json.dumps(network.state_dict()))
    resumed.load_state_dict(saved)
    assert json.loads(json.dumps(resumed.state_dict())) == saved
    for each in (network, resumed):
        assert each.trace is not None
        each.trace.events.clear()
        play(each, 3.0, 9.0)
        each.flush()
    assert network.trace is not None
    assert resumed.trace is not None
    assert list(network.trace.lines()) == list(resumed.trace.lines())
    assert network.state_dict() == resumed.state_dict()
    assert network.schedule_report() == resumed.schedule_report()


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({"name": "switching", "period": 0, "rounds": [["0-1"]]}, "greater than or equal to 0.000001"),
        ({"name": "switching", "period": 1, "rounds": []}, "at least 1 item"),
        ({"name": "switching", "period": 1, "rounds": [["0:1"]]}, "must be two node numbers joined"),
        ({"name": "swiching", "period": 1}, "'switching', 'one_peer_exponential', 'random_waypoint'"),
        ({"name": "random_waypoint", "period": 1}, "Field required"),
        (
            {"name": "random_waypoint", "period": 1, "range": 1, "speed": [2, 1]},
            "must have the smaller first",
        ),
        ({"name": "random_waypoint", "period": 1, "range": 1, "speed": [0, 1]}, "greater than 0"),
        ({"name": "one_peer_exponential", "period": 1, "window": 0}, "greater than or equal to 1"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(schedule: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _network(schedule)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (
            {"name": "switching", "period": 1, "rounds": [["0-1"], ["0-2"]]},
            "schedule: '0-2' is not a link of this graph: did you mean",
        ),
        (
            {"name": "one_peer_exponential", "period": 1},
            "needs the link [0-9]-[0-9]: give the topology exponential",
        ),
    ],
)
def test_schedules_of_links_that_the_graph_does_not_have_are_refused(
    schedule: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _network(schedule)
