"""Cooperative navigation: N agents cover N landmarks without running into each other.

The game of Lowe et al. 2017 ("simple spread") as Li & He use it for MATRPO: five actions (stay, -x, +x, -y, +y), 100
steps, a landmark for each agent, and private rewards in which only agent 0 feels the landmarks.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.environments.batched import BatchedEnvironment, Info, Observations
from testbed.environments.drawing import Disc, draw
from testbed.environments.particle_physics import (
    DIRECTIONS,
    Pairs,
    add_contact_forces,
    integrate,
    lengths,
)
from testbed.settings import Settings

RADIUS = 0.15
TOUCHING = RADIUS + RADIUS
ACCELERATION = 5.0
COVERED_WITHIN = 0.1  # a landmark counts as covered when some agent's centre is closer than this
FORCES = ACCELERATION * DIRECTIONS

Array = NDArray[np.float64]


class NavigationSettings(Settings):
    """Options of cooperative navigation.

    Attributes:
        agents: number of agents, and of landmarks.
        reward: `code` (what the authors of MATRPO ran): agent 0 pays the sum over landmarks of the distance to the nearest
            agent, and every agent pays 1 for each agent it touches. `paper` (Table I read literally): agent 0 pays the one
            smallest distance between any agent and any landmark, and every agent pays 1 if it touches any other.
        episode_length: steps until truncation.
    """

    agents: Annotated[int, Field(ge=1, strict=True)] = 3
    reward: Literal["code", "paper"] = "code"
    episode_length: Annotated[int, Field(ge=1, strict=True)] = 100


class Navigation(BatchedEnvironment):
    """Batched cooperative navigation.

    Agent i observes its velocity, its position, every landmark relative to itself and every other agent relative to
    itself in index order: 4 N + 2 numbers. Episodes start at rest, everything uniform in [-1, 1]^2; nothing is bounded.

    State: `pos`, `vel`, `landmarks`, each `[batch, N, 2]` float64. Components of the return, per step: `distance`, the sum
    over landmarks of the distance to the nearest agent; `collisions`, over agents, the number of agents each touches
    (a touching pair counts twice); `covered`, the number of landmarks with an agent within 0.1. With `reward="code"`
    the rewards of one step sum to -(distance + collisions).
    """

    name = "navigation"
    components = ("distance", "collisions", "covered")

    def __init__(self, settings: NavigationSettings, batch: int) -> None:
        agents = settings.agents
        super().__init__(
            batch=batch,
            episode_length=settings.episode_length,
            observation_sizes=[4 * agents + 2] * agents,
            action_sizes=[5] * agents,
            state_shapes={"pos": (agents, 2), "vel": (agents, 2), "landmarks": (agents, 2)},
        )
        self.settings = settings
        self._pairs = Pairs(agents)
        # All [body, axis, batch].
        self._positions = np.zeros((agents, 2, self.batch))
        self._velocities = np.zeros_like(self._positions)
        self._landmarks = np.zeros_like(self._positions)
        self._measure()

    def _measure(self) -> None:
        """Offsets and distances of the current positions: rewards and observations need them, and the next step's forces."""
        self._pair_offsets = self._pairs.offsets(self._positions)
        self._pair_distances = lengths(self._pair_offsets)
        self._landmark_offsets = (
            self._landmarks[None] - self._positions[:, None]
        )  # [agent, landmark, axis, batch]

    def observations(self) -> Observations:
        agents = self.agents
        seen = np.empty((agents, self.observation_size, self.batch), dtype=np.float32)
        seen[:, 0:2] = self._velocities
        seen[:, 2:4] = self._positions
        seen[:, 4 : 4 + 2 * agents] = self._landmark_offsets.reshape(agents, 2 * agents, self.batch)
        others = self._positions[self._pairs.others]
        others -= self._positions[:, None]
        seen[:, 4 + 2 * agents :] = others.reshape(agents, 2 * (agents - 1), self.batch)
        return np.ascontiguousarray(seen.transpose(2, 0, 1))

    def _begin(self, rows: NDArray[np.intp]) -> None:
        # Row by row the agents, then the landmarks.
        places = self._generator.uniform(-1.0, 1.0, size=(rows.size, 2 * self.agents, 2)).transpose(1, 2, 0)
        self._positions[:, :, rows] = places[: self.agents]
        self._landmarks[:, :, rows] = places[self.agents :]
        self._velocities[:, :, rows] = 0.0
        self._measure()

    def _advance(self, actions: NDArray[np.integer]) -> tuple[Array, NDArray[np.bool_], Info]:
        force = np.ascontiguousarray(FORCES[:, actions.T].swapaxes(0, 1))
        add_contact_forces(force, self._pairs, self._pair_offsets, self._pair_distances, TOUCHING)
        integrate(self._positions, self._velocities, force)  # unit mass
        self._measure()

        distances = lengths(self._landmark_offsets)  # [agent, landmark, batch]
        nearest = distances.min(axis=0)
        distance = nearest.sum(axis=0)
        touching = self._pair_distances < TOUCHING
        partners = touching[self._pairs.of_body].sum(axis=1)  # [agent, batch]
        if self.settings.reward == "code":
            rewards = np.negative(partners.T, dtype=np.float64)
            rewards[:, 0] -= distance
        else:
            rewards = np.negative(partners.T > 0, dtype=np.float64)
            rewards[:, 0] -= nearest.min(axis=0)
        info: Info = {
            "distance": distance,
            "collisions": partners.sum(axis=0),
            "covered": (nearest < COVERED_WITHIN).sum(axis=0),
        }
        return rewards, np.zeros((self.batch, self.agents), dtype=np.bool_), info

    def _read(self) -> dict[str, NDArray[Any]]:
        arrays = {"pos": self._positions, "vel": self._velocities, "landmarks": self._landmarks}
        return {name: array.transpose(2, 0, 1).copy() for name, array in arrays.items()}

    def _write(self, state: Mapping[str, Array]) -> None:
        self._positions = state["pos"].transpose(1, 2, 0).copy()
        self._velocities = state["vel"].transpose(1, 2, 0).copy()
        self._landmarks = state["landmarks"].transpose(1, 2, 0).copy()
        self._measure()

    def render(self, row: int = 0) -> NDArray[np.uint8]:
        """The square [-1.5, 1.5]^2, y upwards: landmarks grey, agents in colour, agent 0 (who pays for distance) darkest."""
        landmarks = [Disc(x, y, 0.05, (90, 90, 90)) for x, y in self._landmarks[:, :, row]]
        agents = [
            Disc(x, y, RADIUS, (31, 78, 140) if agent == 0 else (122, 172, 222))
            for agent, (x, y) in enumerate(self._positions[:, :, row])
        ]
        return draw([*agents, *landmarks], half_width=1.5)
