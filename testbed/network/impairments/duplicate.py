"""Damage, reordering and duplication of packets."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from testbed.network.corruption import Corruption
from testbed.network.impairments.rule import Fate, Rule
from testbed.network.impairments.settings import Corrupt, Duplicate, Reorder
from testbed.network.message import Message
from testbed.network.streams import Draws, GeneratorFor, bernoulli_draws


def _seeds(generator: np.random.Generator, count: int) -> Any:
    return generator.integers(2**63, size=count)


class Damage(Rule):
    """Undetected corruption: the message is marked, and delivered."""

    __slots__ = ("_damages", "_noise", "_seeds")

    def __init__(self, corrupt: Corrupt, stream: GeneratorFor) -> None:
        self._damages = bernoulli_draws(corrupt.random, corrupt.correlation, "corrupt", stream)
        self._seeds = Draws(lambda: stream("corruption"), _seeds)
        self._noise = corrupt.noise

    def decide(self, message: Message, fate: Fate) -> None:
        seed = self._seeds.next()
        if self._damages.next():
            message.corruption = Corruption(seed, self._noise)

    def state_dict(self) -> Any:
        return {"damages": self._damages.state_dict(), "seeds": self._seeds.state_dict()}

    def load_state_dict(self, state: Any) -> None:
        state = state or {"damages": None, "seeds": None}
        self._damages.load_state_dict(state["damages"])
        self._seeds.load_state_dict(state["seeds"])


class Overtaking(Rule):
    """Propagation that some packets skip: after `gap` - 1 that did not, each may with a probability.

    Dropped packets do not count.
    """

    __slots__ = ("_behind", "_gap", "_propagation", "_skips")

    def __init__(self, reorder: Reorder, propagation: Rule, stream: GeneratorFor) -> None:
        self._skips = bernoulli_draws(reorder.random, reorder.correlation, "reorder", stream)
        self._gap = reorder.gap
        self._propagation = propagation
        self._behind = 0

    def decide(self, message: Message, fate: Fate) -> None:
        skips, time = self._skips.next(), fate.time
        self._propagation.decide(message, fate)
        if fate.reason is not None:
            return
        if skips and self._behind >= self._gap - 1:
            fate.time = time
            self._behind = 0
        else:
            self._behind += 1

    def state_dict(self) -> Any:
        return {
            "skips": self._skips.state_dict(),
            "behind": self._behind,
            "propagation": self._propagation.state_dict(),
        }

    def load_state_dict(self, state: Any) -> None:
        state = state or {"skips": None, "behind": 0, "propagation": None}
        self._skips.load_state_dict(state["skips"])
        self._behind = state["behind"]
        self._propagation.load_state_dict(state["propagation"])


class Duplication(Rule):
    """Decides which packets are followed by a copy; the direction makes it and asks `copies` about its fate.

    A packet that the link does not take in is not copied.
    """

    __slots__ = ("_doubles", "_own", "copies", "wanted")

    def __init__(
        self,
        duplicate: Duplicate,
        copies: Mapping[str, Rule],
        shared: Mapping[str, Rule],
        stream: GeneratorFor,
    ) -> None:
        """`copies` are the rules for copies; those in `shared` are the originals' as well."""
        self._doubles = bernoulli_draws(duplicate.random, duplicate.correlation, "duplicate", stream)
        self._own = {name: rule for name, rule in copies.items() if name not in shared}
        self.copies = tuple(copies.values())
        self.wanted = False
        """Whether the latest packet is to be copied."""

    def decide(self, message: Message, fate: Fate) -> None:
        self.wanted = self._doubles.next() and fate.reason is None

    def state_dict(self) -> Any:
        return {
            "doubles": self._doubles.state_dict(),
            "copies": {name: rule.state_dict() for name, rule in self._own.items()},
        }

    def load_state_dict(self, state: Any) -> None:
        state = state or {"doubles": None, "copies": {}}
        self._doubles.load_state_dict(state["doubles"])
        for name, rule in self._own.items():
            rule.load_state_dict(state["copies"].get(name))
