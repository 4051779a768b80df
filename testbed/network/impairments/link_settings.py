"""The settings of one link: its delay, its capacity and its impairments."""

from collections.abc import Mapping
from functools import cached_property
from math import hypot, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from testbed.common.settings import Settings
from testbed.common.units import BytesPerSecond, Seconds
from testbed.common.validation_messages import first_error
from testbed.identity import differing, same
from testbed.network.impairments.corrupt import Corrupt, CorruptSetting
from testbed.network.impairments.delay import LAWS, Placed, propagation
from testbed.network.impairments.duplicate import Duplicate, DuplicateSetting
from testbed.network.impairments.link_trace import FOLLOWED, LinkTraceSetting
from testbed.network.impairments.loss import LossModel, LossSetting
from testbed.network.impairments.losses.random_loss import RandomLoss
from testbed.network.impairments.reorder import Reorder, ReorderSetting
from testbed.network.impairments.round_trips import one_way_delays
from testbed.network.impairments.slot import Slot

if TYPE_CHECKING:  # a literal made from a table is beyond type checkers
    Distribution = str
else:
    Distribution = Literal[tuple(LAWS)]


_PROPAGATION = frozenset(("delay", "jitter"))


class LinkOverride(Settings):
    """Some of the settings of one link; those not given are taken from the default link."""

    delay: Seconds = 0.0
    """Mean propagation delay, each way. A number without a unit is seconds, unlike tc's microseconds."""
    jitter: Seconds = 0.0
    """Spread of the delay: half the width of `uniform`, the standard deviation of the others."""
    jitter_correlation: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Probability that a packet has the delay of the one before it rather than one of its own; also the
    correlation of successive delays. Unlike netem, which averages random numbers, this preserves the law."""
    distribution: Distribution = "uniform"
    """Law of the delay, see `testbed.network.impairments.delay`."""
    round_trips: Path | None = None
    """Measured round-trip times, see `testbed.network.impairments.round_trips`: `empirical` draws halves of
    them."""
    loss: LossSetting = 0.0
    """Loss on the wire: a probability for each packet, {random: 0.1, correlation: 0.25}, or in bursts
    {gemodel: {p: 0.01, r: 0.1, 1-h: 1, 1-k: 0, per: packet}} or {state: {p13: 0.01, p31: 0.1}}. Unlike in
    netem, which loses packets before they queue, a lost packet takes its place in the queue and its
    transmission time."""
    rate: BytesPerSecond | None = None
    """Rate at which packets are put onto the wire, each way; null is unlimited. A number without a unit is
    bytes per second, unlike tc's bits per second. Transmission comes before the delay; in netem, with jitter,
    a packet with a long delay holds up those behind it."""
    limit: int | None = Field(default=None, ge=1)
    """Packets that may wait or be in transmission, each way; further ones are dropped (drop-tail); null is
    unlimited. Unlike netem's, it does not count packets on their way, so without a `rate` it does nothing."""
    fifo: bool = False
    """Whether packets arrive in the order they were sent (the early ones wait). Otherwise jitter may let one
    packet overtake another: as in netem without a `rate`, and unlike netem with one, which then keeps the
    order."""
    duplicate: DuplicateSetting = 0.0
    """Probability that a packet is followed by a copy of itself, or {random, correlation}."""
    corrupt: CorruptSetting = 0.0
    """Probability that a packet is damaged, or {random, correlation, detected, noise}."""
    reorder: ReorderSetting = 0.0
    """Probability that a packet skips the propagation delay, or {random, correlation, gap}. Unlike in netem,
    it does not skip the queue and the transmission."""
    slot: Slot | None = None
    """Slots in which packets leave: {min_delay, max_delay, packets, bytes}; null: they leave at once. Unlike
    netem's `limit`, that of this link does not count packets that wait for a slot."""
    trace: LinkTraceSetting | None = None
    """A file of delay, jitter, loss or rate as they were measured, or {file, repeat, offset}: each column of
    the file takes the place of that setting."""

    def essence(self) -> dict[str, Any]:
        """The settings given, even at their defaults: they may override others. See `testbed.identity`."""
        return differing(self, self.model_fields_set)

    @model_serializer(mode="wrap")
    def _only_what_was_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        given: dict[str, Any] = handler(self)
        return {name: value for name, value in given.items() if name in self.model_fields_set}


class LinkSettings(LinkOverride):
    """One direction of a link, or both if they have the same settings."""

    @model_validator(mode="after")
    def _law_exists(self) -> Self:
        law, jitter = LAWS[self.distribution], self.jitter
        if self.traced & _PROPAGATION:
            self._check_law_of_trace()
            return self
        if law.scaled is None and not law.measured and jitter > 0:
            *others, last = (each.name for each in LAWS.values() if each.scaled is not None)
            choose = f"choose {', '.join(others)} or {last}, or jitter 0"
            raise ValueError(f"jitter {jitter} with distribution {law.name}: {choose}")
        if law.needs_mean and jitter > 0 and self.delay == 0:
            raise ValueError(f"delay 0 with jitter {jitter}: a {law.name} delay needs a mean above 0")
        if law.measured:
            if self.round_trips is None:
                raise ValueError(f"distribution {law.name} needs round_trips, a CSV file of measured times")
            if self.delay > 0 or jitter > 0:
                raise ValueError(
                    f"delay {self.delay} and jitter {jitter} with distribution {law.name}: the delays are "
                    f"those of round_trips; choose another distribution, or leave delay and jitter out"
                )
            one_way_delays(self.round_trips)
        return self

    def _check_law_of_trace(self) -> None:
        """Raise ValueError if the distribution cannot have the delays and jitters of the trace."""
        law, (delays, jitters) = LAWS[self.distribution], propagation(self)
        if law.measured:
            raise ValueError(
                f"distribution {law.name} with a trace of {' and '.join(sorted(self.traced & _PROPAGATION))}:"
                " both are measured delays, choose one"
            )
        if jitters.any() and not isinstance(law.scaled, Placed):
            *others, last = (each.name for each in LAWS.values() if isinstance(each.scaled, Placed))
            raise ValueError(
                f"distribution {law.name} with jitter and a trace of"
                f" {' and '.join(sorted(self.traced & _PROPAGATION))}: choose {', '.join(others)} or {last}"
            )
        if law.needs_mean and (without := (delays == 0) & (jitters > 0)).any():
            raise ValueError(
                f"row {int(without.argmax()) + 1} of the trace has delay 0 with jitter: a {law.name} delay"
                " needs a mean above 0"
            )

    @model_validator(mode="after")
    def _loss_follows(self) -> Self:
        if "loss" in self.traced and isinstance(self.loss, LossModel):
            raise ValueError("a loss model with a trace that has a column loss: choose one")
        return self

    @model_validator(mode="after")
    def _order_can_change(self) -> Self:
        if self.reordering.random > 0:
            if self.mean_delay == 0:
                raise ValueError("reorder with delay 0: there is no delay that a packet could skip")
            if self.fifo:
                raise ValueError("reorder with fifo true: they cannot be combined")
        return self

    @model_serializer(mode="wrap")
    def _all(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        everything: dict[str, Any] = handler(self)
        return everything

    def essence(self) -> dict[str, Any]:
        """The settings that differ from the defaults."""
        return differing(self)

    @property
    def idle(self) -> frozenset[str]:
        """The settings that change nothing given the others, unless a link overrides those."""
        measured = LAWS[self.distribution].measured
        traced = self.traced
        constant = self.jitter == 0 and not measured and "jitter" not in traced
        idle = {
            "distribution": constant,
            "jitter_correlation": constant,
            "round_trips": not measured,
            "limit": not self.has_rate,
        }
        return frozenset(name for name, nothing in idle.items() if nothing) | traced

    @cached_property
    def traced(self) -> frozenset[str]:
        """The settings that the trace gives."""
        return frozenset() if self.trace is None else frozenset(self.trace.rows.columns)

    @property
    def has_rate(self) -> bool:
        """Whether packets take time to be put onto the wire."""
        return self.rate is not None or "rate" in self.traced

    @cached_property
    def loss_model(self) -> LossModel:
        """`loss` in detail."""
        return self.loss if isinstance(self.loss, LossModel) else RandomLoss(random=self.loss)

    @cached_property
    def duplication(self) -> Duplicate:
        """`duplicate` in detail."""
        return self.duplicate if isinstance(self.duplicate, Duplicate) else Duplicate(random=self.duplicate)

    @cached_property
    def corruption(self) -> Corrupt:
        """`corrupt` in detail."""
        return self.corrupt if isinstance(self.corrupt, Corrupt) else Corrupt(random=self.corrupt)

    @cached_property
    def reordering(self) -> Reorder:
        """`reorder` in detail."""
        return self.reorder if isinstance(self.reorder, Reorder) else Reorder(random=self.reorder)

    @cached_property
    def mean_delay(self) -> float:
        """Mean seconds of propagation, except for the clipping of negative delays and for reordering."""
        if LAWS[self.distribution].measured and self.round_trips is not None:
            return float(one_way_delays(self.round_trips).mean())
        if self.trace is not None and "delay" in self.traced:
            return self.trace.rows.mean("delay")
        return self.delay

    @cached_property
    def spread(self) -> float:
        """The jitter in seconds; for measured delays, their standard deviation.

        With a trace: the square root of the variance of its delays over time plus the mean square of jitters.
        With slots: the variance of the time until one begins is added.
        """
        spread = self._spread_of_delays()
        return spread if self.slot is None else hypot(spread, self.slot.deviation)

    def _spread_of_delays(self) -> float:
        if LAWS[self.distribution].measured and self.round_trips is not None:
            return float(one_way_delays(self.round_trips).std())
        if self.trace is not None and self.traced & _PROPAGATION:
            delays, jitters = propagation(self)
            shares = self.trace.rows.shares
            return sqrt(float(shares @ ((delays - shares @ delays) ** 2 + jitters**2)))
        return self.jitter

    @cached_property
    def mean_rate(self) -> float | None:
        """Bytes per second on average; None if the rate is unlimited."""
        if self.trace is not None and "rate" in self.traced:
            return self.trace.rows.mean("rate")
        return self.rate

    @cached_property
    def highest_rate(self) -> float | None:
        """The greatest rate at any time, in bytes per second; None if it is unlimited."""
        if self.trace is not None and "rate" in self.traced:
            return max(self.trace.rows.columns["rate"])
        return self.rate

    def nominal_latency(self, size: int) -> float:
        """Mean delay plus transmission time of `size` bytes: seconds, without queueing and loss.

        With slots: plus the mean time until one begins.
        """
        latency = self.mean_delay if self.mean_rate is None else self.mean_delay + size / self.mean_rate
        return latency if self.slot is None else latency + self.slot.mean

    def overridden(self, *overrides: LinkOverride) -> "LinkSettings":
        """These settings with the overrides applied; later ones take precedence.

        Raises ValueError if the combination is not valid, or a trace would hide what an override gives.
        """
        merged, traced, file = self.model_dump(), self.traced, None if self.trace is None else self.trace.file
        for override in overrides:
            given: Mapping[str, Any] = {name: getattr(override, name) for name in override.model_fields_set}
            if "distribution" in given and LAWS[given["distribution"]].measured:
                merged |= {"delay": 0.0, "jitter": 0.0}  # the file says what they are
            merged |= given
            if "trace" in given:
                traced = frozenset() if override.trace is None else frozenset(override.trace.rows.columns)
                file = None if override.trace is None else override.trace.file
            elif hidden := [name for name in FOLLOWED if name in given and name in traced]:
                raise ValueError(
                    f"{hidden[0]} {getattr(override, hidden[0])} has no effect: trace {str(file)!r} has a"
                    f" column {hidden[0]}; add trace: null, or a trace of its own"
                )
        try:
            return LinkSettings(**merged)
        except ValidationError as error:
            raise ValueError(first_error(error).message) from None

    def changed_by(self, *overrides: LinkOverride, last: bool = False) -> dict[str, Any]:
        """Essence of the settings that overrides change (later ones take precedence); see `testbed.identity`.

        Args:
            overrides: those of a link that has these settings without them.
            last: whether nothing else overrides that link, so that overrides without effect are left out.

        Raises ValueError if the combination is not valid.
        """
        merged = self.overridden(*overrides)
        before, after = (differing(each, LinkSettings.model_fields) for each in (self, merged))
        implied = {"delay", "jitter"} if LAWS[merged.distribution].measured else set()
        if last:
            # The distribution of a jitter of 0 says nothing, unless it replaces that of measured delays.
            implied |= merged.idle - ({"distribution"} if LAWS[self.distribution].measured else set())
        return {
            name: value
            for name, value in after.items()
            if name not in implied and not same(value, before[name])
        }
