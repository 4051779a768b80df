"""A picture of one battle."""

import numpy as np
from numpy.typing import NDArray

from testbed.environments.drawing import SIDE, Colour, Disc, Text, agent_colours, draw
from testbed.environments.skirmish.battle import Battle

AGENTS: tuple[Colour, ...] = (
    *((0, 114, 178), (91, 63, 168), (0, 121, 90), (43, 135, 187), (63, 63, 70), (102, 117, 0)),
    (134, 70, 160),
)
"""Colours of agents, none of them near the enemies' red."""
ENEMY: Colour = (196, 62, 52)
SHIELD: Colour = (120, 220, 240)
WALL: Colour = (150, 150, 150)
DEAD: Colour = (228, 228, 228)
SHIELD_RIM = 0.22  # of a full shield, in cells
SMALLEST_CELL = 20  # pixels
READABLE = 0.2  # share of hp from which the core is large enough for white text on it
WALL_SHOWN = 1  # cells of wall above and below the corridor


def paint(battle: Battle, row: int, side: int = SIDE) -> NDArray[np.uint8]:
    """The corridor and a strip of its walls as `[height, width, 3]`, `side` wide or wider.

    A cell has a whole number of pixels, `SMALLEST_CELL` or more.
    """
    roster = battle.roster
    cell = max(SMALLEST_CELL, -(-side // roster.map.width))
    colours = agent_colours(roster.allies, AGENTS)
    low, high = roster.map.corridor
    size = max(roster.map.width, roster.map.height)
    dead: list[Disc] = []
    ground: list[Disc | Text] = []
    air: list[Disc | Text] = []
    for unit in range(roster.units):
        x, y = float(battle.x[unit, row]) - size / 2, float(battle.y[unit, row]) - size / 2
        radius = float(roster.radius[unit])
        if not battle.alive[unit, row]:
            dead.append(Disc(x, y, radius / 2, DEAD))
            continue
        colour = ENEMY if roster.enemy[unit] else colours[unit]
        discs = air if roster.air[unit] else ground
        shield = float(battle.shield[unit, row]) / max(float(roster.shield[unit]), 1.0)
        if shield:
            discs.append(Disc(x, y, radius + SHIELD_RIM * shield, SHIELD, rim=True))
        discs.append(Disc(x, y, radius, _paler(colour), rim=not shield))
        # The area of the core, not its radius, is the share of hp.
        health = float(battle.hp[unit, row] / roster.hp[unit])
        discs.append(Disc(x, y, radius * health**0.5, colour))
        if not roster.enemy[unit]:
            discs.append(Text(x, y, radius, str(unit), (255, 255, 255) if health > READABLE else (0, 0, 0)))
    picture = draw([*dead, *ground, *air], half_width=size / 2, pixels=size * cell)
    top, bottom = (size - high) * cell, (size - low) * cell
    picture[:top] = WALL
    picture[bottom:] = WALL
    shown = WALL_SHOWN * cell
    return picture[max(top - shown, 0) : bottom + shown, : roster.map.width * cell].copy()


def _paler(colour: Colour) -> Colour:
    red, green, blue = (255 - (255 - part) * 35 // 100 for part in colour)
    return red, green, blue
