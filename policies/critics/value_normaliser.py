"""Running mean and variance of the returns, so that a value network's outputs stay of unit size."""

import math
from collections.abc import Mapping

from torch import Tensor

LEAST_VARIANCE = 1e-2


class ValueNormaliser:
    """Exponential moving averages of targets and of their squares, corrected for their start at zero.

    As in the code of MAPPO's authors (Yu et al. 2021, arXiv 2103.01955), after Pop-Art (van Hasselt et al.
    2016, arXiv 1602.07714) but without its rescaling of the output layer. After updates with batches of
    means m_1 .. m_k the mean is sum_i beta^(k-i) m_i / sum_i beta^(k-i), and likewise for the squares. Before
    the first it is 0 and the variance is the least allowed.
    """

    def __init__(self, beta: float) -> None:
        """``beta`` in [0, 1): share of the old averages that an update keeps."""
        self.beta = beta
        # Sums in double precision: the variance is a difference of possibly large and nearly equal numbers.
        self._sum = self._square_sum = self._weight = 0.0

    def update(self, targets: Tensor) -> None:
        """Update the averages with a batch of targets of any shape."""
        exact = targets.double()
        self._sum = self.beta * self._sum + (1 - self.beta) * float(exact.mean())
        self._square_sum = self.beta * self._square_sum + (1 - self.beta) * float(exact.square().mean())
        self._weight = self.beta * self._weight + (1 - self.beta)

    @property
    def mean(self) -> float:
        """Mean of the targets so far."""
        return self._sum / (self._weight or 1.0)

    @property
    def scale(self) -> float:
        """Standard deviation of the targets so far, at least 0.1."""
        variance = self._square_sum / (self._weight or 1.0) - self.mean**2
        return math.sqrt(max(variance, LEAST_VARIANCE))

    def normalise(self, targets: Tensor) -> Tensor:
        """Convert units of reward to those of the network's outputs."""
        return (targets - self.mean) / self.scale

    def denormalise(self, outputs: Tensor) -> Tensor:
        """Convert units of the network's outputs to those of reward."""
        return outputs * self.scale + self.mean

    def state_dict(self) -> dict[str, float]:
        """The three sums."""
        return {"sum": self._sum, "square_sum": self._square_sum, "weight": self._weight}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore the state that ``state_dict`` gave."""
        self._sum, self._square_sum, self._weight = state["sum"], state["square_sum"], state["weight"]
