from functools import partial
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.network import LinkFault, LinkSettings, Message, Network, NetworkSettings, Streams, Trace
from testbed.network.direction import Direction
from testbed.network.transports import Segment, _Connection

Log = list[tuple[float, Any]]


def _network(seed: int = 0, *, link: dict[str, Any] | None = None, **settings: Any) -> tuple[Network, Log]:
    settings = {"transport": "reliable", **settings}
    network = Network(
        nx.path_graph(2),
        NetworkSettings(link=LinkSettings(**(link or {})), **settings),
        Streams(seed),
        trace=Trace(),
    )
    log: Log = []
    for node in (0, 1):
        network.attach(node, lambda message: log.append((network.clock.now, message.payload)))
    return network, log


def _rows(network: Network) -> list[tuple[Any, ...]]:
    assert network.trace is not None
    return [
        (e.row()["time"], e.event, e.row().get("serial"), e.row().get("kind")) for e in network.trace.events
    ]


def _run_checked(network: Network) -> None:
    while network.clock.step():
        network.ledger.check()


def test_a_message_and_its_acknowledgement_on_a_perfect_link() -> None:
    network, log = _network(link={"delay": 0.25, "rate": 1024.0})
    network.send(0, 1, "data", 1024, "question")
    _run_checked(network)
    assert log == [(1.25, "data")]
    back = 1.25 + 40 / 1024 + 0.25
    assert _rows(network) == [
        (0.0, "sent", 0, "question"),
        (1.25, "delivered", 0, "question"),
        (1.25, "sent", 1, "acknowledgement"),
        (back, "delivered", 1, "acknowledgement"),
    ]
    # The retransmission timer was cancelled: the clock stops at the last event.
    assert network.clock.now == back
    assert network.ledger.sent_bytes == 1024 + 40


def test_a_lost_message_is_sent_again_after_the_timeout_and_later_each_time() -> None:
    network, log = _network(
        link={"delay": 0.25},
        retransmission_timeout=1.0,
        faults=(LinkFault(link="0-1", down=0.0, up=6.5),),
    )
    message = network.send(0, 1, "data", 8, "x")
    _run_checked(network)
    sent = [(time, serial) for time, event, serial, kind in _rows(network) if (event, kind) == ("sent", "x")]
    assert sent == [(0.0, 0), (1.0, 1), (3.0, 2), (7.0, 3)]
    assert log == [(7.25, "data")]
    assert network.ledger.retransmitted == 3
    assert message.serial == 0


def test_a_retransmission_keeps_the_time_of_the_original() -> None:
    network, _ = _network(retransmission_timeout=1.0, faults=(LinkFault(link="0-1", down=0.5, up=2.5),))
    received: list[Message] = []
    network.attach(1, received.append)
    network.clock.schedule(0.75, lambda: network.send(0, 1, "data", 8, "x"))
    _run_checked(network)
    assert [(message.sent_at, message.serial) for message in received] == [(0.75, 2)]
    assert network.clock.now == 3.75


def test_a_lost_acknowledgement_makes_a_duplicate_that_the_handler_never_sees() -> None:
    network, log = _network(
        retransmission_timeout=1.0, faults=(LinkFault(link="0-1", down=0.0, up=0.5, direction="backward"),)
    )
    network.send(0, 1, "data", 8, "x")
    _run_checked(network)
    assert log == [(0.0, "data")]
    ledger = network.ledger
    assert (ledger.retransmitted, ledger.filtered, ledger.undeliverable) == (1, 1, 0)


def test_after_the_last_retry_the_sender_gives_up_and_says_so() -> None:
    network, log = _network(link={"loss": 1.0}, retransmission_timeout=1.0, retries=3)
    network.send(0, 1, "data", 8, "x")
    _run_checked(network)
    assert log == []
    assert network.ledger.snapshot()["messages_undeliverable"] == 1
    assert network.ledger.sent == 4
    assert _rows(network)[-1] == (15.0, "undeliverable", 3, "x")
    network.state_dict()


def test_no_retries_means_one_attempt() -> None:
    network, _ = _network(link={"loss": 1.0}, retries=0)
    network.send(0, 1, "data", 8, "x")
    _run_checked(network)
    assert (network.ledger.sent, network.ledger.undeliverable) == (1, 1)


def test_a_message_given_up_may_still_have_arrived() -> None:
    network, log = _network(retries=2, faults=(LinkFault(link="0-1", down=0.0, direction="backward"),))
    network.send(0, 1, "data", 8, "x")
    network.clock.run()
    assert [payload for _, payload in log] == ["data"]
    assert (network.ledger.undeliverable, network.ledger.filtered) == (1, 2)


def test_one_missing_message_does_not_hold_back_the_others() -> None:
    network, log = _network(retransmission_timeout=5.0, faults=(LinkFault(link="0-1", down=0.0, up=1.0),))
    for time in (0.5, 2.0, 3.0):
        network.clock.schedule(time, partial(network.send, 0, 1, time, 8, "x"))
    _run_checked(network)
    assert log == [(2.0, 2.0), (3.0, 3.0), (5.5, 0.5)]


def test_the_timeout_follows_the_link_and_the_queue_so_nothing_is_sent_twice_without_need() -> None:
    network, log = _network(link={"delay": 0.5, "jitter": 0.05, "distribution": "normal", "rate": 1000.0})
    for number in range(50):
        network.send(0, 1, number, 1000, "x")
    _run_checked(network)
    assert len(log) == 50
    assert network.ledger.retransmitted == 0


def test_an_answer_from_within_a_handler_follows_the_acknowledgement() -> None:
    network, log = _network(link={"delay": 1.0})
    network.attach(1, lambda message: network.send(1, 0, "answer", 8, "answer"))
    network.send(0, 1, "question", 8, "question")
    _run_checked(network)
    assert log == [(2.0, "answer")]
    assert [kind for _, event, _, kind in _rows(network) if event == "sent"] == [
        "question",
        "acknowledgement",
        "answer",
        "acknowledgement",
    ]


@pytest.mark.parametrize("loss", [0.1, 0.3, 0.5])
def test_every_message_arrives_exactly_once_over_a_lossy_link(loss: float) -> None:
    network, log = _network(link={"loss": loss, "delay": 0.01, "jitter": 0.01}, retries=200)
    for number in range(500):
        network.clock.schedule(0.001 * number, partial(network.send, 0, 1, number, 8, "x"))
    network.clock.run()
    assert sorted(payload for _, payload in log) == list(range(500))
    assert network.ledger.undeliverable == 0
    # Each attempt succeeds with probability (1 - loss)^2: the number of attempts is geometric.
    assert network.ledger.retransmitted / 500 == pytest.approx(1 / (1 - loss) ** 2 - 1, rel=0.25)


def test_flushing_forgets_what_would_be_sent_again_and_old_duplicates_stay_out() -> None:
    network, log = _network(link={"delay": 0.1}, faults=(LinkFault(link="0-1", down=0.0, up=1.0),))
    network.send(0, 1, "before", 8, "x")
    network.clock.run(until=0.05)
    network.flush()
    network.clock.run(until=2.0)
    network.send(0, 1, "after", 8, "x")
    _run_checked(network)
    assert log == [(2.1, "after")]


def test_a_message_for_nobody_or_over_no_link_is_an_error() -> None:
    network = Network(nx.path_graph(3), NetworkSettings(transport="reliable"), Streams(0))
    with pytest.raises(ValueError, match="no link from node 0 to node 2"):
        network.send(0, 2, None, 8, "x")
    with pytest.raises(ValueError, match="node 7 is not in this network"):
        network.attach(7, print)
    network.send(0, 1, None, 8, "x")
    with pytest.raises(RuntimeError, match="reached node 1: no handler"):
        network.clock.run()


def _connection() -> _Connection:
    ends = [Direction.__new__(Direction) for _ in range(2)]
    return _Connection(*ends)


@given(st.lists(st.integers(0, 12), max_size=60), st.data())
def test_the_duplicate_filter_agrees_with_a_set_and_forgets_what_is_old(
    sequences: list[int], data: st.DataObject
) -> None:
    connection, seen, floor = _connection(), set[int](), 0
    for sequence in sequences:
        floor = data.draw(st.integers(floor, max(floor, sequence)), label="floor")
        new = connection.accept(Segment(sequence, floor))
        assert new == (sequence not in seen and sequence >= max(floor, 0))
        if new:
            seen.add(sequence)
        assert all(number >= connection.floor for number in connection.seen)
        assert connection.floor not in connection.seen


def test_the_duplicate_filter_stays_small() -> None:
    connection = _connection()
    for sequence in range(1000):
        # Every tenth never arrives; the sender gives it up ten messages later.
        if sequence % 10:
            connection.accept(Segment(sequence, max(sequence - 10, 0)))
    assert len(connection.seen) <= 20
