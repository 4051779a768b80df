"""The interface of every environment: many episodes of one game as arrays `[batch, agent, ...]`.

The terms are Gymnasium's and PettingZoo's (termination, truncation, seed, info). The differences:

* No automatic reset. The step that ends an episode returns its true last observation; stepping it again is
  an error, and the caller starts the next one with `reset(where=...)`.
* The whole state can be read and set, and so can the state of the random generator: together they resume a
  run exactly.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.common.errors import WorldError
from testbed.environments.action_spaces import ActionSpaces, DiscreteSpaces, Played
from testbed.environments.checks import USABLE, as_array, unusable
from testbed.environments.drawing import SIDE, Colour
from testbed.environments.saved_state import SavedState

Observations = NDArray[np.float32]
Info = dict[str, NDArray[Any]]
FloatsT = TypeVar("FloatsT", bound=NDArray[np.floating])
Step = tuple[Observations, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Info]


class ScriptedPolicy(Protocol):
    """A policy without learning, called like a learner."""

    def act(
        self,
        observations: Observations,
        masks: NDArray[np.bool_] | None,
        generator: np.random.Generator | None,
    ) -> NDArray[np.integer]:
        """Actions `[batch, agent]`; all randomness comes from `generator`."""
        ...


class BatchedEnvironment(SavedState):
    """`batch` independent episodes of one game, in lockstep of calls but each with its own clock.

    Attributes:
        name: the name it is made by.
        batch: number of parallel episodes.
        agents: agents in each episode, numbered from 0.
        observation_sizes: true length of each agent's observation; shorter ones end in padding zeros.
        observation_size: the padded length, max(observation_sizes).
        action_spaces: those of all agents: Discrete, actions 0 .. size - 1, unless a subclass gives others.
        action_sizes: entries of each agent's action space: its number of actions, if that is Discrete.
        action_size: max(action_sizes).
        episode_length: steps after which an unfinished episode is truncated.
        components: names in `info` whose values `[batch]`, summed over the steps of an episode, are the
        components of the return.

        picture_side: pixels of the longer side of what `render` draws; pictures that come from elsewhere,
        such as those of other people's environments, have a size of their own.

        saves_state: whether `state` can be read and set. If it cannot, a resumed run starts new episodes.

    A subclass supplies `observations`, `_begin`, `_advance`, `_read`, `_write` and `render`; every possible
    error of a caller is checked here, once. One that holds processes open also supplies `close`; any
    environment can be used in a `with` statement. One that scripted policies can play supplies `scripted`.
    """

    name: ClassVar[str]
    components: ClassVar[tuple[str, ...]]
    saves_state: ClassVar[bool] = True

    def __init__(
        self,
        *,
        batch: int,
        episode_length: int,
        observation_sizes: Sequence[int],
        action_sizes: Sequence[int] | ActionSpaces,
        state_shapes: Mapping[str, tuple[int, ...]],
        state_limits: Mapping[str, tuple[int, int]] | None = None,
        state_copies: Mapping[str, str] | None = None,
    ) -> None:
        """Store the sizes.

        Args:
            batch, episode_length, observation_sizes: see the class.
            action_sizes: the number of each agent's actions, which then are Discrete; or all action spaces.
            state_shapes: shape of each state array without its batch axis.
            state_limits: smallest and largest value of the state arrays that hold integers (or bools).
            state_copies: state arrays that may be left out when setting the state, and of which other array
                each is then a copy.
        """
        if isinstance(batch, bool) or not isinstance(batch, int | np.integer) or batch < 1:
            raise ValueError(f"batch: got {batch!r}, must be an integer of at least 1")
        self.batch = int(batch)
        self.episode_length = episode_length
        self.observation_sizes = tuple(observation_sizes)
        self.observation_size = max(self.observation_sizes)
        if not isinstance(action_sizes, ActionSpaces):
            action_sizes = DiscreteSpaces(action_sizes)
        self.action_spaces = action_sizes
        self.action_sizes = self.action_spaces.sizes
        self.action_size = self.action_spaces.every.shape[1]
        self.agents = len(self.observation_sizes)
        self._state_shapes = dict(state_shapes)
        self._state_limits = dict(state_limits or {})
        self._state_copies = dict(state_copies or {})
        self.picture_side = SIDE
        self._t = np.zeros(self.batch, dtype=np.int64)
        self._finished: NDArray[np.bool_] = np.zeros(self.batch, dtype=np.bool_)
        self._started = False
        self._generator = np.random.default_rng()

    @property
    def agent_names(self) -> tuple[str, ...]:
        """A name for each agent, for people."""
        return tuple(f"agent {index}" for index in range(self.agents))

    @property
    def agent_colours(self) -> tuple[Colour, ...] | None:
        """The colour that each agent has in pictures; None if they do not tell agents apart by known ones."""
        return None

    # What a subclass supplies

    def scripted(self, policy: str) -> ScriptedPolicy:
        """A policy without learning, other than `random`, that plays this environment in its present state.

        Raises:
            ValueError: there is no policy of that name.
        """
        raise ValueError(f"policy: got {policy!r}, {self.name} has only 'random'")

    @abstractmethod
    def observations(self) -> Observations:
        """Observations of the current state: a fresh float32 `[batch, agent, observation_size]`."""

    @abstractmethod
    def _begin(self, rows: NDArray[np.intp]) -> None:
        """Draw a new start for these rows, using only `self._generator`."""

    @abstractmethod
    def _advance(self, actions: Played) -> tuple[NDArray[np.float64], NDArray[np.bool_], Info]:
        """Move every episode by one step, already counted in `self._t`.

        Returns fresh arrays: rewards and terminations `[batch, agent]`, and info.
        """

    @abstractmethod
    def render(self, row: int = 0) -> NDArray[np.uint8]:
        """A picture `[height, width, 3]` of the current state of one episode."""

    def versions(self) -> dict[str, str]:
        """Versions of programs and packages outside the testbed's own environment that play it, by name."""
        return {}

    def replay(self, row: int = 0) -> bytes:
        """A file of the episodes of one row, where the settings have a `replay_ending`.

        Raises:
            RuntimeError: it records no episodes.
        """
        raise RuntimeError(f"{self.name}: records no episodes")

    def masks(self) -> Info:
        """`action_masks` of the current state, bool `[batch, agent, entry]`, if some can be unavailable."""
        return {}

    def active(self) -> Info:
        """`active` of the current state, bool `[batch, agent]`, where agents can be out while others
        continue.

        An agent is active if it chooses its own actions: one that is dead, or over before the others, is not.
        If this is empty, every agent is always active.
        """
        return {}

    def _truncated(self) -> NDArray[np.bool_]:
        """`[batch, agent]`: whether something other than `episode_length` has cut the episode short."""
        return np.zeros((self.batch, self.agents), dtype=np.bool_)

    def _called(self, row: int) -> str:
        """The name of the episode in this row, for error messages."""
        return f"{self.name}: row {row}"

    def _agent_called(self, agent: int) -> str:
        """The name of an agent, for error messages."""
        return f"agent {agent}"

    def close(self) -> None:  # most hold nothing
        """Release resources outside this process; none by default. Closing twice is harmless."""

    # What a caller uses

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def reset(self, seed: int | None = None, where: ArrayLike | None = None) -> tuple[Observations, Info]:
        """Start episodes; returns `observations` of all rows, and `info` (`masks` and `active`).

        Args:
            seed: an integer >= 0 reseeds the environment's one generator first. Without it the generator
            continues; one that was never seeded starts from fresh entropy of the operating
            system.
            where: bool mask `[batch]`; only these rows restart, and only they draw. All by default.

        Raises:
            ValueError: for a bad seed or mask.
            RuntimeError: if the very first reset leaves some rows out.
            WorldError: an observation is not finite, or too large to be learnt from.
        """
        if where is None:
            mask = np.ones(self.batch, dtype=np.bool_)
        else:
            mask = as_array("where", where)
            if mask.dtype != np.bool_ or mask.shape != (self.batch,):
                raise ValueError(
                    f"where: got {mask.dtype} of shape {mask.shape}, must be bool of shape ({self.batch},)"
                )
        if not self._started and not mask.all():
            raise RuntimeError("reset: the first reset must start every episode, so leave `where` out")
        if seed is not None:
            if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
                raise ValueError(f"seed: got {seed!r}, must be an integer of at least 0")
            self._generator = np.random.default_rng(int(seed))
        rows = np.flatnonzero(mask)
        self._begin(rows)
        self._t[rows] = 0
        self._finished[rows] = False
        self._started = True
        return self._numbers(self.observations(), "observed"), self.masks() | self.active()

    def step(self, actions: ArrayLike) -> Step:
        """Advance every episode by one step.

        Args:
            actions: integers `[batch, agent]`; or `[batch, agent, k]`, integers (MultiDiscrete) or real
            numbers (Box), where the nearest inside the bounds is played.

        Returns:
            observations `[batch, agent, observation_size]` float32; rewards `[batch, agent]` float64;
            terminations and truncations `[batch, agent]` bool (truncation: the episode ran out of time, and
            its future still has value); info: the arrays named in `components`, `[batch]`, for this step,
            and action masks and active agents where there are any.

        Raises:
            ValueError: for actions of the wrong shape or type, or an action the agent does not have.
            RuntimeError: before the first reset, or when some episode is already over.
            WorldError: an observation or a reward is not finite, or too large to be learnt from.
        """
        checked = self._checked_actions(actions)
        if not self._started:
            raise RuntimeError("step: no episode has been started, call reset() or set the state first")
        if self._finished.any():
            over = np.flatnonzero(self._finished)
            raise RuntimeError(
                f"step: {over.size} of {self.batch} episodes are over (first: row {over[0]}), "
                "start them again with reset(where=mask)"
            )
        self._t += 1
        rewards, terminations, info = self._advance(checked)
        self._numbers(rewards, "was paid")
        truncations = (self._truncated() | (self._t >= self.episode_length)[:, None]) & ~terminations
        self._finished = np.logical_and.reduce(terminations | truncations, axis=1)
        info.update(self.masks() | self.active())
        observations = self._numbers(self.observations(), "observed")
        return observations, rewards, terminations, truncations, info

    # Checks

    def _numbers(self, array: FloatsT, what: str) -> FloatsT:
        """The same array `[batch, agent, ...]`, checked to have only numbers usable for learning."""
        if (wrong := unusable(array)) is not None:
            self._started = False  # a caller that continues must restart all episodes
            row, agent, *_ = wrong
            raise WorldError(
                f"{self._called(row)}, step {self._t[row]}: {self._agent_called(agent)} {what} "
                f"{array[wrong]:g}, {USABLE}"
            )
        return array

    def _checked_actions(self, actions: ArrayLike) -> Played:
        return self.action_spaces.checked(actions, self.batch)
