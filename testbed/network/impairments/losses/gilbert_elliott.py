"""Loss in bursts: the model of Gilbert (1960) and Elliott (1963) (netem: `loss gemodel`)."""

from math import exp
from typing import Any, Literal, Self, cast

from pydantic import ConfigDict, Field, model_validator

from testbed.common.settings import Settings
from testbed.network.impairments.loss import LossModel
from testbed.network.impairments.rule import LOSS, Fate, Probability, Rule
from testbed.network.message import Message
from testbed.network.streams import Draws, GeneratorFor, uniform


class GilbertElliott(Settings):
    """Loss in bursts: each direction of a link alternates between a good and a bad state (Elliott, 1963).

    It starts from its stationary distribution, unlike netem, which starts in the good state. `per: packet`: p
    and r are the probabilities that it changes from one packet to the next. `per: second`, which netem does
    not have: they are rates, and the state changes whether packets are sent or not.
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
    """Unit of `p` and `r`: per packet (probabilities) or per second (rates)."""

    @model_validator(mode="after")
    def _is_a_chain(self) -> Self:
        if self.p + self.r == 0:
            raise ValueError(
                "p and r are both 0: the state never changes, so its initial state is not defined"
            )
        if self.per == "packet" and max(self.p, self.r) > 1:
            raise ValueError(f"p {self.p} and r {self.r} are probabilities per packet: must be at most 1")
        return self

    @property
    def share_bad(self) -> float:
        """The share of packets (or of time) that meets the bad state: p / (p + r)."""
        return self.p / (self.p + self.r)

    @property
    def mean_loss(self) -> float:
        """The share of packets lost in the long run."""
        return self.loss_bad * self.share_bad + self.loss_good * (1 - self.share_bad)


class BurstLoss(LossModel):
    """Loss in bursts."""

    gemodel: GilbertElliott
    """The chain of good and bad states."""

    def rule(self, stream: GeneratorFor) -> Rule:
        return GilbertElliottLoss(self.gemodel, stream)

    def copies_rule(self, originals: Rule, stream: GeneratorFor) -> Rule:
        return DuplicateLoss(cast(GilbertElliottLoss, originals), stream)

    def label(self) -> str | None:
        """Mean loss and mean burst length in packets of a Gilbert model; all parameters of any other."""
        model = self.gemodel
        if model.model_fields_set != {"p", "r"} or not (model.p > 0 and model.r > 0):
            return None
        return f"{model.share_bad:g} in bursts of {1 / model.r:g}"


class GilbertElliottLoss(Rule):
    """The Gilbert-Elliott model: a Markov chain of a good and a bad state, started from its stationary law.

    Two uniform numbers are drawn per packet: one moves the state, the other decides about the loss.
    """

    __slots__ = ("_loss", "_model", "_move", "_moved_at", "bad")

    def __init__(self, model: GilbertElliott, stream: GeneratorFor) -> None:
        self._model = model
        self._move = Draws(lambda: stream("loss state"), uniform)
        self._loss = Draws(lambda: stream("loss"), uniform)
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


class DuplicateLoss(Rule):
    """Loss of duplicates: they meet the state that the original met, with random numbers of their own."""

    __slots__ = ("_loss", "_originals")

    def __init__(self, originals: GilbertElliottLoss, stream: GeneratorFor) -> None:
        self._originals = originals
        self._loss = Draws(lambda: stream("loss"), uniform)

    def decide(self, message: Message, fate: Fate) -> None:
        self._originals.strike(self._loss, fate)

    def state_dict(self) -> Any:
        return self._loss.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self._loss.load_state_dict(state)
