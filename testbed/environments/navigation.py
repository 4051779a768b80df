"""Cooperative navigation: N agents cover N landmarks without running into each other.

The game of Lowe et al. 2017 ("simple spread") as Li & He use it for MATRPO: five actions (stay, -x, +x, -y,
+y), 100 steps, as many landmarks as agents, and private rewards, in which only agent 0's depends on the
landmarks.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.environments.base import BaseEnvironmentSettings
from testbed.environments.batched import BatchedEnvironment, Info, Observations
from testbed.environments.drawing import Colour, Disc, Text, agent_colours, draw, numbered, view
from testbed.environments.particle_physics import (
    DIRECTIONS,
    Pairs,
    add_contact_forces,
    integrate,
    lengths,
)

RADIUS = 0.15
TOUCHING = RADIUS + RADIUS
ACCELERATION = 5.0
COVERED_WITHIN = 0.1  # a landmark is covered while some agent's centre is closer than this

FORCES = ACCELERATION * DIRECTIONS
LANDMARK_RADIUS = 0.05  # for pictures only

Array = NDArray[np.float64]


class NavigationSettings(BaseEnvironmentSettings):
    """Options of cooperative navigation."""

    name: Literal["navigation"] = "navigation"
    agents: Annotated[int, Field(ge=1, strict=True)] = 3
    """Number of agents, and of landmarks."""
    reward: Literal["code", "paper"] = "code"
    """`code`, as in the published code of MATRPO: agent 0 pays the sum over landmarks of the distance to the
    nearest agent, and every agent pays 1 for each agent it touches. `paper`, Table I of MATRPO read
    literally: agent 0 pays the one smallest distance between any agent and any landmark, and every agent
    pays 1 while it touches any other."""
    episode_length: Annotated[int, Field(ge=1, strict=True)] = 100
    """Steps until truncation."""

    def make(self, batch: int) -> "Navigation":
        """The environment, with `batch` parallel episodes."""
        return Navigation(self, batch)


class Navigation(BatchedEnvironment):
    """Batched cooperative navigation.

    Agent i observes its velocity, its position, then relative to itself every landmark and every other
    agent in index order: 4 N + 2 numbers. Episodes start at rest, all positions uniform in [-1, 1]^2. There
    are no walls, and no episode terminates early.

    State: `pos`, `vel` and `landmarks`, each `[batch, N, 2]` float64.

    Components of the return: `distance`, the sum over landmarks of the distance to the nearest agent;
    `collisions`, the sum over agents of the number of agents each one touches, so that a touching pair counts
    twice; `covered`, the number of landmarks with an agent within 0.1. They do not depend on `reward`; with
    `reward="code"` the rewards of a step sum to -(distance + collisions).
    """

    name = "navigation"
    components = ("distance", "collisions", "covered")

    def __init__(self, settings: NavigationSettings, batch: int) -> None:
        agents = settings.agents
        super().__init__(
            batch=batch,
            episode_length=settings.episode_length,
            observation_sizes=[4 * agents + 2] * agents,
            action_sizes=[DIRECTIONS.shape[1]] * agents,
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
        """Offsets and distances of bodies, for rewards, observations and the forces of the next step."""
        self._pair_offsets = self._pairs.offsets(self._positions)
        self._pair_distances = lengths(self._pair_offsets)
        # [agent, landmark, axis, batch]
        self._landmark_offsets = self._landmarks[None] - self._positions[:, None]

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
        # Row after row: its agents, then its landmarks.
        places = self._generator.uniform(-1.0, 1.0, size=(rows.size, 2 * self.agents, 2)).transpose(1, 2, 0)
        self._positions[:, :, rows] = places[: self.agents]
        self._landmarks[:, :, rows] = places[self.agents :]
        self._velocities[:, :, rows] = 0.0
        self._measure()

    def _advance(self, actions: NDArray[np.integer]) -> tuple[Array, NDArray[np.bool_], Info]:
        force = np.ascontiguousarray(FORCES[:, actions.T].swapaxes(0, 1))
        add_contact_forces(force, self._pairs, self._pair_offsets, self._pair_distances, TOUCHING)
        integrate(self._positions, self._velocities, force)  # the mass is 1
        self._measure()

        nearest = lengths(self._landmark_offsets).min(axis=0)  # [landmark, batch]
        # accumulate adds in index order at any batch; sum may add in another order when the batch is 1.
        distance = np.add.accumulate(nearest, axis=0)[-1]
        touching = self._pair_distances < TOUCHING
        partners = touching[self._pairs.of_body].sum(axis=1)  # [agent, batch]
        if self.settings.reward == "code":
            fines, cost = partners, distance
        else:
            fines, cost = partners > 0, nearest.min(axis=0)
        rewards = np.subtract(0.0, fines.T, dtype=np.float64, order="C")  # not -fines, which would make -0.0
        rewards[:, 0] -= cost
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
        self._positions[:] = state["pos"].transpose(1, 2, 0)
        self._velocities[:] = state["vel"].transpose(1, 2, 0)
        self._landmarks[:] = state["landmarks"].transpose(1, 2, 0)
        self._measure()

    def render(self, row: int = 0) -> NDArray[np.uint8]:
        """Landmarks are small and black, agents numbered in their colours; all bodies are in view.

        The grey square is [-1, 1]^2, where all of them start.
        """
        agents, landmarks = self._positions[:, :, row], self._landmarks[:, :, row]
        furthest = max(np.abs(agents).max(), np.abs(landmarks).max())
        discs: list[Disc | Text] = []
        for agent, ((x, y), colour) in enumerate(zip(agents, self.agent_colours, strict=True)):
            discs += numbered(Disc(x, y, RADIUS, colour, rim=True), agent)
        discs += [Disc(x, y, LANDMARK_RADIUS, (0, 0, 0), rim=True) for x, y in landmarks]
        half_width = view(furthest) + 1.2 * RADIUS
        return draw(discs, half_width=half_width, square=1.0, pixels=self.picture_side)

    @property
    def agent_colours(self) -> tuple[Colour, ...]:
        """The colour of each agent."""
        return agent_colours(self.agents)
