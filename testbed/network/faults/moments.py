"""Moments at which faults begin or end, as study files give them."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from testbed.common.settings import Settings
from testbed.common.units import Seconds


class AtUpdate(Settings):
    """When the learner begins a policy update."""

    update: Annotated[int, Field(ge=1, description="updates count from 1")]

    def __str__(self) -> str:
        return f"update {self.update}"


class AfterMessages(Settings):
    """Just after messages of a kind have been delivered: since the beginning, or `up`: since `down`."""

    kind: str
    """Kind of message, such as request or response; see the algorithms."""
    count: Annotated[int, Field(ge=1)] = 1
    """Number of messages."""

    def __str__(self) -> str:
        return f"{self.kind} {self.count}"


class Lasting(Settings):
    """Some time after the fault has begun."""

    lasting: Annotated[Seconds, Field(gt=0)]
    """Duration in seconds."""


def _tag(moment: Any) -> str:
    # No tag is a key as well: error messages tell the two apart by that.
    if isinstance(moment, AtUpdate) or (isinstance(moment, dict) and "update" in moment):
        return "at_update"
    if isinstance(moment, Lasting) or (isinstance(moment, dict) and "lasting" in moment):
        return "for_a_time"
    return "after_messages" if isinstance(moment, AfterMessages | dict) else "at_time"


_Seconds = Annotated[Seconds, Tag("at_time")]
_AtUpdate = Annotated[AtUpdate, Tag("at_update")]
_AfterMessages = Annotated[AfterMessages, Tag("after_messages")]
Beginning = Annotated[_Seconds | _AtUpdate | _AfterMessages, Discriminator(_tag)]
End = Annotated[
    _Seconds | _AtUpdate | _AfterMessages | Annotated[Lasting, Tag("for_a_time")], Discriminator(_tag)
]
