"""Saving a network exactly; `test_invariants.py` does it to random ones."""

import json
from typing import Any

import networkx as nx
import pytest

from testbed.network import LinkFault, LinkSettings, Network, NetworkSettings, Streams


def _network(**fields: Any) -> tuple[Network, list[tuple[float, Any]]]:
    network = Network(nx.path_graph(2), NetworkSettings.model_validate(fields), Streams(0))
    log: list[tuple[float, Any]] = []
    network.attach(1, lambda message: log.append((network.clock.now, message.payload)))
    return network, log


def test_a_transmitter_that_is_still_busy_with_lost_packets_is_saved_as_busy() -> None:
    link = {"loss": 1.0, "rate": 1.0, "limit": 2, "fifo": True}
    network, _ = _network(link=link)
    network.send(0, 1, "lost", 10, "x")
    network.send(0, 1, "lost", 10, "x")
    resumed, _ = _network(link=link)
    resumed.load_state_dict(json.loads(json.dumps(network.state_dict())))
    resumed.send(0, 1, "refused", 1, "x")
    dropped = {reason: count for reason, count in resumed.ledger.dropped.items() if count}
    assert dropped == {"queue_full": 1, "loss": 2}
    healthy, log = _network(link=link | {"loss": 0.0})
    state = network.state_dict()
    for _, _, rules in state["directions"]:
        rules.pop("loss", None)
    healthy.load_state_dict(state)
    healthy.clock.run(until=12.0)
    healthy.send(0, 1, "waits", 5, "x")
    healthy.clock.run()
    assert log == [(25.0, "waits")]


@pytest.mark.parametrize(
    "fields",
    [{"link": {"delay": 1.0}}, {"transport": "reliable", "link": {"loss": 1.0}}],
    ids=["wire", "transport"],
)
def test_a_network_with_messages_under_way_cannot_be_saved(fields: dict[str, Any]) -> None:
    network, _ = _network(**fields)
    network.send(0, 1, None, 1, "x")
    with pytest.raises(RuntimeError, match="messages in flight: flush it"):
        network.state_dict()
    network.flush()
    network.state_dict()


def test_a_network_with_a_link_taken_down_by_hand_cannot_be_saved() -> None:
    network, _ = _network()
    with network.take_down(0, 1), pytest.raises(RuntimeError, match="link 0-1 taken down by hand: lift it"):
        network.state_dict()
    network.state_dict()


def test_scheduled_faults_continue_where_they_were() -> None:
    faults = (LinkFault(link="0-1", down=1.0, up=3.0), LinkFault(link="0-1", down=5.0, direction="forward"))
    network, _ = _network(faults=faults)
    network.clock.run(until=2.0)
    network.send(0, 1, "refused", 1, "x")
    resumed, log = _network(faults=faults)
    resumed.clock.run(until=0.5)
    resumed.load_state_dict(json.loads(json.dumps(network.state_dict())))
    assert resumed.clock.now == 2.0
    assert not resumed.link_is_up(0, 1)
    assert [report.touched for report in resumed.faults_report()] == [1, 0]
    for time in (2.5, 3.5, 5.5):
        resumed.clock.schedule(time - 2.0, lambda: resumed.send(0, 1, resumed.clock.now, 1, "x"))
    resumed.clock.run()
    assert log == [(3.5, 3.5)]
    assert [report.touched for report in resumed.faults_report()] == [2, 1]
    # And back again, to before anything had happened.
    resumed.load_state_dict(_network(faults=faults)[0].state_dict())
    assert resumed.clock.now == 0.0
    assert resumed.link_is_up(0, 1)


def test_the_clock_is_not_set_past_something_that_others_have_scheduled() -> None:
    network, _ = _network()
    network.clock.run(until=10.0)
    other, _ = _network()
    other.clock.schedule(1.0, lambda: None)
    with pytest.raises(ValueError, match=r"cannot set the clock to 10\.0: an event is due at 1\.0"):
        other.load_state_dict(network.state_dict())


def test_links_without_memory_leave_nothing_to_save() -> None:
    network, _ = _network(link=LinkSettings(delay=1.0))
    json.dumps(network.state_dict())
    assert network.state_dict()["directions"] == []
