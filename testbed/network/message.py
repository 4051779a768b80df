"""What travels on the network."""

from dataclasses import dataclass
from typing import Any


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
