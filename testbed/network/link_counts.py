"""The packets of one direction of a link by fate, and the delay of those delivered, over some interval."""

from typing import Any


class LinkCounts:
    """Counts since they were last taken; see :meth:`testbed.network.traffic.Traffic.take`.

    ``entered`` packets are those sent and the duplicates that the link made of them. Over the whole life of a
    network they are delivered, dropped, late or in flight, as in the ledger, which counts all links together.
    """

    __slots__ = ("delay", "delay_max", "delivered", "dropped", "duplicated", "entered", "late")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin again with nothing."""
        self.entered = self.duplicated = self.delivered = self.late = 0
        self.dropped: dict[str, int] = {}
        """Packets by reason."""
        self.delay = 0.0
        """Sum over delivered packets of the simulated seconds from sending to delivery, by this packet."""
        self.delay_max = 0.0

    def drop(self, reason: str) -> None:
        """Count one packet as dropped."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def state_dict(self) -> dict[str, Any]:
        """All counts, JSON-able and exact."""
        return {name: getattr(self, name) for name in self.__slots__} | {"dropped": dict(self.dropped)}

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Return to what `state_dict` gave; None, from before there were such counts, is nothing."""
        self.reset()
        for name, value in (state or {}).items():
            setattr(self, name, dict(value) if name == "dropped" else value)
