"""Sequential resolution of a tick: the deaths when a tick's shots are in random order.

The order matters only where a unit dies: a unit that falls before its turn does not act, one whose target has
just fallen wastes its shot, and a healer whose turn comes later can bring back a unit that fell in the same
tick. Hence this plays only those rows, in plain Python.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.environments.skirmish.healing import heal
from testbed.environments.skirmish.state import BattleState


def replay(
    battle: BattleState, row: int, fire: NDArray[np.bool_], before: NDArray[np.intp], order: NDArray[np.intp]
) -> None:
    """Shots and healing of one row in this order of units; no unit is buried yet.

    Args:
        battle: as it was before the tick's first shot.
        row: a row of the batch.
        fire: `[unit, batch]`, which units are in range and ready.
        before: the targets of the tick before, `[unit + 1, batch]`.
        order: a permutation of the units.
    """
    roster, hp = battle.roster, battle.hp
    for unit in order:
        target = battle.aim[unit, row]
        if not fire[unit, row] or hp[unit, row] <= 0 or not battle.alive[target, row]:
            continue
        if roster.healer[unit]:
            alone = np.zeros(battle.batch, dtype=np.bool_)
            alone[row] = True
            heal(battle, int(unit), alone, before[unit])
            continue
        for _ in range(roster.attacks[unit]):
            if hp[target, row] > 0:
                _hit(battle, row, int(unit), int(target))


def _hit(battle: BattleState, row: int, unit: int, target: int) -> None:
    roster = battle.roster
    points = roster.damage[unit, target]
    stopped = min(points, battle.shield[target, row])
    battle.shield[target, row] -= stopped
    battle.shield_wait[target, row] = battle.shield_pause[target]
    left = battle.hp[target, row] - max(points - stopped - roster.armour[target], 0.0)
    battle.hp[target, row] = max(left, 0.0)
    if left <= 0:
        battle.felled[row] += target >= roster.allies
