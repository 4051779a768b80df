"""Callables that decide about packets."""

import json
from functools import partial
from typing import Any

import networkx as nx
import pytest

from testbed.network import Network, NetworkSettings, Streams, Trace, first_difference
from testbed.network.trace.trace import PacketEvent

Log = list[tuple[float, int, Any]]


def _network(trace: Trace | None = None, **network: Any) -> tuple[Network, Log]:
    settings = NetworkSettings.model_validate({"audit": True, **network})
    made = Network(nx.path_graph(3), settings, Streams(0), trace=trace)
    log: Log = []
    for node in made.graph.nodes:
        made.attach(node, lambda message: log.append((made.clock.now, message.destination, message.payload)))
    return made, log


def test_a_rule_drops_packets_for_a_reason_of_its_own() -> None:
    network, log = _network(trace := Trace())
    network.add_rule(lambda message, now: "too_large" if message.size > 100 else None)
    network.send(0, 1, "small", 100, "x")
    network.send(0, 1, "large", 101, "x")
    network.clock.run()
    assert [payload for _, _, payload in log] == ["small"]
    snapshot = network.ledger.snapshot()
    assert (snapshot["dropped_too_large"], snapshot["messages_dropped"]) == (1, 1)
    assert [each.reason for each in trace.events if isinstance(each, PacketEvent)].count("too_large") == 1
    saved = network.state_dict()
    other, _ = _network()
    other.load_state_dict(saved)
    assert other.ledger.snapshot() == snapshot


def test_a_rule_delays_packets_on_chosen_directions_until_it_is_taken_away() -> None:
    network, log = _network(link={"delay": 1.0})
    remove = network.add_rule(lambda message, now: 0.5 if now < 10 else None, links=["0>1", "1-2"])
    for source, destination in ((0, 1), (1, 0), (1, 2), (2, 1)):
        network.send(source, destination, (source, destination), 1, "x")
    network.clock.run()
    assert {payload: time for time, _, payload in log} == {(0, 1): 1.5, (1, 0): 1.0, (1, 2): 1.5, (2, 1): 1.5}
    remove()
    remove()
    log.clear()
    network.send(0, 1, "later", 1, "x")
    network.clock.run()
    assert log == [(2.5, 1, "later")]


def test_a_delay_keeps_the_order_where_the_link_does_and_is_asked_of_copies_too() -> None:
    network, log = _network(link={"fifo": True, "duplicate": 1.0})
    asked = []

    def first_waits(message: Any, now: float) -> float | None:
        asked.append(message.serial)
        return 2.0 if message.serial == 0 else None

    remove = network.add_rule(first_waits)
    network.send(0, 1, "a", 1, "x")
    network.send(0, 1, "b", 1, "x")
    network.clock.run()
    assert log == [(2.0, 1, "a"), (2.0, 1, "a"), (2.0, 1, "b"), (2.0, 1, "b")]
    assert asked == [0, 1, 2, 3]
    remove()
    network.send(0, 1, "c", 1, "x")
    network.clock.run()
    assert len(asked) == 4


class EveryThird:
    """Drops every third packet that it has seen, whatever has become of the others."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, message: Any, now: float) -> str | None:
        self.seen += 1
        return "third" if self.seen % 3 == 0 else None

    def state_dict(self) -> int:
        return self.seen

    def load_state_dict(self, state: int) -> None:
        self.seen = state


def test_a_rule_sees_every_packet_whatever_has_become_of_it() -> None:
    for faults in ([], [{"link": "0-1", "down": 0.0, "up": 2.0}]):
        network, log = _network(faults=faults)
        network.add_rule(EveryThird())
        for number in range(6):
            network.clock.schedule(number, partial(network.send, 0, 1, number, 1, "x"))
        network.clock.run()
        arrived = [payload for _, _, payload in log]
        assert arrived == [number for number in ([2, 3, 4] if faults else range(6)) if number not in (2, 5)]


def test_a_rule_with_a_state_is_saved_and_goes_on_where_it_was() -> None:
    whole, _ = _network(one := Trace())
    whole.add_rule(EveryThird(), name="thirds")
    halves, _ = _network()
    halves.add_rule(EveryThird(), name="thirds")
    resumed, _ = _network(other := Trace())
    resumed.add_rule(EveryThird(), name="thirds")
    for network in (whole, halves):
        for number in range(4):
            network.send(0, 1, number, 1, "x")
        network.clock.run()
    one.events.clear()
    saved = json.loads(json.dumps(halves.state_dict()))
    resumed.load_state_dict(saved)
    assert resumed.state_dict() == saved
    for network in (whole, resumed):
        for number in range(4):
            network.send(0, 1, number, 1, "x")
        network.clock.run()
    assert first_difference(one, other) is None
    without, _ = _network()
    with pytest.raises(
        ValueError, match=r"states of the rules \['thirds'\], but this one has the rules \[\]"
    ):
        without.load_state_dict(saved)


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        (True, "rule 0 returned True for a packet: must be None, a reason"),
        (-1.0, "rule 0 returned -1.0"),
        (float("inf"), "rule 0 returned inf"),
        ("link_down", "rule 0 drops a packet as 'link_down': must be another reason"),
    ],
)
def test_verdicts_that_make_no_sense_are_refused(verdict: Any, message: str) -> None:
    network, _ = _network()
    network.add_rule(lambda message, now: verdict)
    with pytest.raises(ValueError, match=message):
        network.send(0, 1, None, 1, "x")


def test_rules_need_links_that_exist_and_names_of_their_own() -> None:
    network, _ = _network()
    with pytest.raises(ValueError, match="no link from node 0 to node 2"):
        network.add_rule(EveryThird(), links=["0-2"])
    with pytest.raises(ValueError, match="must be a list of names"):
        network.add_rule(EveryThird(), links="0-1")
    network.add_rule(EveryThird(), name="loss")
    with pytest.raises(ValueError, match="rule 'loss': a rule with this name already exists"):
        network.add_rule(EveryThird(), name="loss")
