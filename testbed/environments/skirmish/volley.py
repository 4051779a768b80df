"""The shots of one tick: all at once, but hits on one unit are applied in the order of the shooters."""

import numpy as np
from numpy.typing import NDArray

from testbed.environments.skirmish.state import BattleState
from testbed.environments.skirmish.units import Roster

Ints = NDArray[np.intp]


class Volley:
    """Damage of one shot, by shooter and target."""

    def __init__(self, roster: Roster, batch: int) -> None:
        self.roster, self.batch = roster, batch
        through = np.maximum(roster.damage - roster.armour, 0)
        self._points = roster.damage.ravel()
        self._points_without_shield = (through * roster.attacks[:, None]).astype(np.float32).ravel()

    def fire(self, battle: BattleState, shooting: Ints) -> None:
        """Subtract these shooters' damage from their targets' hp and shields; flat indices, ascending."""
        shooter = shooting // self.batch
        target = battle.aim.reshape(-1).take(shooting)
        hit = target - shooter
        hit *= self.batch
        hit += shooting
        living = battle.alive.reshape(-1).take(hit)  # the others shoot at dead units
        shooter *= self.roster.units
        shooter += target
        pair, hit = shooter.compress(living), hit.compress(living)
        if self.roster.has_shields:
            self._through_shields(battle, pair, hit)
        else:
            hp = battle.hp.reshape(-1)
            np.subtract.at(hp, hit, self._points_without_shield.take(pair))
            np.maximum(hp, 0, out=hp)

    def _through_shields(self, battle: BattleState, pair: Ints, hit: Ints) -> None:
        """Apply damage hit by hit.

        Args:
            battle: the battle whose units are hit.
            pair: shooter and target, as a flat index `[shot]`.
            hit: the target and its row, as a flat index `[shot]`.
        """
        roster = self.roster
        order = hit.argsort(kind="stable")
        order = order.repeat(roster.attacks.take(pair.take(order) // roster.units))
        if not order.size:
            return
        hit = hit.take(order)
        fresh = np.empty(hit.size, dtype=np.bool_)
        fresh[0] = True
        np.not_equal(hit[1:], hit[:-1], out=fresh[1:])
        begin = fresh.nonzero()[0]
        column = fresh.cumsum()
        column -= 1
        turn = np.arange(hit.size)
        turn -= begin.take(column)
        # By turn and by target; no points where a target is not hit any more.
        table = np.zeros((int(turn.max()) + 1, begin.size), dtype=np.float32)
        table[turn, column] = self._points.take(pair.take(order))
        at = hit.take(begin)
        unit = at // self.batch
        hps, shields = battle.hp.reshape(-1), battle.shield.reshape(-1)
        hp, shield, armour = hps.take(at), shields.take(at), roster.armour.take(unit)
        for points in table:
            stopped = np.minimum(shield, points)
            shield -= stopped
            points -= stopped
            points -= armour
            hp -= np.maximum(points, 0, out=points)
        hps[at] = np.maximum(hp, 0, out=hp)
        shields[at] = shield
        battle.shield_wait.reshape(-1)[at] = battle.shield_pause.take(unit)
