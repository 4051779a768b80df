"""Partitions, crashes, stragglers and holds, by hand; links going down are in `test_faults.py`."""

from functools import partial
from typing import Any

import networkx as nx
import pytest

from testbed.network import FaultReport, LinkSettings, Network, NetworkSettings, Streams, Trace

Log = list[tuple[float, int, Any]]


def _network(graph: "nx.Graph[int] | None" = None, seed: int = 0, **link: Any) -> tuple[Network, Log]:
    settings = NetworkSettings(link=LinkSettings(**link))
    network = Network(graph or nx.path_graph(4), settings, Streams(seed), trace=Trace())
    log: Log = []
    for node in network.graph.nodes:
        network.attach(node, lambda message: log.append((network.clock.now, *_ends(message))))
    return network, log


def _ends(message: Any) -> tuple[int, Any]:
    return message.destination, message.payload


def _send_at(network: Network, time: float, source: int, destination: int, payload: Any) -> None:
    network.clock.schedule(
        time - network.clock.now, partial(network.send, source, destination, payload, 1, "x")
    )


def _run_checked(network: Network, until: float) -> None:
    while network.clock.peek() < until:
        network.clock.step()
        network.ledger.check()
    network.clock.run(until)


def _everyone_sends(network: Network) -> set[tuple[int, int]]:
    """Which directions let a message through now."""
    passed: set[tuple[int, int]] = set()
    for u, v in network.graph.edges:
        for source, destination in ((u, v), (v, u)):
            network.attach(destination, lambda message: passed.add((message.source, message.destination)))
            network.send(source, destination, None, 1, "x")
            network.clock.run(network.clock.now + 1)
    return passed


def test_a_partition_cuts_what_joins_its_groups_and_nothing_else() -> None:
    network, _ = _network(nx.complete_graph(5))
    with network.partition([0, 1], [2]) as fault:
        assert _everyone_sends(network) == {(0, 1), (1, 0), (3, 4), (4, 3)}
    assert len(_everyone_sends(network)) == 20
    assert fault.report() == FaultReport("partition 0 by hand", refused=16)


def test_isolating_one_agent_is_a_group_of_one() -> None:
    network, _ = _network()
    with network.partition([1]):
        assert _everyone_sends(network) == {(2, 3), (3, 2)}


@pytest.mark.parametrize("nodes", [4, 5])
def test_random_halves_are_drawn_anew_from_a_stream_of_their_own(nodes: int) -> None:
    network, _ = _network(nx.complete_graph(nodes))
    fault = network.partition()
    seen = set()
    for _ in range(30):
        with fault:
            parts = nx.Graph(list(_everyone_sends(network)))
            parts.add_nodes_from(range(nodes))
            groups = list(nx.connected_components(parts))
            assert sorted(map(len, groups)) == [nodes // 2, nodes - nodes // 2]
            seen.add(frozenset(map(frozenset, groups)))
    assert len(seen) > 1
    again, _ = _network(nx.complete_graph(nodes))
    with again.partition():
        repeated = _everyone_sends(again)
    first, _ = _network(nx.complete_graph(nodes))
    with first.partition():
        assert _everyone_sends(first) == repeated


def test_what_crosses_a_partition_already_is_dropped_or_delivered_as_chosen() -> None:
    for in_flight, arrived in (("drop", []), ("deliver", ["x"])):
        network, log = _network(delay=1.0)
        network.send(1, 2, "x", 1, "x")
        network.clock.run(0.5)
        with network.partition([0, 1], in_flight=in_flight):
            network.clock.run(2.0)
        assert [payload for _, _, payload in log] == arrived


def test_a_crashed_agent_neither_sends_nor_hears_and_others_do_not_notice() -> None:
    network, log = _network(delay=1.0)
    fault = network.crash(1)
    _send_at(network, 0.5, 1, 0, "sent before the crash")
    _send_at(network, 0.5, 0, 1, "arrives while it is down")
    _send_at(network, 1.5, 0, 1, "arrives after it is up")
    _send_at(network, 1.2, 1, 2, "sent while it is down")
    _send_at(network, 1.2, 2, 3, "elsewhere")
    network.clock.schedule(1.0, fault.begin)
    network.clock.schedule(2.0, fault.lift)
    _run_checked(network, 5.0)
    assert log == [
        (1.5, 0, "sent before the crash"),
        (2.2, 3, "elsewhere"),
        (2.5, 1, "arrives after it is up"),
    ]
    assert network.ledger.dropped["agent_down"] == 2 == fault.report().touched


def test_what_a_crashed_agent_had_sent_may_be_lost_with_it() -> None:
    network, log = _network(delay=1.0)
    network.send(1, 0, "sent", 1, "x")
    network.send(0, 1, "coming", 1, "x")
    with network.crash(1, in_flight="drop") as fault:
        assert fault.report().removed == 1
    _run_checked(network, 3.0)
    assert log == [(1.0, 1, "coming")]


def test_whoever_keeps_the_state_of_agents_hears_of_crashes_and_restarts() -> None:
    network, _ = _network()
    heard: list[Any] = []
    stop = network.on_crash(lambda node: heard.append(("crash", node)))
    network.on_restart(lambda node, state: heard.append(("restart", node, state)))
    with network.crash(2):
        assert not network.agent_is_up(2)
        assert network.agent_is_up(1)
    # Overlapping crashes are one, and it has lost its state if any of them says so.
    first, second = network.crash(1), network.crash(1, state="lost")
    first.begin()
    second.begin()
    second.lift()
    assert not network.agent_is_up(1)
    first.lift()
    stop()
    with network.crash(1):
        pass
    assert heard == [
        ("crash", 2),
        ("restart", 2, "kept"),
        ("crash", 1),
        ("restart", 1, "lost"),
        ("restart", 1, "kept"),
    ]


def test_a_straggler_multiplies_compute_times_while_it_lasts() -> None:
    network, _ = _network()
    assert network.compute_factor(1) == 1.0
    with network.slow_down(1, 4.0) as fault, network.slow_down(1, 2.5), network.slow_down(0, 3.0):
        assert (network.compute_factor(0), network.compute_factor(1)) == (3.0, 10.0)
        network.send(1, 2, None, 1, "x")
        network.send(2, 3, None, 1, "x")
    assert network.compute_factor(1) == 1.0
    assert fault.report() == FaultReport("agent 1 slowed down by hand", slowed=1)


def test_held_messages_arrive_together_in_their_order_when_released() -> None:
    network, log = _network(delay=1.0, fifo=True)
    fault = network.hold(0, 1, direction="forward")
    fault.begin()
    for time in (0.0, 0.5, 1.0):
        _send_at(network, time, 0, 1, time)
    _send_at(network, 0.0, 1, 0, "other way")
    # Due in the very instant of the release, and sent after the others: it comes after them.
    _send_at(network, 2.0, 0, 1, "just then")
    network.clock.schedule(3.0, fault.lift)
    _run_checked(network, 10.0)
    assert log == [(1.0, 0, "other way"), (3.0, 1, 0.0), (3.0, 1, 0.5), (3.0, 1, 1.0), (3.0, 1, "just then")]
    assert fault.report().held == 3


def test_held_messages_are_in_flight_and_can_be_flushed_or_lost_with_their_link() -> None:
    network, log = _network(delay=1.0)
    with network.hold(0, 1):
        network.send(0, 1, "lost", 1, "x")
        network.clock.run(2.0)
        assert network.ledger.in_flight == 1
        with network.take_down(0, 1):
            assert network.ledger.dropped["link_down"] == 1
        network.send(0, 1, "late", 1, "x")
        network.clock.run(4.0)
        assert network.flush() == 1
    _run_checked(network, 5.0)
    assert log == []
    network.ledger.check()


def test_a_message_released_from_one_hold_may_be_caught_by_another() -> None:
    network, log = _network()
    inner, outer = network.hold(0, 1), network.hold(0, 1)
    outer.begin()
    inner.begin()
    network.send(0, 1, "x", 1, "x")
    network.clock.run(1.0)
    inner.lift()
    network.clock.run(2.0)
    assert log == []
    outer.lift()
    _run_checked(network, 3.0)
    assert log == [(2.0, 1, "x")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda n: n.crash(7), "node 7 is not in this network"),
        (lambda n: n.slow_down(7, 2.0), "node 7 is not in this network"),
        (lambda n: n.slow_down(0, 0.0), r"factor 0\.0 must be a finite number above 0"),
        (lambda n: n.partition([0, 9]), "node 9 is not in this network"),
        (lambda n: n.hold(0, 2), "no link from node 0 to node 2"),
        (lambda n: n.compute_factor(5), "node 5 is not in this network"),
        (lambda n: n.agent_is_up(5), "node 5 is not in this network"),
    ],
)
def test_faults_of_what_is_not_there_are_refused(make: Any, message: str) -> None:
    network, _ = _network()
    with pytest.raises(ValueError, match=message):
        make(network)
