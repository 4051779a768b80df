"""The packets of one direction of a link by fate, and the delay of those delivered, over some interval."""

from typing import Any


class LinkCounts:
    """Counts since they were last taken; see :meth:`testbed.network.traffic.Traffic.take`.

    Sent packets are not counted, which would cost time for each: they, and the duplicates that the link made,
    are those that were delivered, dropped, late, or are in flight now and were not before. The ledger counts
    all of them, of all links together.
    """

    __slots__ = ("delay", "delay_max", "delivered", "dropped", "duplicated", "in_flight", "late")

    def __init__(self) -> None:
        self.reset(0)

    def reset(self, in_flight: int) -> None:
        """Begin again with only that many packets in flight."""
        self.in_flight = in_flight
        self.duplicated = self.delivered = self.late = 0
        self.dropped: dict[str, int] = {}
        """Packets by reason."""
        self.delay = 0.0
        """Sum over delivered packets of the simulated seconds from sending to delivery, by this packet."""
        self.delay_max = 0.0

    def sent(self, in_flight: int) -> int:
        """Packets sent, if that many are in flight now."""
        gone = self.delivered + sum(self.dropped.values()) + self.late
        return gone + in_flight - self.in_flight - self.duplicated

    def drop(self, reason: str) -> None:
        """Count one packet as dropped."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def state_dict(self) -> dict[str, Any]:
        """All counts, JSON-able and exact."""
        return {name: getattr(self, name) for name in self.__slots__} | {"dropped": dict(self.dropped)}

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Return to what `state_dict` gave; None, from before there were such counts, is nothing."""
        self.reset(0)
        for name, value in (state or {}).items():
            setattr(self, name, dict(value) if name == "dropped" else value)
