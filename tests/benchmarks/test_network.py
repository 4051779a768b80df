"""Messages per second through the network, beside the bare callback rate of SimPy.

Run with `make bench`. The rate of a network is that of packets sent, decided upon and delivered, handler
included.
"""

import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import networkx as nx
import pytest
from simpy.core import Environment
from simpy.events import Event

from testbed.network import LinkSettings, Message, Network, NetworkSettings, Streams, Trace

MESSAGES = 50_000
LINK = LinkSettings(delay=0.05, loss=0.1, rate=1e9)
JITTERY = LinkSettings(delay=0.05, jitter=0.01, distribution="normal", loss=0.1, rate=1e9, limit=100_000)


def simpy_callbacks(in_flight: int, total: int = MESSAGES) -> int:
    """Plain SimPy: an event per callback, each of which schedules the next, `in_flight` at a time."""
    environment = Environment()
    left = count(total, -1)

    def again(_: Event) -> None:
        if next(left) > in_flight:
            schedule()

    def schedule() -> None:
        event = environment.event()
        event._ok, event._value = True, None
        event.callbacks.append(again)
        environment.schedule(event, delay=0.05)

    for _ in range(in_flight):
        schedule()
    environment.run()
    return total


def messages(
    in_flight: int,
    link: LinkSettings,
    total: int = MESSAGES,
    *,
    transport: str = "datagram",
    traced: bool = False,
) -> int:
    """A ring of 10 nodes: each message that arrives sends the next one on, `in_flight` at a time.

    Lost messages are replaced, so that as many remain in flight. Returns the number of packets,
    acknowledgements and retransmissions included.
    """
    settings = NetworkSettings.model_validate({"link": link, "transport": transport})
    network = Network(nx.cycle_graph(10), settings, Streams(0), trace=Trace() if traced else None)
    send, ledger = network.send, network.ledger

    def forward(message: Message) -> None:
        if ledger.sent < total:
            node = message.destination
            send(node, (node + 1) % 10, None, 1000, "x")

    for node in range(10):
        network.attach(node, forward)
    while ledger.sent < total:
        for number in range(min(in_flight - ledger.in_flight, total - ledger.sent)):
            send(number % 10, (number + 1) % 10, None, 1000, "x")
        network.clock.run(until=network.clock.now + 0.2)
    network.clock.run()
    ledger.check()
    return ledger.sent


CASES: dict[str, Callable[[int], int]] = {
    "SimPy, bare callbacks": simpy_callbacks,
    "delay + loss + rate": partial(messages, link=LINK),
    "delay + jitter + loss + rate + limit": partial(messages, link=JITTERY),
    "delay + loss + rate, with a trace": partial(messages, link=LINK, traced=True),
    "delay + loss + rate, reliable": partial(messages, link=LINK, transport="reliable"),
}


@pytest.mark.parametrize("in_flight", [100, 10_000])
@pytest.mark.parametrize("case", CASES)
def test_messages_per_second(benchmark: Any, case: str, in_flight: int) -> None:
    packets = benchmark.pedantic(CASES[case], args=(in_flight,), rounds=3, warmup_rounds=1)
    rate = packets / benchmark.stats.stats.min
    benchmark.extra_info["per_second"] = round(rate)
    print(f"\n{case}, {in_flight} in flight: {rate:,.0f} per second", file=sys.stderr)


def test_time_and_memory_grow_linearly_with_the_messages_in_flight() -> None:
    for number in (10_000, 100_000):
        network = Network(nx.path_graph(2), NetworkSettings(link=LINK), Streams(0))
        network.attach(1, lambda message: None)
        tracemalloc.start()
        for _ in range(number):
            network.send(0, 1, None, 1000, "x")
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        started = time.perf_counter()
        network.clock.run()
        seconds = time.perf_counter() - started
        print(
            f"\n{number:,} in flight: {size / number:.0f} bytes each, "
            f"delivered at {number / seconds:,.0f} per second",
            file=sys.stderr,
        )
