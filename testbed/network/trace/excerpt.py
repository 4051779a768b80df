"""A trace of parts of a run: of some of its policy updates, up to a number of events each."""

from typing import Any

from testbed.network.message import Message
from testbed.network.trace.trace import LinkChange, PacketFate, Trace


class Full(Exception):
    """The excerpt has reached its limit of events, and nothing of the run that follows is wanted."""


class Excerpt(Trace):
    """A trace that records nothing until `begin`, and then at most `limit` events until `take`.

    Attributes:
        full: whether events are missing because the limit was reached.
        last: whether reaching the limit ends the run, by raising `Full`.
    """

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self.full = False
        self.last = False
        self._limit = limit
        self._recording = False

    def begin(self, *, last: bool = False) -> None:
        """Record from now on; `last` if no later part will be wanted."""
        self._recording, self.full, self.last = True, False, last

    def take(self) -> Trace:
        """The events recorded since `begin`; recording then stops again."""
        part = Trace()
        part.update = self.update
        part.events, part.restorations = list(self.events), list(self.restorations)
        # Emptied in place, because a checker of invariants shows the same lists as its own.
        self.events.clear()
        self.restorations.clear()
        self._recording = False
        return part

    def packet(self, time: float, event: PacketFate, message: Message, reason: str | None = None) -> None:
        if self._recording:
            super().packet(time, event, message, reason)
            self._check()

    def link(self, time: float, event: LinkChange, source: int, destination: int) -> None:
        if self._recording:
            super().link(time, event, source, destination)
            self._check()

    def record(self, time: float, event: str, **fields: Any) -> None:
        if self._recording:
            super().record(time, event, **fields)
            self._check()

    def _check(self) -> None:
        if self._limit is None or len(self.events) < self._limit:
            return
        self.full, self._recording = True, False
        if self.last:
            raise Full
