"""Random waypoint: everyone stays in the square, walks straight at its speed, rests, and can be continued."""

from __future__ import annotations

import json

import numpy as np
import pytest

from topologies import TopologyError
from topologies.motion import RandomWaypoint, within_range


def walkers(count: int, speed: tuple[float, float] = (0.1, 0.5), pause: float = 0.0) -> RandomWaypoint:
    return RandomWaypoint([np.random.default_rng(node) for node in range(count)], speed, pause)


def test_walkers_stay_in_the_square_and_are_never_faster_than_allowed() -> None:
    walk = walkers(20)
    before = walk.positions
    assert before.shape == (20, 2)
    for _ in range(500):
        walk.advance(0.1)
        after = walk.positions
        assert after.min() >= 0
        assert after.max() <= 1
        assert np.linalg.norm(after - before, axis=1).max() <= 0.05 + 1e-12
        before = after


def test_between_waypoints_the_way_is_straight_and_the_speed_constant() -> None:
    walk = walkers(1, speed=(0.01, 0.01))
    positions = []
    for _ in range(4):
        positions.append(walk.positions[0])
        walk.advance(0.5)
    steps = np.diff(positions, axis=0)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), 0.005)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape))


def test_it_does_not_matter_how_often_one_looks() -> None:
    often, once = walkers(5, pause=0.3), walkers(5, pause=0.3)
    for _ in range(640):
        often.advance(0.03125)
    once.advance(20.0)
    np.testing.assert_allclose(often.positions, once.positions, atol=1e-12)


def test_walkers_rest_at_their_waypoints() -> None:
    restless, resting = walkers(1, speed=(1.0, 1.0)), walkers(1, speed=(1.0, 1.0), pause=1000.0)
    for walk in (restless, resting):
        walk.advance(5.0)
    here = resting.positions.copy()
    resting.advance(900.0)
    np.testing.assert_array_equal(resting.positions, here)
    assert not np.array_equal(restless.positions, here)


def test_waypoints_are_uniform_on_the_square() -> None:
    walk = walkers(1, speed=(1.0, 1.0), pause=1e6)
    corners = []
    for _ in range(2000):
        walk.advance(2.0)
        corners.append(walk.positions[0])
        walk.advance(1e6)
    # Mean 1/2 and variance 1/12 in each coordinate, five standard errors wide.
    sample = np.array(corners)
    np.testing.assert_allclose(sample.mean(axis=0), 0.5, atol=5 / np.sqrt(12 * len(sample)))
    np.testing.assert_allclose(sample.var(axis=0), 1 / 12, atol=0.01)


def test_one_walker_more_changes_nothing_for_the_others() -> None:
    few, many = walkers(3), walkers(4)
    for walk in (few, many):
        walk.advance(10.0)
    np.testing.assert_array_equal(few.positions, many.positions[:3])


def test_a_saved_walk_continues_exactly() -> None:
    walk = walkers(4, pause=0.2)
    walk.advance(3.3)
    again = walkers(4, pause=0.2)
    again.load_state_dict(json.loads(json.dumps(walk.state_dict())))
    for each in (walk, again):
        each.advance(7.7)
    np.testing.assert_array_equal(walk.positions, again.positions)


def test_links_within_range_are_those_at_most_so_far_apart_both_ways() -> None:
    positions = {0: np.array([0.0, 0.0]), 1: np.array([0.3, 0.4]), 2: np.array([1.0, 1.0])}
    links = [(0, 1), (1, 2), (0, 2)]
    assert within_range(positions, links, 0.5) == ((0, 1), (1, 0))
    assert within_range(positions, links, 0.49) == ()
    assert len(within_range(positions, links, 2.0)) == 6


@pytest.mark.parametrize(
    ("speed", "pause", "message"),
    [((0.0, 1.0), 0.0, "speed"), ((0.5, 0.1), 0.0, "the smaller first"), ((0.1, 0.1), -1.0, "pause: -1")],
)
def test_impossible_walks_are_refused(speed: tuple[float, float], pause: float, message: str) -> None:
    with pytest.raises(TopologyError, match=message):
        walkers(1, speed, pause)


@pytest.mark.parametrize(
    ("speed", "seconds"), [(1e300, 1.0), (1.0, 1e300), (1e300, 1e300), (1.0, float("nan"))]
)
def test_a_walk_without_end_is_refused_in_one_line(speed: float, seconds: float) -> None:
    walk = walkers(2, speed=(0.1, speed))
    before = walk.positions
    with pytest.raises(
        TopologyError, match="sides of the square per second is too far: a walk may be"
    ) as said:
        walk.advance(seconds)
    assert "\n" not in str(said.value)
    assert np.array_equal(walk.positions, before)
    walk.advance(0.0)
