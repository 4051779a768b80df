"""Simulated time: SimPy's event queue with cancellable callbacks."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf, ulp
from typing import Any

from simpy.core import Environment
from simpy.events import NORMAL, URGENT, Event, EventCallbacks, EventPriority

_CANCELLED: EventCallbacks = []
"""The callbacks of every cancelled event, recognised by identity."""

_LAST: EventPriority = EventPriority(NORMAL + 1)
"""At equal times the events of the lower priority come first; SimPy's own go up to NORMAL."""

_ROUNDING = 8
"""Times that are so many units in the last place apart, or fewer, are equal but for rounding."""

_TIDY_ABOVE = 64
"""Cancelled events are left in the queue until there are this many, and they are half of it."""


class Occurrence(Event):
    """A SimPy event that is certain to happen, without the bookkeeping of one that may still fail.

    `callbacks` may be one list shared by many occurrences: SimPy only reads it.
    """

    _ok = True
    _value = None

    def __init__(self, callbacks: EventCallbacks) -> None:
        self.callbacks = callbacks


class Timeline(Environment):
    """A SimPy environment that takes events at absolute times and forgets cancelled ones.

    Absolute times matter: `now + (time - now)` can miss `time` by one rounding and so swap two messages.
    """

    def __init__(self) -> None:
        super().__init__(0.0)
        self._cancelled = 0
        self.checks: list[Callable[[], object]] = []
        """Called after every event, so that an inconsistency shows as soon as it arises."""

    def step(self) -> None:
        """Process the next event."""
        super().step()
        for check in self.checks:
            check()

    def schedule_at(self, time: float, event: Event) -> None:
        """Schedule `event` at the absolute `time`, after everything already scheduled for that time."""
        heappush(self._queue, (time, NORMAL, next(self._eid), event))

    def schedule_first_at(self, time: float, event: Event) -> None:
        """Schedule `event` at the absolute `time`, before everything `schedule_at` puts there."""
        heappush(self._queue, (time, URGENT, next(self._eid), event))

    def schedule_last_at(self, time: float, event: Event) -> None:
        """Schedule `event` at the absolute `time`, after everything else that will ever be due then."""
        heappush(self._queue, (time, _LAST, next(self._eid), event))

    def cancel(self, event: Occurrence) -> None:
        """Make sure that `event` does not happen; nothing changes if it has happened or was cancelled."""
        if event.callbacks is None or event.callbacks is _CANCELLED:
            return
        event.callbacks = _CANCELLED
        self._cancelled += 1
        if self._cancelled > _TIDY_ABOVE and 2 * self._cancelled > len(self._queue):
            # In place, because the running loop holds this very list.
            self._queue[:] = [entry for entry in self._queue if entry[3].callbacks is not _CANCELLED]
            heapify(self._queue)
            self._cancelled = 0

    def advance(self, before: float) -> None:
        """Run every event whose time is less than `before`."""
        queue, step = self._queue, self.step if self.checks else super().step
        while queue:
            time, _, _, event = queue[0]
            if event.callbacks is _CANCELLED:
                heappop(queue)
                self._cancelled -= 1
            elif time < before:
                step()
            else:
                return

    def next_time(self) -> float:
        """The time of the next event that was not cancelled, infinity if there is none."""
        queue = self._queue
        while queue:
            time, _, _, event = queue[0]
            if event.callbacks is not _CANCELLED:
                return time
            heappop(queue)
            self._cancelled -= 1
        return inf

    def move_to(self, time: float) -> None:
        """Set the present to `time`, forward or back; no event may be due before it."""
        if self.next_time() < time:
            raise ValueError(f"cannot set the clock to {time}: an event is due at {self.next_time()}")
        self._now = time


class Handle(Occurrence):
    """A scheduled callback, as `Clock.schedule` returns it."""

    __slots__ = ("_callback", "_timeline")

    def __init__(self, timeline: Timeline, callback: Callable[[], object]) -> None:
        super().__init__(_CALL)
        self._timeline = timeline
        self._callback = callback

    @property
    def pending(self) -> bool:
        """Whether the callback is still going to run."""
        return self.callbacks is _CALL

    def cancel(self) -> None:
        """Make sure that the callback does not run; nothing changes if it has run already."""
        self._timeline.cancel(self)

    @staticmethod
    def call(handle: Any) -> None:
        """Run the callback of a handle that is due."""
        handle._callback()


_CALL: EventCallbacks = [Handle.call]


class Timer(Handle):
    """A scheduled callback that runs after everything else that is due at its time, rounding apart."""

    __slots__ = ()

    def __init__(self, timeline: Timeline, callback: Callable[[], object]) -> None:
        super().__init__(timeline, callback)
        self.callbacks = _RING

    @property
    def pending(self) -> bool:
        """Whether the callback is still going to run."""
        return self.callbacks is _RING or self.callbacks is _CALL

    @staticmethod
    def ring(timer: Any) -> None:
        """Run the callback of a timer that is due, or wait for what is due a rounding error later."""
        timeline = timer._timeline
        margin = timeline.now + _ROUNDING * ulp(timeline.now)
        if timeline.now < timeline.next_time() <= margin:
            timer.callbacks = _CALL
            timeline.schedule_last_at(margin, timer)
        else:
            timer._callback()


_RING: EventCallbacks = [Timer.ring]


class Clock:
    """Simulated time in seconds, from 0. Callbacks due at the same time run in the order of scheduling."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        """The SimPy environment underneath; SimPy processes may live in it too."""

    @property
    def now(self) -> float:
        """The present, in simulated seconds."""
        return float(self.timeline.now)

    def schedule(self, delay: float, callback: Callable[[], object]) -> Handle:
        """Run `callback()` once, `delay` seconds from now.

        Raises ValueError if `delay` is negative, infinite or not a number.
        """
        handle = Handle(self.timeline, callback)
        self.timeline.schedule_at(self._after(delay), handle)
        return handle

    def schedule_last(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Run `callback()` once, `delay` seconds from now, after everything else that is due then, rounding
        apart.

        For timeouts: whatever arrives exactly at the end of the wait is still in time. Raises ValueError as
        `schedule` does.
        """
        timer = Timer(self.timeline, callback)
        self.timeline.schedule_last_at(self._after(delay), timer)
        return timer

    def _after(self, delay: float) -> float:
        if not 0 <= delay < inf:
            raise ValueError(f"delay {delay!r} must be a finite number of seconds, not negative")
        return self.timeline.now + delay

    def peek(self) -> float:
        """The time of the next callback, infinity if nothing is scheduled."""
        return self.timeline.next_time()

    def step(self) -> bool:
        """Run the next callback and return True, or return False if nothing is scheduled."""
        if self.timeline.next_time() == inf:
            return False
        self.timeline.step()
        return True

    def run(self, until: float | None = None) -> None:
        """Run callbacks until nothing is scheduled, or until the time `until`.

        As in SimPy, callbacks due exactly at `until` are left; afterwards `now` is `until`.
        Raises ValueError if `until` is in the past.
        """
        if until is None:
            self.timeline.advance(inf)
            return
        if not self.now <= until < inf:
            raise ValueError(f"until {until!r} must be a finite time, not before the present {self.now!r}")
        self.timeline.advance(until)
        self.timeline.move_to(float(until))
