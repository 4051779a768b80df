"""The packets that travel on the network."""

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
    """Simulated time in seconds when it was first sent; a retransmission keeps the time of the original."""
    serial: int
    """Serial number of the packet in its network, from 0; a retransmission is a new packet."""
    header: Any = None
    """Header written by the transport; None for datagrams."""
    corruption: Corruption | None = None
    """Undetected damage on the wire; None if there is none. The payload itself is as it was sent: the
    receiver applies the damage, see `testbed.network.corruption`."""

    @property
    def corrupted(self) -> bool:
        """Whether it was damaged on the wire without being detected."""
        return self.corruption is not None
