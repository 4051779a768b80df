"""Things to do at given times, before the messages that are due at the same time."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from testbed.network.clock import Handle, Timeline

Entry = tuple[float, int, str]
"""Time, number and name of an entry."""


class Agenda:
    """One ordered list of things to do: by time, at equal times by number. It can be saved and continued.

    At equal times they are done before messages, regardless of which was scheduled first.
    """

    def __init__(self, timeline: Timeline) -> None:
        """Nothing is done before the first `catch_up` or `resume`."""
        self._timeline = timeline
        self._handlers: dict[str, Callable[[int], None]] = {}
        self._entries: list[Entry] = []
        self._next: Handle | None = None
        self._held_back = True

    def handle(self, what: str, do: Callable[[int], None]) -> None:
        """Whenever `what` is due call `do(number)`, which may put further entries."""
        self._handlers[what] = do

    def put(self, time: float, number: int, what: str) -> None:
        """Enter something to do; it is done once time goes on, even if it is due now."""
        entry = (time, number, what)
        heappush(self._entries, entry)
        if self._entries[0] is entry and not self._held_back:
            self.suspend()
            self.resume()

    def catch_up(self) -> None:
        """Do at once everything that is already due."""
        self.suspend()
        while self._entries and self._entries[0][0] <= self._timeline.now:
            self._do_first()
        self.resume()

    def _do_first(self) -> None:
        _, number, what = heappop(self._entries)
        self._handlers[what](number)

    def _due(self) -> None:
        self._next = None
        self._held_back = True
        # One at a time, so that each is an event of its own; `put` must not schedule meanwhile.
        self._do_first()
        self.resume()

    def suspend(self) -> None:
        """Take the pending entries out of the timeline, so that the clock can be set."""
        self._held_back = True
        if self._next is not None:
            self._timeline.cancel(self._next)
            self._next = None

    def resume(self) -> None:
        """Schedule the next entry."""
        self._held_back = False
        if self._entries:
            self._next = Handle(self._timeline, self._due)
            self._timeline.schedule_first_at(self._entries[0][0], self._next)

    def state_dict(self) -> list[Entry]:
        """The pending entries, JSON-able."""
        return sorted(self._entries)

    def load_state_dict(self, state: list[Entry]) -> None:
        """Return to what `state_dict` gave and schedule it; `suspend` must have been called."""
        self._entries = [(time, number, what) for time, number, what in state]
        heapify(self._entries)
        self.resume()
