"""Observations of hunters and banks in treasure collection, nearest first."""

import numpy as np
from numpy.typing import NDArray

from testbed.environments.batched import Observations
from testbed.environments.particle_physics import Pairs

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


def observation_sizes(hunters: int, banks: int) -> list[int]:
    """True length of each agent's observation, hunters first."""
    size = 4 + (hunters + banks - 1) * (4 + 2 * banks) + hunters * (2 + banks)
    return [size + banks] * hunters + [size] * banks


class Observer:
    """Builds the observations of H hunters and K banks among H treasures of K types."""

    def __init__(self, pairs: Pairs, hunters: int, banks: int, batch: int) -> None:
        agents = hunters + banks
        self.hunters = hunters
        self.size = max(observation_sizes(hunters, banks))
        self._pairs = pairs
        self._one_hot = np.vstack([np.eye(banks), np.zeros(banks)])  # holding nothing, -1, is the last row
        self._agents = np.zeros((batch, agents, 4 + 2 * banks))
        self._agents[:, hunters:, 4 : 4 + banks] = np.eye(banks)
        self._treasures = np.empty((batch, hunters, 2 + banks))
        self._distances = np.full((batch, agents, agents), -1.0)  # an agent is nearest to itself
        # Kept, because for arrays of this size allocating fresh memory takes longer than everything else.
        self._agents_around = np.empty((batch, agents, agents, 4 + 2 * banks))
        self._treasures_around = np.empty((batch, agents, hunters, 2 + banks))

    def observe(
        self,
        positions: Array,
        velocities: Array,
        holding: Integers,
        treasure_positions: Array,
        treasure_types: Integers,
        pair_distances: Array,
        treasure_distances: Array,
    ) -> Observations:
        """A fresh `[batch, agent, max(observation_sizes)]`.

        Args:
            positions, velocities: `[agent, axis, batch]`.
            holding: `[H, batch]`, the type that each hunter holds, or -1.
            treasure_positions, treasure_types: `[treasure, axis, batch]`, `[treasure, batch]`.
            pair_distances: `[pair, batch]`.
            treasure_distances: `[agent, treasure, batch]`.
        """
        hunters, types = self.hunters, self._treasures.shape[2] - 2
        own = positions.transpose(2, 0, 1)  # [batch, agent, axis]
        held = self._one_hot[holding.T]
        self._agents[:, :, 0:2] = own
        self._agents[:, :, 2:4] = velocities.transpose(2, 0, 1)
        self._agents[:, :hunters, 4 + types :] = held
        self._distances[:, self._pairs.first, self._pairs.second] = pair_distances.T
        self._distances[:, self._pairs.second, self._pairs.first] = pair_distances.T
        _look_around(self._agents, self._distances, own, self._agents_around)

        self._treasures[:, :, 0:2] = treasure_positions.transpose(2, 0, 1)
        self._treasures[:, :, 2:] = self._one_hot[treasure_types.T]
        apart = np.ascontiguousarray(treasure_distances.transpose(2, 0, 1))
        _look_around(self._treasures, apart, own, self._treasures_around)

        batch, agents = self._agents.shape[:2]
        seen = np.zeros((batch, agents, self.size), dtype=np.float32)
        seen[:, :, :4] = self._agents[:, :, :4]
        seen[:, :hunters, 4 : 4 + types] = held
        for who, start in ((slice(0, hunters), 4 + types), (slice(hunters, agents), 4)):
            for around in (self._agents_around[:, who, 1:], self._treasures_around[:, who]):
                end = start + around[0, 0].size
                seen[:, who, start:end].reshape(around.shape)[:] = around  # the reshaped slice is a view
                start = end
        return seen


def _look_around(things: Array, distances: Array, own: Array, around: Array) -> None:
    """Fill `around` with the things in order of (distance, index), positions relative to each agent's own.

    Args:
        things: `[batch, thing, number]`, of which the first two are the position.
        distances: `[batch, agent, thing]`.
        own: `[batch, agent, axis]`, positions of the agents.
        around: `[batch, agent, thing, number]`.
    """
    batch, count, numbers = things.shape
    order = np.argsort(distances, axis=2, kind="stable")
    order += (np.arange(batch) * count)[:, None, None]
    things.reshape(batch * count, numbers).take(order, axis=0, out=around, mode="clip")
    for axis in range(own.shape[2]):
        around[..., axis] -= own[..., axis, None]
