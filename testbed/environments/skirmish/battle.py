"""The battle itself: ticks of 1/16 second for many episodes at once.

Arrays are `[unit, batch]`, so that NumPy's loops run over the long batch axis. Row `units` of the arrays
that have it stands for "no unit". One tick is, in this order: orders and targets; which units are in range;
wanted velocities; collision avoidance; moving, cooling down and regrowth; shots, deaths, healing. All shots
of a tick take effect at once, so that a unit that dies in a tick still fires in it, unless a random order is
asked for (see `sequential_resolution`).
"""

import numpy as np
from numpy.typing import NDArray

from testbed.environments.skirmish.healing import heal
from testbed.environments.skirmish.movement import Movement
from testbed.environments.skirmish.sequential_resolution import replay
from testbed.environments.skirmish.state import BattleState
from testbed.environments.skirmish.targeting import pick_healing, pick_targets
from testbed.environments.skirmish.units import TICKS_PER_SECOND, Roster
from testbed.environments.skirmish.volley import Volley

Array = NDArray[np.float32]
Ints = NDArray[np.intp]

SHIELD_PER_TICK = np.float32(2 / TICKS_PER_SECOND)
MAX_ENERGY = np.float32(200.0)
ENERGY_PER_TICK = np.float32(0.5625 / TICKS_PER_SECOND)
TICK = np.float32(1 / TICKS_PER_SECOND)
MOVE_AMOUNT = 2.0


class Battle(BattleState):
    """The rules by which the state of the battles changes, a tick at a time."""

    def __init__(self, roster: Roster, batch: int) -> None:
        super().__init__(roster, batch)
        units, allies = roster.units, roster.allies
        self._slow: dict[int, Array] = {}  # speeds of enemy healers, [batch]
        self._row = np.arange(batch)
        self._own = np.arange(units)[:, None]
        self._movement = Movement(roster, batch)
        west, east = np.zeros((units, 1)), np.full((units, 1), roster.map.width)
        self._lowest = np.stack([west, self._movement.low]).astype(np.float32)
        self._highest = np.stack([east, self._movement.high]).astype(np.float32)
        self._volley = Volley(roster, batch)
        self._fighters = ~roster.healer[:, None]
        self._healers = np.flatnonzero(roster.healer)
        self._enemy_healers = [int(h) for h in self._healers if h >= allies]
        self._ally_healers = [int(h) for h in self._healers if h < allies]
        self._reach = roster.reach_squared.ravel()
        self._reach_row = self._own * (units + 1 + allies)

    def command(self, actions: NDArray[np.integer]) -> None:
        """New orders for the allies from available actions `[agent, batch]`."""
        units, allies = self.roster.units, self.roster.allies
        own = self._own[:allies]
        first = np.where(self.roster.healer[:allies, None], 0, allies)  # the unit of target 0
        chosen = np.where(actions >= 6, first + actions - 6, units)
        moving = (actions >= 2) & (actions <= 5)
        self.regained[:], self.felled[:] = 0.0, 0
        self.ordered[:] = chosen
        self.aim[:allies] = np.where(actions >= 6, chosen, np.where(moving, units + 1 + own, own))
        step_x = np.array([0, 0, 0, 0, MOVE_AMOUNT, -MOVE_AMOUNT], dtype=np.float32)
        step_y = np.array([0, 0, MOVE_AMOUNT, -MOVE_AMOUNT, 0, 0], dtype=np.float32)
        direction = np.where(moving, actions, 0)
        np.add(self.x[:allies], step_x[direction], out=self.x[units + 1 :])
        np.add(self.y[:allies], step_y[direction], out=self.y[units + 1 :])

    def tick(self, shuffle: np.random.Generator | None = None) -> None:
        """One sixteenth of a second; with a generator, units act in a random order instead of all at once."""
        roster, units = self.roster, self.roster.units
        before = self.target.copy() if self._healers.size else self.target
        distances = self._movement.measure(self.place, self.alive)
        self._choose_targets(distances)
        wish, square = self._towards(self.aim, slice(None, units))
        attacking = square <= self._reach.take(self.aim + self._reach_row)
        moving = square > 0
        moving &= self.alive[:units]
        moving &= ~attacking
        np.maximum(square, np.float32(1e-12), out=square)
        np.sqrt(square, out=square)
        pace = self._speeds() / square
        pace *= moving
        wish *= pace
        self._movement.steer(self, wish, moving, distances)
        self.velocity[:] = wish
        self._move()

        self.cooldown -= 1
        np.maximum(self.cooldown, 0, out=self.cooldown)
        fire = attacking & (self.cooldown <= 0)
        np.copyto(self.cooldown, roster.cooldown[:, None], where=fire)
        self._regrow()
        self._act(fire, before, shuffle)

    def _act(self, fire: NDArray[np.bool_], before: Ints, shuffle: np.random.Generator | None) -> None:
        """Shots, deaths and healing."""
        roster, units = self.roster, self.roster.units
        old = None if shuffle is None else (self.hp.copy(), self.shield.copy(), self.shield_wait.copy())
        shooting = (fire & self._fighters).reshape(-1).nonzero()[0]
        if shooting.size:
            self._volley.fire(self, shooting)
            dying = self._dying()
            if dying.size and shuffle is not None and old is not None:
                played = np.unique(dying % self.batch)
                for array, values in zip((self.hp, self.shield, self.shield_wait), old, strict=True):
                    array[:, played] = values[:, played]
                for row in played:
                    replay(self, int(row), fire, before, shuffle.permutation(units))
                dying = self._dying()
                fire[:, played] = False
            elif dying.size:
                enemies = dying[dying.searchsorted(roster.allies * self.batch) :]
                self.felled += np.bincount(enemies % self.batch, minlength=self.batch)
            if dying.size:
                self._bury(dying)
        for healer in self._healers:
            heal(self, int(healer), fire[healer], before[healer])

    def _dying(self) -> Ints:
        """Units that have no hp left and are not buried yet, as flat indices."""
        dying: NDArray[np.bool_] = self.hp <= 0
        dying &= self.alive[:-1]
        return dying.reshape(-1).nonzero()[0]

    def _choose_targets(self, distances: Array) -> None:
        allies, units, target = self.roster.allies, self.roster.units, self.target
        hunted = self.alive.take(self.ordered * self.batch + self._row)
        target[:allies] = np.where(hunted, self.ordered, units)
        mine = target[allies:units]
        flat = mine * self.batch
        flat += self._row
        _, square = self._towards(mine, slice(allies, units))
        keep = square <= self._reach.take(mine + self._reach_row[allies:])
        keep |= target.take(flat) == self._own[allies:]
        keep &= self.alive.take(flat)
        np.copyto(mine, units, where=~keep)
        self._slow = {h: pick_healing(self, h) for h in self._enemy_healers}
        pick_targets(self, distances, self._ally_healers)
        np.copyto(self.aim[allies:], mine)

    def _towards(self, aims: Ints, units: slice) -> tuple[Array, Array]:
        """From these units to the places aimed at, `[axis, unit, batch]`, and the squared distances."""
        flat = aims * self.batch
        flat += self._row
        way = self.place.reshape(2, -1).take(flat, axis=1)
        way -= self.place[:, units]
        squares = way * way
        return way, squares[0] + squares[1]

    def _speeds(self) -> Array:
        if not self._slow:
            return self.roster.speed[:, None]
        speeds = np.repeat(self.roster.speed[:, None], self.batch, axis=1)
        for healer, slow in self._slow.items():
            speeds[healer] = slow
        return speeds

    def _move(self) -> None:
        place = self.place[:, : self.roster.units]
        place += self.velocity * TICK
        np.maximum(place, self._lowest, out=place)
        np.minimum(place, self._highest, out=place)

    def _regrow(self) -> None:
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
            self.regained += missing[self.roster.allies :].sum(axis=0)
        for healer in self._healers:
            energy = self.energy[healer]
            energy += ENERGY_PER_TICK * self.alive[healer]
            np.minimum(energy, MAX_ENERGY, out=energy)

    def _bury(self, dying: Ints) -> None:
        """Units that die (flat indices) no longer move, shoot or follow orders."""
        allies = self.roster.allies
        self.alive.reshape(-1)[dying] = False
        mortal = self._numbers[:-1]
        mortal.reshape(len(mortal), -1)[:, dying] = 0.0
        self.target.reshape(-1)[dying] = self.roster.units
        agents = dying[: dying.searchsorted(allies * self.batch)]
        self.ordered.reshape(-1)[agents] = self.roster.units
        self.aim.reshape(-1)[agents] = agents // self.batch
