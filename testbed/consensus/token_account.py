"""Token accounts: an agent saves messages when its clock ticks, and spends them when it hears something new.

Danner & Jelasity 2018, "Token account algorithms: the best of the proactive and reactive worlds" (ICDCS). At
each ring an agent sends with probability proactive(a), where a is its balance, or saves a token. At each
message that it can use it sends reactive(a) messages, each for a token. So it never sends more than once per
ring on average, but passes news on at once.
"""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from testbed.common.settings import Settings


class TokenAccount(Settings):
    """When agents send at a ring of their clock, and how much at a message."""

    strategy: Literal["simple", "generalized", "randomized"] = "simple"
    """The functions proactive and reactive, as named in the paper."""
    capacity: Annotated[int, Field(ge=0)]
    """C, the balance at which an agent always sends when its clock ticks; 0 with `simple`: at each tick."""
    spend: Annotated[int, Field(ge=1)] = 1
    """A of `generalized` and `randomized`: the greater, the fewer tokens are spent on one message."""

    @model_validator(mode="after")
    def _can_be_spent(self) -> Self:
        if self.strategy != "simple" and self.spend > max(1, self.capacity):
            raise ValueError(f"spend {self.spend} must be at most the capacity {self.capacity}")
        return self

    def proactive(self, balance: int) -> float:
        """The probability of sending at a ring."""
        low, high = self.spend - 1, self.capacity
        if self.strategy != "randomized" or balance >= high:
            return float(balance >= high)
        return max(0.0, (balance - low) / (high - low + 1))

    def reactive(self, balance: int, uniform: float) -> int:
        """Messages to send at a message, at most the balance; ``uniform`` from [0, 1) rounds their number."""
        if self.strategy == "simple":
            return min(balance, 1)
        if self.strategy == "generalized":
            return (self.spend - 1 + balance) // self.spend
        return math.floor(balance / self.spend + uniform)
