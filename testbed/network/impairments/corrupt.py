"""Damage to packets on the wire (netem: `corrupt`)."""

from typing import Annotated, Any, Self

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from testbed.network.corruption import Corruption
from testbed.network.impairments.rule import CORRUPT, Chance, Drop, Fate, PlainNumber, Rule, form
from testbed.network.message import Message
from testbed.network.streams import Draws, GeneratorFor, bernoulli_draws


class Corrupt(Chance):
    """A packet is damaged on the wire.

    If the damage is detected, the packet is dropped, unlike in netem, which delivers it.
    """

    detected: bool = True
    """Whether the receiver notices (a checksum) and drops it; otherwise it is delivered with its `corruption`
    set, and the receiver damages the numbers: see `testbed.network.corruption`."""
    noise: float | None = Field(default=None, ge=0.0)
    """Undetected only. Null: one bit is flipped, as in netem. A number: normal noise of this standard
    deviation is added, relative to the root mean square of the numbers."""

    @model_validator(mode="after")
    def _noise_is_heard(self) -> Self:
        if self.detected and self.noise is not None:
            raise ValueError(f"noise {self.noise} needs detected: false, else the packet is dropped")
        return self

    def rule(self, stream: GeneratorFor) -> Rule | None:
        """The rule of one direction; None if it would never damage a packet."""
        if self.random == 0:
            return None
        return Drop(self, CORRUPT, stream) if self.detected else CorruptRule(self, stream)


CorruptSetting = Annotated[PlainNumber | Annotated[Corrupt, Tag("in detail")], Discriminator(form)]


def _seeds(generator: np.random.Generator, count: int) -> Any:
    return generator.integers(2**63, size=count)


class CorruptRule(Rule):
    """Undetected corruption: the message is marked, and delivered."""

    __slots__ = ("_corrupts", "_noise", "_seeds")

    def __init__(self, corrupt: Corrupt, stream: GeneratorFor) -> None:
        self._corrupts = bernoulli_draws(corrupt.random, corrupt.correlation, "corrupt", stream)
        self._seeds = Draws(lambda: stream("corruption"), _seeds)
        self._noise = corrupt.noise

    def decide(self, message: Message, fate: Fate) -> None:
        seed = self._seeds.next()
        if self._corrupts.next():
            message.corruption = Corruption(seed, self._noise)

    def state_dict(self) -> Any:
        return {"damages": self._corrupts.state_dict(), "seeds": self._seeds.state_dict()}

    def load_state_dict(self, state: Any) -> None:
        state = state or {"damages": None, "seeds": None}
        self._corrupts.load_state_dict(state["damages"])
        self._seeds.load_state_dict(state["seeds"])
