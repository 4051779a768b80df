"""Any PettingZoo world with Discrete, MultiDiscrete or Box actions, behind the batched interface.

A `ParallelEnv` is played as it is, an `AECEnv` as PettingZoo converts it (`aec`).

A world does not give its state, so an episode is stored as its origin: the seed it was reset with and the
joint actions played since. Setting a state replays them and compares the agents' observations and rewards
with the earlier ones; a world that does not depend on its seed alone is detected there, with an error.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, JsonValue, ValidationInfo, field_validator

from testbed.common.errors import WorldError
from testbed.environments.action_spaces import Played
from testbed.environments.base import BaseEnvironmentSettings
from testbed.environments.batched import BatchedEnvironment, Info, Observations
from testbed.environments.external.episode import Description, Episode, Flags, others_code
from testbed.environments.external.episodes import Episodes, Now
from testbed.environments.external.pettingzoo_loading import build, describe, load
from testbed.environments.external.worker_pool import Workers

SEEDS = 2**31  # NumPy and most worlds take seeds below this

Answer = TypeVar("Answer")


class PettingZooSettings(BaseEnvironmentSettings):
    """Options of a PettingZoo world. Checking them builds the world once, to look at its spaces."""

    outside: ClassVar = True
    baseline_episodes: ClassVar = 20  # a world may be slow

    name: Literal["pettingzoo"] = "pettingzoo"
    pettingzoo: str
    """A dotted module whose `parallel_env`, or else `env`, makes the world, or `module:attribute`: a
    subclass of `ParallelEnv` or `AECEnv`, or a function whose name ends in `_env`. Checking it imports the
    module, which runs its code. A module that is not installed can be put on PYTHONPATH."""
    kwargs: Annotated[dict[str, JsonValue], Field(default_factory=dict)]
    """Keyword arguments of the factory. `render_mode` is not allowed: pictures are made separately."""
    episode_length: Annotated[int, Field(ge=1, strict=True)] = cast(int, None)  # filled in below
    """Steps until truncation from outside; a world may end its episode earlier. Null: the
    world's own limit, its attribute `max_cycles` (PettingZoo's usual name); a world without one, or in which
    agents take turns, each a step, needs a number here."""
    workers: Annotated[int, Field(ge=0, strict=True)] = 0
    """Processes that share the episodes of a batch; 0: all in this process, which is best when trials
    already run in parallel. Results do not depend on it."""

    @field_validator("pettingzoo")
    @classmethod
    def _exists(cls, value: str) -> str:
        load(value)
        return value

    @field_validator("kwargs")
    @classmethod
    def _makes_a_world(cls, value: dict[str, JsonValue], info: ValidationInfo) -> dict[str, JsonValue]:
        if "render_mode" in value:
            raise ValueError("render_mode cannot be set: pictures are made on request")
        if "pettingzoo" in info.data:
            describe(info.data["pettingzoo"], value)
        return value

    @field_validator("episode_length", mode="before")
    @classmethod
    def _own_limit(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None or not {"pettingzoo", "kwargs"} <= info.data.keys():
            return 1 if value is None else value  # without a world there is an error already
        world = describe(info.data["pettingzoo"], info.data["kwargs"])
        if world.limit is None:
            reason = (
                "lets its agents take turns, each of one step"
                if world.turns
                else "has no max_cycles of its own"
            )
            raise ValueError(f"needs a number, because {info.data['pettingzoo']} {reason}")
        return world.limit

    @property
    def world(self) -> Description:
        """Agents, sizes and other properties of the world."""
        return describe(self.pettingzoo, self.kwargs)

    @property
    def action_space(self) -> str:
        """The kind of the world's action spaces."""
        return self.world.action_spaces.kind

    @property
    def agents(self) -> int:
        """Number of agents, counted in the world's `possible_agents`."""
        return len(self.world.agents)

    def make(self, batch: int) -> "PettingZooWorlds":
        """The environment, with `batch` parallel worlds."""
        return PettingZooWorlds(self, batch)

    def without_pictures(self) -> str | None:
        """The reason: the world has no mode that draws arrays."""
        return None if self.world.pictures else f"{self.pettingzoo}: has no pictures (no mode 'rgb_array')"

    def for_baselines(self) -> Self:
        """The same world without separate processes, which change nothing else."""
        return self.model_copy(update={"workers": 0})


class PettingZooWorlds(BatchedEnvironment):
    """A batch of PettingZoo worlds; agents are numbered in the order of the world's `possible_agents`.

    Observations are flattened, padded with zeros and rounded to float32. An agent that is over before the
    others sees zeros and gets reward 0, its termination or truncation remains, and its actions are
    ignored. Observations in Discrete and MultiDiscrete are one-hot, as Gymnasium's `flatten` makes them.
    Actions outside a Box are clipped.

    There are action masks if the world has any when it is reset from seed 0, if agents have action spaces of
    different sizes, if they take turns, or else from the step at which an episode gives the first; an agent
    without a mask has all its actions. An agent waits whose mask is all 0, or while another has its turn: the
    first action is played for it and is the only one that it is shown (of a Box, nothing), so it has no
    choice there and learns nothing from that step.

    Every start of a row draws one seed from the environment's generator. A world must take all its
    randomness from the seed it is reset with, and keep no memory from one episode to the next; only then are
    episodes independent of `workers` and can they be restored.

    State, all of it exact: `seeds` `[batch]`, with which the episodes were reset; `actions`
    `[batch, episode_length, agent, ...]`, played so far, from `t` on -1 (in a Box 0); `returns`
    `[batch, agent]`, rewards so far; `observations` `[batch, agent, observation_size]`. The last two are
    compared after replaying the first two, which takes as long as the original play.

    Raises:
        WorldError: from `reset`, `step`, setting `state` and `render`: a world raised an error, broke
            PettingZoo's contract or does not follow from its seed, or a worker process died.
    """

    name = "pettingzoo"
    components = ()

    def __init__(self, settings: PettingZooSettings, batch: int) -> None:
        world = settings.world
        agents, length = settings.agents, settings.episode_length
        spaces = world.action_spaces
        limits = {"seeds": (0, SEEDS - 1)}
        if spaces.kind != "Box":
            limits["actions"] = (-1, max(spaces.categories or spaces.sizes) - 1)
        super().__init__(
            batch=batch,
            episode_length=length,
            observation_sizes=world.observation_sizes,
            action_sizes=spaces,
            state_shapes={
                "seeds": (),
                "actions": (length, agents, *spaces.shape),
                "returns": (agents,),
                "observations": (agents, max(world.observation_sizes)),
            },
            state_limits=limits,
        )
        self.settings = settings
        self._world = world
        self._seeds = np.zeros(self.batch, dtype=np.int64)
        self._played: Played = np.full(
            (self.batch, length, agents, *spaces.shape), spaces.blank, dtype=spaces.dtype
        )
        self._returns = np.zeros((self.batch, agents))
        self._camera: _Camera | None = None
        self._episodes: Episodes | Workers | None
        if settings.workers:
            self._episodes = Workers(settings.pettingzoo, settings.kwargs, self.batch, settings.workers)
        else:
            self._episodes = Episodes(settings.pettingzoo, settings.kwargs, world, range(self.batch))
        shape = (self.batch, agents)
        no: Flags = np.zeros(shape, dtype=np.bool_)
        self._now = Now(
            np.zeros((*shape, self.observation_size), dtype=np.float32),
            np.zeros(shape),
            no,
            no,
            np.zeros((*shape, self.action_size), dtype=np.bool_),
            no[:, 0],
        )

    def close(self) -> None:
        """Close the worlds and stop the workers; nothing can be played after that."""
        if self._camera is not None:
            self._camera.close()
        if self._episodes is not None:
            self._episodes.close()
        self._camera = self._episodes = None

    def observations(self) -> Observations:
        return self._now.observations.copy()

    def masks(self) -> Info:
        masked = self._world.masked or self._now.gave_masks.any()
        return {"action_masks": self._now.masks.copy()} if masked else {}

    def active(self) -> Info:
        """The agents that are not over."""
        return {"active": ~(self._now.terminations | self._now.truncations)}

    def _begin(self, rows: NDArray[np.intp]) -> None:
        if rows.size == 0:
            return
        seeds = self._generator.integers(SEEDS, size=rows.size)
        self._now = self._ask(lambda episodes: episodes.reset(rows.tolist(), seeds.tolist()))
        self._seeds[rows] = seeds
        self._played[rows] = self.action_spaces.blank
        self._returns[rows] = 0.0

    def _advance(self, actions: Played) -> tuple[NDArray[np.float64], Flags, Info]:
        now = self._now = self._ask(lambda episodes: episodes.step(actions))
        self._played[np.arange(self.batch), self._t - 1] = actions
        self._returns += now.rewards
        return now.rewards.copy(), now.terminations.copy(), {}

    def _truncated(self) -> Flags:
        return self._now.truncations

    def _called(self, row: int) -> str:
        return f"pettingzoo: {self.settings.pettingzoo}, row {row}"

    def _agent_called(self, agent: int) -> str:
        return f"agent {self._world.agents[agent]!r}"

    def _over(self) -> Flags:
        over: Flags = np.all(self._now.terminations | self._now.truncations, axis=1)
        return over

    def _read(self) -> dict[str, NDArray[Any]]:
        if not self._started:
            raise RuntimeError("state: no episode has been started, so there is no state yet")
        return {
            "seeds": self._seeds.copy(),
            "actions": self._played.copy(),
            "returns": self._returns.copy(),
            "observations": self.observations(),
        }

    def _check(self, actions: Played) -> None:
        spaces = self.action_spaces
        played = np.arange(self.episode_length) < self._t[:, None]
        blank = (actions == spaces.blank).reshape(*actions.shape[:3], -1).all(axis=-1)
        fits = np.where(played[:, :, None], spaces.within(actions), blank)
        if not fits.all():
            row, step, agent = np.argwhere(~fits)[0]
            allowed = f"from {spaces.allowed(agent)}" if played[row, step] else str(spaces.blank)
            found = actions[row, step, agent].tolist()
            raise ValueError(
                f"state['actions']: got {found} for agent {agent} at step {step} of "
                f"row {row}, which has played {self._t[row]}, must be {allowed}"
            )

    def _write(self, state: Mapping[str, NDArray[Any]]) -> None:
        seeds, actions = state["seeds"], state["actions"]
        self._check(actions)
        steps = self._t.tolist()
        now, returns = self._ask(lambda episodes: episodes.replay(seeds.tolist(), actions, steps))
        seen = np.array_equal(now.observations, state["observations"].astype(np.float32))
        if not seen or not np.array_equal(returns, state["returns"]):
            what = "pays its agents" if seen else "shows its agents"
            raise WorldError(
                f"pettingzoo: {self.settings.pettingzoo} {what} something else when the same actions are "
                "played from the same seed, so its episodes cannot be restored"
            )
        self._now, self._seeds, self._played, self._returns = now, seeds, actions, returns

    def _ask(self, question: Callable[[Episodes | Workers], Answer]) -> Answer:
        if self._episodes is None:
            raise RuntimeError("pettingzoo: this environment has been closed")
        try:
            return question(self._episodes)
        except BaseException:
            self._started = False  # some worlds may have moved: all must be reset next
            raise

    @property
    def agent_names(self) -> tuple[str, ...]:
        """The names in the world's `possible_agents`."""
        return tuple(str(name) for name in self._world.agents)

    def render(self, row: int = 0) -> NDArray[np.uint8]:
        """The world's own picture of one episode, from a second copy that replays it.

        Raises:
            RuntimeError: the world cannot be built with `render_mode="rgb_array"`, or gives no picture.
        """
        if self._camera is None:
            self._camera = _Camera(self.settings)
        history = self._played[row, : self._t[row]]
        return self._camera.picture(int(self._seeds[row]), history, self._now.observations[row])


class _Camera:
    """A world with pictures that replays any given episode."""

    def __init__(self, settings: PettingZooSettings) -> None:
        path = settings.pettingzoo
        if not settings.world.pictures:
            raise RuntimeError(f"pettingzoo: {path} has no render mode 'rgb_array', so there are no pictures")
        try:
            world = build(path, {**settings.kwargs, "render_mode": "rgb_array"})
        except ValueError as error:
            raise WorldError(f"pettingzoo: {error}") from error
        self._label = f"pettingzoo: {path}, picture"
        self._episode = Episode(world, settings.world, self._label)
        self._seed: int | None = None
        self._history: list[list[Any]] = []

    def picture(self, seed: int, actions: Played, observations: NDArray[np.float32]) -> NDArray[np.uint8]:
        history = actions.tolist()
        done = len(self._history)
        if seed != self._seed or history[:done] != self._history:
            self._episode.reset(seed)
            done = 0
        self._seed, self._history = None, history  # valid again only after all steps are played
        for chosen in history[done:]:
            self._episode.step(chosen)
        self._seed = seed
        if not np.array_equal(self._episode.observations, observations):
            raise WorldError(
                f"{self._label}: shows its agents different observations from the environment that it replays"
            )
        with others_code(lambda raised: WorldError(f"{self._label}: render raised {raised}")):
            picture = np.asarray(self._episode.world.render())
        if picture.ndim != 3 or picture.dtype != np.uint8:
            raise WorldError(
                f"{self._label}: got {picture.dtype} of shape {picture.shape}, "
                "must be uint8 of shape (height, width, 3)"
            )
        return picture

    def close(self) -> None:
        self._episode.world.close()
