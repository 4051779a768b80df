"""Numbers multiplied by a factor."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from testbed.network.faults.behaviour import Behaviour, FalseMessage


class ScaleBehaviour(Behaviour):
    """Every number is multiplied by `factor`."""

    name: Literal["scale"]
    factor: Annotated[float, Field(ge=-1e9, le=1e9)]
    """May be negative; 1 changes nothing and is refused."""

    @field_validator("factor")
    @classmethod
    def _changes_something(cls, factor: float) -> float:
        if factor == 1:
            raise ValueError("factor 1 changes nothing")
        return factor

    @property
    def label(self) -> str:
        return f"scale by {self.factor:g}"

    def falsify(self, numbers: NDArray[np.float64], message: FalseMessage) -> NDArray[np.float64]:
        return self.factor * numbers
