"""Whose settings a direction has: defaults, classes, edge attributes, links by name."""

from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from pydantic import ValidationError

import topologies
from testbed.common.settings import SettingError
from testbed.network import LinkSettings, Network, NetworkSettings, Streams
from testbed.network.link_names import parse_directions


def _graph(**attributes: dict[str, Any]) -> "nx.Graph[int]":
    """A ring of four whose edges have attributes: _graph(e01={...})."""
    graph = nx.cycle_graph(4)
    for name, given in attributes.items():
        graph.edges[int(name[1]), int(name[2])].update(given)
    return graph


def _table(graph: "nx.Graph[int]", **fields: Any) -> dict[tuple[int, int], LinkSettings]:
    return NetworkSettings.model_validate(fields).by_direction(graph)


def test_a_direction_may_differ_from_the_one_back() -> None:
    table = _table(_graph(), link={"delay": "1ms"}, links={"0>1": {"loss": 0.5}, "0-1": {"delay": "9ms"}})
    assert table[0, 1] == LinkSettings(delay=0.009, loss=0.5)
    assert table[1, 0] == LinkSettings(delay=0.009)
    assert table[1, 2] == table[2, 1] == LinkSettings(delay=0.001)
    assert len(table) == 8


def test_one_direction_is_stronger_than_both_whatever_the_order_in_the_file() -> None:
    for names in (("0>1", "1-0"), ("1-0", "0>1")):
        delays = {"0>1": 0.1, "1-0": 0.2}
        table = _table(_graph(), links={name: {"delay": delays[name]} for name in names})
        assert (table[0, 1].delay, table[1, 0].delay) == (0.1, 0.2)


def test_an_override_changes_only_what_it_names() -> None:
    table = _table(
        nx.complete_graph(3),
        link={"delay": "5ms", "rate": "8kbit", "loss": 0.5},
        links={"2-1": {"rate": None}, "0-1": {"loss": 0}},
    )
    assert table[1, 2] == table[2, 1] == LinkSettings(delay=0.005, rate=None, loss=0.5)
    assert table[0, 1] == LinkSettings(delay=0.005, rate=1000.0, loss=0)
    assert table[0, 2] == LinkSettings(delay=0.005, rate=1000.0, loss=0.5)


def test_links_by_name_beat_attributes_which_beat_classes_which_beat_the_default() -> None:
    graph = _graph(e01={"class": "wan", "delay": "7ms"}, e12={"class": "wan"}, e23={"delay": "7ms"})
    table = _table(
        graph,
        link={"delay": 1, "loss": 0.1, "rate": 100},
        classes={"wan": {"delay": 2, "loss": 0.2, "fifo": True}},
        links={"0-1": {"loss": 0.4}},
    )
    assert table[0, 1] == table[1, 0] == LinkSettings(delay=0.007, loss=0.4, rate=100, fifo=True)
    assert table[1, 2] == LinkSettings(delay=2, loss=0.2, rate=100, fifo=True)
    assert table[2, 3] == LinkSettings(delay=0.007, loss=0.1, rate=100)
    assert table[0, 3] == LinkSettings(delay=1, loss=0.1, rate=100)


def test_attributes_of_a_graphml_file_are_settings(tmp_path: Path) -> None:
    graph = _graph(
        e01={"delay": "20ms", "rate": "8kbit", "fifo": True, "weight": 3.5, "label": "a"},
        e12={"loss": 0.25, "limit": 5, "rate": 9.0},
        e23={"loss": "{gemodel: {p: 0.1, r: 0.4, 1-h: 0.9}}", "class": "x"},
    )
    nx.write_graphml(graph, tmp_path / "square.graphml")
    table = _table(topologies.read(tmp_path / "square.graphml"))
    assert table[1, 0] == LinkSettings(delay=0.02, rate=1000.0, fifo=True)
    assert table[1, 2] == LinkSettings(loss=0.25, limit=5, rate=9.0)
    assert table[2, 3] == LinkSettings(loss={"gemodel": {"p": 0.1, "r": 0.4, "loss_bad": 0.9}})
    assert table[0, 3] == LinkSettings()


def test_the_network_does_what_the_table_says() -> None:
    graph = _graph(e01={"class": "slow"})
    settings = NetworkSettings.model_validate(
        {"classes": {"slow": {"delay": 2.0}}, "links": {"1>2": {"loss": 1.0}, "2>3": {"delay": "3s"}}}
    )
    network = Network(graph, settings, Streams(0))
    log: list[tuple[float, int, int]] = []
    for node in graph:
        network.attach(
            node, lambda message: log.append((network.clock.now, message.source, message.destination))
        )
    for u, v in graph.edges:
        network.send(u, v, None, 1, "x")
        network.send(v, u, None, 1, "x")
    network.clock.run()
    assert sorted(log) == [
        (0.0, 0, 3),
        (0.0, 2, 1),
        (0.0, 3, 0),
        (0.0, 3, 2),
        (2.0, 0, 1),
        (2.0, 1, 0),
        (3.0, 2, 3),
    ]
    assert network.nominal_latency(2, 3, 1) == 3.0


def test_a_measured_law_replaces_an_inherited_delay_and_the_other_way_round(tmp_path: Path) -> None:
    file = tmp_path / "rtt.csv"
    file.write_text("rtt\n0.2\n")
    measured = {"distribution": "empirical", "round_trips": str(file)}
    table = _table(
        _graph(), link={"delay": 1, "jitter": 0.1}, links={"0-1": measured, "1-2": {"round_trips": str(file)}}
    )
    assert (table[0, 1].delay, table[0, 1].jitter, table[0, 1].mean_delay) == (0, 0, 0.1)
    assert table[1, 2].mean_delay == 1
    table = _table(_graph(), link=measured, links={"0-1": {"distribution": "constant", "delay": 4}})
    assert table[0, 1].mean_delay == 4
    with pytest.raises(ValidationError, match=r"delay 4\.0 and jitter 0\.0 with distribution empirical"):
        _table(_graph(), link=measured, links={"0-1": {"delay": 4}})


@pytest.mark.parametrize(
    ("graph", "fields", "keys", "message"),
    [
        (_graph(), {"links": {"0>2": {}}}, ("links", "0>2"), "links: '0>2' is not a link of this graph: did"),
        (
            _graph(e01={"class": "wann"}),
            {"classes": {"wan": {}}},
            ("classes",),
            "classes: link 0-1 has the unknown class 'wann': did you mean 'wan'?",
        ),
        (_graph(), {"classes": {"wan": {}}}, ("classes", "wan"), "no link of this graph has class 'wan'"),
        (_graph(e12={"delay": "soon"}), {}, (), "attributes of link 1-2: delay: 'soon' is not a duration"),
        (
            _graph(e12={"loss": "{random: "}),
            {},
            (),
            "attributes of link 1-2: loss = '{random: ' is not YAML",
        ),
        (
            _graph(e12={"jitter": 1.0, "distribution": "gamma"}),
            {},
            (),
            "attributes of link 1-2: delay 0 with jitter 1.0: a gamma delay needs a mean above 0",
        ),
        (
            _graph(e12={"class": "wan"}),
            {"classes": {"wan": {"delay": 1}}, "links": {"0-1": {"reorder": 0.5}}},
            ("links", "0-1"),
            "links '0-1': reorder with delay 0",
        ),
    ],
)
def test_what_does_not_fit_the_graph_is_refused_in_one_line(
    graph: "nx.Graph[int]", fields: dict[str, Any], keys: tuple[str, ...], message: str
) -> None:
    settings = NetworkSettings.model_validate(fields)
    with pytest.raises(SettingError) as caught:
        settings.check(graph)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.keys == keys


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"links": {"0>1": {}, "0>01": {}}}, "links '0>1' and '0>01' are the same link"),
        ({"links": {"0-1": {}, "1-0": {}}}, "links '0-1' and '1-0' are the same link"),
        ({"links": {"zero-one": {}}}, 'must be two node numbers joined by a hyphen, such as "0-1"'),
        (
            {"links": {"0-1": {"jitter": 1, "distribution": "lognormal"}}},
            "links '0-1': delay 0 with jitter 1.0",
        ),
        ({"links": {"0<1": {}}}, 'must be two node numbers joined by a hyphen, such as "0-1"'),
        ({"links": {"1>1": {}}}, "link '1>1' joins a node to itself"),
        ({"classes": {"a.b": {}}}, "String should match pattern"),
        ({"classes": {"wan": {"jitter": 1, "distribution": "constant"}}}, "classes 'wan': jitter 1.0 with"),
    ],
)
def test_bad_names_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        NetworkSettings.model_validate(fields)
    assert message in str(caught.value)


def test_names_say_which_directions_they_mean() -> None:
    assert parse_directions("2-10") == ((2, 10), (10, 2))
    assert parse_directions("10>2") == ((10, 2),)


def test_a_table_without_errors_asks_for_no_names_of_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each title takes time in proportion to the graph, and a graph may have as many settings as links."""
    monkeypatch.setattr(topologies, "link_title", None)
    table = _table(_graph(e01={"delay": 0.1}, e12={"delay": 0.2}))
    assert (table[0, 1].delay, table[1, 2].delay, table[2, 3].delay) == (0.1, 0.2, 0)
