"""Packets that are followed by a copy of themselves (netem: `duplicate`)."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from testbed.network.impairments.rule import Chance, Fate, PlainNumber, Rule, form
from testbed.network.message import Message
from testbed.network.streams import GeneratorFor, bernoulli_draws


class Duplicate(Chance):
    """A second copy follows the packet into the queue, with its own loss and delay.

    Copies are not copied again, as in netem. In netem the copy goes first, and a loss drawn for the packet
    removes one of the two; here each of the two is lost or not independently.
    """


DuplicateSetting = Annotated[PlainNumber | Annotated[Duplicate, Tag("in detail")], Discriminator(form)]


class DuplicateRule(Rule):
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
