import json
from functools import partial
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from testbed.network import LinkSettings, Message, Network, NetworkSettings, Streams, Trace, first_difference
from testbed.network.ledger import Ledger


def _trace(seed: int, graph: "nx.Graph[int] | None" = None, **settings: object) -> Trace:
    """Nodes 0 and 1 send each other messages over a link with everything on it."""
    link = LinkSettings(delay=0.01, jitter=0.005, distribution="lognormal", loss=0.2, rate=1e5, limit=5)
    trace = Trace()
    network = Network(
        graph or nx.path_graph(2),
        NetworkSettings.model_validate({"link": link, **settings}),
        Streams(seed),
        trace=trace,
    )
    for node in network.graph.nodes:
        network.attach(node, lambda message: None)
    for number in range(200):
        for source, destination in ((0, 1), (1, 0)):
            network.clock.schedule(
                number * 0.001,
                partial(network.send, source, destination, None, 120, "x"),
            )
    network.clock.run()
    return trace


def test_events_are_written_as_json_lines(tmp_path: Path) -> None:
    trace = Trace()
    message = Message(0, 1, "request", None, 24, 0.5, 7)
    trace.packet(0.5, "sent", message)
    trace.packet(0.5, "dropped", message, "loss")
    trace.link(0.75, "link_down", 1, 0)
    trace.record(1.0, "commit", agent=3, value=np.float64(0.1), count=np.int64(2), ok=np.bool_(True))
    trace.write(tmp_path / "trace.jsonl")
    assert (tmp_path / "trace.jsonl").read_bytes() == (
        b'{"time":0.5,"event":"sent","serial":7,"kind":"request","source":0,"destination":1,"size":24}\n'
        b'{"time":0.5,"event":"dropped","serial":7,"kind":"request","source":0,"destination":1,"size":24,'
        b'"reason":"loss"}\n'
        b'{"time":0.75,"event":"link_down","source":1,"destination":0}\n'
        b'{"time":1.0,"event":"commit","agent":3,"value":0.1,"count":2,"ok":true}\n'
    )


def test_a_trace_holds_no_objects_and_no_events_that_look_like_the_networks_own() -> None:
    trace = Trace()
    with pytest.raises(ValueError, match="event 'sent' is recorded by the network itself"):
        trace.record(0.0, "sent")
    trace.record(0.0, "array", value=np.zeros(2))
    with pytest.raises(TypeError, match=r"a trace cannot hold .* of type ndarray"):
        list(trace.lines())
    nan = Trace()
    nan.record(0.0, "nan", value=float("nan"))
    with pytest.raises(ValueError, match="not JSON compliant"):
        list(nan.lines())


@pytest.mark.parametrize("transport", ["datagram", "reliable"])
def test_the_same_seed_gives_the_same_trace_and_another_seed_another(transport: str) -> None:
    assert first_difference(_trace(1, transport=transport), _trace(1, transport=transport)) is None
    difference = first_difference(_trace(1, transport=transport), _trace(2, transport=transport))
    assert difference is not None
    assert difference.first != difference.second


def test_adding_a_link_or_a_fault_elsewhere_changes_nothing_here() -> None:
    small, large = _trace(5), _trace(5, nx.complete_graph(6), links={"2-3": {"loss": 0.9}})
    assert first_difference(small, large) is None
    faulty = _trace(5, nx.complete_graph(6), faults=[{"link": "4-5", "down": "50ms", "up": "60ms"}])
    own = ("link_down", "link_up", "fault_begun", "fault_lifted")
    lines = [line for line in faulty.lines() if json.loads(line)["event"] not in own]
    assert first_difference(small, lines) is None


def test_the_first_difference_is_named_and_so_is_an_early_end() -> None:
    assert first_difference(["a", "b"], ["a", "b"]) is None
    difference = first_difference(["a", "b", "c"], ["a", "x", "c"])
    assert difference is not None
    assert (difference.index, difference.first, difference.second) == (1, "b", "x")
    ended = first_difference(["a"], ["a", "b"])
    assert ended is not None
    assert str(ended) == "event 1 differs:\n  (ended)\n  b"


def test_without_a_trace_the_same_happens() -> None:
    ledgers = []
    for trace in (None, Trace()):
        network = Network(
            nx.path_graph(2), NetworkSettings(link=LinkSettings(loss=0.5, delay=1.0)), Streams(0), trace=trace
        )
        network.attach(1, lambda message: None)
        for _ in range(100):
            network.send(0, 1, None, 1, "x")
        network.clock.run()
        ledgers.append(network.ledger.snapshot())
    assert ledgers[0] == ledgers[1]


def test_the_books_show_a_message_that_was_lost_from_them() -> None:
    network = Network(nx.path_graph(2), NetworkSettings(link=LinkSettings(delay=1.0)), Streams(0))
    network.send(0, 1, None, 5, "x")
    network.ledger.check()
    (direction, _) = network._links
    direction.in_flight.clear()
    with pytest.raises(
        AssertionError, match="messages do not add up: 1 entered the network, 0 left it, 0 are"
    ):
        network.ledger.check()


def test_the_books_show_bytes_that_changed_on_the_way() -> None:
    ledger = Ledger(lambda: (1, 4))
    ledger.sent, ledger.sent_bytes = 1, 5
    with pytest.raises(
        AssertionError, match="bytes do not add up: 5 entered the network, 0 left it, 4 are in"
    ):
        ledger.check()


def test_the_books_of_a_run_are_what_its_trace_says() -> None:
    trace = Trace()
    network = Network(
        nx.path_graph(2),
        NetworkSettings(link=LinkSettings(loss=0.3, delay=1.0, rate=100.0, limit=3)),
        Streams(0),
        trace=trace,
    )
    network.attach(1, lambda message: None)
    for number in range(100):
        network.clock.schedule(0.07 * number, partial(network.send, 0, 1, None, number % 17, "x"))
    network.clock.run(until=5.0)
    network.flush()
    rows = [event.row() for event in trace.events]
    for name, fate in (
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("dropped", "dropped"),
        ("late", "late"),
    ):
        these = [row for row in rows if row["event"] == fate]
        assert these
        assert network.ledger.snapshot()[f"messages_{name}"] == len(these)
        assert network.ledger.snapshot()[f"bytes_{name}"] == sum(row["size"] for row in these)
    for reason, count in network.ledger.dropped.items():
        assert count == sum(row.get("reason") == reason for row in rows)
