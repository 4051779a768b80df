"""Exact event logs, and what queueing theory says about a link."""

from functools import partial
from math import sqrt
from typing import Any

import networkx as nx
import numpy as np
import pytest

from testbed.network import LinkSettings, Message, Network, NetworkSettings, Streams, Trace


def _network(seed: int = 0, **link: Any) -> tuple[Network, list[tuple[float, Any]]]:
    """Two nodes and one link; what arrives where, with its time, is logged as (time, payload)."""
    network = Network(
        nx.path_graph(2), NetworkSettings(link=LinkSettings(**link)), Streams(seed), trace=Trace()
    )
    log: list[tuple[float, Any]] = []
    for node in (0, 1):
        network.attach(node, lambda message: log.append((network.clock.now, message.payload)))
    return network, log


def _rows(network: Network) -> list[tuple[Any, ...]]:
    assert network.trace is not None
    return [tuple(event.row().values()) for event in network.trace.events]


def test_a_perfect_link_delivers_at_once_but_not_within_send() -> None:
    network, log = _network()
    payload = object()
    message = network.send(0, 1, payload, 100, "hello")
    assert log == []
    network.clock.run()
    assert log == [(0.0, payload)]
    assert log[0][1] is payload
    assert (message.source, message.destination, message.kind, message.size) == (0, 1, "hello", 100)
    assert (message.sent_at, message.serial) == (0.0, 0)
    assert _rows(network) == [
        (0.0, "sent", 0, "hello", 0, 1, 100),
        (0.0, "delivered", 0, "hello", 0, 1, 100),
    ]


def test_many_messages_propagate_at_once() -> None:
    network, log = _network(delay=1.0)
    for number in range(3):
        network.clock.schedule(0.25 * number, partial(network.send, 0, 1, number, 1, "x"))
    network.clock.run()
    assert log == [(1.0, 0), (1.25, 1), (1.5, 2)]


def test_transmission_occupies_the_link_and_propagation_does_not() -> None:
    network, log = _network(delay=0.25, rate=1024.0)
    for number in range(4):
        network.send(0, 1, number, 512, "x")
    network.clock.run()
    assert log == [(0.25 + 0.5 * (number + 1), number) for number in range(4)]
    assert network.nominal_latency(0, 1, 512) == 0.75


def test_an_idle_transmitter_starts_at_once() -> None:
    network, log = _network(rate=1024.0)
    network.send(0, 1, "a", 1024, "x")
    network.clock.schedule(0.5, lambda: network.send(0, 1, "b", 1024, "x"))
    network.clock.schedule(5.0, lambda: network.send(0, 1, "c", 1024, "x"))
    network.clock.run()
    assert log == [(1.0, "a"), (2.0, "b"), (6.0, "c")]


def test_the_two_directions_do_not_disturb_each_other() -> None:
    network, log = _network(rate=1024.0)
    network.send(0, 1, "there", 1024, "x")
    network.send(1, 0, "back", 1024, "x")
    network.clock.run()
    assert log == [(1.0, "there"), (1.0, "back")]


def test_one_packet_too_many_is_dropped_at_the_tail() -> None:
    network, log = _network(rate=1024.0, limit=2)
    for name in "abc":
        network.send(0, 1, name, 1024, "x")
    # At 1 s the first has left: there is room again.
    network.clock.schedule(1.0, lambda: network.send(0, 1, "d", 1024, "x"))
    network.clock.run()
    assert log == [(1.0, "a"), (2.0, "b"), (3.0, "d")]
    assert network.ledger.dropped["queue_full"] == 1 == sum(network.ledger.dropped.values())
    assert [row for row in _rows(network) if row[1] == "dropped"] == [
        (0.0, "dropped", 2, "x", 0, 1, 1024, "queue_full")
    ]


def test_a_packet_lost_on_the_wire_has_taken_its_transmission_time() -> None:
    network, log = _network(rate=1024.0, loss=0.5, seed=1)
    for number in range(200):
        network.send(0, 1, number, 1024, "x")
    network.clock.run()
    assert 50 < len(log) < 150
    assert log == [(1.0 + number, number) for _, number in log]


def test_jitter_overtakes_unless_the_link_is_first_in_first_out() -> None:
    arrivals = {}
    for fifo in (False, True):
        network, log = _network(fifo=fifo, delay=0.1, jitter=0.05, distribution="normal")
        for number in range(100):
            network.clock.schedule(0.001 * number, partial(network.send, 0, 1, number, 1, "x"))
        network.clock.run()
        arrivals[fifo] = {number: time for time, number in log}
        order = [number for _, number in log]
        assert (order == sorted(order)) is fifo
    # In order, each waits for the slowest of those before it and for nothing else.
    slowest = np.maximum.accumulate([arrivals[False][number] for number in range(100)])
    assert [arrivals[True][number] for number in range(100)] == slowest.tolist()


def test_zero_bytes_take_no_time_to_transmit() -> None:
    network, log = _network(rate=1.0, delay=0.5)
    network.send(0, 1, "empty", 0, "x")
    network.clock.run()
    assert log == [(0.5, "empty")]


def test_loss_one_delivers_nothing_and_loss_zero_everything() -> None:
    for loss, arrived in ((0.0, 50), (1.0, 0)):
        network, log = _network(loss=loss)
        for number in range(50):
            network.send(0, 1, number, 1, "x")
        network.clock.run()
        assert len(log) == arrived
        network.ledger.check()


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.5, 0.9])
def test_losses_are_as_frequent_as_asked_and_independent(loss: float) -> None:
    count = 20_000
    network, log = _network(loss=loss)
    for number in range(count):
        network.send(0, 1, number, 1, "x")
    network.clock.run()
    lost = np.ones(count, dtype=bool)
    lost[[number for _, number in log]] = False
    assert network.ledger.dropped["loss"] == lost.sum()
    assert abs(lost.mean() - loss) < 5 * sqrt(loss * (1 - loss) / count)
    assert abs(np.corrcoef(lost[1:], lost[:-1])[0, 1]) < 5 / sqrt(count)


def test_what_is_lost_at_a_small_probability_is_lost_at_a_larger_one_and_delays_are_unchanged() -> None:
    arrivals = []
    for loss in (0.0, 0.2, 0.6):
        network, log = _network(loss=loss, delay=0.1, jitter=0.01, distribution="normal", seed=4)
        for number in range(500):
            network.send(0, 1, number, 1, "x")
        network.clock.run()
        arrivals.append({number: time for time, number in log})
    none, few, many = arrivals
    assert len(none) == 500 > len(few) > len(many)
    assert many.items() <= few.items() <= none.items()


def test_waiting_in_the_queue_follows_the_pollaczek_khinchine_formula() -> None:
    service, load, count = 1.0, 0.5, 20_000
    network, log = _network(rate=1.0)
    times = np.cumsum(Streams(2).generator("arrivals").exponential(service / load, count))
    for number, time in enumerate(times):
        network.clock.schedule(time, partial(network.send, 0, 1, number, 1, "x"))
    network.clock.run()
    waits = np.array([time for time, _ in log]) - times - service
    # M/D/1: mean wait = load * service / (2 (1 - load)).
    assert waits.mean() == pytest.approx(load * service / (2 * (1 - load)), rel=0.06)
    assert (waits < 1e-9).mean() == pytest.approx(1 - load, abs=0.02)


def test_a_link_without_waiting_room_follows_erlangs_loss_formula() -> None:
    load, count = 0.8, 20_000
    network, _ = _network(rate=1.0, limit=1)
    times = np.cumsum(Streams(3).generator("arrivals").exponential(1 / load, count))
    for number, time in enumerate(times):
        network.clock.schedule(time, partial(network.send, 0, 1, number, 1, "x"))
    network.clock.run()
    assert network.ledger.dropped["queue_full"] / count == pytest.approx(load / (1 + load), abs=0.015)


def test_latency_of_each_law_reaches_the_receiver_unchanged() -> None:
    network, log = _network(delay=0.2, jitter=0.03, distribution="exponential")
    for number in range(5000):
        network.send(0, 1, number, 1, "x")
    network.clock.run()
    times = np.array([time for time, _ in log])
    assert times.mean() == pytest.approx(0.2, abs=5 * 0.03 / sqrt(5000))
    assert times.min() >= 0.17


def test_messages_without_a_link_a_handler_or_a_size_are_refused() -> None:
    network = Network(nx.path_graph(3), NetworkSettings(), Streams(0))
    with pytest.raises(ValueError, match="no link from node 0 to node 2"):
        network.send(0, 2, None, 1, "x")
    with pytest.raises(ValueError, match="no link from node 9 to node 0"):
        network.link_is_up(9, 0)
    with pytest.raises(ValueError, match="node 5 is not in this network"):
        network.attach(5, print)
    with pytest.raises(ValueError, match="size -1 must not be negative"):
        network.send(0, 1, None, -1, "x")
    with pytest.raises(TypeError):
        network.send(0, 1, None, 1.5, "x")  # type: ignore[arg-type]  # that is the test
    network.send(0, 1, None, 1, "question")
    with pytest.raises(
        RuntimeError, match="message of kind 'question' reached node 1: no handler is attached"
    ):
        network.clock.run()


def test_a_later_handler_replaces_an_earlier_one_even_for_messages_in_flight() -> None:
    network, log = _network(delay=1.0)
    network.send(0, 1, "payload", 1, "x")
    later: list[Message] = []
    network.attach(1, later.append)
    network.clock.run()
    assert (log, [message.payload for message in later]) == ([], ["payload"])


def test_numpy_sizes_and_nodes_stay_out_of_the_books() -> None:
    network, _ = _network(rate=1000.0)
    network.send(np.int64(0), np.int64(1), None, np.int64(500), "x")  # type: ignore[arg-type]
    network.clock.run()
    assert type(network.ledger.sent_bytes) is int
    assert network.trace is not None
    assert list(network.trace.lines()) == [
        '{"time":0.0,"event":"sent","serial":0,"kind":"x","source":0,"destination":1,"size":500}',
        '{"time":0.5,"event":"delivered","serial":0,"kind":"x","source":0,"destination":1,"size":500}',
    ]


def test_flushing_counts_what_is_in_flight_as_late_and_frees_the_queue() -> None:
    network, log = _network(rate=1024.0, delay=0.5, fifo=True)
    for name in "abcd":
        network.send(0, 1, name, 1024, "x")
    network.clock.run(until=2.0)
    assert log == [(1.5, "a")]
    assert network.flush() == 3
    assert network.flush() == 0
    network.ledger.check()
    network.send(0, 1, "e", 1024, "x")
    network.clock.run()
    assert log == [(1.5, "a"), (3.5, "e")]
    snapshot = network.ledger.snapshot()
    assert (snapshot["messages_late"], snapshot["bytes_late"]) == (3, 3072)
    assert [row[:3] for row in _rows(network) if row[1] == "late"] == [(2.0, "late", s) for s in (1, 2, 3)]


def test_the_snapshot_has_the_same_columns_whatever_happened() -> None:
    network, _ = _network(loss=1.0)
    before = network.ledger.snapshot()
    network.send(0, 1, None, 10, "x")
    after = network.ledger.snapshot()
    assert list(before) == list(after)
    assert {name: after[name] for name in before if after[name] != before[name]} == {
        "messages_sent": 1,
        "messages_dropped": 1,
        "bytes_sent": 10,
        "bytes_dropped": 10,
        "dropped_loss": 1,
    }
