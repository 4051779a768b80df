"""Packets that overtake others (netem: `reorder` with `gap`)."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from testbed.network.impairments.rule import Chance, Fate, PlainNumber, Rule, form
from testbed.network.message import Message
from testbed.network.streams import GeneratorFor, bernoulli_draws


class Reorder(Chance):
    """A packet overtakes the others: it skips the propagation delay.

    With a `rate` it waits in the queue and is transmitted like any other, unlike in netem, where it skips
    these as well.
    """

    gap: int = Field(default=1, ge=1)
    """After a packet that overtook, the next `gap` - 1 packets keep their place. The share of packets that
    overtake is therefore 1 / (gap - 1 + 1 / random) without correlation, as in netem."""

    def rule(self, propagation: Rule, stream: GeneratorFor) -> Rule:
        """The rule of one direction: `propagation`, which some packets skip."""
        return ReorderRule(self, propagation, stream) if self.random > 0 else propagation


ReorderSetting = Annotated[PlainNumber | Annotated[Reorder, Tag("in detail")], Discriminator(form)]


class ReorderRule(Rule):
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
