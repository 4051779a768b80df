from typing import Any

import networkx as nx
import pytest
from pydantic import ValidationError

from testbed.network import LinkFault, LinkSettings, Network, NetworkSettings, Streams
from testbed.network.link_names import parse_link


def _settings(**fields: Any) -> NetworkSettings:
    return NetworkSettings.model_validate(fields)


def test_the_default_network_is_perfect() -> None:
    link = NetworkSettings().link
    assert (link.delay, link.jitter, link.loss, link.rate, link.limit, link.fifo) == (
        0,
        0,
        0,
        None,
        None,
        False,
    )
    assert link.nominal_latency(10**9) == 0


def test_settings_survive_dumping_and_loading() -> None:
    settings = _settings(
        link={"delay": "5ms", "rate": "8kbit"},
        links={"0-1": {"rate": None}},
        transport="reliable",
        retransmission_timeout="1s",
        faults=[{"link": "0-1", "down": "2s", "up": "5s", "direction": "forward"}],
    )
    for mode in ("python", "json"):
        again = NetworkSettings.model_validate(settings.model_dump(mode=mode))
        assert again == settings
        assert again.by_direction(nx.path_graph(2))[0, 1] == LinkSettings(delay=0.005)
    assert settings.model_dump()["links"] == {"0-1": {"rate": None}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"link": {"delay": -1}}, "-1 is not a duration: it must be finite and not negative"),
        ({"link": {"loss": 1.5}}, "less than or equal to 1"),
        ({"link": {"loss": -0.1}}, "greater than or equal to 0"),
        ({"link": {"rate": 0}}, "0 is not a rate: it must be above 0, or null for unlimited"),
        ({"link": {"limit": 0}}, "greater than or equal to 1"),
        ({"link": {"distribution": "gaussian"}}, "'uniform', 'normal', 'lognormal'"),
        ({"link": {"dely": 1}}, "dely"),
        ({"link": {"distribution": "constant", "jitter": "1ms"}}, "jitter 0.001 with distribution constant"),
        ({"link": {"distribution": "lognormal", "jitter": "1ms"}}, "lognormal delay needs a mean above 0"),
        ({"transport": "tcp"}, "'datagram' or 'reliable'"),
        ({"retransmission_timeout": 0}, "retransmission_timeout 0 must be above 0"),
        ({"retries": -1}, "greater than or equal to 0"),
        ({"faults": [{"link": "0-1", "down": 2, "up": 2}]}, "up 2.0 must be later than down 2.0"),
        ({"faults": [{"link": "0-1", "down": "-1s"}]}, "'-1s' is not a duration"),
        ({"faults": [{"link": "3-3", "down": 1}]}, "link '3-3' joins a node to itself"),
        ({"faults": [{"link": "0-1", "down": 1, "in_flight": "keep"}]}, "'drop' or 'deliver'"),
    ],
)
def test_bad_settings_are_refused_with_the_field_and_what_is_allowed(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        NetworkSettings.model_validate(fields)
    assert message in str(caught.value)


def test_a_fault_of_a_link_that_the_graph_does_not_have_is_refused() -> None:
    settings = _settings(faults=[{"link": "7-8", "down": 1}])
    with pytest.raises(ValueError, match="faults: '7-8' is not a link of this graph: did you mean "):
        Network(nx.path_graph(4), settings, Streams(0))


def test_a_link_may_be_named_from_either_end() -> None:
    assert parse_link("10-2") == (10, 2)
    fault = LinkFault(link="2-1", down=0.0, direction="forward")
    assert fault.directions == ((2, 1),)
    assert LinkFault(link="2-1", down=0.0, direction="backward").directions == ((1, 2),)
    _settings(links={"2-1": {}}).check(nx.path_graph(3))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (nx.DiGraph([(0, 1)]), "undirected"),
        (nx.MultiGraph([(0, 1), (0, 1)]), "without parallel links"),
        (nx.Graph([(0, 1), (1, 1)]), "node 1 is joined to itself"),
    ],
)
def test_graphs_that_are_no_networks_are_refused(graph: "nx.Graph[int]", message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Network(graph, NetworkSettings(), Streams(0))
