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
NOTHING = np.float32(-1e9)  # the bound of a rule that forbids nothing


def half_planes(
    px: Array, py: Array, vx: Array, vy: Array, radius: Array, share: Array, own_x: Array, own_y: Array, step: float
) -> tuple[Array, Array, Array]:
    """The rule that each neighbour imposes: normal x, normal y and bound, `[contact]`.

    Args:
        px, py: the neighbour's position less one's own.
        vx, vy: one's own velocity less the neighbour's.
        radius: sum of both radii.
        share: of the way out that is one's own, 0.5 or 1.
        own_x, own_y: one's own velocity.
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
    legs = np.flatnonzero(~cut_off)
    if legs.size:
        x, y, r, d = px[legs], py[legs], radius[legs], square[legs]
        leg = np.sqrt(d - r * r)
        side = np.where(x * wy[legs] - y * wx[legs] > 0, np.float32(1.0), np.float32(-1.0))
        leg_x, leg_y = side * (x * leg) - y * r, x * r + side * (y * leg)
        nx[legs], ny[legs] = -leg_y / d, leg_x / d
        depth[legs] = -(vx[legs] * nx[legs] + vy[legs] * ny[legs])
    return nx, ny, nx * own_x + ny * own_y + share * depth


def nearest_allowed(nx: Array, ny: Array, bound: Array, speed: Array, px: Array, py: Array) -> tuple[Array, Array]:
    """Velocities `[disc]` of at most `speed` closest to (px, py) under `[line, disc]` rules.

    Where that is impossible, the velocity that breaks the most broken rule least; line 0, a wall, is kept.
    """
    vx, vy, failed = _solve(nx, ny, bound, speed, px, py, towards=False)
    stuck = np.flatnonzero(failed < len(nx))
    if stuck.size:
        vx[stuck], vy[stuck] = _least_broken(
            nx[:, stuck], ny[:, stuck], bound[:, stuck], speed[stuck], vx[stuck], vy[stuck], failed[stuck]
        )
    return vx, vy


def _solve(
    nx: Array, ny: Array, bound: Array, speed: Array, px: Array, py: Array, *, towards: bool
) -> tuple[Array, Array, NDArray[np.intp]]:
    """The two-dimensional program, line after line: velocities, and the line each disc failed at.

    The aim is the velocity closest to (px, py), or with `towards` the one furthest along the unit vector.
    """
    lines = len(nx)
    vx, vy = (px * speed, py * speed) if towards else (px.copy(), py.copy())
    failed = np.full(vx.shape, lines)
    for line in range(lines):
        broken = nx[line] * vx + ny[line] * vy < bound[line]
        if line:
            broken &= failed == lines
        index = np.flatnonzero(broken)
        if not index.size:
            continue
        mx, my, at, limit = nx[line, index], ny[line, index], bound[line, index], speed[index]
        reach = limit * limit - at * at
        possible = reach >= 0
        high = np.sqrt(np.maximum(reach, 0))
        low = -high
        if line:
            # Along this line, at * (mx, my) + t * (my, -mx), the lines before it allow an interval of t.
            ox, oy, other = nx[:line, index], ny[:line, index], bound[:line, index]
            slope = ox * my - oy * mx
            missing = other - at * (ox * mx + oy * my)
            parallel = np.abs(slope) < PARALLEL
            possible &= ~(parallel & (missing > 0)).any(axis=0)
            slope[parallel] = 1.0
            t = missing / slope
            upper = slope < 0
            upper_t = np.where(upper & ~parallel, t, np.float32(np.inf)).min(axis=0)
            lower_t = np.where(upper | parallel, np.float32(-np.inf), t).max(axis=0)
            np.minimum(high, upper_t, out=high)
            np.maximum(low, lower_t, out=low)
            possible &= low <= high
        best = px[index] * my - py[index] * mx
        t = np.where(best > 0, high, low) if towards else np.minimum(np.maximum(best, low), high)
        failed[index[~possible]] = line
        index, t, mx, my, at = index[possible], t[possible], mx[possible], my[possible], at[possible]
        vx[index] = at * mx + t * my
        vy[index] = at * my - t * mx
    return vx, vy, failed


def _least_broken(
    nx: Array, ny: Array, bound: Array, speed: Array, vx: Array, vy: Array, failed: NDArray[np.intp]
) -> tuple[Array, Array]:
    """The three-dimensional program, from the line on at which the two-dimensional one failed."""
    distance = np.zeros_like(vx)
    for line in range(1, len(nx)):
        broken = bound[line] - nx[line] * vx - ny[line] * vy > distance
        index = np.flatnonzero(broken & (failed <= line))
        if not index.size:
            continue
        # Velocities that break an earlier rule no more than this one; the wall's is kept as it is.
        mx, my, at = nx[line, index], ny[line, index], bound[line, index]
        ox, oy, other = nx[:line, index], ny[:line, index], bound[:line, index]
        dx, dy, gap = ox - mx, oy - my, other - at
        size = np.sqrt(dx * dx + dy * dy)
        same = size < PARALLEL
        same |= other == NOTHING
        size[same] = 1.0
        dx, dy, gap = dx / size, dy / size, gap / size
        gap[same] = NOTHING
        dx[0], dy[0], gap[0] = ox[0], oy[0], other[0]
        new_x, new_y, wrong = _solve(dx, dy, gap, speed[index], mx, my, towards=True)
        fine = wrong == line
        moved = index[fine]
        vx[moved], vy[moved] = new_x[fine], new_y[fine]
        distance[index] = at - mx * vx[index] - my * vy[index]
    return vx, vy
