"""Skirmish: two teams in a corridor, one of them learning, with the interface of SMAC.

After the StarCraft Multi-Agent Challenge (Samvelyan et al. 2019): the actions, masks, observations, state
vector, rewards and end rules are SMAC's. StarCraft II itself is closed; units, ticks and the behaviour of the
enemy are those of SMAClite (Michalski et al. 2023), with its faster movement and weapons. Results resemble
SMAC's and must not be compared with them number for number.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, ValidationInfo, field_validator

from testbed.environments.action_masks import refuse_unavailable, replace_unavailable
from testbed.environments.base import BaseEnvironmentSettings
from testbed.environments.batched import BatchedEnvironment, Info, Observations
from testbed.environments.drawing import Colour, agent_colours
from testbed.environments.skirmish.battle import Battle
from testbed.environments.skirmish.maps import load_map, names_a_file
from testbed.environments.skirmish.observations import Layout, Sight
from testbed.environments.skirmish.render import AGENTS, paint
from testbed.environments.skirmish.scripted import BASES, Scripted
from testbed.environments.skirmish.units import Roster
from testbed.identity import essence

TICKS_PER_STEP = 8
KILL_REWARD = 10.0
WIN_REWARD = 200.0
FULL_RETURN = 20.0  # return of a team that kills every enemy once

# State arrays that the battle keeps under the same name.
UNIT_ARRAYS = ("hp", "shield", "cooldown", "shield_wait", "energy", "stock")


class SkirmishSettings(BaseEnvironmentSettings):
    """Options of a skirmish."""

    files: ClassVar = {"map": names_a_file}
    policies: ClassVar = BASES
    percentages: ClassVar = True
    best_of: ClassVar = (
        "hold",
        "nearest",
        "nearest10",
        "focus",
        "focus10",
    )  # some win only with a little randomness

    name: Literal["skirmish"] = "skirmish"
    map: str = "2s3z"
    """A built-in map (2s3z, 3s5z, 10m_vs_11m, MMM2) or the path of a map file ending in .yaml."""
    reward: Literal["paper", "shared"] = "paper"
    """`paper`, as Li & He describe it: agent 0 receives the team's reward, dead or alive, and the others
    nothing. `shared`, as in SMAC: every agent receives it."""
    unavailable: Literal["mask", "random"] = "mask"
    """Meaning of an unavailable action. `mask`: an error, as in SMAC, and there are action masks. `random`:
    it is replaced by a uniformly random available one and there are no masks, as in the published training
    script of MATRPO."""
    spawn_jitter: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Every unit starts up to this far from its place in the spawn grid, uniformly in x and in y. With 0 a
    battle has no randomness of its own, and playing one policy without randomness for many episodes plays
    the same episode many times. Gaps in the grid are 0.05, so units may overlap a little at first; they
    part as they move. Agents and enemies keep the numbers of their places in the grid, however far they are
    moved. SMAC instead numbers the agents of a type by x, then y, at the start of each battle, so that there
    two neighbours may change numbers from one battle to the next."""
    rules: Literal["smac", "smaclite"] = "smac"
    """`smac`: the reward is the absolute change of the enemy's hp and shields in a step, healing and
    regrowth included, and a side left with healers only has lost. `smaclite`, for comparisons with that
    simulator: damage dealt is paid regardless of healing, a side has lost when all are dead, killing the last
    enemy wins even when the last ally dies with it, and the units of a tick act in a random order instead
    of all at once, drawn from the environment's generator when a unit dies (slower)."""
    episode_length: Annotated[int, Field(ge=1, strict=True)] = cast(int, None)  # given by the map
    """Steps until truncation; by default (null) the map's own limit."""

    @field_validator("map")
    @classmethod
    def _exists(cls, value: str) -> str:
        load_map(value)
        return value

    @field_validator("episode_length", mode="before")
    @classmethod
    def _of_the_map(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and "map" in info.data:
            return load_map(info.data["map"]).episode_limit
        return value

    @property
    def agents(self) -> int:
        """Number of agents: the map's allies."""
        return sum(group.count for group in load_map(self.map).allies)

    def make(self, batch: int) -> "Skirmish":
        """The environment, `batch` episodes of it."""
        return Skirmish(self, batch)

    def meaning(self) -> dict[str, Any]:
        """Plain data, equal for environments that are the same: a map by the content of its file."""
        return {**super().meaning(), "map": essence(load_map(self.map))}

    def for_baselines(self) -> Self:
        """The same battle with masks: scripts never play unavailable actions, so nothing else changes."""
        return self.model_copy(update={"unavailable": "mask"})


class Skirmish(BatchedEnvironment):
    """Batched skirmish.

    Actions: 0 no-op (the dead, and only they), 1 stop, 2 north, 3 south, 4 east, 5 west, 6 + k: attack enemy
    k, or for a healer heal ally k. Agent i observes which of the four moves it has, every enemy and every
    other ally within 9, and itself; `global_state` is SMAC's state vector. Rewards are scaled so that killing
    every enemy once and winning gives 20. A battle that is decided terminates, one at its limit is truncated.
    All agents play until the battle ends; the dead observe zeros.

    State: `pos`, `vel` `[batch, unit, 2]`; `hp`, `shield`, `cooldown` and `shield_wait` (ticks), `energy`,
    `stock` (hp that a healer has paid for), `target` (a unit's number; the number of units means none)
    `[batch, unit]`; `last_action` `[batch, agent]`, -1 before the first step. Units are the agents, then the
    enemies. Numbers are float32 inside.

    Components of the return: `team_reward`, SMAC's reward, whoever is paid; `battle_won`, `timed_out`,
    `dead_allies`, `dead_enemies`: the changes in this step, so that their sums give the outcome of the
    battle.
    """

    name = "skirmish"
    components = ("team_reward", "battle_won", "timed_out", "dead_allies", "dead_enemies")

    def __init__(self, settings: SkirmishSettings, batch: int) -> None:
        self.settings = settings
        self.roster = Roster(load_map(settings.map))
        units, agents = self.roster.units, self.roster.allies
        layout = Layout(self.roster)
        super().__init__(
            batch=batch,
            episode_length=settings.episode_length,
            observation_sizes=[layout.observation_size] * agents,
            action_sizes=[layout.actions] * agents,
            state_shapes={
                "pos": (units, 2),
                "vel": (units, 2),
                **dict.fromkeys(UNIT_ARRAYS, (units,)),
                "target": (units,),
                "last_action": (agents,),
            },
        )
        self.state_size = layout.state_size
        self.battle = Battle(self.roster, self.batch)
        self._sight = Sight(self.battle, layout)
        self._last_actions = np.full((agents, self.batch), -1)
        self._scale = FULL_RETURN / self.roster.max_reward
        self._sight.look()

    def scripted(self, policy: str) -> Scripted:
        """A policy of `testbed.environments.skirmish.scripted`. Raises ValueError for an unknown name."""
        return Scripted(self, policy)

    def observations(self) -> Observations:
        return self._sight.observations()

    def masks(self) -> Info:
        return {} if self.settings.unavailable == "random" else {"action_masks": self._sight.masks()}

    def active(self) -> Info:
        """The living agents; with `unavailable: random` no mask shows them."""
        return {"active": self.battle.alive[: self.agents].T.copy()}

    def global_state(self) -> NDArray[np.float32]:
        """SMAC's state vector `[batch, state_size]`, which no agent sees.

        Allies: hp, cooldown (a healer: energy / 200), x, y, shield and type code; enemies the same without
        cooldown; the dead are zeros; then all agents' last actions, one-hot. Hp and shields are fractions,
        places measured from the middle in map widths, cooldowns in ticks over SMAC's constant for the type.
        """
        return self._sight.state(self._last_actions)

    def _begin(self, rows: NDArray[np.intp]) -> None:
        jitter = self.settings.spawn_jitter
        places = np.repeat(self.roster.start[..., None].astype(np.float64), rows.size, axis=2)
        if jitter:
            # Row after row: its units, x before y.
            drawn = self._generator.uniform(-jitter, jitter, size=(rows.size, self.roster.units, 2))
            places += drawn.transpose(1, 2, 0)
        self.battle.begin(rows, places)
        self._last_actions[:, rows] = -1
        self._sight.look()

    def _advance(self, actions: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.bool_], Info]:
        battle, roster, agents = self.battle, self.roster, self.agents
        if self.settings.unavailable == "random":
            actions = replace_unavailable(actions, self._sight.masks(), self._generator)
        self._last_actions[:] = actions.T
        alive = battle.alive[: roster.units].copy()
        team = self._fight(self._last_actions)
        died = alive & ~battle.alive[: roster.units]
        dead_allies, dead_enemies = died[:agents].sum(axis=0), died[agents:].sum(axis=0)
        lost, won = self._decided()
        team = (team + WIN_REWARD * won) * self._scale
        rewards = np.zeros((self.batch, agents))
        rewards[:, : 1 if self.settings.reward == "paper" else agents] = team[:, None]
        terminations = np.repeat((lost | won)[:, None], agents, axis=1)
        self._sight.look()
        timed_out = (self._t >= self.episode_length) & ~(lost | won)
        info: Info = {
            "team_reward": team,
            "battle_won": won.astype(np.int64),
            "timed_out": timed_out.astype(np.int64),
            "dead_allies": dead_allies,
            "dead_enemies": dead_enemies,
        }
        return rewards, terminations, info

    def _fight(self, actions: NDArray[np.integer]) -> NDArray[np.float64]:
        """Play the ticks of a step; returns the team's reward for fighting, `[batch]`, unscaled."""
        battle, before = self.battle, self._enemy_points()
        shuffle = self._generator if self.settings.rules == "smaclite" else None
        battle.command(actions)
        for _ in range(TICKS_PER_STEP):
            battle.tick(shuffle)
        gained = before - self._enemy_points()
        gained += KILL_REWARD * battle.felled
        return gained + battle.regained if self.settings.rules == "smaclite" else np.abs(gained)

    def _enemy_points(self) -> NDArray[np.float64]:
        battle, agents = self.battle, self.agents
        points = battle.hp[agents:] + battle.shield[agents:]
        total: NDArray[np.float64] = np.add.accumulate(points, axis=0, dtype=np.float64)[-1]
        return total

    def _decided(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Rows `[batch]` in which the battle is lost, and won; not both."""
        smac = self.settings.rules == "smac"
        standing = self.battle.alive[: self.roster.units]
        if smac:
            standing = standing & ~self.roster.healer[:, None]
        lost = ~np.logical_or.reduce(standing[: self.agents], axis=0)
        won = ~np.logical_or.reduce(standing[self.agents :], axis=0)
        return (lost, won & ~lost) if smac else (lost & ~won, won)

    def _over(self) -> NDArray[np.bool_]:
        lost, won = self._decided()
        return lost | won

    def _checked_actions(self, actions: ArrayLike) -> NDArray[np.integer]:
        checked = super()._checked_actions(actions)
        if self._started and not self._finished.any() and self.settings.unavailable == "mask":
            refuse_unavailable(checked, self._sight.masks())
        return checked

    def _read(self) -> dict[str, NDArray[Any]]:
        battle, units = self.battle, self.roster.units
        places = np.stack([battle.x[:units].T, battle.y[:units].T], axis=-1)
        arrays: dict[str, NDArray[Any]] = {
            "pos": places,
            "vel": np.stack([battle.vx.T, battle.vy.T], axis=-1),
        }
        arrays |= {name: getattr(battle, name).T.copy() for name in UNIT_ARRAYS}
        return arrays | {"target": battle.target[:units].T.copy(), "last_action": self._last_actions.T.copy()}

    def _write(self, state: Mapping[str, NDArray[np.float64]]) -> None:
        for name, low, high in (("target", 0, self.roster.units), ("last_action", -1, self.action_size - 1)):
            wrong = (state[name] < low) | (state[name] > high) | (state[name] != np.rint(state[name]))
            if wrong.any():
                got = state[name][wrong][0]
                raise ValueError(f"state[{name!r}]: got {got:g}, must be an integer from {low} to {high}")
        for name, most in (("hp", self.roster.hp), ("shield", self.roster.shield)):
            wrong = (state[name] < 0) | (state[name] > most)
            if wrong.any():
                raise ValueError(
                    f"state[{name!r}]: got {state[name][wrong][0]:g}, must be from 0 to the"
                    " maximum of its unit type"
                )
        battle, units = self.battle, self.roster.units
        battle.place[:, :units] = state["pos"].transpose(2, 1, 0)
        battle.velocity[:] = state["vel"].transpose(2, 1, 0)
        for name in UNIT_ARRAYS:
            getattr(battle, name)[:] = state[name].T
        battle.target[:units] = state["target"].T
        self._last_actions[:] = state["last_action"].T
        battle.refresh()
        self._sight.look()

    def render(self, row: int = 0) -> NDArray[np.uint8]:
        """The corridor from above: agents numbered in their colours, enemies red, the dead faint and small.

        The full-coloured core of a disc is its hp, the pale blue rim its shield.
        """
        return paint(self.battle, row, self.picture_side)

    @property
    def agent_names(self) -> tuple[str, ...]:
        """Each agent's type of unit and its number."""
        return tuple(f"{name} {agent}" for agent, name in enumerate(self.roster.names[: self.agents]))

    @property
    def agent_colours(self) -> tuple[Colour, ...]:
        """The colour of each agent."""
        return agent_colours(self.agents, AGENTS)
