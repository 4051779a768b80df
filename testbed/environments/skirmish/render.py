"""A picture of one battle."""

import numpy as np
from numpy.typing import NDArray

from testbed.environments.drawing import Disc, draw
from testbed.environments.skirmish.battle import Battle

Colour = tuple[int, int, int]

FIRST_AGENT: Colour = (31, 78, 140)
AGENT: Colour = (74, 134, 200)
ENEMY: Colour = (196, 62, 52)
SHIELD: Colour = (120, 220, 240)
WALL: Colour = (150, 150, 150)
DEAD: Colour = (228, 228, 228)
SHIELD_RIM = 0.22  # of a full shield, in cells
PIXELS_PER_CELL = 20
WALL_SHOWN = 1  # cells of wall above and below the corridor


def paint(battle: Battle, row: int) -> NDArray[np.uint8]:
    """The corridor and a strip of its walls, `PIXELS_PER_CELL` to a cell, as `[height, width, 3]`."""
    roster = battle.roster
    low, high = roster.map.corridor
    size = max(roster.map.width, roster.map.height)
    dead: list[Disc] = []
    ground: list[Disc] = []
    air: list[Disc] = []
    for unit in range(roster.units):
        x, y = float(battle.x[unit, row]) - size / 2, float(battle.y[unit, row]) - size / 2
        radius = float(roster.radius[unit])
        if not battle.alive[unit, row]:
            dead.append(Disc(x, y, radius / 2, DEAD))
            continue
        colour = ENEMY if roster.enemy[unit] else FIRST_AGENT if unit == 0 else AGENT
        discs = air if roster.air[unit] else ground
        shield = float(battle.shield[unit, row]) / max(float(roster.shield[unit]), 1.0)
        if shield:
            discs.append(Disc(x, y, radius + SHIELD_RIM * shield, SHIELD, rim=True))
        discs.append(Disc(x, y, radius, _paler(colour), rim=not shield))
        # The area of the core, not its radius, is the share of hp.
        discs.append(Disc(x, y, radius * float(battle.hp[unit, row] / roster.hp[unit]) ** 0.5, colour))
    picture = draw([*dead, *ground, *air], half_width=size / 2, pixels=size * PIXELS_PER_CELL)
    top, bottom = (size - high) * PIXELS_PER_CELL, (size - low) * PIXELS_PER_CELL
    picture[:top] = WALL
    picture[bottom:] = WALL
    shown = WALL_SHOWN * PIXELS_PER_CELL
    return picture[max(top - shown, 0) : bottom + shown, : roster.map.width * PIXELS_PER_CELL].copy()


def _paler(colour: Colour) -> Colour:
    red, green, blue = (255 - (255 - part) * 35 // 100 for part in colour)
    return red, green, blue
