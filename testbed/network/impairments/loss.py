"""How packets get lost on the wire: the base of all loss models, and what `loss` can be in a study file.

A loss model is one module of `testbed.network.impairments.losses`, or of another package that names it in an
entry point of the group `consensus_testbed.losses`. A packet that is lost has taken its place in the queue
and its transmission time.
"""

from abc import ABC, abstractmethod
from typing import Annotated

from pydantic import Discriminator, Tag

from testbed.common.registry import Registry
from testbed.common.settings import Settings
from testbed.network.impairments.rule import PlainNumber, Rule, form
from testbed.network.streams import GeneratorFor


class LossModel(Settings, ABC):
    """Settings of one way in which packets get lost.

    Study files tell loss models apart by the first field without a default: no two may have the same.
    """

    @abstractmethod
    def rule(self, stream: GeneratorFor) -> Rule | None:
        """The rule of one direction, which drops packets as `LOSS`; None if it would never drop any.

        `stream(purpose)` makes the random generator of that purpose for this direction.
        """

    def copies_rule(self, originals: Rule, stream: GeneratorFor) -> Rule | None:
        """The rule for the copies of duplicated packets: of its own, unless they share some state.

        Args:
            originals: what `rule` gave for the packets that are copied.
            stream: of the copies' own random numbers.
        """
        return self.rule(stream)

    def label(self) -> str | None:
        """The words of tables and figures for it; None for its keys and values."""
        return None


LOSSES = Registry("losses", LossModel, "testbed.network.impairments.losses", tag=None, default="random")

LossSetting = Annotated[
    PlainNumber | Annotated[LossModel, LOSSES, Tag("in detail")],
    Discriminator(form),
]
"""A probability for each packet, or a loss model."""
