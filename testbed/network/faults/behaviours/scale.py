"""Numbers multiplied by a factor."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from testbed.network.faults.behaviour import Behaviour, FalseMessage
from testbed.network.faults.factor import changes_something


class ScaleBehaviour(Behaviour):
    """Every number is multiplied by `factor`."""

    name: Literal["scale"]
    factor: Annotated[float, Field(ge=-1e9, le=1e9), AfterValidator(changes_something)]
    """May be negative; 1 changes nothing and is refused."""

    @property
    def label(self) -> str:
        return f"scale by {self.factor:g}"

    def falsify(self, numbers: NDArray[np.float64], message: FalseMessage) -> NDArray[np.float64]:
        return self.factor * numbers
