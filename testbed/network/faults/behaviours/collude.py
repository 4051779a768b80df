"""One target for all liars."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.network.faults.behaviour import Behaviour, FalseMessage


class ColludeBehaviour(Behaviour):
    """Every number is `target`: several liars that share a target pull everyone towards the same point.

    LeBlanc, Zhang, Koutsoukos & Sundaram 2013 ("Resilient asymptotic consensus in robust networks") show that
    one such agent decides what plain averaging agrees on.
    """

    name: Literal["collude"]
    target: Annotated[float, Field(ge=-1e9, le=1e9)]
    """The number that replaces each number of a message."""

    @property
    def label(self) -> str:
        return f"collude on {self.target:g}"

    def falsify(self, numbers: NDArray[np.float64], message: FalseMessage) -> NDArray[np.float64]:
        return np.full(numbers.shape, self.target)
