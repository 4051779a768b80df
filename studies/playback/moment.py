"""One moment of an episode: the picture of the world and the rewards until then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studies.formatting import minus


@dataclass(frozen=True)
class Moment:
    """One moment of an episode.

    Attributes:
        picture: uint8 ``[height, width, 3]``; empty where the environment writes its own replay.
        episode: counted from 1.
        step: steps played; 0 is the start.
        rewards: each agent's reward of this step ``[N]``; zeros at the start.
        returns: each agent's undiscounted reward so far ``[N]``.
        total: undiscounted reward so far, summed over agents.
        components: the environment's components of the return, summed so far.
        over: whether the episode has ended.
    """

    picture: NDArray[np.uint8]
    episode: int
    step: int
    rewards: NDArray[np.float64]
    returns: NDArray[np.float64]
    total: float
    components: dict[str, float]
    over: bool

    @property
    def caption(self) -> str:
        """The moment in words."""
        return f"step {self.step}   return {self.total:.2f}"

    @property
    def heading(self) -> str:
        """The moment in words, with the episode."""
        return minus(f"episode {self.episode}   step {self.step}   team return {self.total:.2f}")

    @property
    def outcome(self) -> str:
        """A summary of the episode at its end."""
        parts = "".join(f", {name} {value:g}" for name, value in self.components.items())
        return f"episode {self.episode}: {self.step} steps, return {self.total:.2f}{parts}"
