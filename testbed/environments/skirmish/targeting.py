"""The enemy's choice of targets: the nearest in sight, healers first; its healers, the weakest ally."""

import numpy as np
from numpy.typing import NDArray

from testbed.environments.skirmish.state import BattleState

Array = NDArray[np.float32]
HEALER_BONUS = np.float32(1024.0)  # more than any squared distance in sight: healers come before others
ATTACKER = np.float32(4e7)  # instead of a squared distance: after all units in sight


def pick_targets(battle: BattleState, distances: Array, ally_healers: list[int]) -> None:
    """Give targets to shooting enemies that have none.

    While an allied healer lives, those whose target is not a healer choose again, too.
    An enemy considers living allies it can hit within 5 cells plus their radius, and those that are attacking
    it from anywhere. One that already has a target changes it only for a unit in sight.
    """
    roster, batch = battle.roster, battle.batch
    allies, units = roster.allies, roster.units
    target = battle.target[:units]
    free = target[allies:] == units
    asking = battle.alive[allies:units] & ~roster.healer[allies:, None]
    if ally_healers:
        eager = battle.alive[ally_healers].any(axis=0)
        on_shooter = ~roster.healer.take(target[allies:], mode="clip")
        on_shooter &= eager
        on_shooter |= free
        asking &= on_shooter
    else:
        asking &= free
    index = asking.reshape(-1).nonzero()[0]
    if not index.size:
        return
    enemy = index // batch
    row = index - enemy * batch
    near = distances[: allies * roster.enemies].reshape(allies, roster.enemies * batch)
    square = near.take(index, axis=1)  # [ally, question]
    in_radius = square <= roster.widest_scan_squared
    attacking = target[:allies].take(row, axis=1) == enemy + allies
    attacking &= in_radius | free.reshape(-1).take(index)
    allowed = square < roster.scan_squared[:allies, None]
    allowed |= attacking
    some = allowed.any(axis=0).nonzero()[0]
    if not some.size:
        return
    enemy, row, allowed = enemy.take(some), row.take(some), allowed.take(some, axis=1)
    allowed &= roster.can_hit[allies:, :allies].T.take(enemy, axis=1)
    key = np.where(in_radius.take(some, axis=1), square.take(some, axis=1), ATTACKER)
    key -= np.where(roster.healer[:allies], HEALER_BONUS, np.float32(0))[:, None]
    np.copyto(key, np.inf, where=~allowed)
    best = key.argmin(axis=0)
    found = allowed.any(axis=0)
    target[allies + enemy[found], row[found]] = best[found]


def pick_healing(battle: BattleState, healer: int) -> Array:
    """Give the enemy healer, where it has no target, the weakest unit around that is hurt or fighting.

    Returns its speed `[batch]`: without a target it is no faster than the slowest of those around.
    """
    roster, units = battle.roster, battle.roster.units
    free = battle.alive[healer] & (battle.target[healer] == units)
    speed = np.full(battle.batch, roster.speed[healer])
    row = np.flatnonzero(free)
    side = np.flatnonzero(roster.can_hit[healer])
    if not row.size or not side.size:
        return speed
    dx = battle.x[side][:, row] - battle.x[healer, row]
    dy = battle.y[side][:, row] - battle.y[healer, row]
    square = dx * dx + dy * dy
    alive = battle.alive[side][:, row]
    hp = battle.hp[side][:, row]
    wanting = (hp < roster.hp[side, None]) | (battle.target[side][:, row] != units)
    wanting &= alive & (square < roster.scan_squared[side, None])
    key = np.where(wanting, hp, np.float32(np.inf))
    best = key.argmin(axis=0)
    found = np.flatnonzero(key[best, np.arange(row.size)] < np.inf)
    battle.target[healer, row[found]] = side[best[found]]
    around = alive & (square <= roster.widest_scan_squared)
    speeds = np.where(around, roster.speed[side, None], roster.speed[healer])
    speed[row] = speeds.min(axis=0)
    return speed
