"""Episodes of PettingZoo worlds as arrays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.environments.external.worlds import Description, build, first_line

Flags = NDArray[np.bool_]


class WorldError(RuntimeError):
    """A world that raised, broke PettingZoo's contract, or lost its process; one line says which."""


class Now(NamedTuple):
    """Some episodes as they stand: fresh arrays with the episodes on the first axis, agents on the second.

    An agent that is over stays so, with reward 0, zeros for an observation after its last one, and a mask
    that shows action 0.
    """

    observations: NDArray[np.float32]
    rewards: NDArray[np.float64]
    terminations: Flags
    truncations: Flags
    masks: Flags


class Episode:
    """One world, played with integer actions from 0 up, and what its agents see padded to one size."""

    def __init__(self, world: Any, description: Description, label: str) -> None:
        self.world = world
        self.description = description
        self.label = label
        agents = len(description.agents)
        self.observations = np.zeros((agents, max(description.observation_sizes)), dtype=np.float32)
        self.rewards = np.zeros(agents)
        self.terminations: Flags = np.zeros(agents, dtype=np.bool_)
        self.truncations: Flags = np.zeros(agents, dtype=np.bool_)
        self.masks: Flags = np.zeros((agents, max(description.action_sizes)), dtype=np.bool_)

    def reset(self, seed: int) -> None:
        """Start again from a seed."""
        observations, infos = self._call("reset", self.world.reset, seed=seed)
        if set(self.world.agents) != set(self.description.agents):
            raise self._error(
                f"reset started with agents {list(self.world.agents)}, "
                f"allowed is nothing but all of {list(self.description.agents)}"
            )
        self.rewards[:] = 0.0
        self.terminations[:] = self.truncations[:] = False
        self._see(range(len(self.description.agents)), observations, infos)

    def step(self, actions: Sequence[int]) -> None:
        """Play one action for every agent; those of agents that are over are left out."""
        names = self.description.agents
        playing = np.flatnonzero(~(self.terminations | self.truncations)).tolist()
        chosen = {names[i]: int(actions[i]) + self.description.first_actions[i] for i in playing}
        observations, rewards, terminations, truncations, infos = self._call("step", self.world.step, chosen)
        self.rewards[:] = 0.0
        for i in playing:
            self.rewards[i] = self._of(rewards, names[i], "reward")
            self.terminations[i] = self._of(terminations, names[i], "termination")
            self.truncations[i] = self._of(truncations, names[i], "truncation")
        over = self.terminations | self.truncations
        left = [name for name, done in zip(names, over, strict=True) if not done]
        if set(self.world.agents) != set(left):
            raise self._error(
                f"step left agents {list(self.world.agents)}, but those neither terminated nor truncated "
                f"are {left}"
            )
        self._see(playing, observations, infos)

    def _see(self, playing: Sequence[int], observations: Mapping[Any, Any], infos: Mapping[Any, Any]) -> None:
        """Take over what these agents were shown; `over` of this step is already known."""
        description = self.description
        self.observations[:] = 0.0
        self.masks[:] = False
        self.masks[:, 0] = True
        for i in playing:
            name, size, actions = (
                description.agents[i],
                description.observation_sizes[i],
                description.action_sizes[i],
            )
            seen = self._of(observations, name, "observation")
            mask = infos.get(name, {}).get("action_mask")
            if isinstance(seen, Mapping):
                seen, mask = seen["observation"], seen.get("action_mask", mask)
            values = np.asarray(seen)
            if values.size != size:
                raise self._error(f"agent {name!r} observed {values.size} numbers, its space has {size}")
            self.observations[i, :size] = values.reshape(-1)
            if mask is not None and not description.masked:
                raise self._error(f"agent {name!r} got an action_mask, there was none when seed 0 began")
            if self.terminations[i] or self.truncations[i]:
                continue
            self.masks[i, :actions] = True if mask is None else self._mask(name, mask, actions)

    def _mask(self, name: Any, mask: Any, actions: int) -> Flags:
        allowed = np.asarray(mask).astype(np.bool_)
        if allowed.shape != (actions,) or not allowed.any():
            raise self._error(
                f"agent {name!r} got action_mask {np.asarray(mask).tolist()}, "
                f"allowed are {actions} entries, not all 0"
            )
        return allowed

    def _of(self, values: Mapping[Any, Any], name: Any, what: str) -> Any:
        if name not in values:
            raise self._error(f"gave no {what} for agent {name!r}")
        return values[name]

    def _call(self, doing: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # a world can raise anything
            raise self._error(f"{doing} raised {first_line(error)}") from error

    def _error(self, message: str) -> WorldError:
        return WorldError(f"{self.label}: {message}")


class Episodes:
    """Some rows of a batch in this process, one world for each."""

    def __init__(
        self, path: str, kwargs: Mapping[str, Any], description: Description, rows: Sequence[int]
    ) -> None:
        """Raise ValueError when a world cannot be built; `rows` are their numbers in the whole batch."""
        self.episodes = [
            Episode(build(path, kwargs), description, f"pettingzoo: {path}, row {row}") for row in rows
        ]

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> Now:
        """Start these episodes, counted from 0 here, from these seeds."""
        for row, seed in zip(rows, seeds, strict=True):
            self.episodes[row].reset(int(seed))
        return self.now()

    def step(self, actions: NDArray[np.integer]) -> Now:
        """Play joint actions `[episode, agent]`."""
        for episode, chosen in zip(self.episodes, actions.tolist(), strict=True):
            episode.step(chosen)
        return self.now()

    def replay(
        self, seeds: Sequence[int], actions: NDArray[np.int64], steps: Sequence[int]
    ) -> tuple[Now, NDArray[np.float64]]:
        """Play each episode again from its seed through its first `steps` of `actions`.

        `actions` are `[episode, step, agent]`. Returns how the episodes stand and the sums of rewards
        `[episode, agent]`, added in the order of steps.
        """
        returns = np.zeros((len(self.episodes), len(self.episodes[0].rewards)))
        for row, episode in enumerate(self.episodes):
            episode.reset(int(seeds[row]))
            for chosen in actions[row, : steps[row]].tolist():
                episode.step(chosen)
                returns[row] += episode.rewards
        return self.now(), returns

    def now(self) -> Now:
        """How the episodes stand."""
        return Now(*(np.stack([getattr(e, field) for e in self.episodes]) for field in Now._fields))

    def close(self) -> None:
        """Close the worlds."""
        for episode in self.episodes:
            episode.world.close()
