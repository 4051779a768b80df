"""Numbers with noise."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.network.faults.behaviour import Behaviour, FalseMessage, root_mean_square


class NoiseBehaviour(Behaviour):
    """Normal noise is added to every number, drawn again for each message."""

    name: Literal["noise"]
    std: Annotated[float, Field(gt=0, le=1e9)]
    """Standard deviation of the noise, relative to the root mean square of the message's numbers."""

    @property
    def label(self) -> str:
        return f"noise {self.std:g}"

    def falsify(self, numbers: NDArray[np.float64], message: FalseMessage) -> NDArray[np.float64]:
        noise = message.generator.standard_normal(numbers.shape)
        return numbers + self.std * root_mean_square(numbers) * noise
