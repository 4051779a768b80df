"""Masks, observations and the state vector against a slow reading of SMAC's layout, unit by unit."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from testbed.environments.skirmish import Skirmish, SkirmishSettings

CODES = {
    "2s3z": ({"stalker": [1, 0], "zealot": [0, 1]}, {"zealot": [1, 0], "stalker": [0, 1]}),
    "10m_vs_11m": ({"marine": []}, {"marine": []}),
    "MMM2": ({"marauder": [1, 0, 0], "marine": [0, 1, 0], "medivac": [0, 0, 1]},) * 2,
}
FULL = {
    "stalker": (80, 80),
    "zealot": (100, 50),
    "marine": (45, 0),
    "marauder": (125, 0),
    "medivac": (150, 0),
}
SCALE = {"stalker": 35, "zealot": 22, "marine": 15, "marauder": 25}


def scattered(name: str, seed: int, batch: int = 5) -> Skirmish:
    """Units all over the middle of the corridor, some dead, in every condition."""
    env = Skirmish(SkirmishSettings(map=name), batch)
    env.reset(seed)
    rng, state = np.random.default_rng(seed), env.state
    shape = state["hp"].shape
    state["pos"] = rng.uniform([8, 8.4], [20, 23.6], (*shape, 2)).astype(np.float32)
    dead = rng.random(shape) < 0.2
    state["hp"] = np.where(dead, 0, np.rint(env.roster.hp * rng.uniform(0.1, 1, shape)))
    state["shield"] = np.where(dead, 0, np.rint(env.roster.shield * rng.uniform(0, 1, shape)))
    state["cooldown"] = np.where(dead, 0, rng.uniform(0, 1, shape) * env.roster.cooldown)
    env.state = state
    return env


def reference_mask(env: Skirmish, name: str, state: dict[str, Any], row: int, agent: int) -> list[bool]:
    kinds, n = env.roster.names, env.agents
    if state["hp"][row, agent] == 0:
        return [action == 0 for action in range(env.action_size)]
    x, y = state["pos"][row, agent]
    mask = [False, True]
    for dx, dy in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        px, py = x + dx, y + dy
        mask.append(0 <= px < 32 and 0 <= py < 32 and 8 <= int(py) < 24)
    for k in range(env.action_size - 6):
        unit = k if kinds[agent] == "medivac" else n + k
        mendable = unit >= n or kinds[unit] != "medivac"
        if (unit >= n and kinds[agent] == "medivac") or not mendable or state["hp"][row, unit] == 0:
            mask.append(False)
        else:
            mask.append(math.dist(state["pos"][row, agent], state["pos"][row, unit]) <= 6)
    return mask


def reference_observation(
    env: Skirmish, name: str, state: dict[str, Any], row: int, agent: int
) -> NDArray[np.float64]:
    kinds, n = env.roster.names, env.agents
    shields = name == "2s3z"
    mask = reference_mask(env, name, state, row, agent)

    def health(unit: int) -> list[float]:
        hp, shield = FULL[kinds[unit]]
        seen = [state["hp"][row, unit] / hp]
        if shields:
            seen.append(state["shield"][row, unit] / shield)
        return seen + CODES[name][unit >= n][kinds[unit]]

    own = health(agent)
    if state["hp"][row, agent] == 0:
        return np.zeros(env.observation_size)
    seen = [float(bit) for bit in mask[2:6]]
    for unit in [*range(n, env.roster.units), *(other for other in range(n) if other != agent)]:
        offset = state["pos"][row, unit] - state["pos"][row, agent]
        distance = math.hypot(*offset)
        block = [float(mask[6 + unit - n]) if unit >= n else 1.0, distance / 9, *(offset / 9), *health(unit)]
        visible = state["hp"][row, unit] > 0 and distance < 9
        seen += block if visible else [0.0] * len(block)
    return np.array(seen + own)


@pytest.mark.parametrize("name", CODES)
def test_masks_and_observations_are_what_a_unit_by_unit_reading_says(name: str) -> None:
    env = scattered(name, seed=3)
    state, seen, masks = env.state, env.observations(), env.masks()["action_masks"]
    assert (seen.dtype, masks.dtype) == (np.float32, np.bool_)
    for row in range(env.batch):
        for agent in range(env.agents):
            assert masks[row, agent].tolist() == reference_mask(env, name, state, row, agent)
            expected = reference_observation(env, name, state, row, agent)
            np.testing.assert_allclose(seen[row, agent], expected, rtol=0, atol=1e-6)
    assert masks.any(axis=2).all()


@pytest.mark.parametrize("name", CODES)
def test_the_state_vector_is_what_a_unit_by_unit_reading_says(name: str) -> None:
    env = scattered(name, seed=4)
    state = env.state
    state["last_action"] = np.random.default_rng(0).integers(-1, env.action_size, (env.batch, env.agents))
    env.state = state
    given = env.global_state()
    for row in range(env.batch):
        expected: list[float] = []
        for unit, kind in enumerate(env.roster.names):
            hp, shield = FULL[kind]
            x, y = state["pos"][row, unit]
            block = [state["hp"][row, unit] / hp, (x - 16) / 32, (y - 16) / 32]
            if unit < env.agents:
                healer = kind == "medivac"
                ready = state["energy"][row, unit] / 200 if healer else None
                block.insert(1, ready if healer else state["cooldown"][row, unit] / SCALE[kind])
            if name == "2s3z":
                block.append(state["shield"][row, unit] / shield)
            block += CODES[name][unit >= env.agents][kind]
            expected += block if state["hp"][row, unit] > 0 else [0.0] * len(block)
        for agent in range(env.agents):
            expected += [float(state["last_action"][row, agent] == a) for a in range(env.action_size)]
        np.testing.assert_allclose(given[row], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("distance", "available", "visible"), [(6, 1, 1), (6.001, 0, 1), (8.999, 0, 1), (9, 0, 0)]
)
def test_targets_within_six_and_sight_below_nine(distance: float, available: int, visible: int) -> None:
    env = Skirmish(SkirmishSettings(map="2s3z"), 1)
    env.reset(0)
    state = env.state
    state["pos"][0, :5] = [[4, 12], [4, 14], [4, 16], [4, 18], [10, 16]]
    state["pos"][0, 5:] = [[30, 12], [30, 14], [30, 16], [30, 18], [10 + distance, 16]]
    env.state = state
    assert env.masks()["action_masks"][0, 4, 6:].tolist() == [False] * 4 + [bool(available)]
    block = env.observations()[0, 4, 4 + 4 * 8 : 4 + 5 * 8]
    if visible:
        expected = [available, distance / 9, distance / 9, 0, 1, 1, 1, 0]
        np.testing.assert_allclose(block, expected, atol=1e-6)
    else:
        assert not block.any()


def test_moves_end_one_cell_from_walls_and_borders_but_in_the_west_as_int_has_it() -> None:
    env = Skirmish(SkirmishSettings(map="10m_vs_11m"), 1)
    env.reset(0)
    state = env.state
    state["pos"][0, :4] = [[16, 22.99], [16, 23], [16, 9], [16, 8.99]]
    state["pos"][0, 4:8] = [[30.99, 16], [31, 16], [0.01, 16], [0, 16]]
    env.state = state
    moves = env.masks()["action_masks"][0, :8, 2:6].tolist()
    north, south, east, west = range(4)
    for agent, move, allowed in ((0, north, True), (1, north, False), (2, south, True), (3, south, False)):
        assert moves[agent][move] is allowed
    for agent, move, allowed in ((4, east, True), (5, east, False), (6, west, True), (7, west, False)):
        assert moves[agent][move] is allowed


def test_a_healer_aims_at_allies_and_sees_that_in_the_enemy_block() -> None:
    env = Skirmish(SkirmishSettings(map="MMM2"), 1)
    _, info = env.reset(0)
    mask = info["action_masks"][0, 9]
    assert mask[6:15].all()  # everybody but itself is within six at the start
    assert not mask[15:].any()
    state = env.state
    state["pos"][0, 10:] = state["pos"][0, 9] + [[0, 0.5 * k - 3] for k in range(12)]
    env.state = state
    first = env.observations()[0, 9, 4 : 4 + 12 * 8].reshape(12, 8)[:, 0]
    assert first.tolist() == [1.0] * 9 + [0.0] * 3


def test_the_dead_see_nothing_and_can_only_do_nothing() -> None:
    env = Skirmish(SkirmishSettings(map="2s3z"), 1)
    env.reset(0)
    state = env.state
    state["hp"][0, 2] = state["shield"][0, 2] = 0
    env.state = state
    assert not env.observations()[0, 2].any()
    assert np.flatnonzero(env.masks()["action_masks"][0, 2]).tolist() == [0]
    assert not env.masks()["action_masks"][0, [0, 1, 3, 4], 0].any()
