"""The battle itself: `ticks` of 1/16 second for many episodes at once.

Arrays are `[unit, batch]`, so that NumPy's loops run over the long batch axis. Row `units` of the arrays
that have it stands for "no unit". One tick is, in this order: orders and targets; who is in range of what;
wanted velocities; collision avoidance; moving, cooling down and regrowth; shots, deaths, healing. All shots
of a tick fall at once: a unit that dies in a tick still fires in it.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.environments.skirmish.avoidance import NOTHING, half_planes, nearest_allowed
from testbed.environments.skirmish.roster import TICKS_PER_SECOND, Roster
from testbed.environments.skirmish.targeting import pick_healing, pick_targets

Array = NDArray[np.float32]
Ints = NDArray[np.intp]

SHIELD_WAIT = 10 * TICKS_PER_SECOND  # ticks without a hit before shields regrow
SHIELD_PER_TICK = np.float32(2 / TICKS_PER_SECOND)
START_ENERGY = 50.0
MAX_ENERGY = np.float32(200.0)
ENERGY_PER_TICK = np.float32(0.5625 / TICKS_PER_SECOND)
HEAL_PER_TICK = np.float32(9 / TICKS_PER_SECOND)
HEAL_PER_ENERGY = np.float32(3.0)
ENERGY_TO_BEGIN = np.float32(5.0)
TICK = np.float32(1 / TICKS_PER_SECOND)
MOVE_AMOUNT = 2.0
FAR = 1e3  # the dead are measured from far outside the map, each from its own place


class Battle:
    """Units of `batch` battles; every array may be read, and written between two ticks.

    Attributes:
        x, y: places `[place, batch]`: of units, of the point the enemy marches to, and of allies' move orders.
        vx, vy: velocities of the last tick, `[unit, batch]`.
        hp, shield, cooldown, shield_wait, energy, stock: `[unit, batch]`; cooldown and shield_wait in ticks,
            stock is hp a healer has paid for and not yet given.
        alive: bool `[unit + 1, batch]`, hp above 0.
        target: the unit each one is after, `units` for none, `[unit + 1, batch]`.
    """

    def __init__(self, roster: Roster, batch: int) -> None:
        self.roster, self.batch = roster, batch
        units, allies = roster.units, roster.allies
        self.x = np.zeros((units + 1 + allies, batch), dtype=np.float32)
        self.y = np.zeros_like(self.x)
        self.x[units], self.y[units] = roster.map.ally_point
        shape = (units, batch)
        self.vx, self.vy, self.hp, self.shield, self.cooldown, self.shield_wait, self.energy, self.stock = (
            np.zeros(shape, dtype=np.float32) for _ in range(8)
        )
        self.alive = np.zeros((units + 1, batch), dtype=np.bool_)
        self.target = np.full((units + 1, batch), units)
        self.aim = np.zeros(shape, dtype=np.intp)
        self.ordered = np.full((allies, batch), units)
        self._row = np.arange(batch)
        self._own = np.arange(units)[:, None]
        self._pairs = Pairs(roster, batch)
        self._healers = np.flatnonzero(roster.healer)
        self._enemy_healers = [int(h) for h in self._healers if h >= allies]
        self._ally_healers = [int(h) for h in self._healers if h < allies]
        self._reach = roster.reach_squared.ravel()
        self._reach_row = self._own * (units + 1 + allies)
        low, high = roster.map.corridor
        wide = np.array([roster.map.width], dtype=np.float32)
        self._low = np.where(roster.air, 0.0, low + roster.radius).astype(np.float32)[:, None]
        self._high = np.where(roster.air, roster.map.height, high - roster.radius).astype(np.float32)[:, None]
        self._width = wide

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

    def command(self, actions: NDArray[np.integer]) -> None:
        """New orders for the allies from available actions `[agent, batch]`."""
        units, allies = self.roster.units, self.roster.allies
        own = self._own[:allies]
        first = np.where(self.roster.healer[:allies, None], 0, allies)  # the unit that target 0 stands for
        chosen = np.where(actions >= 6, first + actions - 6, units)
        moving = (actions >= 2) & (actions <= 5)
        self.ordered[:] = chosen
        self.aim[:allies] = np.where(actions >= 6, chosen, np.where(moving, units + 1 + own, own))
        step_x = np.array([0, 0, 0, 0, MOVE_AMOUNT, -MOVE_AMOUNT], dtype=np.float32)
        step_y = np.array([0, 0, MOVE_AMOUNT, -MOVE_AMOUNT, 0, 0], dtype=np.float32)
        direction = np.where(moving, actions, 0)
        np.add(self.x[:allies], step_x[direction], out=self.x[units + 1 :])
        np.add(self.y[:allies], step_y[direction], out=self.y[units + 1 :])

    def tick(self) -> NDArray[np.float64]:
        """One sixteenth of a second; returns the hp and shield points that the enemy regained, `[batch]`."""
        roster, units = self.roster, self.roster.units
        before = self.target[self._healers]
        distances = self._pairs.measure(self.x, self.y, self.alive)
        self._choose_targets(distances)
        flat = self.aim * self.batch
        flat += self._row
        dx = self.x.take(flat)
        dx -= self.x[:units]
        dy = self.y.take(flat)
        dy -= self.y[:units]
        square = dx * dx
        square += dy * dy
        attacking = square <= self._reach.take(self.aim + self._reach_row)
        moving = square > 0
        moving &= self.alive[:units]
        moving &= ~attacking
        np.maximum(square, np.float32(1e-12), out=square)
        np.sqrt(square, out=square)
        pace = self._speeds() / square
        pace *= moving
        dx *= pace
        dy *= pace
        self._avoid(dx, dy, moving, distances)
        self.vx, self.vy = dx, dy
        self._move()

        self.cooldown -= 1
        np.maximum(self.cooldown, 0, out=self.cooldown)
        fire = attacking & (self.cooldown <= 0)
        np.copyto(self.cooldown, roster.cooldown[:, None], where=fire)
        regained = self._regrow()
        shooting = np.flatnonzero(fire & ~roster.healer[:, None])
        if shooting.size:
            self._shoot(shooting)
        for number, healer in enumerate(self._healers):
            regained += self._heal(int(healer), fire[healer], before[number])
        return regained

    def _choose_targets(self, distances: Array) -> None:
        roster, allies, units = self.roster, self.roster.allies, self.roster.units
        target = self.target
        hunted = self.alive.take(self.ordered * self.batch + self._row)
        target[:allies] = np.where(hunted, self.ordered, units)
        mine = target[allies:units]
        flat = mine * self.batch
        flat += self._row
        dx = self.x.take(flat)
        dx -= self.x[allies:units]
        dy = self.y.take(flat)
        dy -= self.y[allies:units]
        dx *= dx
        dy *= dy
        dx += dy
        keep = dx <= self._reach.take(mine + self._reach_row[allies:])
        keep |= target.take(flat) == self._own[allies:]
        keep &= self.alive.take(flat)
        np.copyto(mine, units, where=~keep)
        self._slow = {h: pick_healing(self, h) for h in self._enemy_healers}
        pick_targets(self, distances, self._ally_healers)
        np.copyto(self.aim[allies:], mine)

    def _speeds(self) -> Array:
        if not self._slow:
            return self.roster.speed[:, None]
        speeds = np.repeat(self.roster.speed[:, None], self.batch, axis=1)
        for healer, slow in self._slow.items():
            speeds[healer] = slow
        return speeds

    def _avoid(self, dx: Array, dy: Array, moving: NDArray[np.bool_], distances: Array) -> None:
        """Turn wanted velocities of units with neighbours, or a wall, into allowed ones, in place."""
        roster, batch = self.roster, self.batch
        own, other = self._pairs.contacts(distances, moving)
        walled = self._near_walls(moving)
        x, y, old_x, old_y = self.x.ravel(), self.y.ravel(), self.vx.ravel(), self.vy.ravel()
        wish_x, wish_y = dx.ravel(), dy.ravel()
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
            self._wall_rules(discs, table[1, 0], table[2, 0])
        speed = roster.speed[discs // batch]
        px, py = wish_x[discs], wish_y[discs]
        wish_x[discs], wish_y[discs] = nearest_allowed(table, walls, speed, px, py)

    def _near_walls(self, moving: NDArray[np.bool_]) -> Ints:
        """Moving ground units that could touch a wall within a second, as flat indices."""
        y, speed = self.y[: self.roster.units], self.roster.speed[:, None]
        near = (y - speed < self._low) | (y + speed > self._high)
        near &= moving
        near &= ~self.roster.air[:, None]
        return np.flatnonzero(near)

    def _wall_rules(self, discs: Ints, ny: Array, bound: Array) -> None:
        """Fill line 0 for discs near a wall: no nearer to it in a second than touching."""
        unit = discs // self.batch
        y, speed, ground = self.y.ravel()[discs], self.roster.speed[unit], ~self.roster.air[unit]
        below, above = y - self._low[unit, 0], self._high[unit, 0] - y
        for gap, normal in ((below, 1.0), (above, -1.0)):
            near = ground & (gap < speed)
            ny[near] = normal
            bound[near] = -np.maximum(gap[near], 0)

    def _move(self) -> None:
        x, y = self.x[: self.roster.units], self.y[: self.roster.units]
        x += self.vx * TICK
        y += self.vy * TICK
        np.clip(x, 0, self._width, out=x)
        np.clip(y, self._low, self._high, out=y)

    def _regrow(self) -> NDArray[np.float64]:
        regained = np.zeros(self.batch)
        if self.roster.has_shields:
            self.shield_wait -= 1
            np.maximum(self.shield_wait, 0, out=self.shield_wait)
            growing = self.shield_wait <= 0
            growing &= self.alive[:-1]
            missing = self.roster.shield[:, None] - self.shield
            missing *= growing
            np.minimum(missing, SHIELD_PER_TICK, out=missing)
            self.shield += missing
            # All sums of this kind are exact in binary, so their order does not matter.
            regained += missing[self.roster.allies :].sum(axis=0)
        for healer in self._healers:
            energy = self.energy[healer]
            energy += ENERGY_PER_TICK * self.alive[healer]
            np.minimum(energy, MAX_ENERGY, out=energy)
        return regained

    def _shoot(self, shooting: Ints) -> None:
        """Damage by these shooters (flat indices), hit by hit in their order; then deaths."""
        roster, batch, units = self.roster, self.batch, self.roster.units
        shooter, row = np.divmod(shooting, batch)
        target = self.aim.ravel()[shooting]
        living = self.alive.ravel()[target * batch + row]  # others shoot at a corpse
        shooter, row, target = shooter[living], row[living], target[living]
        hit = target * batch + row
        amount = roster.damage[shooter, target]
        if roster.has_shields:
            times = roster.attacks[shooter]
            hit, amount, armour = (np.repeat(a, times) for a in (hit, amount, roster.armour[target]))
            order = np.argsort(hit, kind="stable")
            hit, amount, armour = hit[order], amount[order], armour[order]
            fresh = np.flatnonzero(np.diff(hit, prepend=-1))
            rank = np.arange(hit.size) - np.repeat(fresh, np.diff(fresh, append=hit.size))
            hp, shield = self.hp.reshape(-1), self.shield.reshape(-1)
            for turn in range(int(rank.max(initial=-1)) + 1):
                now = rank == turn
                at, points = hit[now], amount[now]
                stopped = np.minimum(shield[at], points)
                shield[at] -= stopped
                hp[at] -= np.maximum(points - stopped - armour[now], 0)
            shielded = hit[roster.shield[hit // batch] > 0]
            self.shield_wait.reshape(-1)[shielded] = SHIELD_WAIT
        else:
            points = np.maximum(amount - roster.armour[target], 0) * roster.attacks[shooter]
            np.subtract.at(self.hp.reshape(-1), hit, points.astype(np.float32))
        np.maximum(self.hp, 0, out=self.hp)
        dying = self.alive[:units] & (self.hp <= 0)
        if dying.any():
            self._bury(dying)

    def _bury(self, dying: NDArray[np.bool_]) -> None:
        units, allies = self.roster.units, self.roster.allies
        self.alive[:units] &= ~dying
        for array in (self.shield, self.vx, self.vy, self.cooldown, self.shield_wait, self.energy, self.stock):
            array[dying] = 0.0
        self.target[:units][dying] = units
        agents = dying[:allies]
        self.ordered[agents] = units
        np.copyto(self.aim[:allies], self._own[:allies], where=agents)

    def _heal(self, healer: int, acting: NDArray[np.bool_], before: Ints) -> NDArray[np.float64]:
        """One healer's tick, where it is in range: a full target is let go, a new one needs energy 5.

        Returns the hp it gave if it is an enemy, `[batch]`.
        """
        row = np.flatnonzero(acting)
        target = self.aim[healer, row]
        living = self.alive[target, row] & self.alive[healer, row]
        row, target = row[living], target[living]
        missing = self.roster.hp[target] - self.hp[target, row]
        refused = (missing <= 0) | ((before[row] != target) & (self.energy[healer, row] < ENERGY_TO_BEGIN))
        self.target[healer, row[refused]] = self.roster.units
        row, target, missing = row[~refused], target[~refused], missing[~refused]
        wanted = np.minimum(missing, HEAL_PER_TICK)
        energy, stock = self.energy[healer], self.stock[healer]
        spent = np.where(stock[row] < wanted, np.minimum(energy[row], np.float32(1.0)), np.float32(0.0))
        energy[row] -= spent
        stock[row] += spent * HEAL_PER_ENERGY
        given = np.minimum(wanted, stock[row])
        stock[row] -= given
        self.hp[target, row] += given
        regained = np.zeros(self.batch)
        if healer >= self.roster.allies:
            regained[row] = given
        return regained


class Pairs:
    """Distances of all pairs of units: first ally by enemy, then the pairs within each side."""

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

    def contacts(self, distances: Array, moving: NDArray[np.bool_]) -> tuple[Ints, Ints]:
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
