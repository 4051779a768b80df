"""Collision avoidance against a search over all velocities, and its rules against the definition."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.environments.skirmish import Skirmish, SkirmishSettings
from testbed.environments.skirmish.avoidance import NOTHING, half_planes, nearest_allowed
from testbed.environments.skirmish.battle import Battle
from testbed.environments.skirmish.maps import load_map
from testbed.environments.skirmish.units import Roster

GRID = np.stack(np.meshgrid(*[np.linspace(-1, 1, 301)] * 2), axis=-1).reshape(-1, 2)
GRID = GRID[np.hypot(*GRID.T) <= 1]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.booleans())
def test_the_velocity_is_the_nearest_allowed_or_the_least_forbidden(
    seed: int, lines: int, wall: bool
) -> None:
    rng = np.random.default_rng(seed)
    discs, speed = 7, 3.0
    angle = rng.uniform(0, 2 * np.pi, (lines, discs))
    rules = np.stack([np.cos(angle), np.sin(angle), rng.uniform(-2.5, 2.5, (lines, discs))])
    if wall:
        rules[:2, 0], rules[2, 0] = [[0.0], [1.0]], -rng.uniform(0, 2, discs)
    rules[2, :, 0] = NOTHING  # as in the padding of discs with fewer rules
    rules = rules.astype(np.float32)
    way = rng.uniform(0, 2 * np.pi, discs)
    wish = (speed * np.stack([np.cos(way), np.sin(way)])).astype(np.float32)
    limit = np.full(discs, speed, dtype=np.float32)
    vx, vy = nearest_allowed(rules.copy(), int(wall), limit, wish)
    assert (np.hypot(vx, vy) <= speed * (1 + 1e-5)).all()
    for disc in range(discs):
        nx, ny, bound = rules[:, :, disc].astype(float)
        hard = int(wall)

        def broken(
            v: np.ndarray, low: int, high: int, n: tuple[np.ndarray, ...] = (nx, ny, bound)
        ) -> np.ndarray:
            every = n[2] - v[:, [0]] * n[0] - v[:, [1]] * n[1]
            return every[:, low:high].max(axis=1, initial=-np.inf)

        tried = speed * GRID
        tried = tried[broken(tried, 0, hard) <= 0]
        ours = np.array([[vx[disc], vy[disc]]], dtype=float)
        assert broken(ours, 0, hard)[0] <= 1e-4
        best = broken(tried, hard, lines)
        if best.min() <= 0:
            assert broken(ours, hard, lines)[0] <= 1e-4
            closest = np.hypot(*(tried[best <= 0] - wish[:, disc]).T).min()
            assert np.hypot(*(ours[0] - wish[:, disc])) <= closest + 1e-4
        else:
            assert broken(ours, hard, lines)[0] <= max(best.min(), 0.0) + 1e-4


def gap_within(horizon: float, offset: np.ndarray, velocity: np.ndarray) -> float:
    """Least distance, over the horizon, of a point moving with `velocity` from one at `offset`."""
    times = np.linspace(0, horizon, 2001)[1:]
    return float(np.hypot(*(offset[:, None] - velocity[:, None] * times)).min())


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_rule_is_the_nearest_way_out_of_the_velocities_that_collide(seed: int) -> None:
    """Its boundary, for the whole way out, touches the set of colliding velocities at the point nearest to
    the present one."""
    rng = np.random.default_rng(seed)
    radius = rng.uniform(0.8, 1.4)
    way, distance = rng.uniform(0, 2 * np.pi), radius * rng.uniform(1.05, 2.0)
    offset = distance * np.array([math.cos(way), math.sin(way)])
    velocity = rng.uniform(-3, 3, 2)
    away, pace, reach, whole = (
        np.array(value, dtype=np.float32)[..., None] for value in (offset, velocity, radius, 1.0)
    )
    nx, ny, bound = half_planes(away, pace, reach, whole, pace, np.array([True]), 1 / 16)[:, 0].astype(float)
    normal = np.array([nx, ny])
    assert math.hypot(nx, ny) == pytest.approx(1, abs=1e-5)
    exit_velocity = velocity + (bound - normal @ velocity) * normal
    assert gap_within(1.0, offset, exit_velocity + 2e-2 * normal) >= radius - 2e-3
    assert gap_within(1.0, offset, exit_velocity - 2e-2 * normal) <= radius + 2e-3


def crowd(name: str, seed: int) -> Battle:
    roster = Roster(load_map(name))
    battle = Battle(roster, 20)
    rng = np.random.default_rng(seed)
    places = np.stack(
        [rng.uniform(12, 20, (roster.units, 20)), rng.uniform(9, 23, (roster.units, 20))], axis=1
    )
    battle.begin(np.arange(20), places)
    return battle


def overlaps(battle: Battle) -> float:
    """The deepest overlap of living units on the same plane."""
    roster = battle.roster
    x, y = battle.x[: roster.units], battle.y[: roster.units]
    distance = np.hypot(x[:, None] - x[None], y[:, None] - y[None])
    touching = (roster.radius[:, None] + roster.radius[None])[..., None] - distance
    alive = battle.alive[: roster.units]
    pair = alive[:, None] & alive[None] & (roster.air[:, None] == roster.air[None])[..., None]
    pair[np.arange(roster.units), np.arange(roster.units)] = False
    return float(np.where(pair, touching, -1.0).max())


@pytest.mark.parametrize("name", ["2s3z", "MMM2"])
def test_units_never_stand_on_each_other_in_a_battle_nor_in_the_walls(name: str) -> None:
    """They can overlap: one that makes half of the room is let down by one that stops to shoot."""
    env, rng = Skirmish(SkirmishSettings(map=name, spawn_jitter=0.0), 20), np.random.default_rng(1)
    battle, roster = env.battle, env.roster
    ground = ~roster.air
    _, info = env.reset(0)
    worst = []
    for _ in range(25):
        masks = info["action_masks"]
        actions = np.where(masks, rng.random(masks.shape), -1).argmax(axis=2)
        _, _, terminations, _, info = env.step(actions)
        if terminations.any():
            _, info = env.reset(where=terminations.all(axis=1))
        worst.append(overlaps(battle))
        y, radius = battle.y[: roster.units][ground], roster.radius[ground, None]
        assert (y >= 8 + radius - 1e-4).all()
        assert (y <= 24 - radius + 1e-4).all()
    assert max(worst) < 0.75


def test_overlapping_units_part_as_they_move() -> None:
    battle = crowd("10m_vs_11m", 0)
    battle.x[:2], battle.y[:2] = [[3.0], [3.3]], [[12.0], [12.1]]
    battle.command(np.full((10, battle.batch), 4))
    for _ in range(8):
        battle.tick()
    apart = np.hypot(battle.x[0] - battle.x[1], battle.y[0] - battle.y[1])
    assert (apart >= 0.75 - 1e-3).all()
    assert (battle.x[:2] > 3.9).all()


def test_units_that_stand_are_never_pushed() -> None:
    battle = crowd("10m_vs_11m", 2)
    before = battle.x[:10].copy(), battle.y[:10].copy()
    battle.command(np.ones((10, battle.batch), dtype=int))
    for _ in range(8):
        battle.tick()
    assert np.array_equal(battle.x[:10], before[0])
    assert np.array_equal(battle.y[:10], before[1])


def test_units_at_the_very_same_place_part() -> None:
    battle = crowd("10m_vs_11m", 0)
    battle.x[:2], battle.y[:2] = 3.0, 12.0
    battle.command(np.full((10, battle.batch), 4))
    for _ in range(8):
        battle.tick()
    assert (np.hypot(battle.x[0] - battle.x[1], battle.y[0] - battle.y[1]) > 0.7).all()
