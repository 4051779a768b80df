"""Rules of a link that follows a trace: each looks up the row of the time at which a packet comes to it."""

from bisect import bisect_right
from collections.abc import Callable
from math import ceil, inf
from typing import Any

from testbed.network.impairments.delay import LAWS, Place, Placed
from testbed.network.impairments.link_settings import LinkSettings
from testbed.network.impairments.link_trace import LinkTrace, TracePosition, Values
from testbed.network.impairments.rule import LOSS, QUEUE_FULL, Fate, Rule, Transmission
from testbed.network.message import Message
from testbed.network.streams import CorrelatedDraws, Draws, GeneratorFor, uniform, values

_SLACK = 1e-6
"""Bytes by which sums may be wrong: a packet that ends with a row does not wait for the next one."""


class FollowingDelay(Rule):
    """Propagation that takes the delay of the row."""

    __slots__ = ("_delays", "_position")

    def __init__(self, position: TracePosition, delays: Values) -> None:
        """``delays`` in seconds, shape [rows]."""
        self._position, self._delays = position, delays

    def decide(self, message: Message, fate: Fate) -> None:
        position, time = self._position, fate.time
        if not position.low <= time < position.high:
            position.seek(time)
        fate.time = time + self._delays[position.row]


class FollowingJitter(Rule):
    """Propagation by a distribution whose delay, jitter or both are those of the row."""

    __slots__ = ("_delay", "_delays", "_draw", "_draws", "_jitter", "_jitters", "_place", "_position")

    def __init__(
        self,
        position: TracePosition,
        delays: Values | float,
        jitters: Values | float,
        draws: Draws | CorrelatedDraws,
        place: Place,
    ) -> None:
        """Delays and jitters in seconds: shape [rows], or one for all rows.

        ``place(value, delay, jitter)`` is the delay that a standard value of the distribution becomes.
        """
        self._position, self._draws, self._place = position, draws, place
        self._draw: Callable[[], float] = draws.next
        self._delays = None if isinstance(delays, float) else delays
        self._delay = delays if isinstance(delays, float) else 0.0
        self._jitters = None if isinstance(jitters, float) else jitters
        self._jitter = jitters if isinstance(jitters, float) else 0.0

    def decide(self, message: Message, fate: Fate) -> None:
        value, position, time = self._draw(), self._position, fate.time
        if not position.low <= time < position.high:
            position.seek(time)
        delay = self._delay if self._delays is None else self._delays[position.row]
        jitter = self._jitter if self._jitters is None else self._jitters[position.row]
        fate.time = time + (self._place(value, delay, jitter) if jitter else delay)

    def state_dict(self) -> Any:
        return self._draws.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self._draws.load_state_dict(state)


class FollowingLoss(Rule):
    """Loss with the probability of the row."""

    __slots__ = ("_draw", "_draws", "_losses", "_position")

    def __init__(self, position: TracePosition, losses: Values, draws: Draws | CorrelatedDraws) -> None:
        """``losses`` are probabilities, shape [rows]; ``draws`` uniform numbers."""
        self._position, self._losses, self._draws = position, losses, draws
        self._draw: Callable[[], float] = draws.next

    def decide(self, message: Message, fate: Fate) -> None:
        value, position, time = self._draw(), self._position, fate.time
        if not position.low <= time < position.high:
            position.seek(time)
        if value < self._losses[position.row] and fate.reason is None:
            fate.reason = LOSS

    def state_dict(self) -> Any:
        return self._draws.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self._draws.load_state_dict(state)


class FollowingLossAndDelay(FollowingLoss):
    """Loss and propagation by the same row: the two rules in one, which is faster."""

    __slots__ = ("_delays",)

    def __init__(
        self, position: TracePosition, losses: Values, delays: Values, draws: Draws | CorrelatedDraws
    ) -> None:
        """``losses`` are probabilities, ``delays`` seconds, both [rows]; ``draws`` uniform numbers."""
        super().__init__(position, losses, draws)
        self._delays = delays

    def decide(self, message: Message, fate: Fate) -> None:
        value, position, time = self._draw(), self._position, fate.time
        if not position.low <= time < position.high:
            position.seek(time)
        row = position.row
        if value < self._losses[row] and fate.reason is None:
            fate.reason = LOSS
        fate.time = time + self._delays[row]


class FollowingTransmission(Transmission):
    """A transmitter whose rate is that of the row, also for what is left of a packet when the row changes."""

    __slots__ = ("_position", "_rates", "_starts", "begun")

    def __init__(self, position: TracePosition, limit: int | None) -> None:
        """``position`` in a trace with rates; `limit` as in `Transmission`."""
        super().__init__(inf, limit)
        self._position = position
        self._rates, self._starts = position.rows.columns["rate"], position.rows.starts
        self.begun = 0.0
        """Time at which the transmission of the latest packet began."""

    def decide(self, message: Message, fate: Fate) -> None:
        if fate.reason is not None:
            return
        start = fate.time
        if self._limit is not None and self._is_full(start):
            fate.reason = QUEUE_FULL
            return
        if start < self._free_at:
            start = self._free_at
        position = self._position
        if not position.low <= start < position.high:
            position.seek(start)
        rate = self._rates[position.row]
        if not rate or (end := start + message.size / rate) > position.high:
            end = self._in_later_row(start, message.size, rate) if message.size else start
        self.begun = start
        fate.time = self._free_at = end
        if self._limit is not None:
            self._departures.append(end)

    def _in_later_row(self, start: float, size: int, rate: float) -> float:
        """The time at which a packet has been transmitted that needs more than the present row."""
        position, starts, sent = self._position, self._starts, self._position.rows.sent
        row, cycle = position.row, position.cycle
        due = sent[row] + rate * (start - position.zero - starts[row]) + size
        if position.repeats and due > sent[-1]:
            played = max(ceil((due - _SLACK) / sent[-1]) - 1, 0)
            cycle, due = cycle + played, min(due - played * sent[-1], sent[-1])
        row = min(bisect_right(sent, max(due - _SLACK, 0.0)) - 1, len(starts) - 1)
        while self._rates[row] == 0:  # where sums are so large that the slack is lost in them
            row -= 1
        end = position.at(cycle, starts[row] + (due - sent[row]) / self._rates[row])
        return max(end, position.high)


class Following:
    """The rules of one direction of a link that take the place of those with fixed values."""

    def __init__(self, link: LinkSettings, trace: LinkTrace, offset: float, stream: GeneratorFor) -> None:
        """``offset`` in seconds: see `LinkTrace.begins`."""
        self._link, self._stream = link, stream
        self._columns = trace.rows.columns
        self._position = TracePosition(trace, offset)

    def transmission(self) -> Rule | None:
        """The transmitter; None if the trace has no rate."""
        if "rate" not in self._columns:
            return None
        return FollowingTransmission(self._position, self._link.limit)

    def loss(self) -> Rule:
        """The loss, independent from packet to packet, by the same random numbers as with a fixed one.

        It is the delay as well if that can be looked up with it.
        """
        draws, losses = values(uniform, 0.0, LOSS, self._stream), self._columns["loss"]
        if self.delays_with_loss:
            return FollowingLossAndDelay(self._position, losses, self._columns["delay"], draws)
        return FollowingLoss(self._position, losses, draws)

    @property
    def delays_with_loss(self) -> bool:
        """Whether loss and delay are looked up together: a delay without jitter that no packet skips."""
        return (
            self._columns.keys() >= {"delay", "loss"}
            and self._link.reordering.random == 0
            and not self._is_jittery
        )

    @property
    def _is_jittery(self) -> bool:
        """Whether the delay is drawn by a law."""
        jitters = self._columns.get("jitter", self._link.jitter)
        return jitters != 0.0 and isinstance(LAWS[self._link.distribution].scaled, Placed)

    def propagation(self) -> Rule | None:
        """The delay, by the distribution of the link's settings; None if the trace has neither delay nor
        jitter."""
        link, columns = self._link, self._columns
        if not link.traced & {"delay", "jitter"} or self.delays_with_loss:
            return None
        delays, jitters = columns.get("delay", link.delay), columns.get("jitter", link.jitter)
        law = LAWS[link.distribution].scaled
        if not self._is_jittery or not isinstance(law, Placed):
            return FollowingDelay(self._position, columns["delay"])
        draws = values(law.standard, link.jitter_correlation, "delay", self._stream)
        return FollowingJitter(self._position, delays, jitters, draws, law.place)
