"""How packets get lost on the wire: independently, in correlated fashion, or in bursts.

A packet that is lost has taken its place in the queue and its transmission time.
"""

from math import exp
from typing import Any

import numpy as np

from testbed.network.impairments.rule import LOSS, Fate, Rule
from testbed.network.impairments.settings import Chance, GilbertElliott
from testbed.network.message import Message
from testbed.network.streams import Draws, GeneratorFor, bernoulli_draws


class Drop(Rule):
    """Each packet is dropped with the same probability (netem: `loss random p`, or detected `corrupt`)."""

    __slots__ = ("_draws", "_drops", "_reason")

    def __init__(self, chance: Chance, reason: str, stream: GeneratorFor) -> None:
        self._draws = bernoulli_draws(chance.random, chance.correlation, reason, stream)
        self._drops = self._draws.next
        self._reason = reason

    def decide(self, message: Message, fate: Fate) -> None:
        if self._drops() and fate.reason is None:
            fate.reason = self._reason

    def state_dict(self) -> Any:
        return self._draws.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self._draws.load_state_dict(state)


def _uniform(generator: np.random.Generator, count: int) -> Any:
    return generator.random(count)


class Bursts(Rule):
    """The Gilbert-Elliott model: a Markov chain of a good and a bad state, started from its stationary law.

    Two uniform numbers are drawn per packet: one moves the state, the other decides about the loss.
    """

    __slots__ = ("_loss", "_model", "_move", "_moved_at", "bad")

    def __init__(self, model: GilbertElliott, stream: GeneratorFor) -> None:
        self._model = model
        self._move = Draws(lambda: stream("loss state"), _uniform)
        self._loss = Draws(lambda: stream("loss"), _uniform)
        self.bad: bool | None = None
        """The state that the latest packet met; None before the first."""
        self._moved_at = 0.0

    def decide(self, message: Message, fate: Fate) -> None:
        model, share = self._model, self._model.share_bad
        # The chance of being bad moves from what the state was towards the share of time that is bad.
        chance = share
        if self.bad is not None:
            if model.per == "packet":
                memory = 1.0 - model.p - model.r
            else:
                memory = exp(-(model.p + model.r) * max(fate.time - self._moved_at, 0.0))
            chance += (self.bad - share) * memory
        self.bad = self._move.next() < chance
        self._moved_at = max(fate.time, self._moved_at)
        self.strike(self._loss, fate)

    def strike(self, draws: Draws, fate: Fate) -> None:
        """Lose a packet with the probability of the present state."""
        model = self._model
        lost = draws.next() < (model.loss_bad if self.bad else model.loss_good)
        if lost and fate.reason is None:
            fate.reason = LOSS

    def state_dict(self) -> Any:
        if self.bad is None:
            return None
        return {
            "bad": self.bad,
            "moved_at": self._moved_at,
            "move": self._move.state_dict(),
            "loss": self._loss.state_dict(),
        }

    def load_state_dict(self, state: Any) -> None:
        state = state or {"bad": None, "moved_at": 0.0, "move": None, "loss": None}
        self.bad, self._moved_at = state["bad"], state["moved_at"]
        self._move.load_state_dict(state["move"])
        self._loss.load_state_dict(state["loss"])


class BurstsForCopies(Rule):
    """Loss of duplicates: they meet the state that the original met, and have their own luck in it."""

    __slots__ = ("_bursts", "_loss")

    def __init__(self, bursts: Bursts, stream: GeneratorFor) -> None:
        self._bursts = bursts
        self._loss = Draws(lambda: stream("loss"), _uniform)

    def decide(self, message: Message, fate: Fate) -> None:
        self._bursts.strike(self._loss, fate)

    def state_dict(self) -> Any:
        return self._loss.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self._loss.load_state_dict(state)
