"""Duplicates, packets that overtake, and luck that does not depend on what happens elsewhere."""

from functools import partial
from math import pi, sqrt
from typing import Any

import networkx as nx
import numpy as np
import pytest

from testbed.network import (
    LinkFault,
    LinkSettings,
    Network,
    NetworkSettings,
    Streams,
    Trace,
    first_difference,
)

Log = list[tuple[float, Any]]


def _network(seed: int = 0, *, transport: str = "datagram", **link: Any) -> tuple[Network, Log]:
    settings = NetworkSettings.model_validate({"link": link, "transport": transport, "retries": 60})
    network = Network(nx.path_graph(2), settings, Streams(seed), trace=Trace())
    log: Log = []
    for node in (0, 1):
        network.attach(node, lambda message: log.append((network.clock.now, message.payload)))
    return network, log


def _send(network: Network, count: int, every: float = 0.0) -> None:
    for number in range(count):
        network.clock.schedule(every * number, partial(network.send, 0, 1, number, 1000, "x"))
    if count > 1000:
        network.clock.run()
    while network.clock.step():
        network.ledger.check()
    network.ledger.check()


def _rows(network: Network) -> list[tuple[Any, ...]]:
    assert network.trace is not None
    return [tuple(event.row().values()) for event in network.trace.events]


def test_a_copy_follows_the_original_through_the_queue_with_a_serial_number_of_its_own() -> None:
    network, log = _network(duplicate=1.0, rate=1000.0, delay=0.5)
    _send(network, 2)
    assert log == [(1.5, 0), (2.5, 0), (3.5, 1), (4.5, 1)]
    assert _rows(network) == [
        (0.0, "sent", 0, "x", 0, 1, 1000),
        (0.0, "duplicated", 1, "x", 0, 1, 1000),
        (0.0, "sent", 2, "x", 0, 1, 1000),
        (0.0, "duplicated", 3, "x", 0, 1, 1000),
        (1.5, "delivered", 0, "x", 0, 1, 1000),
        (2.5, "delivered", 1, "x", 0, 1, 1000),
        (3.5, "delivered", 2, "x", 0, 1, 1000),
        (4.5, "delivered", 3, "x", 0, 1, 1000),
    ]
    snapshot = network.ledger.snapshot()
    assert (snapshot["messages_sent"], snapshot["messages_duplicated"]) == (2, 2)
    assert (snapshot["bytes_sent"], snapshot["bytes_duplicated"], snapshot["bytes_delivered"]) == (
        2000,
        2000,
        4000,
    )


def test_a_copy_takes_a_place_in_a_full_queue_like_any_other() -> None:
    network, log = _network(duplicate=1.0, rate=1000.0, limit=3)
    _send(network, 2)
    assert log == [(1.0, 0), (2.0, 0), (3.0, 1)]
    assert network.ledger.dropped["queue_full"] == 1


def test_a_copy_missing_from_the_books_is_found() -> None:
    network, _ = _network(duplicate=1.0, delay=1.0)
    network.send(0, 1, None, 1, "x")
    network.ledger.check()
    network.ledger.duplicated -= 1
    with pytest.raises(
        AssertionError, match="messages do not add up: 1 entered the network, 0 left it, 2 are"
    ):
        network.ledger.check()


def test_a_link_that_is_down_makes_no_copies() -> None:
    network, log = _network(duplicate=1.0)
    with network.take_down(0, 1):
        network.send(0, 1, "refused", 1, "x")
    network.clock.run()
    assert (log, network.ledger.duplicated, network.ledger.dropped["link_down"]) == ([], 0, 1)


@pytest.mark.parametrize("loss", [0.3, {"gemodel": {"p": 0.1, "r": 0.2, "1-h": 0.9}}])
def test_copies_are_as_frequent_as_asked_and_have_losses_and_delays_of_their_own(loss: Any) -> None:
    count = 20_000
    network, log = _network(duplicate=0.25, loss=loss, delay=0.1, jitter=0.01, distribution="normal")
    _send(network, count)
    ledger = network.ledger
    assert ledger.duplicated / ledger.sent == pytest.approx(0.25, abs=0.015)
    # Both losses have the mean 0.3.
    lost = ledger.dropped["loss"] / (ledger.sent + ledger.duplicated)
    assert lost == pytest.approx(0.3, abs=0.03)
    times: dict[int, list[float]] = {}
    for time, number in log:
        times.setdefault(number, []).append(time)
    pairs = np.array([pair for pair in times.values() if len(pair) == 2])
    assert len(pairs) > 2000
    # Of two independent delays the smaller comes first: the larger exceeds it by 2 / sqrt(pi) deviations.
    assert (pairs[:, 1] - pairs[:, 0]).mean() == pytest.approx(0.01 * 2 / sqrt(pi), rel=0.06)


def test_losses_and_delays_of_originals_do_not_change_when_some_are_copied() -> None:
    link = {"loss": 0.3, "delay": 0.1, "jitter": 0.02, "corrupt": 0.1, "jitter_correlation": 0.5}
    arrivals = []
    for duplicate in (0.0, 0.5):
        network, _ = _network(**link, duplicate=duplicate)
        _send(network, 500, every=0.01)
        rows = _rows(network)
        number = {serial: n for n, serial in enumerate(row[2] for row in rows if row[1] == "sent")}
        fates = [(number[row[2]], row[0], row[1]) for row in rows if row[1] != "sent" and row[2] in number]
        arrivals.append(sorted(fates))
    assert len(arrivals[0]) == 500
    assert arrivals[0] == arrivals[1]


def test_correlated_duplicates_come_in_runs() -> None:
    network, _ = _network(duplicate={"random": 0.2, "correlation": 0.9})
    _send(network, 10_000)
    assert network.trace is not None
    events = [event.event for event in network.trace.events if event.event in ("sent", "duplicated")]
    doubled = np.array([after == "duplicated" for after in [*events[1:], "sent"]])[
        np.array([event == "sent" for event in events])
    ]
    assert doubled.mean() == pytest.approx(0.2, abs=0.08)
    assert np.corrcoef(doubled[1:], doubled[:-1])[0, 1] == pytest.approx(0.9, abs=0.03)


def test_every_gap_th_packet_overtakes_if_it_surely_does() -> None:
    network, log = _network(delay=1.0, reorder={"random": 1.0, "gap": 3})
    _send(network, 9, every=1 / 16)
    arrived = {number: time for time, number in log}
    assert [number for number in range(9) if arrived[number] == number / 16] == [2, 5, 8]
    assert all(arrived[number] == 1 + number / 16 for number in (0, 1, 3, 4, 6, 7))
    assert [number for _, number in log] == [2, 5, 8, 0, 1, 3, 4, 6, 7]


@pytest.mark.parametrize(("probability", "gap"), [(0.25, 1), (0.25, 5), (0.9, 2)])
def test_the_share_that_overtakes_follows_from_probability_and_gap(probability: float, gap: int) -> None:
    network, log = _network(delay=1.0, reorder={"random": probability, "gap": gap})
    _send(network, 10_000)
    at_once = np.mean([time == 0 for time, _ in log])
    assert at_once == pytest.approx(1 / (gap - 1 + 1 / probability), rel=0.06)


def test_a_packet_that_overtakes_waits_for_the_transmitter_and_spends_the_delay_it_would_have_had() -> None:
    networks = [
        _network(delay=1.0, jitter=0.1, rate=1000.0, reorder=reorder) for reorder in (0.0, {"random": 0.5})
    ]
    arrivals = []
    for network, log in networks:
        _send(network, 50)
        arrivals.append({number: time for time, number in log})
    plain, overtaking = arrivals
    for number in range(50):
        assert overtaking[number] in (plain[number], 1.0 + number)
    assert 10 < sum(plain[number] != overtaking[number] for number in range(50)) < 40


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ({"reorder": 0.1}, "reorder with delay 0: there is no delay that a packet could skip"),
        ({"reorder": 0.1, "delay": 1.0, "fifo": True}, "reorder with fifo true"),
        ({"reorder": {"random": 0.1, "gap": 0}}, "greater than or equal to 1"),
        ({"duplicate": 2}, "less than or equal to 1"),
        ({"corrupt": {"random": 0.1, "noise": 0.1}}, "noise 0.1 needs detected: false"),
        ({"corrupt": {"correlation": 0.1}}, "Field required"),
        ({"jitter_correlation": 1.0}, "less than 1"),
    ],
)
def test_impairments_that_make_no_sense_are_refused(link: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="validation error") as caught:
        LinkSettings(**link)
    assert message in str(caught.value)


def test_the_reliable_transport_survives_duplicates_damage_and_reordering_together() -> None:
    for seed in range(3):
        network, log = _network(
            seed,
            transport="reliable",
            delay=0.05,
            jitter=0.02,
            loss={"gemodel": {"p": 0.1, "r": 0.4}},
            duplicate=0.3,
            corrupt=0.1,
            reorder={"random": 0.3, "gap": 2},
        )
        _send(network, 300, every=0.01)
        assert sorted(number for _, number in log) == list(range(300))
        ledger = network.ledger
        assert ledger.undeliverable == 0
        assert ledger.filtered >= ledger.duplicated * 0.2 > 0
        assert ledger.dropped["corrupt"] > 0 < ledger.retransmitted
        # Nothing is outstanding: whatever was duplicated, each message was acknowledged.
        network.state_dict()


def test_a_duplicated_acknowledgement_changes_nothing() -> None:
    network, log = _network(transport="reliable", duplicate=1.0, delay=0.1)
    _send(network, 20, every=0.01)
    assert sorted(number for _, number in log) == list(range(20))
    assert (network.ledger.retransmitted, network.ledger.filtered) == (0, 20)


EVERYTHING = {
    "delay": 0.05,
    "jitter": 0.01,
    "jitter_correlation": 0.5,
    "distribution": "gamma",
    "loss": {"gemodel": {"p": 0.1, "r": 0.3, "per": "second"}},
    "rate": 1e6,
    "limit": 20,
    "duplicate": {"random": 0.2, "correlation": 0.3},
    "corrupt": {"random": 0.2, "detected": False},
    "reorder": 0.2,
}


def _trace(links: dict[str, Any], faults: tuple[LinkFault, ...] = ()) -> list[str]:
    """What happens between nodes 0 and 1, where other links of a square may be impaired."""
    settings = NetworkSettings.model_validate(
        {"link": {"delay": 0.05, "jitter": 0.02, "loss": 0.2}, "links": links, "faults": faults}
    )
    network = Network(nx.cycle_graph(4), settings, Streams(7), trace=Trace())
    for node in range(4):
        network.attach(node, lambda message: None)
    for number in range(200):
        for source, destination in ((0, 1), (1, 0), (1, 2), (2, 3)):
            network.clock.schedule(
                0.01 * number, partial(network.send, source, destination, number, 100, "x")
            )
    network.clock.run()
    assert network.trace is not None
    return [
        f"{row['time']} {row['event']} {row['source']} {row['destination']} {row.get('reason')}"
        for row in (event.row() for event in network.trace.events)
        if {row.get("source"), row.get("destination")} == {0, 1}
    ]


@pytest.mark.parametrize("name", EVERYTHING)
def test_an_impairment_added_elsewhere_leaves_every_draw_of_a_link_unchanged(name: str) -> None:
    elsewhere = {"1-2": {name: EVERYTHING[name]}, "2>3": EVERYTHING}
    assert first_difference(_trace({}), _trace(elsewhere)) is None


def test_an_impairment_of_one_direction_leaves_the_other_unchanged() -> None:
    plain, impaired = (
        [line for line in _trace(links) if " 1 0 " in line] for links in ({}, {"0>1": EVERYTHING})
    )
    assert first_difference(plain, impaired) is None
    assert _trace({}) != _trace({"0>1": EVERYTHING})
