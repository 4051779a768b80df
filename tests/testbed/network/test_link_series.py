"""Traffic over time, against the trace, the ledger and the traffic of the whole life of a network."""

import json
from collections import Counter, defaultdict
from functools import partial
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.network import Network, NetworkSettings, Streams, Trace
from testbed.network.impairments.rule import REASONS
from testbed.network.link_series import LinkSeries
from testbed.network.trace.trace import PacketEvent

EVERYTHING: dict[str, Any] = {
    "link": {
        "delay": 0.02,
        "jitter": 0.02,
        "distribution": "normal",
        "rate": 20_000.0,
        "limit": 3,
        "loss": 0.2,
        "duplicate": 0.2,
        "corrupt": 0.1,
    },
    "links": {"0-2": {"rate": None, "limit": None}},
    "faults": [
        {"link": "0-1", "down": 0.3, "up": 0.6, "in_flight": "drop"},
        {"fault": "crash", "agent": 2, "down": 0.5, "up": 0.8, "state": "kept"},
        {"fault": "hold", "link": "1-2", "down": 0.84, "up": 0.9},
    ],
    "audit": True,
}
FATES = ("sent", "duplicated", "delivered", "dropped", "late")
SUMS = (*FATES, "bytes", "transmitting")


def _network(trace: "Trace | None" = None, **changed: Any) -> Network:
    graph = nx.complete_graph(3)
    network = Network(graph, NetworkSettings.model_validate(EVERYTHING | changed), Streams(3), trace=trace)
    for node in graph:
        network.attach(node, lambda message: None)
    network.measure_traffic()
    return network


def _exchange(network: Network, series: LinkSeries, marks: list[float], last: float = 1.2) -> None:
    """Two messages a direction every 50 ms, intervals that end at ``marks``, and a flush at the last one."""
    for k in range(20):
        for u, v in network.settings.by_direction(network.graph):
            for _ in range(2):
                network.clock.schedule(
                    0.05 * k + 0.01 * u, partial(network.send, u, v, None, 100 + 10 * v, "x")
                )
    for mark in marks:
        network.clock.run(until=mark)
        series.mark({"seconds": mark})
    network.clock.run(until=last)
    network.flush()
    series.mark({"seconds": last}, last=True)


def _totals(rows: list[dict[str, float]], *names: str) -> dict[tuple[float, float], list[float]]:
    totals: dict[tuple[float, float], list[float]] = defaultdict(lambda: [0.0] * len(names))
    for row in rows:
        total = totals[row["source"], row["destination"]]
        totals[row["source"], row["destination"]] = [
            before + row[name] for before, name in zip(total, names, strict=True)
        ]
    return totals


@pytest.fixture(scope="module")
def measured() -> tuple[Network, Trace, list[dict[str, float]]]:
    trace = Trace()
    network = _network(trace)
    assert network.traffic is not None
    series = LinkSeries(network.traffic)
    _exchange(network, series, [0.1, 0.35, 0.4, 0.7, 0.91], 0.96)
    return network, trace, series.rows()


def test_each_interval_counts_what_the_trace_says_of_each_direction(
    measured: tuple[Network, Trace, list[dict[str, float]]],
) -> None:
    _, trace, rows = measured
    ends = sorted({row["seconds"] for row in rows})
    assert ends == [0.1, 0.35, 0.4, 0.7, 0.91, 0.96]
    fates, delays, entered = Counter[Any](), defaultdict[Any, list[float]](list), {}
    for event in (event for event in trace.events if isinstance(event, PacketEvent)):
        # An interval ends before what happens at its very end.
        place = next((end for end in ends if event.time < end), ends[-1]), event.source, event.destination
        fates[(*place, event.event)] += 1
        if event.event == "dropped":
            fates[(*place, f"dropped_{event.reason}")] += 1
        if event.event in ("sent", "duplicated"):
            entered[event.serial] = event.time
        if event.event == "delivered":
            delays[place].append(event.time - entered[event.serial])
    reasons = {name for row in rows for name in row if name.startswith("dropped_")}
    for row in rows:
        place = row["seconds"], row["source"], row["destination"]
        for name in (*FATES, *reasons):
            assert row[name] == fates[(*place, name)], (place, name)
        if delays[place]:
            assert row["delay"] == pytest.approx(np.mean(delays[place]))
            assert row["delay_max"] == pytest.approx(max(delays[place]))
        else:
            assert np.isnan(row["delay"])
            assert np.isnan(row["delay_max"])
    assert all(sum(row[name] for row in rows) for name in (*FATES, *reasons))  # nothing is tested in vain
    assert reasons == {f"dropped_{reason}" for reason in REASONS}


def test_sums_over_time_are_the_ledger_and_the_traffic_of_the_whole_life(
    measured: tuple[Network, Trace, list[dict[str, float]]],
) -> None:
    network, _, rows = measured
    counted = network.metrics()
    for name in FATES:
        assert sum(row[name] for row in rows) == counted[f"messages_{name}"] > 0
    for name in (name for name in rows[0] if name.startswith("dropped_")):
        assert sum(row[name] for row in rows) == counted[name]
    totals = _totals(rows, "bytes", "transmitting")
    assert network.traffic is not None
    for load in network.traffic.loads():
        carried, transmitting = totals[load.source, load.destination]
        assert carried == load.bytes
        assert transmitting == pytest.approx(load.transmitting, abs=1e-12)


def test_utilisation_is_the_share_of_the_interval_and_nan_without_a_rate(
    measured: tuple[Network, Trace, list[dict[str, float]]],
) -> None:
    _, _, rows = measured
    lengths = dict(zip([0.1, 0.35, 0.4, 0.7, 0.91, 0.96], [0.1, 0.25, 0.05, 0.3, 0.21, 0.05], strict=True))
    for row in rows:
        if {row["source"], row["destination"]} == {0.0, 2.0}:
            assert np.isnan(row["utilisation"])
        else:
            assert row["utilisation"] == pytest.approx(row["transmitting"] / lengths[row["seconds"]])
            assert 0 <= row["utilisation"] <= 1
    unlimited = _network(link={"delay": 0.01}, links={})
    assert unlimited.traffic is not None
    series = LinkSeries(unlimited.traffic)
    _exchange(unlimited, series, [0.1])
    assert "utilisation" not in series.rows()[0]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.floats(0.01, 1.1), min_size=1, max_size=40, unique=True).map(sorted),
    st.integers(2, 9),
    st.sampled_from(["datagram", "reliable"]),
)
def test_however_intervals_are_merged_their_sums_stay_what_they_were(
    marks: list[float], most: int, transport: str
) -> None:
    found = []
    for limit in (most + most % 2, None):
        network = _network(transport=transport)
        assert network.traffic is not None
        series = LinkSeries(network.traffic, limit)
        _exchange(network, series, marks)
        found.append(series.rows())
    merged, each = found
    assert len({row["seconds"] for row in merged}) <= most + most % 2
    assert len({row["seconds"] for row in each}) == len(marks) + 1
    assert merged[-1]["seconds"] == each[-1]["seconds"]
    ours, theirs = _totals(merged, *SUMS), _totals(each, *SUMS)
    assert all(ours[way] == pytest.approx(theirs[way], abs=1e-12) for way in theirs)
    longest = [max((r["delay_max"] for r in rows if r["delivered"]), default=0.0) for rows in found]
    assert longest[0] == longest[1]


def test_a_reason_of_a_rule_of_ones_own_has_a_column_in_all_rows() -> None:
    network = _network(link={"delay": 0.01}, links={}, faults=[], audit=False)
    assert network.traffic is not None
    series = LinkSeries(network.traffic)
    network.send(0, 1, None, 10, "x")
    network.clock.run(until=0.1)
    series.mark({"seconds": 0.1})
    network.add_rule(lambda message, now: "blackhole", ["0>1"])
    network.send(0, 1, None, 10, "x")
    network.clock.run(until=0.2)
    series.mark({"seconds": 0.2}, last=True)
    holes = [
        row["dropped_blackhole"] for row in series.rows() if (row["source"], row["destination"]) == (0, 1)
    ]
    assert holes == [0, 1]
    assert series.newest() == series.rows()[6:]


def test_a_series_goes_on_exactly_from_its_state_even_within_an_interval() -> None:
    def series_of(network: Network) -> LinkSeries:
        assert network.traffic is not None
        return LinkSeries(network.traffic, 4)

    def step(network: Network, series: LinkSeries, k: int) -> None:
        for u, v in network.settings.by_direction(network.graph):
            network.send(u, v, None, 100, "x")
        network.clock.run(until=0.1 * (k + 1) - 0.07)
        network.flush()
        series.mark({"update": k + 1.0}, last=k == 15)

    whole = _network()
    expected = series_of(whole)
    for k in range(16):
        step(whole, expected, k)
    network = _network()
    series = series_of(network)
    for k in range(16):
        state = json.loads(json.dumps(network.state_dict())), series.state_dict()
        network = _network()
        series = series_of(network)
        network.load_state_dict(state[0])
        series.load_state_dict(state[1])
        step(network, series, k)
    assert json.dumps(series.rows()) == json.dumps(expected.rows())
    assert len({row["update"] for row in series.rows()}) < 16  # merged on the way


def test_the_state_of_an_earlier_version_is_read_and_the_series_begins_there() -> None:
    network = _network()
    network.send(0, 1, None, 100, "x")
    network.clock.run(until=1.3)
    network.flush()
    old = json.loads(json.dumps(network.state_dict()))
    for _, _, rules in old["directions"]:
        del rules["meter"]["counts"], rules["meter"]["taken"]
    resumed = _network()
    assert resumed.traffic is not None
    series = LinkSeries(resumed.traffic)
    resumed.load_state_dict(old)
    series.load_state_dict(None)
    resumed.send(0, 1, None, 100, "x")
    resumed.clock.run(until=1.5)
    resumed.flush()
    series.mark({"seconds": 1.5}, last=True)
    assert sum(row["sent"] for row in series.rows()) == 1
    assert sum(row["bytes"] for row in series.rows()) <= 2 * 100  # the packet and at most its copy
    assert resumed.ledger.sent == 2
