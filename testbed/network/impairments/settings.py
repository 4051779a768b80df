"""What can be said about loss, duplication, corruption and reordering. The words are those of tc-netem(8);
where they mean something else than in Linux's `sch_netem.c`, they say "unlike netem".

Wherever a probability stands alone, `loss: 0.1` is short for `loss: {random: 0.1}`.

`correlation` c says how much the fate of a packet is that of the one before it: with probability c it is the
same, otherwise it is drawn anew. The probability stays what it is, and the autocorrelation after k packets is
c^k (the discrete autoregression DAR(1) of Jacobs and Lewis, 1978). netem mixes the random numbers themselves
instead, which changes the probability.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from testbed.common.settings import Settings
from testbed.identity import differing

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Chance(Settings):
    """Something that happens to a packet with a probability."""

    random: Probability
    """Its probability."""
    correlation: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Probability that a packet has the fate of the one before it, rather than one of its own. Unlike netem,
    which averages random numbers and so changes the probability."""

    def essence(self) -> Any:
        """The probability alone, where it says it all; see `testbed.identity`."""
        found = differing(self)
        return found["random"] if found.keys() == {"random"} or self.random == 0 else found


class RandomLoss(Chance):
    """Each packet is lost with the same probability."""


class GilbertElliott(Settings):
    """Loss in bursts: each direction of a link is now good and now bad (Elliott, 1963).

    It starts from its stationary law, unlike netem, which starts good. `per: packet`: p and r are the
    probabilities that it changes from one packet to the next. `per: second`, which netem does not have: they
    are rates, and the state changes whether packets are sent or not.
    """

    model_config = ConfigDict(populate_by_name=True)

    p: float = Field(ge=0.0)
    """From good to bad: probability per packet, or rate in 1/s."""
    r: float = Field(ge=0.0)
    """From bad to good; needed, unlike netem's, which is 1 - p by default."""
    loss_bad: Probability = Field(default=1.0, alias="1-h")
    """Probability that a packet is lost in the bad state (netem's `1-h`)."""
    loss_good: Probability = Field(default=0.0, alias="1-k")
    """Probability that a packet is lost in the good state (netem's `1-k`)."""
    per: Literal["packet", "second"] = "packet"
    """What `p` and `r` are counted by."""

    @model_validator(mode="after")
    def _is_a_chain(self) -> Self:
        if self.p + self.r == 0:
            raise ValueError("p and r are both 0: the state never changes, so where it starts is not defined")
        if self.per == "packet" and max(self.p, self.r) > 1:
            raise ValueError(f"p {self.p} and r {self.r} are probabilities per packet: at most 1")
        return self

    @property
    def share_bad(self) -> float:
        """The share of packets (or of time) that meets the bad state: p / (p + r)."""
        return self.p / (self.p + self.r)

    @property
    def mean_loss(self) -> float:
        """The share of packets lost in the long run."""
        return self.loss_bad * self.share_bad + self.loss_good * (1 - self.share_bad)


class BurstLoss(Settings):
    """Loss in bursts."""

    gemodel: GilbertElliott
    """The chain of good and bad states."""


class Duplicate(Chance):
    """A second copy follows the packet into the queue, with a loss and a delay of its own.

    Copies are not copied again, as in netem. Unlike in netem, where the copy goes first and a loss drawn for
    the packet takes one of the two away, each of the two is lost or not by itself.
    """


class Corrupt(Chance):
    """A packet is damaged on the wire.

    If the damage is detected, the packet is dropped; unlike netem, which delivers it.
    """

    detected: bool = True
    """Whether the receiver notices (a checksum) and drops it; otherwise it is delivered with its `corruption`
    set, and whoever receives it damages the numbers: see `testbed.network.corruption`."""
    noise: float | None = Field(default=None, ge=0.0)
    """Undetected only. Null: one bit is flipped, as by netem. A number: normal noise of this standard
    deviation is added, relative to the root mean square of the numbers."""

    @model_validator(mode="after")
    def _noise_is_heard(self) -> Self:
        if self.detected and self.noise is not None:
            raise ValueError(f"noise {self.noise} needs detected: false, else the packet is dropped")
        return self


class Reorder(Chance):
    """A packet overtakes the others: it skips the propagation delay.

    With a `rate` it waits in the queue and is transmitted like any other, unlike in netem, where it skips
    these as well.
    """

    gap: int = Field(default=1, ge=1)
    """After one that overtook, the next `gap` - 1 packets keep their place. So the share of packets that
    overtake is 1 / (gap - 1 + 1 / random) where there is no correlation, as in netem."""


def _form(value: Any) -> str:
    # No tag may be the name of a field: error messages tell the two apart by that.
    if isinstance(value, BurstLoss) or (isinstance(value, Mapping) and "gemodel" in value):
        return "in bursts"
    return "in detail" if isinstance(value, Chance | Mapping) else "a number"


_Number = Annotated[Probability, Tag("a number")]

LossSetting = Annotated[
    _Number | Annotated[RandomLoss, Tag("in detail")] | Annotated[BurstLoss, Tag("in bursts")],
    Discriminator(_form),
]


def _plain_form(value: Any) -> str:
    return "in detail" if isinstance(value, Chance | Mapping) else "a number"


DuplicateSetting = Annotated[_Number | Annotated[Duplicate, Tag("in detail")], Discriminator(_plain_form)]
CorruptSetting = Annotated[_Number | Annotated[Corrupt, Tag("in detail")], Discriminator(_plain_form)]
ReorderSetting = Annotated[_Number | Annotated[Reorder, Tag("in detail")], Discriminator(_plain_form)]
