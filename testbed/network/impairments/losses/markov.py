"""Loss by a Markov chain of four states (netem: `loss state`).

Salsano, Ludovici, Ordine & Giannuzzi 2012, "Definition of a general and intuitive loss model for packet
networks and its implementation in the Netem module in the Linux kernel". The states are those of
tc-netem(8): 1 good reception in a gap, 2 good reception within a burst, 3 loss within a burst, 4 an isolated
loss in a gap.
"""

from typing import Any, Self

import numpy as np
from pydantic import model_validator

from testbed.common.settings import Settings
from testbed.network.impairments.loss import LossModel
from testbed.network.impairments.rule import LOSS, Fate, Probability, Rule
from testbed.network.message import Message
from testbed.network.streams import Draws, GeneratorFor, uniform


class FourStates(Settings):
    """Probabilities of changing the state from one packet to the next; from 4 it always changes to 1.

    The chain starts from its stationary distribution, unlike netem's, which starts in state 1.
    """

    p13: Probability
    """From good reception in a gap to a burst of losses."""
    p31: Probability | None = None
    """From loss within a burst to a gap; null: 1 - p13, as in netem."""
    p32: Probability = 0.0
    """From loss within a burst to good reception within it."""
    p23: Probability = 1.0
    """From good reception within a burst to loss."""
    p14: Probability = 0.0
    """From good reception in a gap to an isolated loss."""

    @model_validator(mode="after")
    def _is_a_chain(self) -> Self:
        if self.p13 + self.p14 > 1:
            raise ValueError(f"p13 {self.p13} and p14 {self.p14} leave one state: must add up to at most 1")
        if self.to_gap + self.p32 > 1:
            raise ValueError(
                f"p31 {self.to_gap} and p32 {self.p32} leave one state: must add up to at most 1"
            )
        if self.p32 > 0 and self.p23 == 0:
            raise ValueError("p23 is 0 with p32 above 0: reception within a burst would never end")
        if self.p13 + self.to_gap == 0:
            raise ValueError(
                "p13 and p31 are both 0: bursts never begin or end, so the initial state is not defined"
            )
        return self

    @property
    def to_gap(self) -> float:
        """`p31`, or what stands for it."""
        return 1.0 - self.p13 if self.p31 is None else self.p31

    @property
    def stationary(self) -> tuple[float, float, float, float]:
        """The share of packets that meets each state in the long run.

        pi1 p13 = pi3 p31, pi2 p23 = pi3 p32 and pi4 = pi1 p14, because as many packets change from a state as
        to it.
        """
        gap, burst = self.to_gap, self.p13
        within = burst * self.p32 / self.p23 if self.p32 else 0.0
        weights = gap, within, burst, gap * self.p14
        return tuple(weight / sum(weights) for weight in weights)  # type: ignore[return-value]

    @property
    def mean_loss(self) -> float:
        """The share of packets lost in the long run."""
        return self.stationary[2] + self.stationary[3]

    @property
    def changes(self) -> tuple[tuple[float, ...], ...]:
        """For each state the probabilities that the next packet meets states 1, 2, 3 and 4."""
        return (
            (1.0 - self.p13 - self.p14, 0.0, self.p13, self.p14),
            (0.0, 1.0 - self.p23, self.p23, 0.0),
            (self.to_gap, self.p32, 1.0 - self.to_gap - self.p32, 0.0),
            (1.0, 0.0, 0.0, 0.0),
        )


class MarkovLoss(LossModel):
    """Loss by a Markov chain of four states."""

    state: FourStates
    """The probabilities that the state changes."""

    def rule(self, stream: GeneratorFor) -> Rule:
        return FourStateLoss(self.state, stream)

    def label(self) -> str:
        """Mean loss and the probabilities that were given."""
        given = ", ".join(
            f"{name} {value:g}" for name, value in self.state.model_dump(exclude_unset=True).items()
        )
        return f"{self.state.mean_loss:.3g} by four states ({given})"


class FourStateLoss(Rule):
    """The chain of one direction: one uniform number per packet moves it, and two states lose the packet."""

    __slots__ = ("_bounds", "_move", "_start", "state")

    def __init__(self, model: FourStates, stream: GeneratorFor) -> None:
        self._bounds = tuple(tuple(np.cumsum(row)[:-1].tolist()) for row in model.changes)
        self._start = tuple(np.cumsum(model.stationary)[:-1].tolist())
        self._move = Draws(lambda: stream("loss"), uniform)
        self.state = 0
        """The state that the latest packet met, 1 to 4; 0 before the first."""

    def decide(self, message: Message, fate: Fate) -> None:
        value = self._move.next()
        bounds = self._bounds[self.state - 1] if self.state else self._start
        self.state = 1 + sum(value >= bound for bound in bounds)
        if self.state >= 3 and fate.reason is None:
            fate.reason = LOSS

    def state_dict(self) -> Any:
        return {"state": self.state, "move": self._move.state_dict()} if self.state else None

    def load_state_dict(self, state: Any) -> None:
        state = state or {"state": 0, "move": None}
        self.state = state["state"]
        self._move.load_state_dict(state["move"])
