"""How units move among each other and between the walls."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.environments.skirmish.avoidance import NOTHING, half_planes, nearest_allowed
from testbed.environments.skirmish.roster import TICKS_PER_SECOND, Roster

if TYPE_CHECKING:
    from testbed.environments.skirmish.battle import Battle

Array = NDArray[np.float32]
Ints = NDArray[np.intp]

FAR = 1e3  # the dead are measured from far outside the map, each from its own place


class Movement:
    """Distances of all pairs of units, and the velocities that units take among each other.

    Pairs are numbered ally by enemy first, then those within each side.
    """

    def __init__(self, roster: Roster, batch: int) -> None:
        self.roster, self.batch = roster, batch
        allies, units = roster.allies, roster.units
        pairs = [(a, e) for a in range(allies) for e in range(allies, units)]
        for side in (range(allies), range(allies, units)):
            pairs += [(i, j) for i in side for j in side if i < j]
        self.first, self.second = np.array(pairs).T
        widest = roster.radius.max()
        near = np.maximum(roster.radius[self.first], roster.radius[self.second]) + widest
        same_plane = roster.air[self.first] == roster.air[self.second]
        self._near_squared = np.where(same_plane, near * near, -1.0).astype(np.float32)[:, None]
        self._own_near_squared = (roster.radius + widest) ** 2
        self._far = (FAR * (1 + np.arange(units, dtype=np.float32)))[:, None]
        low, high = roster.map.corridor
        self.low = np.where(roster.air, 0.0, low + roster.radius).astype(np.float32)[:, None]
        self.high = np.where(roster.air, roster.map.height, high - roster.radius).astype(np.float32)[:, None]
        self._dx = np.zeros((len(pairs), batch), dtype=np.float32)
        self._dy = np.zeros_like(self._dx)

    def measure(self, x: Array, y: Array, alive: NDArray[np.bool_]) -> Array:
        """Squared distances `[pair, batch]`, huge for pairs with a dead unit; valid until the next call."""
        units, allies, enemies = self.roster.units, self.roster.allies, self.roster.enemies
        x = np.where(alive[:units], x[:units], self._far)
        for values, out in ((x, self._dx), (y[:units], self._dy)):
            block = out[: allies * enemies].reshape(allies, enemies, self.batch)
            np.subtract(values[None, allies:], values[:allies, None], out=block)
            start = allies * enemies
            for low, high in ((0, allies), (allies, units)):
                for unit in range(low, high - 1):
                    end = start + high - 1 - unit
                    np.subtract(values[unit + 1 : high], values[unit], out=out[start:end])
                    start = end
            out *= out
        self._dx += self._dy
        return self._dx

    def _contacts(self, distances: Array, moving: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """Who must look out for whom: flat indices of moving units and of neighbours of the same plane."""
        hits = np.flatnonzero(distances <= self._near_squared)
        pair, row = np.divmod(hits, self.batch)
        first, second = self.first[pair], self.second[pair]
        square = distances.ravel()[hits]
        one, two = first * self.batch + row, second * self.batch + row
        flat = moving.ravel()
        forth = flat[one] & (square <= self._own_near_squared[first])
        back = flat[two] & (square <= self._own_near_squared[second])
        return np.concatenate([one[forth], two[back]]), np.concatenate([two[forth], one[back]])

    def steer(
        self, battle: "Battle", wish_x: Array, wish_y: Array, moving: NDArray[np.bool_], distances: Array
    ) -> None:
        """Turn the wishes `[unit, batch]` of moving units into velocities that avoid others and walls.

        Args:
            battle: places and the velocities of the last tick.
            wish_x, wish_y: wanted velocities; zero for units that do not move.
            moving: who wants to move.
            distances: from `measure`, of the present places.
        """
        roster, batch = self.roster, self.batch
        own, other = self._contacts(distances, moving)
        walled = self._near_walls(battle.y, moving)
        x, y, old_x, old_y = battle.x.ravel(), battle.y.ravel(), battle.vx.ravel(), battle.vy.ravel()
        wish_x, wish_y = wish_x.ravel(), wish_y.ravel()
        unit = own // batch
        speed_x, speed_y = old_x[own], old_y[own]
        rules = half_planes(
            x[other] - x[own],
            y[other] - y[own],
            speed_x - old_x[other],
            speed_y - old_y[other],
            roster.radius[unit] + roster.radius[other // batch],
            np.where(moving.ravel()[other], np.float32(0.5), np.float32(1.0)),
            speed_x,
            speed_y,
            own < other,
            1 / TICKS_PER_SECOND,
        )
        # Only discs whose wish breaks a rule have something to solve, and a rule that asks for less than
        # full speed away from it can be left out.
        asked = np.zeros(roster.units * batch, dtype=np.bool_)
        asked[own[rules[0] * wish_x[own] + rules[1] * wish_y[own] < rules[2]]] = True
        asked[walled] = True
        discs = np.flatnonzero(asked)
        if not discs.size:
            return
        kept = asked[own]
        kept &= rules[2] > -roster.speed[unit]
        rules, own = rules[:, kept], own[kept]
        place = np.empty(asked.size, dtype=np.intp)
        place[discs] = np.arange(discs.size)
        column = place[own]
        # Sorting small numbers is much faster.
        order = np.argsort(column.astype(np.uint16) if discs.size < 2**16 else column, kind="stable")
        column = column[order]
        counts = np.bincount(column, minlength=discs.size)
        walls = int(walled.size > 0)
        line = walls + np.arange(column.size) - np.repeat(np.cumsum(counts) - counts, counts)
        table = np.zeros((3, walls + int(counts.max(initial=0)), discs.size), dtype=np.float32)
        table[2] = NOTHING
        table[:, line, column] = rules[:, order]
        if walls:
            self._wall_rules(y, discs, table[1, 0], table[2, 0])
        speed = roster.speed[discs // batch]
        px, py = wish_x[discs], wish_y[discs]
        wish_x[discs], wish_y[discs] = nearest_allowed(table, walls, speed, px, py)

    def _near_walls(self, y: Array, moving: NDArray[np.bool_]) -> Ints:
        """Moving ground units that could touch a wall within a second, as flat indices."""
        y, speed = y[: self.roster.units], self.roster.speed[:, None]
        near = (y - speed < self.low) | (y + speed > self.high)
        near &= moving
        near &= ~self.roster.air[:, None]
        return np.flatnonzero(near)

    def _wall_rules(self, y: Array, discs: Ints, ny: Array, bound: Array) -> None:
        """Fill line 0 for discs near a wall: no nearer to it in a second than touching."""
        unit = discs // self.batch
        y, speed, ground = y[discs], self.roster.speed[unit], ~self.roster.air[unit]
        below, above = y - self.low[unit, 0], self.high[unit, 0] - y
        for gap, normal in ((below, 1.0), (above, -1.0)):
            near = ground & (gap < speed)
            ny[near] = normal
            bound[near] = -np.maximum(gap[near], 0)
