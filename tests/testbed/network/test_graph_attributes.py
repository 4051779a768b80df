"""Link settings in graph files: units are honoured, and what is not understood is refused, never ignored."""

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

import topologies
from testbed.common.settings import SettingError
from testbed.network import LinkSettings, NetworkSettings


def _link(edge: dict[str, Any], **graph: Any) -> LinkSettings:
    """The settings of the one link of a graph with these attributes."""
    pair = nx.path_graph(2)
    pair.graph.update(graph)
    pair.edges[0, 1].update(edge)
    return NetworkSettings().by_direction(pair)[1, 0]


def test_a_file_of_fnss_means_what_it_says(tmp_path: Path) -> None:
    ring = nx.cycle_graph(4)
    ring.graph.update(delay_unit="ms", capacity_unit="Mbps", buffer_unit="packets")
    nx.set_edge_attributes(
        ring, {edge: {"delay": 2.0, "capacity": 10.0, "weight": 1.0} for edge in ring.edges}
    )
    ring.edges[0, 1]["buffer"] = 20
    nx.write_graphml(ring, tmp_path / "fnss.graphml")
    table = NetworkSettings().by_direction(topologies.read(tmp_path / "fnss.graphml"))
    assert table[2, 1] == LinkSettings(delay="2ms", rate="10mbit")
    assert table[1, 0] == LinkSettings(delay="2ms", rate="10mbit", limit=20)


@pytest.mark.parametrize(
    ("edge", "graph", "settings"),
    [
        *[
            ({"delay": 3}, {"delay_unit": unit}, {"delay": seconds})
            for unit, seconds in (("ns", 3e-9), ("us", 3e-6), ("ms", 0.003), ("s", 3.0), ("sec", 3.0))
        ],
        ({"delay": "3"}, {"delay_unit": "milliseconds"}, {"delay": 0.003}),  # text, as GraphML may have it
        ({"delay": 3}, {"Delay-Units": "MS"}, {"delay": 0.003}),
        ({"delay": 0.5}, {}, {"delay": 0.5}),  # without any unit: seconds
        ({"delay": "3ms"}, {"delay_unit": "s"}, {"delay": 0.003}),
        ({"delay": 3, "delay_unit": "ms"}, {"delay_unit": "s"}, {"delay": 0.003}),
        (
            {"delay": 3, "jitter": 1, "jitter_unit": "us"},
            {"delay_unit": "ms"},
            {"delay": 0.003, "jitter": 1e-6},
        ),
        *[
            ({"capacity": 10}, {"capacity_unit": unit}, {"rate": rate})
            for unit, rate in (
                ("bps", 1.25),
                ("Bps", 10.0),
                ("kbps", 1250.0),
                ("Kbit/s", 1250.0),
                ("Mb", 1.25e6),
                ("MB", 1e7),
                ("Gbps", 1.25e9),
                ("GBps", 1e10),
                ("mbit", 1.25e6),
            )
        ],
        ({"capacity": "10 Mbps"}, {}, {"rate": 1.25e6}),
        ({"capacity": "1e3"}, {"capacity_unit": "Mbps"}, {"rate": 1.25e8}),
        ({"rate": 10}, {"capacity_unit": "Mbps"}, {"rate": 1.25e6}),
        ({"rate": 10}, {}, {"rate": 10.0}),
        ({"buffer": 5.0}, {"buffer_unit": "packets"}, {"limit": 5}),
        (
            {"LinkSpeed": "10", "LinkSpeedUnits": "G", "LinkSpeedRaw": 1e10, "LinkLabel": "10 Gbps"},
            {},
            {"rate": 1.25e9},
        ),
        ({"delay": np.int64(3), "loss": np.float32(0.25)}, {}, {"delay": 3.0, "loss": 0.25}),
        (
            {"weight": 3, "length": 7.5, "label": "x", "medium": "radio", "operator": "y", 3: 4},
            {"distance_unit": "km", "Network": "Backbone", "type": "ring"},
            {},
        ),
    ],
)
def test_what_a_file_says_of_a_link_is_honoured(
    edge: dict[str, Any], graph: dict[str, Any], settings: dict[str, Any]
) -> None:
    assert _link(edge, **graph) == LinkSettings(**settings)


@pytest.mark.parametrize(
    ("edge", "graph", "message"),
    [
        (
            {"delay": 2},
            {"delay_unit": "weeks"},
            "delay_unit = 'weeks' is not a unit of time: must be one of ns,",
        ),
        ({"delay": 2}, {"delay_unit": "m"}, "delay_unit = 'm' is not a unit of time: must be one of ns,"),
        ({"delay": 2}, {"time_unit": "ms"}, "delay = 2 has no unit, but the file has time_unit = 'ms'"),
        ({"delay": 2}, {"units": "ms"}, "delay = 2 has no unit, but the file has units = 'ms'"),
        ({"delay": 2}, {"capacity_unit": "Mbps"}, "delay = 2 has no unit, but the file has capacity_unit"),
        ({"jitter": 2}, {"delay_unit": "ms"}, "jitter = 2 has no unit, but the file has delay_unit = 'ms'"),
        ({"rate": 2}, {"delay_unit": "ms"}, "rate = 2 has no unit, but the file has delay_unit"),
        ({"capacity": 10}, {}, "capacity = 10 has no unit: add one, such as capacity_unit: Mbps"),
        (
            {"capacity": 10},
            {"capacity_unit": "mbps"},
            "capacity_unit has the unit 'mbps', which is not a unit of",
        ),
        ({"capacity": "10 parsecs"}, {}, "capacity has the unit 'parsecs', which is not a unit of capacity"),
        *[
            ({"capacity": value}, {"capacity_unit": "Mbps"}, "is not a capacity: must be")
            for value in (0, -1, float("nan"), float("inf"), True, "fast", "1e999999999", 10**400, None, [1])
        ],
        ({"rate": 1, "capacity": "1Mbps"}, {}, "rate and capacity both give the rate: remove one"),
        ({"LinkSpeedRaw": 0}, {}, "LinkSpeedRaw = 0 is not a capacity: must be finite and above 0"),
        ({"LinkSpeed": "10"}, {}, "LinkSpeed = '10' looks like a link setting but is not one: give rate"),
        ({"buffer": 9}, {}, "buffer = 9 has no buffer_unit: must be in packets; or give limit"),
        (
            {"buffer": 9},
            {"buffer_unit": "bytes"},
            "buffer = 9 is in 'bytes': must be in packets; or give limit",
        ),
        ({"Delay": 2}, {}, "Delay = 2 is not a link setting: did you mean 'delay'?"),
        ({"jitterCorrelation": 0.2}, {}, "did you mean 'jitter_correlation'?"),
        *[
            ({name: 2}, {}, f"{name} = 2 looks like a link setting but is not one: ")
            for name in (
                "bandwidth",
                "latency",
                "rtt",
                "maxBandwidth",
                "link_delay",
                "packet_loss",
                "delay_ms",
            )
        ],
        ({}, {"delay": 2}, "attributes of the graph: delay = 2 belongs to links"),
        ({}, {"bandwidth": 2}, "attributes of the graph: bandwidth = 2 belongs to links"),
        ({"round_trips": "/etc/hostname"}, {}, "a graph cannot name a file: set it in the study"),
        ({"trace": "/etc/hostname"}, {}, "trace = '/etc/hostname': a graph cannot name a file: set it in"),
        ({"loss": "{a: &a [1], b: *a}"}, {}, "loss: is missing"),
        ({"loss": "{random: 2024-13-45}"}, {}, "loss: must be a number"),
        ({"loss": "{" * 2000}, {}, "...' is not YAML"),
    ],
)
def test_what_reads_like_a_setting_and_is_not_understood_is_refused_in_one_short_line(
    edge: dict[str, Any], graph: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingError) as caught:
        _link(edge, **graph)
    assert message in str(caught.value)
    assert str(caught.value).startswith("attributes of ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
