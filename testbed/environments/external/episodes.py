"""Episodes of PettingZoo worlds as arrays."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.common.errors import WorldError
from testbed.environments.action_spaces import Played
from testbed.environments.external.episode import Description, Episode, Flags
from testbed.environments.external.pettingzoo_loading import build


class Now(NamedTuple):
    """The current state of some episodes: fresh arrays, episodes on the first axis, agents on the second.

    An agent that is over stays so, with reward 0, zeros for an observation after its last one, and a mask
    that shows action 0 alone (of a Box, nothing). The mask of an agent that waits shows the same.
    `gave_masks` `[episode]` marks those in which an agent has been given an action mask.
    """

    observations: NDArray[np.float32]
    rewards: NDArray[np.float64]
    terminations: Flags
    truncations: Flags
    masks: Flags
    gave_masks: Flags


class Episodes:
    """Some rows of a batch in this process, one world for each."""

    def __init__(
        self, path: str, kwargs: Mapping[str, Any], description: Description, rows: Sequence[int]
    ) -> None:
        """Raise WorldError when a world cannot be built; `rows` are their numbers in the whole batch."""
        self.episodes: list[Episode] = []
        try:
            for row in rows:
                world = build(path, kwargs)
                self.episodes.append(Episode(world, description, f"pettingzoo: {path}, row {row}"))
        except ValueError as error:
            self.close()
            raise WorldError(f"pettingzoo: row {row}: {error}") from error

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> Now:
        """Start these episodes, counted from 0 here, from these seeds."""
        for row, seed in zip(rows, seeds, strict=True):
            self.episodes[row].reset(int(seed))
        return self.now()

    def step(self, actions: Played) -> Now:
        """Play joint actions `[episode, agent, ...]`."""
        for episode, chosen in zip(self.episodes, actions.tolist(), strict=True):
            episode.step(chosen)
        return self.now()

    def replay(
        self, seeds: Sequence[int], actions: Played, steps: Sequence[int]
    ) -> tuple[Now, NDArray[np.float64]]:
        """Play each episode again from its seed through its first `steps` of `actions`.

        `actions` are `[episode, step, agent, ...]`. Returns their current state and the sums of rewards
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
        """The current state of the episodes."""
        return Now(*(np.stack([getattr(e, field) for e in self.episodes]) for field in Now._fields))

    def close(self) -> None:
        """Close the worlds; warn of those that cannot be closed, as played results remain valid."""
        failures = []
        for episode in self.episodes:
            try:
                episode.close()
            except WorldError as error:
                failures.append(str(error))
        if failures:
            text = f"{failures[0]}; {len(failures)} of {len(self.episodes)} environments did not close"
            warnings.warn(text, RuntimeWarning, stacklevel=2)
