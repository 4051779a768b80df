"""Rewards of treasure collection: their parts, and four ways to combine them.

MATRPO's Table II and equation 23 differ from its authors' published code in the agents that are paid, in
the weights of a pickup and of a deposit, and in the distances that count; hence three rewards over the same
parts. The fourth is the paper's in equal shares.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from testbed.environments.particle_physics import lengths

PICKUP_WITHIN = 0.075  # sums of radii
DEPOSIT_WITHIN = 0.125

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Situation:
    """Positions and holdings when rewards are paid: H hunters and treasures, K banks and types.

    It holds the environment's own arrays and must be used before these change.

    Attributes:
        hunter_positions, bank_positions: `[H, axis, batch]`, `[K, axis, batch]`.
        holding: `[H, batch]`, a type or -1.
        alive: `[treasure, batch]`, whether the treasure is there.
        treasure_distances: `[H, treasure, batch]`.
        bank_distances: `[H, K, batch]`.
        partners: `[H, batch]`, how many other hunters each one touches.
    """

    hunter_positions: Array
    bank_positions: Array
    holding: Integers
    alive: Bools
    treasure_distances: Array
    bank_distances: Array
    partners: Integers

    @property
    def types(self) -> Integers:
        """`[1, K, 1]`: all types."""
        return np.arange(self.bank_distances.shape[1])[None, :, None]

    @cached_property
    def empty(self) -> Bools:
        """`[H, batch]`: which hunters hold nothing."""
        return self.holding < 0

    @cached_property
    def to_collect(self) -> Array:
        """`[H, treasure, batch]`: distances of treasures that are present; infinite for the others."""
        return np.where(self.alive, self.treasure_distances, np.inf)

    @cached_property
    def collecting(self) -> Bools:
        """`[H, treasure, batch]`: which empty hunters touch which treasures that are present."""
        return (self.to_collect < PICKUP_WITHIN) & self.empty[:, None]

    @cached_property
    def carrying(self) -> Bools:
        """`[H, K, batch]`: which hunters hold which type."""
        carrying: Bools = self.holding[:, None] == self.types
        return carrying

    @cached_property
    def depositing(self) -> Bools:
        """`[H, K, batch]`: which hunters touch the bank of the type they hold."""
        return (self.bank_distances < DEPOSIT_WITHIN) & self.carrying

    @cached_property
    def nearest(self) -> Array:
        """`[H, batch]`: distance to the nearest treasure that is present; 0 if there is none."""
        return _zero_if_none(self.to_collect.min(axis=1))

    @cached_property
    def closest(self) -> Array:
        """`[batch]`: the smallest distance between an empty hunter and a treasure that is present, or 0."""
        return _zero_if_none(np.where(self.empty, self.to_collect.min(axis=1), np.inf).min(axis=0))

    @cached_property
    def errands(self) -> Array:
        """`[H, batch]`: distance to the nearest treasure for empty hunters, to its bank for others."""
        to_bank = np.take_along_axis(self.bank_distances, np.maximum(self.holding, 0)[:, None], axis=1)
        return np.where(self.empty, self.nearest, to_bank[:, 0])

    @cached_property
    def awaited(self) -> Array:
        """`[K, batch]`: distance of each bank to the nearest hunter with its type, or the centre of all."""
        bringing = np.where(self.carrying, self.bank_distances, np.inf).min(axis=0)
        offsets = self.hunter_positions[:, None] - self.bank_positions[None]
        centre = lengths(_total(offsets) / len(offsets))
        return np.where(np.isinf(bringing), centre, bringing)


def _zero_if_none(smallest: Array) -> Array:
    """Replace infinity, the minimum of no distances, by 0; in place."""
    smallest[np.isinf(smallest)] = 0.0
    return smallest


def _total(terms: Array) -> Array:
    """Sum over the first axis in index order at any batch; `sum` may add in another order when it is 1."""
    total: Array = np.add.accumulate(terms, axis=0)[-1]
    return total


def _team(rewards: Array) -> Array:
    """`[batch]`: what all agents together are paid."""
    return _total(np.ascontiguousarray(rewards.T))


def paper(now: Situation, rewards: Array) -> None:
    """Table II and equation 23: a hunter pays 5 while it touches another; every bank is paid

    5 (empty hunters on a treasure + banks with a hunter that brings their type) - 0.1 closest.
    """
    hunters = len(now.holding)
    rewards[:, :hunters] -= 5.0 * (now.partners > 0).T
    successes = now.collecting.any(axis=1).sum(axis=0) + now.depositing.any(axis=0).sum(axis=0)
    rewards[:, hunters:] += (5.0 * successes - 0.1 * now.closest)[:, None]


def shared(now: Situation, rewards: Array) -> None:
    """What `paper` pays, in equal shares: every agent is paid the mean of all agents."""
    paper(now, rewards)
    rewards[:] = (_team(rewards) / rewards.shape[1])[:, None]


def code_role(now: Situation, rewards: Array) -> None:
    """The authors' code with rewards by role: a hunter pays 5 for each other hunter that it touches; a bank
    is paid

    (H + 1) deposits + H pickups - 0.1 (awaited + sum of errands), with 5 for each hunter that is at the bank
    of its treasure and for each pair of an empty hunter and a treasure in contact.
    """
    hunters = len(now.holding)
    rewards[:, :hunters] -= 5.0 * now.partners.T
    pickups = 5.0 * now.collecting.sum(axis=(0, 1))
    deposits = 5.0 * now.depositing.sum(axis=(0, 1))
    each = deposits - 0.1 * _total(now.errands) + hunters * (deposits + pickups)
    rewards[:, hunters:] += (each - 0.1 * now.awaited).T


def code_head(now: Situation, rewards: Array) -> None:
    """The authors' last version: everything that `code_role` pays goes to hunter 0."""
    code_role(now, rewards)
    total = _team(rewards)
    rewards[:] = 0.0
    rewards[:, 0] = total


REWARDS: dict[str, Callable[[Situation, Array], None]] = {
    "paper": paper,
    "shared": shared,
    "code_role": code_role,
    "code_head": code_head,
}
"""Rewards by name; each adds the pay of hunters, then banks, to zeros `rewards` `[batch, agent]`."""
