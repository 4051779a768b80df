"""Optimal reciprocal collision avoidance (ORCA) for many discs at once.

Each moving disc takes the velocity closest to the one it prefers among those that no neighbour forbids. A
neighbour forbids a half-plane: velocities that lead to a collision within the horizon. Each of two moving
discs takes half of the way out of it; a disc next to one that stands takes all of it. Where no velocity is
allowed, the one that breaks the worst rule least is taken. From J. van den Berg, S. Guy, M. Lin and
D. Manocha, "Reciprocal n-body collision avoidance" (2011), sections 4 and 5, whose linear programs are solved
here in parallel: arrays `[line, disc]`, a half-plane being `nx vx + ny vy >= bound` with a unit normal.
Theirs goes from line to line, and where one is broken looks for the best point on it that the lines before
allow. As that point does not depend on how the line was reached, here they are found for all lines at once.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
PARALLEL = 1e-5  # below this sine two lines count as parallel
INFINITY = np.float32(np.inf)
NOTHING = np.float32(-1e9)  # bound of a rule that forbids nothing
ONE = np.float32(1.0)
AT_ONCE = 20_000  # up to this many pairs of lines are processed together: cheaper than selecting some
TINY = np.finfo(np.float32).tiny


def half_planes(
    offset: Array,
    relative: Array,
    radius: Array,
    share: Array,
    own: Array,
    first: NDArray[np.bool_],
    step: float,
) -> Array:
    """The rule that each neighbour imposes: normal x, normal y and bound, `[3, contact]`.

    Args:
        offset: the neighbour's position less one's own, `[axis, contact]`.
        relative: one's own velocity less the neighbour's, `[axis, contact]`.
        radius: sum of both radii.
        share: one's own share of the way out, 0.5 or 1.
        own: one's own velocity, `[axis, contact]`.
        first: which of two discs at the very same place, with the same velocity, goes east; the other west.
        step: discs that overlap come apart within this time, in units of the horizon.
    """
    x, y = offset
    square, own_square = _dot(offset, offset), radius * radius
    apart = square > own_square
    pace: Array = np.where(apart, ONE, np.float32(1.0 / step))
    # From the centre of the cut-off disc to the relative velocity.
    w: Array = relative - pace * offset
    length = np.sqrt(_dot(w, w))
    along = _dot(w, offset)
    cut_off = (along < 0) & (np.abs(along) > radius * length)
    cut_off |= ~apart
    rules = np.empty((3, radius.size), dtype=np.float32)
    normal, bound = rules[:2], rules[2]
    # The solution next to the legs, then that at the cut-off disc.
    leg = np.sqrt(np.maximum(square - own_square, 0))
    leg *= np.where(x * w[1] - y * w[0] > 0, ONE, -ONE)
    np.negative(x * radius + y * leg, out=normal[0])
    np.subtract(x * leg, y * radius, out=normal[1])
    normal /= np.maximum(square, TINY)
    depth = -_dot(relative, normal)
    np.copyto(normal, w / np.maximum(length, np.float32(1e-12)), where=cut_off)
    np.copyto(depth, pace * radius - length, where=cut_off)
    if not length.all():
        together = cut_off & (length == 0)
        normal[0, together] = np.where(first[together], ONE, -ONE)
    np.add(_dot(normal, own), share * depth, out=bound)
    return rules


def nearest_allowed(rules: Array, walls: int, speed: Array, wish: Array) -> Array:
    """Velocities `[axis, disc]` of at most `speed` closest to the wish that the rules allow.

    If there is none, the velocity that breaks the most broken rule least.

    Args:
        rules: normal x, normal y and bound, `[3, line, disc]`; their order is changed.
        walls: the number of leading lines that are never broken.
        speed: `[disc]`.
        wish: `[axis, disc]`.
    """
    lines, discs = rules.shape[1:]
    if lines > walls + 1:
        # The order of lines is free, and with the most broken one first the others are mostly obeyed.
        worst = _gap(rules[:, walls:], wish[:, None]).argmax(axis=0)
        worst += walls
        worst *= discs
        worst += np.arange(discs)
        flat = rules.reshape(3, -1)
        first = rules[:, walls].copy()
        rules[:, walls] = flat.take(worst, axis=1)
        put(flat, worst, first)
    # Where the lines are many, few discs get beyond the first ones.
    head = lines if lines * lines * discs < AT_ONCE else min(walls + 1, lines)
    steps = _walk(rules[:, :head], wish, _best_points(rules[:, :head], 0, speed, wish, towards=False))
    v = steps[-1]
    stuck = np.flatnonzero(np.isnan(v[0]))
    failed, before = _failures(steps, stuck)
    if head < lines:
        index = np.flatnonzero(_broken(rules[:, head:], v[:, None]).any(axis=0))
        if index.size:
            rest = rules.take(index, axis=2)
            points = _best_points(rest, head, speed.take(index), wish.take(index, axis=1), towards=False)
            steps = _walk(rest[:, head:], v.take(index, axis=1), points)
            put(v, index, steps[-1])
            late = np.flatnonzero(np.isnan(steps[-1][0]))
            at, there = _failures(steps, late)
            stuck = np.concatenate([stuck, index.take(late)])
            failed, before = np.concatenate([failed, head + at]), np.concatenate([before, there], axis=1)
    if stuck.size:
        put(v, stuck, _least_broken(rules.take(stuck, axis=2), walls, speed.take(stuck), before, failed))
    return v


def put(rows: Array, index: NDArray[np.intp], values: Array) -> None:
    """`rows[:, index] = values`; a few long rows are faster one by one."""
    for row, each in zip(rows, values, strict=True):
        row[index] = each


def _dot(a: Array, b: Array) -> Array:
    """Inner products over the leading axis, which has two entries."""
    product = a * b
    total: Array = product[0]
    total += product[1]
    return total


def _broken(rules: Array, v: Array) -> NDArray[np.bool_]:
    """Which of the rules `[3, ...]` the velocities `[2, ...]` break."""
    broken: NDArray[np.bool_] = _dot(rules[:2], v) < rules[2]
    return broken


def _gap(rules: Array, v: Array) -> Array:
    """Amount by which the velocities `[2, ...]` break the rules `[3, ...]`; negative where they obey."""
    along = rules[:2] * v
    gap: Array = rules[2] - along[0]
    gap -= along[1]
    return gap


def _best_points(rules: Array, begin: int, speed: Array, aim: Array, *, towards: bool) -> Array:
    """The best point on each line from `begin` on that earlier lines allow, `[axis, line - begin, ...]`.

    The best is the one closest to the aim, or with `towards` the one furthest along it, a unit vector. Where
    nothing is allowed it is nan.

    Args:
        rules: `[3, line, ...]`.
        begin: the first line to solve for.
        speed: the largest speed, `[...]`.
        aim: `[axis, ...]`.
    """
    mine = rules[:, begin:]
    mx, my, at = mine
    reach = speed * speed - at * at
    impossible = reach < 0
    np.maximum(reach, 0, out=reach)
    high = np.sqrt(reach, out=reach)
    low = -high
    lines = rules.shape[1]
    if lines > 1:
        # Along line i, at * (mx, my) + t * (my, -mx), line j allows an interval of t: [j, i, ...].
        other = rules[:, :-1, None]
        slope = other[0] * my
        slope -= other[1] * mx
        missing = _dot(other[:2], mine[:2, None])
        missing *= at
        np.subtract(other[2], missing, out=missing)
        later = _later(lines, begin, rules.ndim - 2)
        left_out = np.abs(slope) < PARALLEL
        parallel = left_out > later
        if parallel.any():
            parallel &= missing > 0
            impossible |= parallel.any(axis=0)
        left_out |= later
        np.putmask(slope, left_out, ONE)  # several times as fast as copyto
        missing /= slope
        np.putmask(missing, left_out, -INFINITY)
        upper = slope < 0
        np.minimum(high, np.where(upper, missing, INFINITY).min(axis=0), out=high)
        np.putmask(missing, upper, -INFINITY)
        np.maximum(low, missing.max(axis=0), out=low)
        impossible |= low > high
    t: Array = aim[0] * my
    t -= aim[1] * mx
    if towards:
        t = np.where(t > 0, high, low)
    else:
        np.maximum(t, low, out=t)
        np.minimum(t, high, out=t)
    points: Array = at * mine[:2]
    points[0] += t * my
    points[1] -= t * mx
    for axis in points:
        np.putmask(axis, impossible, np.nan)
    return points


@cache
def _later(lines: int, begin: int, axes: int) -> NDArray[np.bool_]:
    """Whether line j, of all but the last, is no earlier than line i: `[j, i - begin, 1, ...]`."""
    later = np.arange(lines - 1)[:, None] >= np.arange(begin, lines)
    return later.reshape(later.shape + (1,) * axes)


def _walk(rules: Array, v: Array, points: Array) -> list[Array]:
    """Velocities `[axis, ...]` from line to line: where one is broken, the best point on it comes next.

    Returns the initial velocities, and those after every line; after a line without such a point they are
    nan.

    Args:
        rules: `[3, line, ...]`.
        v: initial velocities.
        points: from `_best_points`.
    """
    steps = [v]
    for line in range(rules.shape[1]):
        v = np.where(_broken(rules[:, line], v), points[:, line], v)
        steps.append(v)
    return steps


def _failures(steps: list[Array], stuck: NDArray[np.intp]) -> tuple[NDArray[np.intp], Array]:
    """The lines at which the stuck ones among the steps of a walk failed, and the velocities before."""
    every = np.stack([v.take(stuck, axis=1) for v in steps])
    failed = np.isnan(every[:, 0]).argmax(axis=0) - 1
    return failed, every[failed, :, np.arange(stuck.size)].T


def _least_broken(rules: Array, walls: int, speed: Array, v: Array, failed: NDArray[np.intp]) -> Array:
    """The three-dimensional program, starting from the line at which the two-dimensional one failed.

    On each line it asks for the velocity that breaks the earlier lines no more than this one, and of those
    this one least; a wall's rule is kept unchanged.
    """
    begin, lines = max(int(failed.min()), walls), rules.shape[1]
    mine = rules[:, begin:]
    # Where lines j and i are equally broken, [3, j, i, disc]; only lines j before i count.
    milder = np.empty((3, lines - 1, *mine.shape[1:]), dtype=np.float32)
    milder[:, :walls] = rules[:, :walls, None]
    between = milder[:, walls:]
    np.subtract(rules[:, walls:-1, None], mine[:, None], out=between)
    size = np.sqrt(_dot(between[:2], between[:2]))
    nothing = size < PARALLEL
    nothing |= rules[2, walls:-1, None] == NOTHING
    nothing |= _later(lines, begin, 1)[walls:]
    np.putmask(size, nothing, ONE)
    between /= size
    np.putmask(between[2], nothing, NOTHING)
    points = mine[:2] * speed
    if lines > 1:
        points = _walk(milder, points, _best_points(milder, 0, speed, mine[:2], towards=True))[-1]
    fine = ~np.isnan(points[0])
    reached = _gap(mine, points)
    asked = failed <= np.arange(begin, lines)[:, None]
    distance = np.zeros_like(speed)
    for line in range(lines - begin):
        gap = _gap(mine[:, line], v)
        worse = gap > distance
        worse &= asked[line]
        np.copyto(gap, reached[line], where=fine[line])
        np.copyto(distance, gap, where=worse)
        worse &= fine[line]
        np.copyto(v, points[:, line], where=worse)
    return v
