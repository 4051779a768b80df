"""What the directions carry, against sums worked out by hand and against the trace."""

from functools import partial
from typing import Any

import networkx as nx
import numpy as np
import pytest

from testbed import workloads
from testbed.network import Network, NetworkSettings, Streams, Trace
from testbed.network.traffic import Load, Traffic, Utilisation


def _network(trace: "Trace | None" = None, **settings: Any) -> tuple[Network, Traffic]:
    network = Network(nx.path_graph(2), NetworkSettings.model_validate(settings), Streams(0), trace=trace)
    for node in network.graph.nodes:
        network.attach(node, lambda message: None)
    return network, Traffic(network._links, lambda: network.clock.now)


def test_a_direction_is_busy_for_as_long_as_its_bytes_take() -> None:
    network, traffic = _network(link={"rate": 100.0, "delay": 5.0})
    assert traffic.limited
    for time, size in ((1.0, 100), (1.5, 50), (4.0, 200)):  # busy from 1 to 2.5 and from 4 to 6
        network.clock.schedule(time, partial(network.send, 0, 1, None, size, "x"))
    seen = []
    for time in (0.5, 1.25, 2.25, 3.0, 5.0, 20.0):
        network.clock.run(until=time)
        seen.append(traffic.transmitting())
    assert seen == [[pytest.approx(s), 0.0] for s in (0.0, 0.25, 1.25, 1.5, 2.5, 3.5)]
    assert traffic.loads() == [Load(0, 1, 350, pytest.approx(3.5)), Load(1, 0, 0, 0.0)]


def test_what_is_cut_off_or_not_taken_in_does_not_count() -> None:
    network, traffic = _network(
        link={"rate": 100.0, "limit": 2}, faults=[{"link": "0-1", "down": 3.0, "up": 6.0}]
    )
    for time in (1.0, 1.1, 1.2, 5.0, 7.0):  # of a second each; the third finds the queue full
        network.clock.schedule(time, partial(network.send, 0, 1, None, 150, "x"))
    network.clock.run(until=8.0)
    # 1 to 2.5, 2.5 to the failure at 3, and 7 to 8.
    assert traffic.transmitting()[0] == pytest.approx(1.5 + 0.5 + 1.0)
    network.flush()
    network.clock.run(until=9.0)
    assert traffic.transmitting()[0] == pytest.approx(3.0)
    assert traffic.loads()[0].bytes == 3 * 150


def test_copies_are_carried_as_well() -> None:
    network, traffic = _network(link={"rate": 100.0, "duplicate": 1.0})
    network.send(0, 1, None, 50, "x")
    network.clock.run()
    assert traffic.loads()[0] == Load(0, 1, 100, pytest.approx(1.0))


def test_without_a_rate_transmitting_takes_no_time() -> None:
    network, traffic = _network(link={"delay": 1.0, "duplicate": 1.0})
    network.send(1, 0, None, 50, "x")
    network.clock.run()
    assert not traffic.limited
    assert traffic.transmitting() == []
    assert traffic.loads() == [Load(0, 1, 0, 0.0), Load(1, 0, 100, 0.0)]


@pytest.mark.parametrize("seed", range(3))
def test_bytes_and_busy_time_are_what_the_trace_says(seed: int) -> None:
    trace = Trace()
    settings = {
        "link": {"rate": 1000.0, "limit": 4, "loss": 0.2, "delay": 0.01, "jitter": 0.005},
        "faults": [{"link": "0-1", "down": 2.0, "up": 3.0, "in_flight": "deliver"}],
    }
    network, traffic = _network(trace, **settings)
    generator = np.random.default_rng(seed)
    for time, size in zip(generator.uniform(0, 8, 200), generator.integers(0, 100, 200), strict=True):
        network.clock.schedule(float(time), partial(network.send, 0, 1, None, int(size), "x"))
    network.clock.run()
    rows = [event.row() for event in trace.events]
    refused = {row["serial"] for row in rows if row.get("reason") in ("queue_full", "link_down")}
    taken = sum(row["size"] for row in rows if row["event"] == "sent" and row["serial"] not in refused)
    assert refused
    assert traffic.loads()[0].bytes == taken
    assert traffic.transmitting()[0] == pytest.approx(taken / 1000.0)


def test_measuring_changes_nothing_and_is_part_of_the_exact_state() -> None:
    def run(*, measured: bool, saved: bool) -> tuple[list[str], Any]:
        trace = Trace()
        settings = {"link": {"rate": 1000.0, "limit": 9, "loss": 0.2, "duplicate": 0.1}}

        def make() -> tuple[Network, Traffic | None]:
            graph = nx.path_graph(2)
            network = Network(graph, NetworkSettings.model_validate(settings), Streams(0), trace=trace)
            for node in graph.nodes:
                network.attach(node, lambda message: None)
            return network, Traffic(network._links, lambda: network.clock.now) if measured else None

        network, traffic = make()
        for part in range(2):
            for number in range(50):
                network.send(number % 2, 1 - number % 2, None, number, "x")
            network.clock.run(until=0.4 * (part + 1))
            network.flush()
            if saved:
                state = network.state_dict()
                network, traffic = make()
                network.load_state_dict(state)
        return list(trace.lines()), traffic and traffic.loads()

    lines, loads = run(measured=True, saved=False)
    assert run(measured=False, saved=False)[0] == lines
    assert run(measured=True, saved=True) == (lines, loads)
    assert loads[0].bytes > 0


def test_utilisation_is_a_share_of_the_time_since_a_moment() -> None:
    network = Network(nx.path_graph(2), NetworkSettings.model_validate({"link": {"rate": 100.0}}), Streams(0))
    network.attach(1, lambda message: None)
    traffic = network.measure_traffic()
    assert network.measure_traffic() is traffic
    network.send(0, 1, None, 300, "x")
    network.clock.run(until=2.0)
    since = Utilisation(traffic, 2.0)
    assert since.row(2.0) == {"utilisation": 0.0, "utilisation_max": 0.0}
    network.clock.run(until=6.0)
    assert since.row(6.0) == pytest.approx({"utilisation": 0.125, "utilisation_max": 0.25})


def test_where_no_direction_has_a_rate_or_nothing_is_metered_there_is_no_utilisation() -> None:
    network = Network(nx.path_graph(2), NetworkSettings(), Streams(0))
    assert Utilisation(network.measure_traffic(), 0.0).row(1.0) == {}
    assert Utilisation(None, 0.0).row(1.0) == {}


def test_metering_must_begin_before_the_first_packet() -> None:
    network = Network(nx.path_graph(2), NetworkSettings(), Streams(0))
    network.send(0, 1, None, 1, "x")
    with pytest.raises(RuntimeError, match="packets have already been sent"):
        network.measure_traffic()


def test_a_workload_tells_what_each_direction_has_carried() -> None:
    trial = workloads.ProblemWorkload.model_validate(
        {"problem": {"name": "mean", "agents": 4}, "network": {"link": {"rate": "10kbit", "loss": 0.1}}}
    )
    result = workloads.run(trial, seed=0, graph=nx.cycle_graph(4))
    rows = result.curves["traffic"]
    ways = sorted(nx.cycle_graph(4).to_directed().edges)
    assert sorted((int(row["source"]), int(row["destination"])) for row in rows) == ways
    assert sum(row["bytes"] for row in rows) == result.metrics["bytes_sent"]
    seconds = result.metrics["consensus_seconds"]
    for row in rows:  # 10 kbit/s are 1250 bytes a second
        assert row["transmitting"] == pytest.approx(row["bytes"] / 1250)
        assert row["utilisation"] == pytest.approx(row["transmitting"] / seconds)
    assert result.metrics["utilisation_max"] == pytest.approx(max(row["utilisation"] for row in rows))
    assert result.metrics["utilisation"] == pytest.approx(np.mean([row["utilisation"] for row in rows]))
