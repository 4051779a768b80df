"""The StarCraft Multi-Agent Challenge in the real StarCraft II.

SMAC (Samvelyan et al. 2019, https://github.com/oxwhirl/smac) and the game are not installed with the testbed.
Each game runs in a separate process, run by the interpreter that has smac; see `starcraft_child`.
"""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, ValidationInfo, field_validator

from testbed.common.suggestions import did_you_mean
from testbed.environments.action_masks import refuse_unavailable, replace_unavailable
from testbed.environments.base import BaseEnvironmentSettings
from testbed.environments.batched import BatchedEnvironment, Info, Observations
from testbed.environments.external.starcraft_options import StarCraftOptions
from testbed.environments.external.starcraft_pool import GameError, Games, stacked
from testbed.identity import differing

SEEDS = 2**31  # the game takes a signed 32-bit integer

# Agents and step limit of SMAC's maps (its smac_maps.py).
MAPS: dict[str, tuple[int, int]] = {
    "2s3z": (5, 120),
    "3s5z": (8, 150),
    "10m_vs_11m": (10, 150),
    "MMM2": (10, 180),
    "3m": (3, 60),
    "8m": (8, 120),
    "25m": (25, 150),
    "5m_vs_6m": (5, 70),
    "8m_vs_9m": (8, 120),
    "27m_vs_30m": (27, 180),
    "MMM": (10, 150),
    "3s5z_vs_3s6z": (8, 170),
    "1c3s5z": (9, 180),
    "3s_vs_3z": (3, 150),
    "3s_vs_4z": (3, 200),
    "3s_vs_5z": (3, 250),
    "2m_vs_1z": (2, 150),
    "corridor": (6, 400),
    "6h_vs_8z": (6, 150),
    "2s_vs_1sc": (2, 300),
    "so_many_baneling": (7, 100),
    "bane_vs_bane": (24, 200),
    "2c_vs_64zg": (2, 400),
}


class StarCraftSettings(BaseEnvironmentSettings):
    """Options of SMAC's battles in the real game."""

    outside: ClassVar = True
    replay_ending: ClassVar = ".SC2Replay"
    sizes_known: ClassVar = False  # before a game has been opened
    baseline_episodes: ClassVar = 0  # these would need games
    client: ClassVar = "StarCraft II"

    name: Literal["starcraft"] = "starcraft"
    map_agents: Annotated[int | None, Field(ge=1, strict=True)] = None
    """Agents of a map that is not among SMAC's own 23; null otherwise."""
    map_limit: Annotated[int | None, Field(ge=1, strict=True)] = None
    """Step limit of such a map; null otherwise."""
    map: str = "2s3z"  # declared after the numbers it is checked against
    """A map of SMAC; agents and step limit of its own 23 are known."""
    reward: Literal["paper", "shared"] = "paper"
    """`paper`, as Li & He describe it: agent 0 receives the team's reward, dead or alive, and the others
    nothing. `shared`, as in SMAC: every agent receives it."""
    unavailable: Literal["mask", "random"] = "mask"
    """Meaning of an unavailable action. `mask`: an error, as in SMAC, and there are action masks. `random`:
    it is replaced by a uniformly random available one and there are no masks, as in the published training
    script of MATRPO."""
    games: Annotated[int, Field(ge=1)] = 8
    """Most games at once, each a client of StarCraft II: so many battles are played side by side to learn
    (`training.batch` may ask for fewer), and in an evaluation by as many clients of its own, one after the
    other until `training.evaluation.episodes` have been played."""
    options: StarCraftOptions = StarCraftOptions()
    """Options of SMAC."""
    python: Annotated[str | None, Field(min_length=1)] = None
    """Path of an interpreter that has smac; null: this one. It is not part of a trial's name; the versions of
    smac, pysc2 and StarCraft II that played are stored with the trial."""

    @field_validator("map")
    @classmethod
    def _is_known(cls, value: str, info: ValidationInfo) -> str:
        given = [info.data.get(name) is not None for name in ("map_agents", "map_limit")]
        if value in MAPS and any(given):
            raise ValueError(f"{value} is a known map: leave out map_agents and map_limit")
        if value not in MAPS and not all(given):
            raise ValueError(
                f"must be one of {', '.join(MAPS)}; another map needs map_agents and map_limit"
                f"{did_you_mean(value, MAPS)}"
            )
        return value

    @property
    def agents(self) -> int:
        """Number of agents: the map's allies."""
        return MAPS[self.map][0] if self.map_agents is None else self.map_agents

    @property
    def episode_length(self) -> int:
        """Steps until SMAC ends an undecided battle."""
        return MAPS[self.map][1] if self.map_limit is None else self.map_limit

    @property
    def most_parallel(self) -> int:
        """As many as there may be games."""
        return self.games

    def essence(self) -> dict[str, Any]:
        """Differences from the defaults, without the path of the interpreter.

        The number of games is always among them, as trials of earlier versions had as many as they liked.
        """
        found = {name: value for name, value in differing(self).items() if name != "python"}
        return {**found, "games": self.games}

    def make(self, batch: int) -> "StarCraft":
        """The environment, with `batch` parallel games."""
        return StarCraft(self, batch)

    def without_pictures(self) -> str | None:
        """The reason: only the game itself draws pictures."""
        return "starcraft: has no pictures; `testbed play` writes a replay, which the game shows"

    def for_baselines(self) -> Self:
        """The same battle with masks."""
        return self.model_copy(update={"unavailable": "mask"})

    def opens(self) -> Hashable | None:
        """The interpreter, the map and the options of its games."""
        return self.python, self.map, self.map_agents, self.map_limit, self.options.model_dump_json()

    def check_opens(self) -> None:
        """Open a game and close it again: no client is launched. Raises ValueError, or GameError."""
        StarCraft(self, 1).close()


class StarCraft(BatchedEnvironment):
    """A batch of StarCraft II games, one client of the game each.

    Actions, observations and rewards are SMAC's. A battle that is decided terminates for all agents; one that
    runs out of time is truncated. So is one whose client broke down; the next battle of its row has a new
    client. The dead observe zeros and can only play 0.

    Randomness: every start of a row draws one seed from the environment's generator, but the game takes a
    seed only when its client is launched: for the first battle of a row, after `reset(seed)`, after a
    breakdown, and when the first battle of a client is left before its end. Later battles continue with the
    client's own random numbers. Equal seeds are not guaranteed to give equal battles; that depends on
    StarCraft II.

    State: a real game cannot be saved, so `state` raises and `saves_state` is False. A run that resumes
    starts new battles with the next seeds of its generator; it is not the run that was interrupted.

    Components of the return: `team_reward`, SMAC's reward; `battle_won`, `dead_allies`, `dead_enemies`, the
    changes in this step; `timed_out`, whether the battle ended in this step because its time was up;
    `breakdowns`, clients lost in this step, or as the battle began.

    Raises:
        GameError: when it is made, reset or stepped: smac or the game is missing, or a game failed.
    """

    name = "starcraft"
    components = ("team_reward", "battle_won", "timed_out", "dead_allies", "dead_enemies", "breakdowns")
    saves_state = False

    def __init__(self, settings: StarCraftSettings, batch: int) -> None:
        if isinstance(batch, bool) or not isinstance(batch, int | np.integer) or batch < 1:
            raise ValueError(f"batch: got {batch!r}, must be an integer of at least 1")
        self._games = Games(settings.python, settings.map, int(batch), settings.options.passed())
        info = self._games.info
        found, expected = (
            (info["n_agents"], info["episode_limit"]),
            (settings.agents, settings.episode_length),
        )
        if found != expected:
            self._games.close()
            raise GameError(
                f"starcraft: map {settings.map} has {found[0]} agents and {found[1]} steps in the smac of "
                f"{self._games.python}, expected {expected[0]} and {expected[1]}"
            )
        super().__init__(
            batch=batch,
            episode_length=settings.episode_length,
            observation_sizes=[info["obs_shape"]] * settings.agents,
            action_sizes=[info["n_actions"]] * settings.agents,
            state_shapes={},
        )
        self.settings = settings
        self.state_size = info["state_shape"]
        shape = (self.batch, self.agents)
        self._seen: dict[str, NDArray[Any]] = {
            "observations": np.zeros((*shape, self.observation_size), dtype=np.float32),
            "masks": np.zeros((*shape, self.action_size), dtype=np.bool_),
            "state": np.zeros((self.batch, self.state_size), dtype=np.float32),
        }
        self._dead = np.zeros((2, self.batch), dtype=np.int64)  # allies, enemies
        self._lost: NDArray[np.bool_] = np.zeros(self.batch, dtype=np.bool_)
        self._lost_before = np.zeros(self.batch, dtype=np.int64)
        # SMAC starts a battle in a client that runs only once it has seen one end there.
        self._restartable: NDArray[np.bool_] = np.zeros(self.batch, dtype=np.bool_)

    def close(self) -> None:
        """End the games and their processes."""
        self._games.close()

    def observations(self) -> Observations:
        return self._seen["observations"].copy()

    def masks(self) -> Info:
        return {"action_masks": self._seen["masks"].copy()} if self.settings.unavailable == "mask" else {}

    def active(self) -> Info:
        """The living agents: in SMAC action 0 is available to the dead, and only to them."""
        return {"active": ~self._seen["masks"][..., 0]}

    def global_state(self) -> NDArray[np.float32]:
        """SMAC's state vector `[batch, state_size]`, which no agent sees."""
        return self._seen["state"].copy()

    def versions(self) -> dict[str, str]:
        """Versions of `smac` and `pysc2`, and of `starcraft` once a game has been launched."""
        return dict(self._games.versions)

    def replay(self, row: int = 0) -> bytes:
        """The game's replay of a row: all battles since its client was launched, an `.SC2Replay` file."""
        return self._games.replay(row)

    def reset(self, seed: int | None = None, where: ArrayLike | None = None) -> tuple[Observations, Info]:
        """Start episodes as the base class does; a `seed` also relaunches these rows' clients to take it."""
        if seed is not None:
            self._restartable[:] = False
        return super().reset(seed, where)

    def _begin(self, rows: NDArray[np.intp]) -> None:
        seeds = self._generator.integers(SEEDS, size=rows.size)
        launch = rows[~self._restartable[rows]].tolist()
        if rows.size:
            with self._all_or_none():
                replies = self._games.reset(dict(zip(rows.tolist(), seeds.tolist(), strict=True)), launch)
            self._look(rows, replies)
            self._lost_before[rows] = stacked(replies, "lost", np.int64)
        self._restartable[rows] = False
        self._dead[:, rows] = 0
        self._lost[rows] = False

    def _advance(self, actions: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.bool_], Info]:
        if self.settings.unavailable == "random":
            actions = replace_unavailable(actions, self._seen["masks"], self._generator)
        with self._all_or_none():
            replies = self._games.step(actions)
        self._look(np.arange(self.batch), replies)
        team = stacked(replies, "reward", np.float64)
        rewards = np.zeros((self.batch, self.agents))
        rewards[:, : 1 if self.settings.reward == "paper" else self.agents] = team[:, None]
        self._lost = stacked(replies, "lost", np.bool_)
        timed_out = stacked(replies, "timed_out", np.bool_)
        over = stacked(replies, "terminated", np.bool_)
        decided = over & ~timed_out & ~self._lost
        self._restartable |= over & ~self._lost
        dead = np.stack([stacked(replies, name, np.int64) for name in ("dead_allies", "dead_enemies")])
        dead = np.where(self._lost, self._dead, dead)  # nothing is counted when a client is lost
        fallen, self._dead = dead - self._dead, dead
        info: Info = {
            "team_reward": team,
            "battle_won": stacked(replies, "battle_won", np.int64),
            "timed_out": timed_out.astype(np.int64),
            "dead_allies": fallen[0],
            "dead_enemies": fallen[1],
            "breakdowns": self._lost + self._lost_before,
        }
        self._lost_before[:] = 0
        return rewards, np.repeat(decided[:, None], self.agents, axis=1), info

    def _truncated(self) -> NDArray[np.bool_]:
        return np.repeat(self._lost[:, None], self.agents, axis=1)

    @contextmanager
    def _all_or_none(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._started = False  # some games may have moved: all must be reset next
            self._restartable[:] = False
            raise

    def _look(self, rows: NDArray[np.intp], replies: Any) -> None:
        for name, kept in self._seen.items():
            for row, (_, arrays) in zip(rows, replies, strict=True):
                if arrays[name].shape != kept.shape[1:]:
                    raise GameError(
                        f"starcraft: game {row} gave {name} of shape {arrays[name].shape}, but announced "
                        f"{kept.shape[1:]}"
                    )
                kept[row] = arrays[name]

    def _checked_actions(self, actions: ArrayLike) -> NDArray[np.integer]:
        checked = super()._checked_actions(actions)
        if self._started and not self._finished.any() and self.settings.unavailable == "mask":
            refuse_unavailable(checked, self._seen["masks"])
        return checked

    def _read(self) -> NoReturn:
        raise RuntimeError(
            "state: a game of StarCraft II cannot be saved or restored; a run that resumes starts new "
            "battles and is not the run that was interrupted"
        )

    def _write(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._read()

    def render(self, row: int = 0) -> NDArray[np.uint8]:
        """Refuse: the client draws no pictures here; its replays can be watched in the game.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("starcraft: no pictures: SMAC's client runs without a display")
