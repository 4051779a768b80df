"""Loss of packets on the wire: the base of all loss models, and the forms of `loss` in a study file.

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
    """Settings of one loss model.

    Study files tell loss models apart by the first field without a default: no two may have the same.
    """

    @abstractmethod
    def rule(self, stream: GeneratorFor) -> Rule | None:
        """The rule of one direction, which drops packets as `LOSS`; None if it would never drop any.

        `stream(purpose)` makes the random generator of that purpose for this direction.
        """

    def copies_rule(self, originals: Rule, stream: GeneratorFor) -> Rule | None:
        """The rule for the copies of duplicated packets: a separate one, unless they share some state.

        Args:
            originals: the rule that `rule` gave for the packets that are copied.
            stream: makes the generators of the copies' own random numbers.
        """
        return self.rule(stream)

    def label(self) -> str | None:
        """Its label in tables and figures; None for its keys and values."""
        return None


LOSSES = Registry("losses", LossModel, "testbed.network.impairments.losses", tag=None, default="random")

LossSetting = Annotated[
    PlainNumber | Annotated[LossModel, LOSSES, Tag("in detail")],
    Discriminator(form),
]
"""A probability for each packet, or a loss model."""
