"""The state of many battles at once: arrays that movement, targeting, shots and healing read and write."""

import numpy as np
from numpy.typing import NDArray

from testbed.environments.skirmish.units import TICKS_PER_SECOND, Roster

Ints = NDArray[np.intp]

SHIELD_WAIT = 10 * TICKS_PER_SECOND  # ticks without a hit before shields regrow
START_ENERGY = 50.0


class BattleState:
    """Units of `batch` battles; every array may be read, and written between two ticks.

    Attributes:
        place: `[axis, place, batch]`: units, the point the enemy marches to, and the allies' move orders.
        velocity: of the last tick, `[axis, unit, batch]`.
        x, y, vx, vy: views of these, by axis.
        hp, shield, cooldown, shield_wait, energy, stock: `[unit, batch]`; cooldown and shield_wait in ticks,
            stock is hp a healer has paid for and not yet given.
        alive: bool `[unit + 1, batch]`, hp above 0.
        target: the unit each one pursues, `units` for none, `[unit + 1, batch]`.
        aim: the place each unit acts on or walks to, its own for standing still, `[unit, batch]`.
        ordered: the unit each ally was ordered to attack or heal, `units` for none, `[ally, batch]`.
        shield_pause: ticks that a hit keeps the shield of each unit from regrowing, `[unit]`.
        regained: hp and shield points that the enemy got back since the last command, `[batch]`.
        felled: enemies that fell since the last command, `[batch]`; one that a healer saved in the very tick
            can fall again.
    """

    def __init__(self, roster: Roster, batch: int) -> None:
        self.roster, self.batch = roster, batch
        units, allies = roster.units, roster.allies
        self.place = np.zeros((2, units + 1 + allies, batch), dtype=np.float32)
        self.x, self.y = self.place
        self.x[units], self.y[units] = roster.map.ally_point
        shape = (units, batch)
        self._numbers = np.zeros((8, *shape), dtype=np.float32)
        self.velocity = self._numbers[:2]
        self.vx, self.vy, self.shield, self.cooldown, self.shield_wait, self.energy, self.stock, self.hp = (
            self._numbers
        )
        self.alive = np.zeros((units + 1, batch), dtype=np.bool_)
        self.target = np.full((units + 1, batch), units)
        self.aim = np.zeros(shape, dtype=np.intp)
        self.ordered = np.full((allies, batch), units)
        self.regained = np.zeros(batch)
        self.felled = np.zeros(batch, dtype=np.int64)
        self.shield_pause = np.where(roster.shield > 0, np.float32(SHIELD_WAIT), np.float32(0.0))

    def begin(self, rows: Ints, places: NDArray[np.float64]) -> None:
        """Fresh units for these rows, standing at `places` `[unit, axis, row]`."""
        units = self.roster.units
        self.x[:units, rows], self.y[:units, rows] = places[:, 0], places[:, 1]
        for array in (self.vx, self.vy, self.cooldown, self.shield_wait, self.stock):
            array[:, rows] = 0.0
        self.hp[:, rows] = self.roster.hp[:, None]
        self.shield[:, rows] = self.roster.shield[:, None]
        self.energy[:, rows] = np.where(self.roster.healer, START_ENERGY, 0.0)[:, None]
        self.target[:, rows] = units
        self.refresh()

    def refresh(self) -> None:
        """Derive what depends on arrays that were written from outside."""
        np.greater(self.hp, 0.0, out=self.alive[: self.roster.units])
