"""Packets that wait for slots (netem: `slot`), as on channels shared in turns: Wi-Fi, LTE, DOCSIS."""

from math import inf, sqrt
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.common.settings import Settings
from testbed.common.units import Seconds
from testbed.network.impairments.rule import Fate, Rule
from testbed.network.message import Message
from testbed.network.streams import Draws, GeneratorFor


class Slot(Settings):
    """Packets leave in slots only: each waits until the next one begins, and leaves then.

    A slot begins a uniformly drawn time, from `min_delay` to `max_delay`, after the one before it if that was
    full, and otherwise after the first packet that came too late for it: netem's form without a table of the
    distribution. Unlike in netem, packets wait for slots after the transmission and before the propagation,
    so jitter does not move a packet to another slot.
    """

    min_delay: Annotated[Seconds, Field(ge=0)]
    """Least time until a slot begins."""
    max_delay: Annotated[Seconds | None, Field(ge=0)] = None
    """Longest time until a slot begins; null: always `min_delay`."""
    packets: Annotated[int | None, Field(ge=1)] = None
    """Packets after which a slot is full; null: any number."""
    bytes: Annotated[int | None, Field(ge=1)] = None
    """Bytes after which a slot is full; the packet that reaches them belongs to it; null: any number."""

    @model_validator(mode="after")
    def _delays(self) -> Self:
        if self.max_delay is not None and self.max_delay < self.min_delay:
            raise ValueError(f"max_delay {self.max_delay} must be at least the min_delay {self.min_delay}")
        if self.longest == 0:
            raise ValueError("min_delay 0 needs a max_delay above 0: without one every packet leaves at once")
        return self

    @property
    def longest(self) -> float:
        """The longest time until a slot begins, in seconds."""
        return self.min_delay if self.max_delay is None else self.max_delay

    @property
    def mean(self) -> float:
        """Seconds for which a packet waits on average if no others do."""
        return (self.min_delay + self.longest) / 2

    @property
    def deviation(self) -> float:
        """The standard deviation of that time, in seconds."""
        return (self.longest - self.min_delay) / sqrt(12)

    def rule(self, stream: GeneratorFor) -> "SlotRule":
        """The rule of one direction."""
        return SlotRule(self, stream)


class SlotRule(Rule):
    """Lets packets leave at the beginnings of slots, in the order in which they come.

    Two numbers are drawn for each packet: the time to the slot that it begins if it comes too late for the
    present one, and the time from its slot to the next if it fills its own.
    """

    __slots__ = ("_after", "_bytes_left", "_late", "_packets_left", "_slot", "begins")

    def __init__(self, slot: Slot, stream: GeneratorFor) -> None:
        """The first slot begins at time 0."""

        def sample(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
            return slot.min_delay + (slot.longest - slot.min_delay) * generator.random(count)

        self._slot = slot
        self._late = Draws(lambda: stream("slot late"), sample)
        self._after = Draws(lambda: stream("slot after"), sample)
        self.begins = 0.0
        """Time at which the slot began, or begins, in which the next packet leaves unless it is late."""
        self._begin(0.0)

    def decide(self, message: Message, fate: Fate) -> None:
        late, after = self._late.next(), self._after.next()
        if fate.reason is not None:
            return
        if self.begins < fate.time:
            self._begin(fate.time + late)
        fate.time = self.begins
        self._packets_left -= 1
        self._bytes_left -= message.size
        if self._packets_left <= 0 or self._bytes_left <= 0:
            self._begin(self.begins + after)

    def _begin(self, time: float) -> None:
        """The next slot, with room again."""
        self.begins = time
        self._packets_left: float = self._slot.packets or inf
        self._bytes_left: float = self._slot.bytes or inf

    def backlog(self, now: float) -> float:
        """Seconds until the slot begins in which the next packet leaves; 0 if it has begun."""
        return max(self.begins - now, 0.0)

    def clear(self) -> None:
        self._begin(0.0)

    def state_dict(self) -> Any:
        left = (self._packets_left, self._bytes_left)
        return {
            "late": self._late.state_dict(),
            "after": self._after.state_dict(),
            "begins": self.begins,
            "left": [None if number == inf else int(number) for number in left],
        }

    def load_state_dict(self, state: Any) -> None:
        state = state or {"late": None, "after": None, "begins": 0.0, "left": None}
        self._late.load_state_dict(state["late"])
        self._after.load_state_dict(state["after"])
        self._begin(state["begins"])
        if state["left"] is not None:
            packets, size = state["left"]
            self._packets_left = inf if packets is None else packets
            self._bytes_left = inf if size is None else size
