"""Cooperative treasure collection: hunters fetch treasures of several types and bring them to their banks.

The game of Iqbal & Sha 2019 ("Actor-attention-critic for multi-agent reinforcement learning") in the form
Li & He used for MATRPO: five actions (stay, -x, +x, -y, +y), 100 steps, as many treasures as hunters, and one
bank for each type of treasure.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.environments.base import BaseEnvironmentSettings
from testbed.environments.batched import BatchedEnvironment, Info, Observations
from testbed.environments.drawing import Colour, Disc, Text, draw, hues, numbered, view
from testbed.environments.particle_physics import (
    DIRECTIONS,
    Pairs,
    add_contact_forces,
    integrate,
    lengths,
)
from testbed.environments.treasure import rewards as treasure_rewards
from testbed.environments.treasure.observations import Observer, observation_sizes
from testbed.environments.treasure.rewards import DEPOSIT_WITHIN, Situation

HUNTER_RADIUS, BANK_RADIUS, TREASURE_RADIUS = 0.05, 0.075, 0.025
HUNTER: Colour = (105, 105, 105)
CORE = 0.7  # radius of a held treasure's colour in a picture, as a share of the hunter's
HUNTER_MASS, BANK_MASS = 1.0, 2.25
# The original multiplies an action's direction by the agent's `accel`, 1.5, twice; masses cancel.
ACCELERATIONS = 1.5 * 1.5 * DIRECTIONS
MAX_SPEED = 1.0
TREASURES_WITHIN = 0.95  # treasures appear in [-0.95, 0.95]^2
EMPTY = -1
SEEN = ("holding", "treasure_pos", "treasure_type")  # in observations

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


class TreasureSettings(BaseEnvironmentSettings):
    """Options of cooperative treasure collection."""

    name: Literal["treasure"] = "treasure"
    hunters: Annotated[int, Field(ge=1, strict=True)] = 6
    """Number of hunters, and of treasures."""
    banks: Annotated[int, Field(ge=1, strict=True)] = 2
    """Number of banks, and of types of treasure."""
    reward: Literal["paper", "shared", "code_role", "code_head"] = "paper"
    """The assignment of rewards; see `treasure.rewards`. `paper`, Table II and equation 23 of MATRPO read
    literally: every bank is paid for the team's pickups and deposits, hunters pay for collisions. `shared`:
    every agent receives the mean of these, so that the team's return is the same. `code_role` and
    `code_head`, as in the authors' code, in which a pickup weighs 5 times the number of hunters; in the
    latter all of it goes to hunter 0. Returns are not comparable across the others."""
    episode_length: Annotated[int, Field(ge=1, strict=True)] = 100
    """Steps until truncation."""

    @property
    def agents(self) -> int:
        """Number of agents."""
        return self.hunters + self.banks

    def make(self, batch: int) -> "Treasure":
        """The environment, with `batch` parallel episodes."""
        return Treasure(self, batch)


class Treasure(BatchedEnvironment):
    """Batched cooperative treasure collection with H hunters, K banks, T = H treasures and N = H + K agents.

    Agents 0 .. H - 1 are hunters, H .. N - 1 banks; the b-th bank takes treasures of type b. There are no
    walls, and no episode terminates early. A step

    1. moves the agents;
    2. observes and pays: nothing has changed hands yet;
    3. lets treasures change hands. In index order, every treasure that is present goes to the first empty
       hunter within 0.075; it is then gone, shown at the origin, for one step, and treasures that were gone
       appear again. Then every hunter within 0.125 of the bank for its treasure is empty again, even if it
       has just picked it up.

    Observations: own position and velocity; hunters: one-hot of the type held, all zero when empty; the other
    agents in order of (distance, index), each relative position, velocity, and 2 K numbers: a bank has its
    type in the first K, a hunter the type it holds in the last K; the treasures in order of (distance,
    index), each relative position and one-hot type. That is 4 + (N - 1) (4 + 2 K) + T (2 + K) numbers, and K
    more for hunters; those of banks are padded.

    State, after step 3: `pos`, `vel` `[batch, N, 2]`; `holding` `[batch, H]`, a type or -1; `treasure_pos`
    `[batch, T, 2]`, `treasure_type`, `treasure_alive` `[batch, T]`. Agents still see the state before step 3:
    `seen_holding`, `seen_treasure_pos`, `seen_treasure_type`, which may be left out when setting a state and
    are then the same as those without `seen_`.

    Draws: an episode starts with the positions of all agents in [-1, 1]^2, row after row, then all treasures,
    row after row (see `_draw_treasures`). Treasures that appear again are drawn together, row after row, in
    index order.

    Components of the return: `pickups` and `deposits`, the numbers of treasures that hunters took, and
    brought to their bank, in step 3; `collisions`, the sum over hunters of the number of hunters each one
    touches, so that a touching pair counts twice; `distance`, the smallest distance between any empty hunter
    and any treasure that is present, 0 if there are none. They do not depend on `reward`.
    """

    name = "treasure"
    components = ("pickups", "deposits", "collisions", "distance")

    def __init__(self, settings: TreasureSettings, batch: int) -> None:
        hunters, banks, agents = settings.hunters, settings.banks, settings.agents
        pairs = Pairs(agents)
        holds, types = (EMPTY, banks - 1), (0, banks - 1)
        super().__init__(
            batch=batch,
            episode_length=settings.episode_length,
            observation_sizes=observation_sizes(hunters, banks),
            action_sizes=[DIRECTIONS.shape[1]] * agents,
            state_shapes={
                "pos": (agents, 2),
                "vel": (agents, 2),
                "holding": (hunters,),
                "treasure_pos": (hunters, 2),
                "treasure_type": (hunters,),
                "treasure_alive": (hunters,),
                "seen_holding": (hunters,),
                "seen_treasure_pos": (hunters, 2),
                "seen_treasure_type": (hunters,),
            },
            state_limits={
                "holding": holds,
                "treasure_type": types,
                "treasure_alive": (0, 1),
                "seen_holding": holds,
                "seen_treasure_type": types,
            },
            state_copies={f"seen_{name}": name for name in SEEN},
        )
        self.settings = settings
        self.hunters, self.banks = hunters, banks
        self._pay = treasure_rewards.REWARDS[settings.reward]
        self._pairs, self._observer = pairs, Observer(pairs, hunters, banks, self.batch)
        radii = np.array([HUNTER_RADIUS] * hunters + [BANK_RADIUS] * banks)
        masses = np.array([HUNTER_MASS] * hunters + [BANK_MASS] * banks)
        self._touching = radii[pairs.first] + radii[pairs.second]
        # Factors of accelerations: the original multiplies the force on a body by the other's mass over its
        # own.
        first, second = masses[pairs.first], masses[pairs.second]
        self._weights = (second / first**2, first / second**2)
        # Each hunter's pairs with the other hunters, and with the banks.
        self._hunter_pairs = pairs.of_body[:hunters, : hunters - 1]
        self._bank_pairs = pairs.of_body[:hunters, hunters - 1 :]
        # All [..., batch].
        self._positions = np.zeros((agents, 2, self.batch))
        self._velocities = np.zeros_like(self._positions)
        self._holding: Integers = np.full((hunters, self.batch), EMPTY)
        self._places = np.zeros((hunters, 2, self.batch))
        self._types: Integers = np.zeros((hunters, self.batch), dtype=np.int64)
        self._alive = np.ones((hunters, self.batch), dtype=np.bool_)
        self._seen_holding = self._holding.copy()
        self._seen_places = self._places.copy()
        self._seen_types = self._types.copy()
        self._arrays: dict[str, NDArray[Any]] = {
            "pos": self._positions,
            "vel": self._velocities,
            "holding": self._holding,
            "treasure_pos": self._places,
            "treasure_type": self._types,
            "treasure_alive": self._alive,
            "seen_holding": self._seen_holding,
            "seen_treasure_pos": self._seen_places,
            "seen_treasure_type": self._seen_types,
        }
        self._measure()

    def observations(self) -> Observations:
        return self._observer.observe(
            self._positions,
            self._velocities,
            self._seen_holding,
            self._seen_places,
            self._seen_types,
            self._pair_distances,
            self._treasure_distances,
        )

    def _see(self) -> None:
        """Update the holdings and treasure positions that agents see."""
        for name in SEEN:
            self._arrays[f"seen_{name}"][:] = self._arrays[name]
        self._measure()

    def _measure(self) -> None:
        """Offsets and distances, for rewards, observations and the forces of the next step."""
        self._pair_offsets = self._pairs.offsets(self._positions)
        self._pair_distances = lengths(self._pair_offsets)
        # [agent, treasure, batch]
        self._treasure_distances = lengths(self._seen_places[None] - self._positions[:, None])

    def _begin(self, rows: NDArray[np.intp]) -> None:
        places = self._generator.uniform(-1.0, 1.0, size=(rows.size, self.agents, 2))
        self._positions[:, :, rows] = places.transpose(1, 2, 0)
        self._velocities[:, :, rows] = 0.0
        self._holding[:, rows] = EMPTY
        places, types = self._draw_treasures(rows.size * self.hunters)
        self._places[:, :, rows] = places.reshape(rows.size, self.hunters, 2).transpose(1, 2, 0)
        self._types[:, rows] = types.reshape(rows.size, self.hunters).T
        self._alive[:, rows] = True
        for name in SEEN:
            self._arrays[f"seen_{name}"][..., rows] = self._arrays[name][..., rows]
        self._measure()

    def _draw_treasures(self, count: int) -> tuple[Array, Integers]:
        """Positions `[count, 2]`, all of them first, then types `[count]`.

        The original draws treasure by treasure, and before each new one a number that it compares with the
        probability of appearing, which is 1.
        """
        places = self._generator.uniform(-TREASURES_WITHIN, TREASURES_WITHIN, size=(count, 2))
        return places, self._generator.integers(self.banks, size=count)

    def _advance(self, actions: NDArray[np.integer]) -> tuple[Array, NDArray[np.bool_], Info]:
        acceleration = np.ascontiguousarray(ACCELERATIONS[:, actions.T].swapaxes(0, 1))
        add_contact_forces(
            acceleration,
            self._pairs,
            self._pair_offsets,
            self._pair_distances,
            self._touching,
            self._weights,
        )
        integrate(self._positions, self._velocities, acceleration, MAX_SPEED)
        self._see()
        situation = self._situation()
        rewards = np.zeros((self.batch, self.agents))
        self._pay(situation, rewards)
        info: Info = {
            "collisions": situation.partners.sum(axis=0),
            "distance": situation.closest,
        }
        info |= self._change_hands(situation)
        return rewards, np.zeros((self.batch, self.agents), dtype=np.bool_), info

    def _situation(self) -> Situation:
        hunters = self.hunters
        touching = self._pair_distances[self._hunter_pairs] < HUNTER_RADIUS + HUNTER_RADIUS
        return Situation(
            hunter_positions=self._positions[:hunters],
            bank_positions=self._positions[hunters:],
            holding=self._holding,
            alive=self._alive,
            treasure_distances=self._treasure_distances[:hunters],
            bank_distances=self._pair_distances[self._bank_pairs],
            partners=touching.sum(axis=1),
        )

    def _change_hands(self, situation: Situation) -> Info:
        """Apply pickups, deposits and new treasures; returns their numbers, `[batch]`."""
        gone = ~self._alive
        pickups = self._pick_up(situation)
        if gone.any():
            row, treasure = np.nonzero(gone.T)
            places, types = self._draw_treasures(row.size)
            self._places[treasure, :, row] = places
            self._types[treasure, row] = types
            self._alive[treasure, row] = True
        in_reach = situation.bank_distances < DEPOSIT_WITHIN
        if not in_reach.any():
            return {"pickups": pickups, "deposits": np.zeros(self.batch, dtype=np.int64)}
        delivered = (in_reach & (self._holding[:, None] == situation.types)).any(axis=1)
        self._holding[delivered] = EMPTY
        return {"pickups": pickups, "deposits": delivered.sum(axis=0)}

    def _pick_up(self, situation: Situation) -> Integers:
        pickups: Integers = np.zeros(self.batch, dtype=np.int64)
        rows = np.flatnonzero(situation.collecting.any(axis=(0, 1)))
        if rows.size == 0:
            return pickups
        in_reach, holding = situation.collecting[:, :, rows], self._holding[:, rows]
        for treasure in range(self.hunters):
            takers = in_reach[:, treasure] & (holding == EMPTY)
            taken = np.flatnonzero(takers.any(axis=0))
            where = rows[taken]
            holding[takers.argmax(axis=0)[taken], taken] = self._types[treasure, where]
            self._alive[treasure, where] = False
            self._places[treasure, :, where] = 0.0
            pickups[where] += 1
        self._holding[:, rows] = holding
        return pickups

    def _read(self) -> dict[str, NDArray[Any]]:
        return {name: np.moveaxis(array, -1, 0).copy() for name, array in self._arrays.items()}

    def _write(self, state: Mapping[str, NDArray[Any]]) -> None:
        for name, array in self._arrays.items():
            array[:] = np.moveaxis(state[name], 0, -1)
        self._measure()

    def render(self, row: int = 0) -> NDArray[np.uint8]:
        """Banks large and treasures small in their type's colour; hunters grey around their treasure.

        Hunters and banks have their numbers as agents.
        """
        colours = hues(self.banks)
        positions, places = self._positions[:, :, row], self._places[:, :, row]
        furthest = np.abs(positions).max()
        discs: list[Disc | Text] = []
        banks = zip(positions[self.hunters :], colours, strict=True)
        for agent, ((x, y), colour) in enumerate(banks, start=self.hunters):
            discs += numbered(Disc(x, y, BANK_RADIUS, colour), agent)
        for (x, y), alive, kind in zip(places, self._alive[:, row], self._types[:, row], strict=True):
            if alive:
                discs.append(Disc(x, y, TREASURE_RADIUS, colours[kind]))
        held = self._holding[:, row]
        for agent, ((x, y), kind) in enumerate(zip(positions[: self.hunters], held, strict=True)):
            discs.append(Disc(x, y, HUNTER_RADIUS, HUNTER, rim=True))
            core = HUNTER if kind == EMPTY else colours[kind]
            discs += numbered(Disc(x, y, CORE * HUNTER_RADIUS, core), agent, radius=HUNTER_RADIUS)
        half_width = view(furthest) + 1.2 * BANK_RADIUS
        return draw(discs, half_width=half_width, square=1.0, pixels=self.picture_side)

    @property
    def agent_names(self) -> tuple[str, ...]:
        """Hunters first, then banks."""
        kinds = ["hunter"] * self.hunters + ["bank"] * self.banks
        return tuple(f"{kind} {agent}" for agent, kind in enumerate(kinds))

    @property
    def agent_colours(self) -> tuple[Colour, ...]:
        """Hunters are grey, banks have the colours of their types."""
        return (HUNTER,) * self.hunters + tuple(hues(self.banks))
