"""Traces recorded when the network was first built: the same seed still gives them, whatever came since."""

import hashlib
from functools import partial
from typing import Any

import networkx as nx
import pytest

from testbed.network import Network, NetworkSettings, Streams, Trace
from testbed.network.trace.trace import PacketEvent

# By delay distribution: the number of events and a digest of them. Times count to the nanosecond, because
# exponentials may differ in the last bit from one processor to another.
RECORDED = {
    "uniform": (1200, "bc7587d3bcb01212"),
    "normal": (1200, "b88069e8ae78ed32"),
    "lognormal": (1200, "ff4de7e00fab5d4a"),
    "exponential": (1200, "618b2c31193f1f8a"),
    "pareto": (5783, "ca413aba2cacf082"),
}


def _digest(trace: Trace) -> tuple[int, str]:
    lines = [
        f"{event.time:.9f} {event.event} {event.serial} {event.source} {event.destination} {event.reason}"
        for event in trace.events
        if isinstance(event, PacketEvent)
    ]
    return len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@pytest.mark.parametrize("law", RECORDED)
def test_a_seed_still_gives_the_trace_that_it_gave(law: str) -> None:
    link: dict[str, Any] = {"delay": 0.1, "jitter": 0.02, "distribution": law, "loss": 0.3, "rate": 1e5}
    settings = NetworkSettings.model_validate(
        {
            "link": link | {"limit": 30, "fifo": law == "normal"},
            "links": {"1-2": {"loss": 0.5}},
            "transport": "reliable" if law == "pareto" else "datagram",
        }
    )
    network = Network(nx.path_graph(3), settings, Streams(11), trace=Trace())
    for node in range(3):
        network.attach(node, lambda message: None)
    for number in range(300):
        for source in (0, 2):
            network.clock.schedule(0.004 * number, partial(network.send, source, 1, None, 100, "x"))
    network.clock.run()
    assert network.trace is not None
    assert _digest(network.trace) == RECORDED[law]
