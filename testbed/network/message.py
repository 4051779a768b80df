"""What travels on the network."""

from dataclasses import dataclass
from typing import Any

from testbed.network.corruption import Corruption


@dataclass(slots=True, eq=False)
class Message:
    """One packet on one link. The payload is carried by reference, never copied: do not change it."""

    source: int
    destination: int
    kind: str
    payload: Any
    size: int
    """Bytes on the wire."""
    sent_at: float
    """Simulated seconds when it was first sent; a retransmission keeps the time of the original."""
    serial: int
    """Counts the packets of a network from 0; a retransmission is a new packet."""
    header: Any = None
    """What the transport wrote on it; None for datagrams."""
    corruption: Corruption | None = None
    """How it was damaged on the wire without anybody noticing; None if it was not. The payload itself is as
    it was sent: whoever receives it applies the damage, see `testbed.network.corruption`."""

    @property
    def corrupted(self) -> bool:
        """Whether it was damaged on the wire without anybody noticing."""
        return self.corruption is not None
