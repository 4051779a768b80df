"""Load of each direction: bytes, and the share of time that its transmitter is busy."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.network.direction import Direction
from testbed.network.impairments.following import FollowingTransmission
from testbed.network.impairments.rule import Fate, Rule
from testbed.network.link_counts import LinkCounts
from testbed.network.message import Message


class Meter(Rule):
    """Stands behind a direction's queue and counts what it lets through; changes nothing.

    Transmissions follow one another in busy periods; the one under way is evaluated on request, so that a
    transmission that is cut off (by a flush, or a link that goes down) counts only as far as it got.
    """

    __slots__ = (
        "_begun",
        "_bytes_taken",
        "_done",
        "_ends",
        "_now",
        "_rate",
        "_time_taken",
        "bytes",
        "counts",
    )

    def __init__(self, rate: float | None, now: Callable[[], float]) -> None:
        """``rate`` in bytes per second, None for unlimited: then transmitting takes no time."""
        self._rate, self._now = rate, now
        self.bytes = 0
        """Bytes accepted while the link was up and the queue had room."""
        self._done = 0.0
        self._begun = self._ends = 0.0
        self.counts = LinkCounts()
        """Fates since they were last taken; the direction counts those that come after its rules."""
        self._bytes_taken, self._time_taken = 0, 0.0

    def decide(self, message: Message, fate: Fate) -> None:
        if fate.reason is not None:
            return
        self.bytes += message.size
        if self._rate is not None:
            self._transmitted(fate.time - message.size / self._rate, fate.time)

    def _transmitted(self, start: float, end: float) -> None:
        # A packet that waited begins where the one before it ended, but for rounding.
        if start > self._ends + 1e-12 * start:
            self._done += self._ends - self._begun
            self._begun = start
        self._ends = end

    def clear(self) -> None:
        """Discard everything that is still to be transmitted."""
        self._ends = max(self._begun, min(self._ends, self._now()))

    def transmitting(self) -> float:
        """Seconds spent transmitting until now."""
        return self._done + max(min(self._ends, self._now()) - self._begun, 0.0)

    def take(self, direction: Direction) -> "Interval":
        """The load of its direction since this was last called."""
        counts, transmitting = self.counts, self.transmitting()
        taken = Interval(
            direction.source,
            direction.destination,
            sent=counts.sent(len(direction.in_flight)),
            duplicated=counts.duplicated,
            delivered=counts.delivered,
            dropped=counts.dropped,
            late=counts.late,
            bytes=self.bytes - self._bytes_taken,
            transmitting=transmitting - self._time_taken,
            delay=counts.delay,
            delay_max=counts.delay_max,
        )
        counts.reset(len(direction.in_flight))
        self._bytes_taken, self._time_taken = self.bytes, transmitting
        return taken

    def state_dict(self) -> Any:
        return {
            "bytes": self.bytes,
            "done": self._done,
            "begun": self._begun,
            "ends": self._ends,
            "counts": self.counts.state_dict(),
            "taken": [self._bytes_taken, self._time_taken],
        }

    def load_state_dict(self, state: Any) -> None:
        state = state or {"bytes": 0, "done": 0.0, "begun": 0.0, "ends": 0.0}
        self.bytes, self._done = state["bytes"], state["done"]
        self._begun, self._ends = state["begun"], state["ends"]
        self.counts.load_state_dict(state.get("counts"))
        # Earlier versions did not take anything: all of it counts as taken.
        self._bytes_taken, self._time_taken = state.get("taken", (self.bytes, self.transmitting()))


class FollowingMeter(Meter):
    """A meter behind a transmitter that follows a trace of rates; while a rate is 0 it counts as busy."""

    __slots__ = ("_transmission",)

    def __init__(self, transmission: FollowingTransmission, now: Callable[[], float]) -> None:
        super().__init__(None, now)
        self._transmission = transmission

    def decide(self, message: Message, fate: Fate) -> None:
        if fate.reason is None:
            self.bytes += message.size
            self._transmitted(self._transmission.begun, fate.time)


@dataclass(frozen=True, slots=True)
class Load:
    """The load of one direction so far."""

    source: int
    destination: int
    bytes: int
    """Bytes accepted by the transmitter, waiting or sent, whatever their later fate."""
    transmitting: float
    """Simulated seconds; 0 where the rate is unlimited."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Packets and load of one direction in an interval."""

    source: int
    destination: int
    sent: int
    duplicated: int
    """Copies that the link made."""
    delivered: int
    dropped: Mapping[str, int]
    """Packets by reason; only reasons that occurred."""
    late: int
    """In flight when a consensus run ended; never delivered."""
    bytes: int
    """Bytes accepted by the transmitter, as in :class:`Load`."""
    transmitting: float
    delay: float
    """Sum over delivered packets of the simulated seconds from sending to delivery."""
    delay_max: float


class Traffic:
    """Meters on all directions of a network; without them, nothing is counted, at no cost."""

    def __init__(self, directions: Iterable[Direction], now: Callable[[], float]) -> None:
        """Count from now on."""
        self.now = now
        """Simulated seconds."""
        self._meters: list[tuple[Direction, Meter]] = []
        for direction in directions:
            rule = direction.rules.get("rate")
            meter = (
                FollowingMeter(rule, now)
                if isinstance(rule, FollowingTransmission)
                else Meter(direction.settings.rate, now)
            )
            direction.insert("meter", meter, after="rate")
            direction.counts = meter.counts
            self._meters.append((direction, meter))
        self.limited = any(direction.settings.has_rate for direction, _ in self._meters)
        """Whether there is a direction with a rate at all: only those can be utilised."""

    @property
    def ways(self) -> list[tuple[int, int, bool]]:
        """Source and destination of each direction, and whether it has a rate."""
        return [(d.source, d.destination, d.settings.has_rate) for d, _ in self._meters]

    def take(self) -> list[Interval]:
        """The packets and the load of each direction since this was last called, in the order of `loads`.

        Sums over all intervals are exact: the ledger's counts, and the loads (up to rounding of seconds).
        """
        return [meter.take(direction) for direction, meter in self._meters]

    def loads(self) -> list[Load]:
        """The load of each direction, by source and destination."""
        return [
            Load(direction.source, direction.destination, meter.bytes, meter.transmitting())
            for direction, meter in self._meters
        ]

    def transmitting(self) -> list[float]:
        """Seconds spent transmitting by each direction that has a rate, in the order of `loads`."""
        return [m.transmitting() for direction, m in self._meters if direction.settings.has_rate]


class Utilisation:
    """The share of time since some moment that the directions with a rate have been transmitting."""

    def __init__(self, traffic: Traffic | None, now: float) -> None:
        """Measure from ``now`` on; ``traffic`` None if nothing is metered."""
        self._traffic = traffic if traffic is not None and traffic.limited else None
        self._since = now
        self._before = [] if self._traffic is None else self._traffic.transmitting()

    def row(self, now: float) -> dict[str, float]:
        """Columns of a curve: mean and greatest share over the directions with a rate; none without those."""
        if self._traffic is None:
            return {}
        elapsed = now - self._since
        shares = [
            (after - before) / elapsed if elapsed > 0 else 0.0
            for after, before in zip(self._traffic.transmitting(), self._before, strict=True)
        ]
        return {"utilisation": sum(shares) / len(shares), "utilisation_max": max(shares)}
