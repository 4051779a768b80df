"""Links that are up as a file of contacts or of positions says."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from testbed.network import Network, NetworkSettings, Streams, Trace
from testbed.network.contacts import within_range_changes

CONTACTS = "time,link,up\n0,0-1,1\n1,1>2,1\n1.5,0-1,0\n2,0-1,1\n2,1>2,0\n"


def _network(schedule: dict[str, Any], graph: "nx.Graph[int]", **fields: Any) -> Network:
    given = NetworkSettings.model_validate({"schedule": schedule, "audit": True, **fields})
    network = Network(graph, given, Streams(0), trace=Trace())
    for node in graph.nodes:
        network.attach(node, lambda message: None)
    return network


def _up(network: Network) -> set[tuple[int, int]]:
    ways = [way for u, v in network.graph.edges for way in ((u, v), (v, u))]
    return {way for way in ways if network.link_is_up(*way)}


def test_links_are_up_when_the_file_says_so_and_down_before(tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").write_text(CONTACTS)
    network = _network({"name": "contacts", "file": tmp_path / "contacts.csv"}, nx.path_graph(4))
    both, one = {(0, 1), (1, 0)}, {(1, 2)}
    for time, expected in ((0.5, both), (1.25, both | one), (1.75, one), (2.5, both), (99.0, both)):
        network.clock.run(time)
        assert _up(network) == expected
    assert network.schedule_report().rounds == 4


def test_packets_in_flight_are_dropped_or_delivered(tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").write_text(CONTACTS)
    for in_flight, delivered in (("drop", 1), ("deliver", 2)):
        schedule = {"name": "contacts", "file": tmp_path / "contacts.csv", "in_flight": in_flight}
        network = _network(schedule, nx.path_graph(3), link={"delay": 0.5})
        for time in (0.0, 1.2, 1.6):
            network.clock.schedule(time, partial(network.send, 0, 1, None, 1, "x"))
        network.clock.run()
        assert network.ledger.delivered == delivered
        assert (network.schedule_report().refused, network.schedule_report().removed) == (1, 2 - delivered)


POINTS = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=4)


@given(POINTS, POINTS, st.sampled_from([0.5, 1.3, 3.1]))
@settings(deadline=None)
def test_agents_hear_each_other_while_their_distance_is_at_most_the_range(
    one: list[tuple[int, int]], other: list[tuple[int, int]], radius: float
) -> None:
    tracks = {
        node: np.array([(gap * number, *point) for number, point in enumerate(points)], dtype=float)
        for node, points, gap in ((0, one, 2.0), (1, other, 3.0))
    }
    changes = within_range_changes(tracks, [(0, 1)], radius)
    assert [time for time, _ in changes] == sorted({time for time, _ in changes})
    for time in np.linspace(0.0137, 12, 400):
        up = False
        for moment, ways in changes:
            if moment <= time:
                up = dict(ways)[0, 1]
        places = [
            [np.interp(time, track[:, 0], track[:, axis]) for axis in (1, 2)] for track in tracks.values()
        ]
        distance = np.hypot(*np.subtract(*places))
        assert up == (distance <= radius) or distance == pytest.approx(radius, abs=1e-6)


def test_moving_agents_leave_and_come_back(tmp_path: Path) -> None:
    (tmp_path / "walk.csv").write_text("time_ms,node,x,y\n0,0,0,0\n0,1,0,0\n10000,1,10,0\n20000,1,0,0\n")
    network = _network({"name": "positions", "file": tmp_path / "walk.csv", "range": 4}, nx.path_graph(2))
    for time, up in ((3.9, True), (4.1, False), (15.9, False), (16.1, True), (30, True)):
        network.clock.run(time)
        assert network.link_is_up(0, 1) is up


def test_a_network_with_contacts_is_saved_exactly(tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").write_text(CONTACTS)
    schedule = {"name": "contacts", "file": tmp_path / "contacts.csv"}
    whole, resumed = (_network(schedule, nx.path_graph(3), link={"delay": 0.1, "loss": 0.2}) for _ in "ab")

    def play(network: Network, ticks: range) -> None:
        for tick in ticks:
            for way in ((0, 1), (1, 2), (2, 1)):
                network.clock.schedule(
                    tick / 20 - network.clock.now, partial(network.send, *way, None, 1, "x")
                )
        network.clock.run(ticks.stop / 20)

    play(whole, range(25))
    whole.flush()
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    assert _up(resumed) == _up(whole)
    for network in (whole, resumed):
        play(network, range(25, 60))
        network.flush()
    assert whole.state_dict() == resumed.state_dict()
    assert whole.ledger.dropped["link_down"] > 0


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "contacts",
            "time,link,up\n1,0-1,1\n0,0-1,0\n",
            ", line 3, column time: 0 s is out of order: the row before has 1",
        ),
        ("contacts", "time,link,up\n-1,0-1,1\n", ", line 2, column time: -1 must be from 0 to"),
        ("contacts", "time,link,up\nnan,0-1,1\n", ", line 2, column time: nan is not a finite"),
        ("contacts", "time,link,up\n0,0-1,\n", ", line 2, column up"),
        ("contacts", "time,link,up\n1e30,0-1,1\n", ", line 2, column time: 1e+30 must be from 0 to"),
        (
            "positions",
            "time,node,x,y\n0,0,0,0\n2,1,0,0\n1,1,0,0\n",
            ", line 4, column time: 1 s is out of order",
        ),
        ("positions", "time,node,x,y\n0,0,0,nan\n", ", line 2, column y: nan is not a finite"),
        ("positions", "time,node,x,y\n0,0,,0\n", ", line 2, column x"),
        ("positions", "time,node,x,y\n0,-1,0,0\n", ", line 2, column node: -1 must be from 0 to"),
        ("positions", "time,node,x,y\n0,1e9,0,0\n", ", line 2, column node: 1e+09 must be from 0 to"),
        ("contacts", "time,link,up\n0,0-1,2\n", ", line 2, column up: 2 must be from 0 to 1"),
        ("contacts", "time,link,up\n0,0-1,0.5\n", ", line 2, column up: 0.5 must be a whole number"),
        ("contacts", "time,link,up\n0,here,1\n", ", line 2, column link: link 'here' must be"),
        (
            "contacts",
            "time,link,up\n0,0-1,1\n0,1-0,0\n",
            ", line 3, column up: link 1-0 comes up and goes",
        ),
        ("contacts", "time,link\n0,0-1\n", " has no column up"),
        ("contacts", "time,link,up\n0,0-7,1\n", "'0-7' is not a link of this graph"),
        ("positions", "time,node,x,y\n0,0,0,0\n", "agent 1 has no position in"),
        ("positions", "time,node,x,y\n0,0,0,0\n0,1,0,0\n0,9,0,0\n", "9 is not an agent"),
        (
            "positions",
            "time,node,x,y\n0,0,0,0\n0,0,1,0\n",
            ", line 3, column time: node 0 has two rows at",
        ),
        (
            "positions",
            "time,node,x,y\n0,0,0,1e30\n",
            ", line 2, column y: 1e+30 must be from -1e+09 to",
        ),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    file = tmp_path / "file.csv"
    file.write_text(text)
    schedule = {"name": name, "file": file, **({"range": 1} if name == "positions" else {})}
    with pytest.raises((ValidationError, ValueError)) as caught:
        NetworkSettings.model_validate({"schedule": schedule}).check(nx.path_graph(2))
    said = str(caught.value)
    if isinstance(caught.value, ValidationError):
        said = str(caught.value.errors()[0]["ctx"]["error"])
    assert "\n" not in said
    assert message in said
