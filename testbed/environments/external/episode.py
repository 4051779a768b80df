"""One episode of a PettingZoo world as arrays, with checks of PettingZoo's contract."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Space
from numpy.typing import NDArray

from testbed.common.errors import WorldError, first_line
from testbed.environments.action_spaces import ActionSpaces
from testbed.environments.external.world_spaces import first_action, one_hot, text, to_world

Flags = NDArray[np.bool_]

RESET = ("observations", "infos")
STEP = ("observations", "rewards", "terminations", "truncations", "infos")


@dataclass(frozen=True, slots=True)
class Description:
    """Properties of a world known without playing it; tuples have one entry per agent.

    Attributes:
        agents: the world's own names, in the order of its `possible_agents`.
        observation_sizes: numbers in each flattened observation.
        action_spaces: those of all agents, as learners see them.
        observed: each agent's observation space in the world, Box, Discrete or MultiDiscrete.
        acted: each agent's action space in the world.
        masked: whether actions can be unavailable from the start: by the world's masks, because sizes differ
            or because agents take turns. Other worlds may still give masks later in an episode.
        turns: whether it is an AEC world in which one agent acts in each step, and the others wait.
        limit: steps after which the world truncates its episodes (its `max_cycles`), if it gives them.
        pictures: whether it can be built with `render_mode="rgb_array"`.
    """

    agents: tuple[Hashable, ...]
    observation_sizes: tuple[int, ...]
    action_spaces: ActionSpaces
    observed: tuple["Space[Any]", ...]
    acted: tuple["Space[Any]", ...]
    masked: bool
    turns: bool
    limit: int | None
    pictures: bool


@contextmanager
def others_code(complain: Callable[[str], Exception]) -> Iterator[None]:
    """Run third-party code: any exception, even SystemExit, becomes the error of `complain`.

    `complain` is given the type and the first line of the exception. Ctrl-C passes through, and so does a
    WorldError.
    """
    try:
        yield
    except (KeyboardInterrupt, WorldError):
        raise
    except BaseException as error:
        raise complain(first_line(error)) from error


class Episode:
    """One world, played with actions as `action_spaces` describes them, with observations padded to one size.

    Raises:
        WorldError: from `reset`, `step` and `close`: the world raised, or broke PettingZoo's contract.
    """

    def __init__(self, world: Any, description: Description, label: str) -> None:
        self.world = world
        self.description = description
        self.label = label
        self.t = 0
        self.gave_masks = False
        """Whether an agent has been given an action mask since the last reset."""
        agents = len(description.agents)
        self.observations = np.zeros((agents, max(description.observation_sizes)), dtype=np.float32)
        self.rewards = np.zeros(agents)
        self.terminations: Flags = np.zeros(agents, dtype=np.bool_)
        self.truncations: Flags = np.zeros(agents, dtype=np.bool_)
        self.masks: Flags = description.action_spaces.idle.copy()
        self.waiting: Flags = np.zeros(agents, dtype=np.bool_)
        """Agents in the game that have nothing to choose now: another has its turn, or the mask is all 0."""

    def reset(self, seed: int) -> None:
        """Restart from a seed."""
        self.t = 0
        self.gave_masks = False
        with others_code(lambda raised: self._error(f"reset raised {raised}")):
            given = self.world.reset(seed=seed)
        with others_code(lambda raised: self._error(f"the result of reset cannot be read ({raised})")):
            observations, infos = self._parts("reset", given, RESET)
            names = self.description.agents
            if not _same(agents := list(self.world.agents), names):
                raise self._error(f"reset started with agents {agents}, must be all of {list(names)}")
            self.rewards[:] = 0.0
            self.terminations[:] = self.truncations[:] = False
            self._see(range(len(names)), observations, infos)

    def step(self, actions: Sequence[Any]) -> None:
        """Play one action for every agent.

        Those of agents that are over are left out; for agents that wait, the first action is played in place
        of theirs, which is also what Gymnasium's `Discrete.sample` gives for a mask of zeros.
        """
        self.t += 1
        names = self.description.agents
        playing = np.flatnonzero(~(self.terminations | self.truncations)).tolist()
        acted = self.description.acted
        chosen = {
            names[i]: first_action(acted[i]) if self.waiting[i] else to_world(acted[i], actions[i])
            for i in playing
        }
        with others_code(lambda raised: self._error(f"step raised {raised}")):
            given = self.world.step(chosen)
        with others_code(lambda raised: self._error(f"the result of step cannot be read ({raised})")):
            observations, rewards, terminations, truncations, infos = self._parts("step", given, STEP)
            self.rewards[:] = 0.0
            for i in playing:
                self.rewards[i] = self._number(rewards, names[i])
                self.terminations[i] = self._flag(terminations, names[i], "termination")
                self.truncations[i] = self._flag(truncations, names[i], "truncation")
            over = self.terminations | self.truncations
            left = [name for name, done in zip(names, over, strict=True) if not done]
            agents = list(self.world.agents)
            if self.description.turns:  # agents that are over may stay there until it is their turn to leave
                agents = [agent for agent in agents if agent in left or agent not in names]
            if not _same(agents, left):
                raise self._error(
                    f"step left agents {agents}, but those neither terminated nor truncated are {left}"
                )
            self._see(playing, observations, infos)

    def close(self) -> None:
        """Close the world."""
        with others_code(lambda raised: self._error(f"close raised {raised}")):
            self.world.close()

    def _parts(self, doing: str, given: Any, names: Sequence[str]) -> Sequence[Mapping[Any, Any]]:
        """The results of `reset` or `step`, if they are one mapping from agents for each of these names."""
        needed = f"must be {len(names)} mappings from agents: {', '.join(names)}"
        if not isinstance(given, tuple | list):
            raise self._error(f"{doing} gave one {type(given).__name__}, {needed}")
        if len(given) != len(names):
            raise self._error(f"{doing} gave {len(given)} values, {needed}")
        for name, part in zip(names, given, strict=True):
            if not isinstance(part, Mapping):
                raise self._error(f"{doing} gave {_text(part)} as {name}, {needed}")
        return given

    def _see(self, playing: Sequence[int], observations: Mapping[Any, Any], infos: Mapping[Any, Any]) -> None:
        """Store the observations of these agents; `over` of this step is already known."""
        description = self.description
        self.observations[:] = 0.0
        self.masks[:] = description.action_spaces.idle
        self.waiting[:] = False
        turn = self._turn()
        for i in playing:
            name, size, actions = (
                description.agents[i],
                description.observation_sizes[i],
                description.action_spaces.sizes[i],
            )
            seen = self._of(observations, name, "observation")
            info = infos.get(name, {})
            if not isinstance(info, Mapping):
                raise self._error(f"agent {name!r} got {_text(info)} as info, must be a mapping")
            mask = info.get("action_mask")
            if isinstance(seen, Mapping):
                mask = seen.get("action_mask", mask)
                seen = self._of(seen, "observation", f"entry 'observation' in what agent {name!r} observed")
            values = np.asarray(seen)
            if values.dtype.kind not in "biuf":
                raise self._error(f"agent {name!r} observed {_text(seen)}, must be numbers")
            if not isinstance(space := description.observed[i], Box):
                flat = one_hot(space, values)
                if flat is None:
                    raise self._error(f"agent {name!r} observed {_text(seen)}, its space is {text(space)}")
                values = flat
            if values.size != size:
                raise self._error(f"agent {name!r} observed {values.size} numbers, its space has {size}")
            with np.errstate(over="ignore"):  # users of the values refuse infinities
                self.observations[i, :size] = values.reshape(-1)
            if mask is not None:
                if (kind := description.action_spaces.kind) != "Discrete":
                    raise self._error(
                        f"agent {name!r} got an action_mask, must have Discrete actions, has {kind}"
                    )
                self.gave_masks = True
            if self.terminations[i] or self.truncations[i]:
                continue
            available = description.action_spaces.every[i].copy()
            if mask is not None:
                available[:actions] = self._mask(name, mask, actions)
            self.waiting[i] = (description.turns and name != turn) or not available.any()
            if not self.waiting[i]:
                self.masks[i] = available

    def _turn(self) -> Hashable:
        """The agent that acts next in a world of turns; None in other worlds and when all agents are over."""
        if not self.description.turns or (over := self.terminations | self.truncations).all():
            return None
        turn: Hashable = self.world.aec_env.agent_selection
        left = [name for name, done in zip(self.description.agents, over, strict=True) if not done]
        if turn not in left:
            raise self._error(
                f"agent {turn!r} has the turn, but those neither terminated nor truncated are {left}"
            )
        return turn

    def _mask(self, name: Any, mask: Any, actions: int) -> Flags:
        given = np.asarray(mask)
        if given.shape != (actions,) or given.dtype.kind not in "biuf":
            raise self._error(
                f"agent {name!r} got action_mask {_text(given.tolist())}, must be {actions} numbers"
            )
        return given.astype(np.bool_)

    def _number(self, rewards: Mapping[Any, Any], name: Any) -> float:
        value = self._of(rewards, name, f"reward for agent {name!r}")
        if type(value) is float:
            return value
        array = np.asarray(value)
        if array.ndim or array.dtype.kind not in "biuf":
            raise self._error(f"agent {name!r} got the reward {_text(value)}, must be a number")
        return float(array)

    def _flag(self, flags: Mapping[Any, Any], name: Any, what: str) -> bool:
        value = self._of(flags, name, f"{what} for agent {name!r}")
        if type(value) is bool:
            return value
        array = np.asarray(value)
        if array.ndim or array.dtype.kind not in "biuf" or array not in (0, 1):
            raise self._error(f"agent {name!r} got {_text(value)} as {what}, must be True or False")
        return bool(array)

    def _of(self, values: Mapping[Any, Any], name: Any, what: str) -> Any:
        if name not in values:
            raise self._error(f"did not give the {what}")
        return values[name]

    def _error(self, message: str) -> WorldError:
        return WorldError(f"{self.label}, step {self.t}: {' '.join(message.split())}")


def _same(agents: Sequence[Any], names: Sequence[Any]) -> bool:
    """Whether these are the same agents, each once, in any order."""
    return len(agents) == len(names) and set(agents) == set(names)


def _text(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of {value.dtype} and shape {value.shape}"
    words = " ".join(repr(value).split())
    return words if len(words) <= 60 else f"{words[:57]}..."
