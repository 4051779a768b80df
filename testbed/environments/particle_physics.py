"""Discs that push each other apart: the world of the particle environments.

The model and its constants are those of the multi-agent particle environments (Lowe et al. 2017) in the form used by Li &
He (MATRPO): velocity first, then position with the *new* velocity. Arrays here are `[body, axis, batch]`, so that the
long axis is the innermost one and NumPy's loops are long even for three bodies.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TIME_STEP = 0.1
DAMPING = 0.25  # share of the velocity lost in a step
CONTACT_FORCE = 100.0
CONTACT_MARGIN = 0.001
# Bodies further apart than this, rim to rim, are not looked at: there the force is below 100 * 0.001 * exp(-50) < 1e-22.
CONTACT_REACH = 50 * CONTACT_MARGIN
# Action 0 .. 4: stay, -x, +x, -y, +y; [axis, action].
DIRECTIONS = np.array([[0.0, -1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, -1.0, 1.0]])


class Pairs:
    """All unordered pairs of `bodies` bodies, a < b, in lexicographic order.

    Attributes:
        first, second: `[pair]`, the two bodies of each pair.
        others: `[body, bodies - 1]`, the other bodies of each body, in index order.
        of_body: `[body, bodies - 1]`, the pairs each body is in.
    """

    def __init__(self, bodies: int) -> None:
        self.first, self.second = np.triu_indices(bodies, k=1)
        everyone = np.arange(bodies)
        self.others = np.array([np.delete(everyone, body) for body in everyone], dtype=np.intp)
        number = np.zeros((bodies, bodies), dtype=np.intp)
        number[self.first, self.second] = number[self.second, self.first] = np.arange(self.first.size)
        self.of_body = np.take_along_axis(number, self.others, axis=1)

    def offsets(self, positions: Array) -> Array:
        """Position of the first minus position of the second, `[pair, axis, batch]`, from `[body, axis, batch]`."""
        difference: Array = positions[self.first] - positions[self.second]
        return difference


def lengths(vectors: Array) -> Array:
    """Euclidean lengths of `[..., axis, batch]` along the axis of coordinates: `[..., batch]`."""
    squares = vectors * vectors
    total = squares[..., 0, :]
    total += squares[..., 1, :]
    return np.sqrt(total, out=total)


def add_contact_forces(force: Array, pairs: Pairs, offsets: Array, distances: Array, touching: float) -> None:
    """Add to `force` `[body, axis, batch]`, in place, what pairs of bodies do to each other: equal and opposite.

    A pair at distance r pushes itself apart with 100 k log(1 + exp(-(r - touching)/k)), k = 0.001, along the line
    between the two centres. Two bodies at exactly the same place have no such line; they exert no force on each other
    (the original divides by zero there).

    Args:
        offsets, distances: `[pair, axis, batch]` and `[pair, batch]`, of the positions the forces come from.
        touching: sum of the two radii.
    """
    near = distances < touching + CONTACT_REACH
    if not near.any():
        return
    pair, row = np.nonzero(near)
    distance = distances[pair, row]
    penetration = CONTACT_MARGIN * np.logaddexp(0.0, -(distance - touching) / CONTACT_MARGIN)
    apart = distance > 0.0
    scale = np.where(apart, CONTACT_FORCE * penetration / np.where(apart, distance, 1.0), 0.0)
    push = offsets[pair, :, row] * scale[:, None]
    np.add.at(force, (pairs.first[pair], slice(None), row), push)
    np.subtract.at(force, (pairs.second[pair], slice(None), row), push)


def integrate(positions: Array, velocities: Array, acceleration: Array) -> None:
    """One step, in place: v <- 0.75 v + 0.1 acceleration, then x <- x + 0.1 v. `acceleration` is used up."""
    velocities *= 1.0 - DAMPING
    acceleration *= TIME_STEP
    velocities += acceleration
    positions += velocities * TIME_STEP
