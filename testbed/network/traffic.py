"""Load of each direction: bytes, and the share of time that its transmitter is busy."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from testbed.network.direction import Direction
from testbed.network.impairments.rule import Fate, Rule
from testbed.network.message import Message


class Meter(Rule):
    """Stands behind a direction's queue and counts what it lets through; changes nothing.

    Transmissions follow one another in busy periods; the one under way is evaluated on request, so that a
    transmission that is cut off (by a flush, or a link that goes down) counts only as far as it got.
    """

    __slots__ = ("_begun", "_done", "_ends", "_now", "_rate", "bytes")

    def __init__(self, rate: float | None, now: Callable[[], float]) -> None:
        """``rate`` in bytes per second, None for unlimited: then transmitting takes no time."""
        self._rate, self._now = rate, now
        self.bytes = 0
        """Bytes accepted while the link was up and the queue had room."""
        self._done = 0.0
        self._begun = self._ends = 0.0

    def decide(self, message: Message, fate: Fate) -> None:
        if fate.reason is not None:
            return
        self.bytes += message.size
        if self._rate is not None:
            start = fate.time - message.size / self._rate
            # A packet that waited begins where the one before it ended, but for rounding.
            if start > self._ends + 1e-12 * start:
                self._done += self._ends - self._begun
                self._begun = start
            self._ends = fate.time

    def clear(self) -> None:
        """Discard everything that is still to be transmitted."""
        self._ends = max(self._begun, min(self._ends, self._now()))

    def transmitting(self) -> float:
        """Seconds spent transmitting until now."""
        return self._done + max(min(self._ends, self._now()) - self._begun, 0.0)

    def state_dict(self) -> Any:
        return {"bytes": self.bytes, "done": self._done, "begun": self._begun, "ends": self._ends}

    def load_state_dict(self, state: Any) -> None:
        state = state or {"bytes": 0, "done": 0.0, "begun": 0.0, "ends": 0.0}
        self.bytes, self._done = state["bytes"], state["done"]
        self._begun, self._ends = state["begun"], state["ends"]


@dataclass(frozen=True, slots=True)
class Load:
    """The load of one direction so far."""

    source: int
    destination: int
    bytes: int
    """Bytes accepted by the transmitter, waiting or sent, whatever their later fate."""
    transmitting: float
    """Simulated seconds; 0 where the rate is unlimited."""


class Traffic:
    """Meters on all directions of a network; without them, nothing is counted, at no cost."""

    def __init__(self, directions: Iterable[Direction], now: Callable[[], float]) -> None:
        """Count from now on."""
        self._meters: list[tuple[Direction, Meter]] = []
        for direction in directions:
            meter = Meter(direction.settings.rate, now)
            direction.insert("meter", meter, after="rate")
            self._meters.append((direction, meter))
        self.limited = any(direction.settings.rate is not None for direction, _ in self._meters)
        """Whether there is a direction with a rate at all: only those can be utilised."""

    def loads(self) -> list[Load]:
        """The load of each direction, by source and destination."""
        return [
            Load(direction.source, direction.destination, meter.bytes, meter.transmitting())
            for direction, meter in self._meters
        ]

    def transmitting(self) -> list[float]:
        """Seconds spent transmitting by each direction that has a rate, in the order of `loads`."""
        return [m.transmitting() for direction, m in self._meters if direction.settings.rate is not None]


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
