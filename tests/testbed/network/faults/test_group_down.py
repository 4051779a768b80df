"""Links that go down together."""

from functools import partial

import networkx as nx
import pytest
from pydantic import ValidationError

from testbed.network import Network, NetworkSettings, Streams

RANDOM = {"fault": "group_down", "mtbf": 1, "mttr": 0.5}


def _network(*faults: dict[str, object], seed: int = 0) -> Network:
    settings = NetworkSettings.model_validate({"link": {"delay": 0.1}, "faults": faults, "audit": True})
    network = Network(nx.cycle_graph(5), settings, Streams(seed))
    for node in range(5):
        network.attach(node, lambda message: None)
    return network


def _states(network: Network, until: float = 30.0) -> list[tuple[bool, ...]]:
    states = []
    for tick in range(1, int(until * 20)):
        network.clock.run(tick / 20)
        states.append(tuple(network.link_is_up(u, v) for u, v in ((0, 1), (1, 0), (1, 2), (2, 1), (2, 3))))
    return states


def test_all_links_of_a_group_are_down_at_the_same_times() -> None:
    states = _states(_network({**RANDOM, "links": ["0-1", "2-1"]}))
    assert {state[:4] for state in states} == {(True,) * 4, (False,) * 4}
    assert all(state[4] for state in states)
    assert 0.15 < sum(not state[0] for state in states) / len(states) < 0.6


def test_the_order_of_the_links_changes_nothing_and_other_groups_have_times_of_their_own() -> None:
    group, turned = {**RANDOM, "links": ["0-1", "1-2"]}, {**RANDOM, "links": ["2-1", "1-0"]}
    assert _states(_network(group)) == _states(_network(turned))
    assert _states(_network(group)) != _states(_network({**RANDOM, "links": ["0-1", "1-2", "3-4"]}))


def test_packets_in_flight_are_dropped_or_delivered() -> None:
    for in_flight, delivered in (("drop", 0), ("deliver", 2)):
        network = _network(
            {"fault": "group_down", "links": ["0-1", "1-2"], "down": 1, "up": 2, "in_flight": in_flight}
        )
        for time in (0.95, 1.5):
            network.clock.schedule(time, partial(network.send, 0, 1, None, 1, "x"))
            network.clock.schedule(time, partial(network.send, 1, 2, None, 1, "x"))
        network.clock.run(3)
        assert network.ledger.delivered == delivered
        (report,) = network.faults_report()
        assert (report.refused, report.removed) == (2, 2 - delivered)


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ([], "at least 1 item"),
        (["0-1", "1-0"], "link '1-0' is already in the group"),
        (["0"], "link '0' must be two node numbers"),
        (["0-1", "0-3"], "'0-3' is not a link of this graph"),
    ],
)
def test_groups_that_make_no_sense_are_refused(links: list[str], message: str) -> None:
    with pytest.raises((ValidationError, ValueError)) as caught:
        _network({**RANDOM, "links": links})
    assert message in str(caught.value)
