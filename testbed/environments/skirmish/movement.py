"""Movement of units among each other and between the walls."""

import numpy as np
from numpy.typing import NDArray

from testbed.environments.skirmish.avoidance import NOTHING, ONE, half_planes, nearest_allowed, put
from testbed.environments.skirmish.state import BattleState
from testbed.environments.skirmish.units import TICKS_PER_SECOND, Roster

Array = NDArray[np.float32]
Ints = NDArray[np.intp]

FAR = 1e3  # the dead are placed far outside the map, each at its own place
SHARES = np.array([1.0, 0.5], dtype=np.float32)  # of the way out, next to a standing or a moving unit


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
        first, second = np.array(pairs).T
        # Every pair twice, [2 * pair]: a unit, and its neighbour.
        self._unit, self._neighbour = np.concatenate([first, second]), np.concatenate([second, first])
        number = np.arange(self._unit.size)
        self._to_own = (self._unit - number) * batch
        self._to_other = (self._neighbour - number) * batch
        self._radii = roster.radius[self._unit] + roster.radius[self._neighbour]
        self._slowness = -roster.speed[self._unit]
        near = (roster.radius + roster.radius.max()) ** 2
        same_plane = roster.air[first] == roster.air[second]
        self._near_squared = np.where(same_plane, near[self._unit].reshape(2, -1), -ONE)[..., None]
        self._far = (FAR * (1 + np.arange(units, dtype=np.float32)))[:, None]
        low, high = roster.map.corridor
        self.low = np.where(roster.air, 0.0, low + roster.radius).astype(np.float32)[:, None]
        self.high = np.where(roster.air, roster.map.height, high - roster.radius).astype(np.float32)[:, None]
        self._ground = ~roster.air[:, None]
        self._watched = np.where(roster.air, -np.inf, roster.speed).astype(np.float32)
        self._pairs = len(pairs)

    def measure(self, place: Array, alive: NDArray[np.bool_]) -> Array:
        """Squared distances `[pair, batch]`, huge for pairs with a dead unit.

        Args:
            place: `[axis, place, batch]`.
            alive: `[unit + 1, batch]`.
        """
        units = self.roster.units
        seen = place[:, :units].copy()
        np.copyto(seen[0], self._far, where=~alive[:units])
        difference = seen.take(self._neighbour[: self._pairs], axis=1)
        difference -= seen.take(self._unit[: self._pairs], axis=1)
        difference *= difference
        square: Array = difference[0]
        square += difference[1]
        return square

    def _contacts(self, distances: Array, moving: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
        """Pairs of units that must avoid each other: flat indices of moving units and of their neighbours.

        Units that are the first of their pair come first. The third array is the number of each pair among
        `2 * pair`.
        """
        near = distances <= self._near_squared
        near &= moving.take(self._unit, axis=0).reshape(near.shape)
        hits = near.reshape(-1).nonzero()[0]
        pair = hits // self.batch
        return hits + self._to_own.take(pair), hits + self._to_other.take(pair), pair

    def steer(self, battle: BattleState, wish: Array, moving: NDArray[np.bool_], distances: Array) -> None:
        """Turn the wishes of moving units into velocities that avoid others and walls.

        Args:
            battle: places and the velocities of the last tick.
            wish: wanted velocities `[axis, unit, batch]`; zero for units that do not move.
            moving: who wants to move, `[unit, batch]`.
            distances: from `measure`, of the present places.
        """
        own, other, pair = self._contacts(distances, moving)
        place, velocity = battle.place.reshape(2, -1), battle.velocity.reshape(2, -1)
        wish, moving = wish.reshape(2, -1), moving.reshape(-1)
        offset = place.take(other, axis=1)
        offset -= place.take(own, axis=1)
        speed = velocity.take(own, axis=1)
        rules = half_planes(
            offset,
            speed - velocity.take(other, axis=1),
            self._radii.take(pair),
            SHARES.take(moving.take(other)),
            speed,
            own < other,
            1 / TICKS_PER_SECOND,
        )
        # Only discs whose wish breaks a rule need a solution, and a rule that asks for less than
        # full speed away from it can be left out.
        asked, walls = self._near_walls(battle.y, moving)
        along = wish.take(own, axis=1)
        along *= rules[:2]
        asked[own[along[0] + along[1] < rules[2]]] = True
        discs = asked.nonzero()[0]
        if not discs.size:
            return
        kept = rules[2] > self._slowness.take(pair)
        kept &= asked.take(own)
        rules, own = rules.compress(kept, axis=1), own.compress(kept)
        table = _table(rules, own, discs, asked.size, walls)
        if walls:
            self._wall_rules(battle.y, discs, table[1, 0], table[2, 0])
        top = self.roster.speed.take(discs // self.batch)
        put(wish, discs, nearest_allowed(table, walls, top, wish.take(discs, axis=1)))

    def _near_walls(self, y: Array, moving: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], int]:
        """Moving ground units that could touch a wall within a second, flat, and whether there are any."""
        y, speed = y[: self.roster.units], self.roster.speed[:, None]
        near: NDArray[np.bool_] = y - speed < self.low
        near |= y + speed > self.high
        near &= self._ground
        near = near.reshape(-1)
        near &= moving
        return near, int(near.any())

    def _wall_rules(self, y: Array, discs: Ints, ny: Array, bound: Array) -> None:
        """Fill line 0 for discs near a wall: no nearer to it in a second than touching."""
        unit = discs // self.batch
        y, watched = y.reshape(-1).take(discs), self._watched.take(unit)
        below, above = y - self.low.take(unit), self.high.take(unit) - y
        for gap, normal in ((below, ONE), (above, -ONE)):
            near = gap < watched
            np.copyto(ny, normal, where=near)
            np.copyto(bound, -np.maximum(gap, 0), where=near)


def _table(rules: Array, own: Ints, discs: Ints, size: int, walls: int) -> Array:
    """The rules by disc, `[3, line, disc]`, padded with rules that forbid nothing.

    Args:
        rules: `[3, rule]`.
        own: the disc of each rule.
        discs: discs with or without rules, ascending.
        size: more than the largest of them.
        walls: lines left free in front.
    """
    place = np.empty(size, dtype=np.intp)
    place[discs] = np.arange(discs.size)
    column = place.take(own)
    # Sorting small numbers is much faster.
    order = (column.astype(np.uint16) if discs.size < 2**16 else column).argsort(kind="stable")
    column = column.take(order)
    counts = np.bincount(column, minlength=discs.size)
    begin = counts.cumsum()
    begin -= counts
    line = np.arange(walls, walls + column.size)
    line -= begin.take(column)
    table = np.zeros((3, walls + int(counts.max(initial=0)), discs.size), dtype=np.float32)
    table[2] = NOTHING
    line *= discs.size
    line += column
    put(table.reshape(3, -1), line, rules.take(order, axis=1))
    return table
