from functools import partial
from typing import Any, Literal

import networkx as nx
import pytest

from testbed.network import FaultReport, LinkFault, LinkSettings, Network, NetworkSettings, Streams, Trace

Log = list[tuple[float, Any]]


def _network(*faults: dict[str, Any], **link: Any) -> tuple[Network, Log]:
    settings = NetworkSettings(
        link=LinkSettings(**link), faults=tuple(LinkFault(**fault) for fault in faults)
    )
    network = Network(nx.path_graph(3), settings, Streams(0), trace=Trace())
    log: Log = []
    for node in range(3):
        network.attach(node, lambda message: log.append((network.clock.now, message.payload)))
    return network, log


def _send_at(network: Network, *times: float, source: int = 0, destination: int = 1) -> None:
    for time in times:
        network.clock.schedule(time, partial(network.send, source, destination, time, 1, "x"))


def _run_checked(network: Network) -> None:
    while network.clock.step():
        network.ledger.check()


def test_a_link_that_goes_down_drops_what_is_in_flight_and_what_is_sent() -> None:
    network, log = _network({"link": "0-1", "down": 2.0, "up": 4.0}, delay=1.0)
    _send_at(network, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
    _run_checked(network)
    # At equal times faults act first: what arrives or is sent at 2 s is too late, what is sent at 4 s is not.
    assert log == [(1.5, 0.5), (5.0, 4.0)]
    assert network.ledger.dropped["link_down"] == 4
    assert network.faults_report() == [FaultReport("link 0-1 down from 2 s to 4 s", refused=2, removed=2)]
    assert network.faults_report()[0].touched == 4
    assert network.trace is not None
    assert [tuple(e.row().values()) for e in network.trace.events if e.event in ("link_down", "link_up")] == [
        (2.0, "link_down", 0, 1),
        (2.0, "link_down", 1, 0),
        (4.0, "link_up", 0, 1),
        (4.0, "link_up", 1, 0),
    ]


def test_what_is_in_flight_may_be_delivered() -> None:
    network, log = _network({"link": "0-1", "down": 2.0, "in_flight": "deliver"}, delay=1.0)
    _send_at(network, 1.5, 2.5)
    _run_checked(network)
    assert log == [(2.5, 1.5)]
    assert network.faults_report() == [FaultReport("link 0-1 down from 2 s", refused=1, removed=0)]


@pytest.mark.parametrize(
    ("direction", "arrived"), [("forward", ["back"]), ("backward", ["there"]), ("both", [])]
)
def test_a_link_can_be_down_one_way_only(
    direction: Literal["both", "forward", "backward"], arrived: list[str]
) -> None:
    network, log = _network({"link": "1-0", "down": 1.0, "direction": direction})
    network.clock.run(until=1.5)
    assert network.link_is_up(1, 0) is ("there" in arrived)
    assert network.link_is_up(0, 1) is ("back" in arrived)
    network.send(1, 0, "there", 1, "x")
    network.send(0, 1, "back", 1, "x")
    _run_checked(network)
    assert [payload for _, payload in log] == arrived


def test_other_links_do_not_notice() -> None:
    network, log = _network({"link": "0-1", "down": 0.0})
    _send_at(network, 1.0, source=1, destination=2)
    _run_checked(network)
    assert log == [(1.0, 1.0)]


def test_a_fault_at_time_zero_lasts_before_the_clock_has_moved() -> None:
    network, log = _network({"link": "0-1", "down": 0.0, "up": 1.0})
    assert not network.link_is_up(0, 1)
    network.send(0, 1, "x", 1, "x")
    _run_checked(network)
    assert log == []
    assert network.link_is_up(0, 1)


def test_a_queue_is_emptied_when_its_link_goes_down_and_idle_when_it_comes_up() -> None:
    network, log = _network({"link": "0-1", "down": 1.5, "up": 2.0}, rate=1.0, limit=4, fifo=True, delay=10.0)
    _send_at(network, 0.0, 0.0, 0.0, 0.0, 3.0)
    _run_checked(network)
    assert log == [(14.0, 3.0)]


def test_a_link_is_up_again_when_the_last_of_overlapping_faults_is_lifted() -> None:
    network, log = _network(
        {"link": "0-1", "down": 1.0, "up": 3.0}, {"link": "1-0", "down": 2.0, "up": 5.0}, delay=0.5
    )
    _send_at(network, 1.5, 2.5, 4.0, 5.0)
    _run_checked(network)
    assert log == [(5.5, 5.0)]
    assert [report.refused for report in network.faults_report()] == [2, 2]
    assert network.trace is not None
    changes = [(e.time, e.event) for e in network.trace.events if e.event in ("link_down", "link_up")]
    assert changes == [(1.0, "link_down"), (1.0, "link_down"), (5.0, "link_up"), (5.0, "link_up")]


def test_a_fault_that_touched_no_message_is_reported_as_such() -> None:
    network, _ = _network({"link": "0-1", "down": 1.0, "up": 2.0}, {"link": "1-2", "down": 50.0})
    _send_at(network, 0.0, 3.0)
    network.clock.run(until=10.0)
    assert [(report.fault, report.touched) for report in network.faults_report()] == [
        ("link 0-1 down from 1 s to 2 s", 0),
        ("link 1-2 down from 50 s", 0),
    ]


def test_faults_can_be_made_by_hand_and_lifted() -> None:
    network, log = _network(delay=1.0)
    network.send(0, 1, "in flight", 1, "x")
    with network.take_down(0, 1, direction="forward") as fault:
        assert not network.link_is_up(0, 1)
        assert network.link_is_up(1, 0)
        network.send(0, 1, "refused", 1, "x")
        network.send(1, 0, "other way", 1, "x")
        with pytest.raises(RuntimeError, match="already begun"):
            fault.begin()
    assert network.link_is_up(0, 1)
    network.send(0, 1, "after", 1, "x")
    _run_checked(network)
    assert [payload for _, payload in log] == ["other way", "after"]
    assert network.faults_report() == [FaultReport("link 0-1 taken down by hand", refused=1, removed=1)]
    with pytest.raises(RuntimeError, match="nothing to lift"):
        fault.lift()
    with pytest.raises(ValueError, match="no link from node 0 to node 2"):
        network.take_down(0, 2)


def test_a_fault_leaves_the_luck_of_all_later_messages_unchanged() -> None:
    def arrivals(*faults: dict[str, Any]) -> dict[float, float]:
        network, log = _network(*faults, loss=0.3, delay=0.1, jitter=0.02, distribution="normal")
        _send_at(network, *(0.01 * number for number in range(400)))
        _run_checked(network)
        return {payload: time for time, payload in log}

    quiet = arrivals()
    disturbed = arrivals({"link": "0-1", "down": 1.0, "up": 2.0})
    assert disturbed == {sent: time for sent, time in quiet.items() if time < 1.0 or sent >= 2.0}
    assert 0 < len(disturbed) < len(quiet)
