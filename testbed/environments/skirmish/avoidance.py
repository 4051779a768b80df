"""Optimal reciprocal collision avoidance (ORCA) for many discs at once.

Each moving disc takes the velocity closest to the one it prefers among those that no neighbour forbids. A
neighbour forbids a half-plane: velocities that lead to a collision within the horizon, half of the way out of
which each of two moving discs goes, and all of which a disc goes beside one that stands. Where no velocity is
allowed, the one that breaks the worst rule least is taken. From J. van den Berg, S. Guy, M. Lin and
D. Manocha, "Reciprocal n-body collision avoidance" (2011), sections 4 and 5, whose linear programs are solved
here side by side: arrays `[line, disc]`, a half-plane being `nx vx + ny vy >= bound` with a unit normal.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
PARALLEL = 1e-5  # below this sine two lines count as parallel
INFINITY = np.float32(np.inf)
NOTHING = np.float32(-1e9)  # the bound of a rule that forbids nothing


def half_planes(
    px: Array,
    py: Array,
    vx: Array,
    vy: Array,
    radius: Array,
    share: Array,
    own_x: Array,
    own_y: Array,
    first: NDArray[np.bool_],
    step: float,
) -> Array:
    """The rule that each neighbour imposes: normal x, normal y and bound, `[3, contact]`.

    Args:
        px, py: the neighbour's position less one's own.
        vx, vy: one's own velocity less the neighbour's.
        radius: sum of both radii.
        share: of the way out that is one's own, 0.5 or 1.
        own_x, own_y: one's own velocity.
        first: which of two discs at the very same place, with the same velocity, goes east; the other west.
        step: discs that overlap come apart within this time, in units of the horizon.
    """
    square = px * px + py * py
    apart = square > radius * radius
    pace = np.where(apart, np.float32(1.0), np.float32(1.0 / step))
    # From the centre of the cut-off disc to the relative velocity.
    wx, wy = vx - pace * px, vy - pace * py
    length = np.sqrt(wx * wx + wy * wy)
    along = wx * px + wy * py
    cut_off = ~apart | ((along < 0) & (np.abs(along) > radius * length))
    some = np.maximum(length, np.float32(1e-12))
    nx, ny = wx / some, wy / some
    depth = pace * radius - length
    if not length.all():
        together = length == 0
        nx[together] = np.where(first[together], np.float32(1.0), np.float32(-1.0))
    legs = np.flatnonzero(~cut_off)
    if legs.size:
        x, y, r, d = px[legs], py[legs], radius[legs], square[legs]
        leg = np.sqrt(d - r * r)
        side = np.where(x * wy[legs] - y * wx[legs] > 0, np.float32(1.0), np.float32(-1.0))
        leg_x, leg_y = side * (x * leg) - y * r, x * r + side * (y * leg)
        nx[legs], ny[legs] = -leg_y / d, leg_x / d
        depth[legs] = -(vx[legs] * nx[legs] + vy[legs] * ny[legs])
    return np.stack([nx, ny, nx * own_x + ny * own_y + share * depth])


def nearest_allowed(rules: Array, walls: int, speed: Array, px: Array, py: Array) -> tuple[Array, Array]:
    """Velocities `[disc]` of at most `speed` closest to (px, py) that the rules allow.

    Where there is none, the velocity that breaks the most broken rule least.

    Args:
        rules: normal x, normal y and bound, `[3, line, disc]`; their order is changed.
        walls: this many lines come first that are never broken.
        speed, px, py: `[disc]`.
    """
    if rules.shape[1] > walls + 1:
        # The order of lines is free, and with the most broken one first the others are mostly obeyed.
        broken = rules[2, walls:] - rules[0, walls:] * px - rules[1, walls:] * py
        worst = walls + broken.argmax(axis=0)
        discs = np.arange(px.size)
        first = rules[:, walls].copy()
        rules[:, walls] = rules[:, worst, discs]
        rules[:, worst, discs] = first
    vx, vy, failed = _solve(rules, speed, px, py, towards=False)
    stuck = np.flatnonzero(failed < rules.shape[1])
    if stuck.size:
        vx[stuck], vy[stuck] = _least_broken(
            rules.take(stuck, axis=2), walls, speed[stuck], vx[stuck], vy[stuck], failed[stuck]
        )
    return vx, vy


def _solve(
    rules: Array, speed: Array, px: Array, py: Array, *, towards: bool
) -> tuple[Array, Array, NDArray[np.intp]]:
    """The two-dimensional program, line after line: velocities, and the line each disc failed at.

    The aim is the velocity closest to (px, py), or with `towards` the one furthest along the unit vector.
    """
    lines = rules.shape[1]
    vx, vy = (px * speed, py * speed) if towards else (px.copy(), py.copy())
    failed = np.full(vx.shape, lines)
    for line in range(lines):
        nx, ny, bound = rules[:, line]
        broken = nx * vx + ny * vy < bound
        if line:
            broken &= failed == lines
        index = broken.nonzero()[0]
        if not index.size:
            continue
        mx, my, at, limit = nx[index], ny[index], bound[index], speed[index]
        reach = limit * limit - at * at
        possible = reach >= 0
        high = np.sqrt(np.maximum(reach, 0))
        low = -high
        if line:
            # Along this line, at * (mx, my) + t * (my, -mx), the lines before it allow an interval of t.
            ox, oy, missing = rules[:, :line].take(index, axis=2)
            slope = ox * my - oy * mx
            missing -= at * (ox * mx + oy * my)
            parallel = np.abs(slope) < PARALLEL
            possible &= ~(parallel & (missing > 0)).any(axis=0)
            slope[parallel] = 1.0
            missing /= slope
            missing[parallel] = -INFINITY
            upper = slope < 0
            np.minimum(high, np.where(upper, missing, INFINITY).min(axis=0), out=high)
            np.maximum(low, np.where(upper, -INFINITY, missing).max(axis=0), out=low)
            possible &= low <= high
        best = px[index] * my - py[index] * mx
        t = np.where(best > 0, high, low) if towards else np.minimum(np.maximum(best, low), high)
        vx[index] = np.where(possible, at * mx + t * my, vx[index])
        vy[index] = np.where(possible, at * my - t * mx, vy[index])
        failed[index[~possible]] = line
    return vx, vy, failed


def _least_broken(
    rules: Array, walls: int, speed: Array, vx: Array, vy: Array, failed: NDArray[np.intp]
) -> tuple[Array, Array]:
    """The three-dimensional program, from the line on at which the two-dimensional one failed."""
    distance = np.zeros_like(vx)
    for line in range(walls, rules.shape[1]):
        nx, ny, bound = rules[:, line]
        index = np.flatnonzero((bound - nx * vx - ny * vy > distance) & (failed <= line))
        if not index.size:
            continue
        # Velocities that break an earlier rule no more than this one; a wall's rule is kept as it is.
        mx, my, at, limit = nx[index], ny[index], bound[index], speed[index]
        milder = rules[:, :line].take(index, axis=2)
        nothing = milder[2, walls:] == NOTHING
        milder[:, walls:] -= rules[:, line].take(index, axis=1)[:, None]
        size = np.sqrt(milder[0, walls:] ** 2 + milder[1, walls:] ** 2)
        nothing |= size < PARALLEL
        size[nothing] = 1.0
        milder[:, walls:] /= size
        milder[2, walls:][nothing] = NOTHING
        new_x, new_y, wrong = _solve(milder, limit, mx, my, towards=True)
        fine = wrong == line
        moved = index[fine]
        vx[moved], vy[moved] = new_x[fine], new_y[fine]
        distance[index] = at - mx * vx[index] - my * vy[index]
    return vx, vy
