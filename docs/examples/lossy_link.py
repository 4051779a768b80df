"""A network without agents: ten messages over a slow, lossy link, and what became of each."""

import networkx as nx

from testbed.network import LinkSettings, Message, Network, NetworkSettings, Streams

network = Network(
    nx.path_graph(2),
    NetworkSettings(link=LinkSettings(delay="20ms", rate="80kbit", loss=0.3)),
    Streams(seed=1),
)


def received(message: Message) -> None:
    """Print when a message arrives; the clock is in simulated seconds."""
    print(f"{network.clock.now:.3f} s  message {message.payload} arrives")


network.attach(1, received)
for number in range(10):
    network.send(0, 1, payload=number, size=100, kind="example")
network.clock.run()
print(
    f"sent {network.ledger.sent}, delivered {network.ledger.delivered}, lost {network.ledger.dropped['loss']}"
)
