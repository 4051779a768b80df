"""Agents that move in a plane, and the pairs within radio range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.errors import TopologyError
from topologies.schedules import Round

FARTHEST = 1e6
"""Most sides of the square in one walk; after a few, a walker may be anywhere already."""


class RandomWaypoint:
    """Every walker goes straight to a random point of the unit square, rests, and goes to the next.

    Speeds are uniform between two bounds. The least must be above 0: otherwise the mean speed decays without
    end (Yoon, Liu & Noble 2003, "Random waypoint considered harmful"). The model: Johnson & Maltz 1996.
    """

    def __init__(
        self, generators: Sequence[np.random.Generator], speed: tuple[float, float], pause: float = 0.0
    ) -> None:
        """One generator per walker; `speed` in sides of the square per second, `pause` in seconds.

        Raises TopologyError unless 0 < speed[0] <= speed[1] and the pause is not negative.
        """
        if not 0 < speed[0] <= speed[1]:
            raise TopologyError(f"{speed!r} must be two numbers above 0, the smaller first", field="speed")
        if not pause >= 0:
            raise TopologyError(f"{pause!r} is not a number of at least 0", field="pause")
        self._walkers = [_Walker(generator, speed, pause) for generator in generators]
        self._fastest = speed[1]

    @property
    def positions(self) -> NDArray[np.float64]:
        """Positions, [walkers, 2], each coordinate in [0, 1]."""
        return np.array([[walker.x, walker.y] for walker in self._walkers])

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises TopologyError if a walker might go farther than `FARTHEST` meanwhile: every waypoint costs
        time.
        """
        if not self._fastest * seconds <= FARTHEST:
            raise TopologyError(
                f"{seconds:g} s at up to {self._fastest:g} sides of the square per second is too"
                f" far: a walk may be {FARTHEST:,.0f} sides long",
                field="seconds",
            )
        for walker in self._walkers:
            walker.advance(seconds)

    def state_dict(self) -> list[Any]:
        """Positions, destinations and the random generator's state, JSON-able and exact."""
        return [walker.state() for walker in self._walkers]

    def load_state_dict(self, state: list[Any]) -> None:
        """Restore the state that `state_dict` gave."""
        for walker, saved in zip(self._walkers, state, strict=True):
            walker.restore(saved)


class _Walker:
    def __init__(self, generator: np.random.Generator, speed: tuple[float, float], pause: float) -> None:
        self.generator, self.bounds, self.pause = generator, speed, pause
        self.x, self.y = generator.random(2).tolist()
        self.rest = 0.0
        self.choose()

    def choose(self) -> None:
        self.to_x, self.to_y = self.generator.random(2).tolist()
        self.speed = float(self.generator.uniform(*self.bounds))

    def advance(self, seconds: float) -> None:
        while seconds > 0:
            if self.rest > 0:
                rested = min(self.rest, seconds)
                self.rest -= rested
                seconds -= rested
                continue
            way = hypot(self.to_x - self.x, self.to_y - self.y)
            if way > self.speed * seconds:
                share = self.speed * seconds / way
                self.x += share * (self.to_x - self.x)
                self.y += share * (self.to_y - self.y)
                return
            seconds -= way / self.speed
            self.x, self.y, self.rest = self.to_x, self.to_y, self.pause
            self.choose()

    def state(self) -> list[Any]:
        numbers = [self.x, self.y, self.to_x, self.to_y, self.speed, self.rest]
        return [*numbers, self.generator.bit_generator.state]

    def restore(self, state: list[Any]) -> None:
        self.x, self.y, self.to_x, self.to_y, self.speed, self.rest, luck = state
        self.generator.bit_generator.state = luck


def within_range(
    positions: Mapping[int, NDArray[np.float64]], links: Iterable[tuple[int, int]], radius: float
) -> Round:
    """The given links whose ends are at most `radius` apart, in both directions.

    `positions` are those of the nodes, [2] each.
    """
    return tuple(
        way
        for u, v in links
        if hypot(*(positions[u] - positions[v]).tolist()) <= radius
        for way in ((u, v), (v, u))
    )
