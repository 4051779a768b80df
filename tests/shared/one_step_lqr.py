"""A linear-quadratic regulator of one step, whose optimal policy is known: the mean is linear in the state.

Two agents see the state s in R^2, drawn uniformly, and play one number each, u in R^2. Both pay half of
|A s + B u|^2 + |u|^2, which is least at u = -(I + B^T B)^-1 B^T A s.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.environments.action_spaces import ActionSpaces, BoxSpaces, MultiDiscreteSpaces
from testbed.environments.base import BaseEnvironmentSettings
from testbed.environments.batched import BatchedEnvironment

A = np.array([[1.0, 0.4], [-0.3, 0.8]])
B = np.array([[1.0, 0.5], [0.4, -1.2]])
GAIN = -np.linalg.solve(np.eye(2) + B.T @ B, B.T @ A)
"""The optimal u is GAIN s."""

LEVELS = np.linspace(-1, 1, 5)
"""The numbers that an agent with categories can play: of two components, the mean of both levels."""


class LqrSettings(BaseEnvironmentSettings):
    name: str = "one_step_lqr"  # no literal: it must not be a choice in other tests
    agents: int = 2
    episode_length: int = 1
    categories: bool = False
    """Whether actions are two categories each instead of a real number."""

    @property
    def action_space(self) -> str:
        return "MultiDiscrete" if self.categories else "Box"

    def make(self, batch: int) -> "Lqr":
        return Lqr(self, batch)


class Lqr(BatchedEnvironment):
    name = "one_step_lqr"
    components = ()

    def __init__(self, settings: LqrSettings, batch: int) -> None:
        spaces: ActionSpaces = BoxSpaces([[-np.inf]] * 2, [[np.inf]] * 2)
        if settings.categories:
            spaces = MultiDiscreteSpaces([[5, 5]] * 2)
        super().__init__(
            batch=batch,
            episode_length=settings.episode_length,
            observation_sizes=[2, 2],
            action_sizes=spaces,
            state_shapes={"s": (2,)},
        )
        self.categories = settings.categories
        self._s = np.zeros((batch, 2))

    def observations(self) -> NDArray[np.float32]:
        return np.repeat(self._s[:, None], 2, axis=1).astype(np.float32)

    def _begin(self, rows: NDArray[np.intp]) -> None:
        self._s[rows] = self._generator.uniform(-1, 1, (len(rows), 2))

    def _advance(self, actions: NDArray[Any]) -> Any:
        u = LEVELS[actions].mean(-1) if self.categories else actions[..., 0]
        cost = np.square(self._s @ A.T + u @ B.T).sum(-1) + np.square(u).sum(-1)
        return np.repeat(-0.5 * cost[:, None], 2, axis=1), np.ones((self.batch, 2), dtype=np.bool_), {}

    def _read(self) -> dict[str, NDArray[Any]]:
        return {"s": self._s.copy()}

    def _write(self, state: Any) -> None:
        self._s = state["s"].copy()

    def render(self, row: int = 0) -> NDArray[np.uint8]:
        return np.zeros((2, 2, 3), dtype=np.uint8)
