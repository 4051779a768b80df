"""Random numbers in place of the true ones."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.network.faults.behaviour import Behaviour, FalseMessage, root_mean_square


class RandomBehaviour(Behaviour):
    """Normal random numbers replace the true ones, drawn again for each message."""

    name: Literal["random"]
    std: Annotated[float | None, Field(gt=0, le=1e9)] = None
    """Their standard deviation; null: the root mean square of the numbers that they replace."""

    @property
    def label(self) -> str:
        return "random" if self.std is None else f"random {self.std:g}"

    def falsify(self, numbers: NDArray[np.float64], message: FalseMessage) -> NDArray[np.float64]:
        size = root_mean_square(numbers) if self.std is None else self.std
        return size * message.generator.standard_normal(numbers.shape)
