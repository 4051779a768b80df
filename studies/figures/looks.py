"""Colours, markers and dashes of conditions, the same in PNG files, on the page and in a paper.

The page has them in ``report/assets/page.css`` and ``chart.js``; a test holds them together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import seaborn as sns
from matplotlib.path import Path

from testbed.environments.drawing import AGENT_COLOURS

HUES = tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in AGENT_COLOURS)
"""Colours of names, which the colour-blind can tell apart: those of agents in films."""

STEPS = ("#440154", "#46327e", "#365c8d", "#277f8e", "#148a6d", "#3b8a33", "#737f00", "#a06a00")
"""Colours of numbers, from low to high."""

_BAR = Path([(-5, -2.6), (5, -2.6), (5, 2.6), (-5, 2.6), (-5, -2.6)], closed=True)
MARKERS: tuple[Any, ...] = ("o", "s", "^", "D", "v", "P", "p", _BAR)
DASHES: tuple[Any, ...] = ("", (4, 1.5), (1, 1), (5, 1, 1, 1), (7, 1.5), (3, 1, 1, 1, 1, 1))


def colours(count: int, *, numeric: bool) -> list[Any]:
    """A colour for each level of a setting, in their order; names repeat theirs after ten."""
    if not numeric:
        return [HUES[level % len(HUES)] for level in range(count)]
    if count > len(STEPS):
        return list(sns.color_palette("viridis", count + 1)[:count])  # its last yellow is too light on white
    last = max(count - 1, 1)
    return [STEPS[math.floor(level / last * (len(STEPS) - 1) + 0.5)] for level in range(count)]


def look(looks: Sequence[Any], level: int) -> Any:
    """The look of a level; they repeat."""
    return looks[level % len(looks)]
