"""Healing: one healer's tick, and its cost."""

import numpy as np
from numpy.typing import NDArray

from testbed.environments.skirmish.state import BattleState
from testbed.environments.skirmish.units import TICKS_PER_SECOND

Ints = NDArray[np.intp]

HEAL_PER_TICK = np.float32(9 / TICKS_PER_SECOND)
HEAL_PER_ENERGY = np.float32(3.0)
ENERGY_TO_BEGIN = np.float32(5.0)


def heal(battle: BattleState, healer: int, acting: NDArray[np.bool_], before: Ints) -> None:
    """One healer's tick, where it is in range: a target at full hp is released, a new one needs energy 5."""
    row = np.flatnonzero(acting)
    target = battle.aim[healer, row]
    living = battle.alive[target, row] & battle.alive[healer, row]
    row, target = row[living], target[living]
    missing = battle.roster.hp[target] - battle.hp[target, row]
    refused = (missing <= 0) | ((before[row] != target) & (battle.energy[healer, row] < ENERGY_TO_BEGIN))
    battle.target[healer, row[refused]] = battle.roster.units
    row, target, missing = row[~refused], target[~refused], missing[~refused]
    wanted = np.minimum(missing, HEAL_PER_TICK)
    energy, stock = battle.energy[healer], battle.stock[healer]
    spent = np.where(stock[row] < wanted, np.minimum(energy[row], np.float32(1.0)), np.float32(0.0))
    energy[row] -= spent
    stock[row] += spent * HEAL_PER_ENERGY
    given = np.minimum(wanted, stock[row])
    stock[row] -= given
    battle.hp[target, row] += given
    if healer >= battle.roster.allies:
        battle.regained[row] += given
