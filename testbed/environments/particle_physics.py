"""Discs that push each other apart: the physics of the particle environments.

The model and its constants are those of the multi-agent particle environments (Lowe et al. 2017, "Multi-agent
actor-critic for mixed cooperative-competitive environments") in the form Li & He used for MATRPO: velocity
first, then position with the *new* velocity. Arrays are `[body, axis, batch]`: with the long axis innermost,
NumPy's loops are long even for three bodies.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TIME_STEP = 0.1
DAMPING = 0.25  # share of the velocity lost in a step
CONTACT_FORCE = 100.0
CONTACT_MARGIN = 0.001
# Pairs with a wider gap than this are skipped: there the force is below 100 * 0.001 * exp(-50) < 1e-22.
CONTACT_REACH = 50 * CONTACT_MARGIN
# [axis, action]; actions 0 to 4: stay, -x, +x, -y, +y.
DIRECTIONS = np.array([[0.0, -1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, -1.0, 1.0]])


class Pairs:
    """All unordered pairs a < b of `bodies` bodies, in lexicographic order.

    Attributes:
        first, second: `[pair]`, the two bodies of each pair.
        others: `[body, bodies - 1]`, the other bodies of each body, in index order.
        of_body: `[body, bodies - 1]`, the pairs each body is in, in the order of `others`.
    """

    def __init__(self, bodies: int) -> None:
        self.first, self.second = np.triu_indices(bodies, k=1)
        everyone = np.arange(bodies)
        self.others = np.array([np.delete(everyone, body) for body in everyone])
        number = np.zeros((bodies, bodies), dtype=np.intp)
        number[self.first, self.second] = number[self.second, self.first] = np.arange(self.first.size)
        self.of_body = np.take_along_axis(number, self.others, axis=1)

    def offsets(self, positions: Array) -> Array:
        """Position of the first less that of the second, `[pair, axis, batch]`."""
        difference: Array = positions[self.first] - positions[self.second]
        return difference


def lengths(vectors: Array) -> Array:
    """Euclidean lengths `[..., batch]` of plane vectors `[..., 2, batch]`."""
    squares = vectors * vectors
    total: Array = squares[..., 0, :]
    total += squares[..., 1, :]
    return np.sqrt(total, out=total)


def add_contact_forces(
    force: Array,
    pairs: Pairs,
    offsets: Array,
    distances: Array,
    touching: float | Array,
    weights: tuple[Array, Array] | None = None,
) -> None:
    """Add to `force` `[body, axis, batch]`, in place, the opposite forces of bodies in contact.

    Two bodies at distance r push each other apart along the line between their centres with force
    100 k log(1 + exp(-(r - touching) / k)), k = 0.001. Bodies at exactly the same place have no such line and
    exert no force on each other (the original divides zero by zero there).

    Args:
        force: changed in place.
        pairs: the pairs of bodies.
        offsets: `[pair, axis, batch]`, of the positions at the start of the step.
        distances: `[pair, batch]`, lengths of `offsets`.
        touching: distance of two bodies that just touch, the sum of their radii: one, or one per pair.
        weights: factors of the force on the first and on the second body of each pair, each `[pair]`;
        1 by default, so that the forces are equal.
    """
    reach = np.reshape(touching, (-1, 1)) + CONTACT_REACH
    pair, row = np.nonzero((distances < reach) & (distances > 0.0))
    if pair.size == 0:
        return
    distance = distances[pair, row]
    contact = touching[pair] if isinstance(touching, np.ndarray) else touching
    penetration = CONTACT_MARGIN * np.logaddexp(0.0, (contact - distance) / CONTACT_MARGIN)
    push = (CONTACT_FORCE * offsets[pair, :, row].T / distance * penetration).T
    # One (body, row) can be in several contacts, which plain indexed addition would count once.
    by_row = force.transpose(0, 2, 1)
    first, second = (1.0, 1.0) if weights is None else (side[pair, None] for side in weights)
    _accumulate(by_row, pairs.first[pair], row, push * first)
    _accumulate(by_row, pairs.second[pair], row, -push * second)


def _accumulate(force: Array, body: NDArray[np.intp], row: NDArray[np.intp], push: Array) -> None:
    for axis in range(push.shape[1]):
        np.add.at(force[:, :, axis], (body, row), push[:, axis])


def integrate(
    positions: Array, velocities: Array, acceleration: Array, max_speed: float | None = None
) -> None:
    """One step, in place: v <- 0.75 v + 0.1 acceleration, then x <- x + 0.1 v. Overwrites `acceleration`.

    A body faster than `max_speed` keeps its direction and has that speed.
    """
    velocities *= 1.0 - DAMPING
    acceleration *= TIME_STEP
    velocities += acceleration
    if max_speed is not None:
        speeds = lengths(velocities)
        body, row = np.nonzero(speeds > max_speed)
        if body.size:
            velocities[body, :, row] *= (max_speed / speeds[body, row])[:, None]
    positions += velocities * TIME_STEP
