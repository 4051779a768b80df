"""The action spaces of an environment's agents, in the terms of Gymnasium: Discrete, MultiDiscrete or Box.

All agents of an environment have the same kind of space; their sizes may differ. An action is one integer
(Discrete), or as many numbers k as the agent with the most has (MultiDiscrete, Box; further ones are
ignored). An agent's entries are its actions (Discrete), the categories of its components one after the other
(MultiDiscrete) or the numbers of its action (Box); masks say which of them are available to it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete, Space
from numpy.typing import ArrayLike, NDArray

from testbed.environments import action_masks
from testbed.environments.action_masks import Masks
from testbed.environments.checks import as_array

Played = NDArray[Any]
"""Actions `[batch, agent]` or `[batch, agent, k]`."""


class ActionSpaces(ABC):
    """The spaces of all agents, which are of one kind.

    Attributes:
        kind: the name of Gymnasium's class.
        sizes: number of entries of each agent.
        shape: shape of one agent's action, () or (k,).
        dtype: that of actions.
        blank: what stands in place of an action that was not played.
        every: bool `[agent, max(sizes)]`, the entries that each agent has.
        idle: the same shape, the entries shown as available to an agent that has nothing to choose.
        categories: for MultiDiscrete, the categories of each component, of the widest agent.
    """

    kind: ClassVar[str]
    blank: ClassVar[float] = -1
    sizes: tuple[int, ...]
    shape: tuple[int, ...] = ()
    dtype: ClassVar[Any] = np.int64
    every: Masks
    idle: Masks
    categories: tuple[int, ...] = ()

    def checked(self, actions: ArrayLike, batch: int) -> Played:
        """Actions `[batch, agent, ...]` as they are played.

        Raises:
            ValueError: wrong shape or type, or an action that an agent does not have.
        """
        array, shape = as_array("actions", actions), (batch, len(self.sizes), *self.shape)
        if array.shape != shape:
            raise ValueError(f"actions: got shape {array.shape}, must be {shape}")
        return self._checked(array)

    @abstractmethod
    def _checked(self, array: NDArray[Any]) -> Played:
        """Check types and values."""

    @abstractmethod
    def within(self, actions: Played) -> NDArray[np.bool_]:
        """Whether actions `[..., agent, ...]` are in the agents' spaces, `[..., agent]`."""

    @abstractmethod
    def allowed(self, agent: int) -> str:
        """The actions of one agent in words."""

    @abstractmethod
    def uniform(self, masks: Masks | None, batch: int, generator: np.random.Generator) -> Played:
        """Actions drawn uniformly from available ones, where `masks` `[batch, agent, entry]`, or all."""

    @abstractmethod
    def space(self, agent: int) -> "Space[Any]":
        """The space of one agent."""

    def joined(self, actions: Sequence[Any]) -> Played:
        """Agents' own actions as one array `[agent, ...]`; None plays the first action, or zeros."""
        joint = np.zeros((len(self.sizes), *self.shape), dtype=self.dtype)
        for agent, action in enumerate(actions):
            if action is None:
                continue
            own = np.asarray(action)
            if self.shape:
                joint[agent, : own.size] = own.reshape(-1)
            else:
                joint[agent] = own
        return joint

    def _integers(self, array: NDArray[Any]) -> Played:
        """Integers within the agents' spaces; ValueError for the first that is not."""
        if array.dtype.kind not in "iu":
            raise ValueError(f"actions: got {array.dtype}, must be integers")
        wrong = ~self.within(array)
        if wrong.any():
            row, agent = np.argwhere(wrong)[0]
            raise ValueError(
                f"actions: got {array[row, agent].tolist()} for agent {agent} in row {row}, "
                f"must be from {self.allowed(agent)}"
            )
        return array

    def _available(self, masks: Masks | None, batch: int) -> Masks:
        return np.broadcast_to(self.every, (batch, *self.every.shape)) if masks is None else masks


class DiscreteSpaces(ActionSpaces):
    """Each agent plays one of its actions 0 .. size - 1."""

    kind: ClassVar = "Discrete"

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)
        self._limits = np.array(self.sizes)
        self._same, self._most = len(set(self.sizes)) == 1, max(self.sizes)
        self.every = np.arange(self._most) < self._limits[:, None]
        self.idle = np.arange(self._most) < np.ones_like(self._limits)[:, None]

    def _checked(self, array: NDArray[Any]) -> Played:
        if self._same and array.dtype.kind in "iu" and array.min() >= 0 and array.max() < self._most:
            return array  # mostly; asking for each agent takes longer
        return self._integers(array)

    def within(self, actions: Played) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = (actions >= 0) & (actions < self._limits)
        return inside

    def allowed(self, agent: int) -> str:
        return f"0 to {self.sizes[agent] - 1}"

    def uniform(self, masks: Masks | None, batch: int, generator: np.random.Generator) -> Played:
        return action_masks.uniform(self._available(masks, batch), generator)

    def space(self, agent: int) -> "Space[Any]":
        return Discrete(self.sizes[agent])

    def joined(self, actions: Sequence[Any]) -> Played:
        return np.array([0 if action is None else action for action in actions])


class MultiDiscreteSpaces(ActionSpaces):
    """Each agent plays one category 0 .. n - 1 of each of its components.

    A component that an agent lacks, and others have, has one category for it, 0.
    """

    kind: ClassVar = "MultiDiscrete"

    def __init__(self, categories: Sequence[Sequence[int]]) -> None:
        """``categories`` are those of each agent's components."""
        width = max(map(len, categories))
        self._counts = np.array([[*each, *[1] * (width - len(each))] for each in categories])
        self._own = tuple(tuple(map(int, each)) for each in categories)
        self.shape = (width,)
        self.categories = tuple(map(int, self._counts.max(axis=0)))
        ends = tuple(accumulate(self.categories))
        self._blocks = [slice(end - n, end) for end, n in zip(ends, self.categories, strict=True)]
        number = np.concatenate([np.arange(n) for n in self.categories])  # of each entry in its component
        self.every = number < np.repeat(self._counts, self.categories, axis=1)
        self.idle = np.broadcast_to(number == 0, self.every.shape)
        self.sizes = tuple(int(n) for n in self.every.sum(axis=1))

    def _checked(self, array: NDArray[Any]) -> Played:
        return self._integers(array)

    def within(self, actions: Played) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = np.all((actions >= 0) & (actions < self._counts), axis=-1)
        return inside

    def allowed(self, agent: int) -> str:
        return f"0 to {[int(n) - 1 for n in self._counts[agent]]}"

    def uniform(self, masks: Masks | None, batch: int, generator: np.random.Generator) -> Played:
        available = self._available(masks, batch)
        each = [action_masks.uniform(available[..., block], generator) for block in self._blocks]
        return np.stack(each, axis=-1)

    def space(self, agent: int) -> "Space[Any]":
        return MultiDiscrete(list(self._own[agent]))


class BoxSpaces(ActionSpaces):
    """Each agent plays real numbers between its bounds, which may be infinite.

    Numbers outside the bounds are accepted: the nearest inside is played, as Stable-Baselines3 does. A number
    that an agent lacks, and others have, is ignored.
    """

    kind: ClassVar = "Box"
    blank: ClassVar = 0
    dtype: ClassVar = np.float64

    def __init__(self, lows: Sequence[ArrayLike], highs: Sequence[ArrayLike]) -> None:
        """The bounds of each agent's numbers."""
        bounds = [[np.asarray(each, dtype=np.float64) for each in side] for side in (lows, highs)]
        self.sizes = tuple(each.size for each in bounds[0])
        self.shape = (max(self.sizes),)
        self.every = np.arange(self.shape[0]) < np.array(self.sizes)[:, None]
        self.idle = np.zeros_like(self.every)
        self.low, self.high = (np.zeros(self.every.shape) for _ in bounds)
        for side, array in zip(bounds, (self.low, self.high), strict=True):
            for agent, each in enumerate(side):
                array[agent, : each.size] = each

    def _checked(self, array: NDArray[Any]) -> Played:
        if array.dtype.kind not in "iuf":
            raise ValueError(f"actions: got {array.dtype}, must be real numbers")
        finite = np.isfinite(array) | ~self.every
        if not finite.all():
            row, agent, number = np.argwhere(~finite)[0]
            raise ValueError(
                f"actions: got {array[row, agent, number]} for agent {agent} in row {row}, must be finite"
            )
        clipped: Played = np.clip(np.where(self.every, array, 0).astype(np.float64), self.low, self.high)
        return clipped

    def within(self, actions: Played) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = np.all((actions >= self.low) & (actions <= self.high), axis=-1)
        return inside

    def allowed(self, agent: int) -> str:
        own = slice(self.sizes[agent])
        return f"{self.low[agent, own].tolist()} to {self.high[agent, own].tolist()}"

    def uniform(self, masks: Masks | None, batch: int, generator: np.random.Generator) -> Played:
        """Uniform between two bounds; beyond one, exponential; without bounds, normal, as Gymnasium's is."""
        shape = (batch, *self.every.shape)
        between, tail, normal = (
            draw(size=shape)
            for draw in (generator.random, generator.standard_exponential, generator.standard_normal)
        )
        below, above = np.isfinite(self.low), np.isfinite(self.high)
        low, high = np.where(below, self.low, 0), np.where(above, self.high, 0)
        drawn = np.where(below & above, low + (high - low) * between, normal)
        drawn = np.where(below & ~above, low + tail, drawn)
        drawn = np.where(above & ~below, high - tail, drawn)
        played: Played = np.where(self._available(masks, batch), drawn, 0)
        return played

    def space(self, agent: int) -> "Space[Any]":
        own = slice(self.sizes[agent])
        low, high = (side[agent, own].astype(np.float32) for side in (self.low, self.high))
        return Box(low, high, dtype=np.float32)
