"""What holds for every environment, by its name alone: whoever adds one to the registry adds it here."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pettingzoo.test import parallel_api_test, parallel_seed_test

from testbed import environments
from testbed.environments import BatchedEnvironment

ELSEWHERE = ("pettingzoo", "starcraft")
"""These have to be told of a world, or a game; their own tests hold them to the same."""

OPTIONS: dict[str, dict[str, Any]] = {"skirmish": {"unavailable": "random"}}
"""For PettingZoo's tests, which also play what is not available."""

NAMES = [name for name in environments.NAMES if name not in ELSEWHERE]
pytestmark = pytest.mark.parametrize("name", NAMES)


def started(name: str, batch: int = 4) -> BatchedEnvironment:
    env = environments.make(name, batch=batch)
    env.reset(0)
    return env


def actions(env: BatchedEnvironment, rng: np.random.Generator) -> NDArray[np.int64]:
    """Random ones that are available, `[batch, agent]`."""
    own = np.arange(env.action_size) < np.array(env.action_sizes)[:, None]
    free = env.masks().get("action_masks", np.broadcast_to(own, (env.batch, *own.shape)))
    return np.where(free, rng.random(free.shape), -1.0).argmax(axis=-1)


def played(env: BatchedEnvironment, rng: np.random.Generator, steps: int = 3) -> BatchedEnvironment:
    for _ in range(steps):
        env.step(actions(env, rng))
    return env


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return list(a) == list(b) and all(np.array_equal(a[name], b[name]) for name in a)


def test_pettingzoo_accepts_it_and_finds_it_reproducible(name: str) -> None:
    options = OPTIONS.get(name, {})
    parallel_api_test(environments.parallel(name, **options), num_cycles=30)
    parallel_seed_test(lambda: environments.parallel(name, **options), num_cycles=30)


def test_a_step_has_the_shapes_and_types_that_are_promised(name: str) -> None:
    env = started(name)
    rng = np.random.default_rng(0)
    observations, rewards, terminations, truncations, info = env.step(actions(env, rng))
    each = (env.batch, env.agents)
    assert (observations.shape, observations.dtype) == ((*each, env.observation_size), np.float32)
    assert (rewards.shape, rewards.dtype) == (each, np.float64)
    assert (terminations.shape, terminations.dtype) == (each, np.bool_)
    assert (truncations.shape, truncations.dtype) == (each, np.bool_)
    assert set(info) == {*env.components, *env.masks(), *env.active()}
    assert all(info[component].shape == (env.batch,) for component in env.components)
    assert np.isfinite(observations).all()
    assert np.isfinite(rewards).all()
    for agent, size in enumerate(env.observation_sizes):
        assert not observations[:, agent, size:].any()


def test_later_steps_leave_earlier_results_alone(name: str) -> None:
    env, rng = started(name), np.random.default_rng(0)
    observations, rewards, terminations, truncations, info = env.step(actions(env, rng))
    results: list[NDArray[Any]] = [observations, rewards, terminations, truncations, *info.values()]
    results += env.state.values()
    copies = [array.copy() for array in results]
    played(env, rng)
    for array, copy in zip(results, copies, strict=True):
        assert np.array_equal(array, copy)


def test_resetting_some_rows_leaves_the_others_and_draws_only_for_them(name: str) -> None:
    env = played(started(name), np.random.default_rng(0))
    before, generator = env.state, env.rng_state
    env.reset(where=np.array([False, True, False, True]))
    after = env.state
    two = environments.make(name, batch=2)
    two.rng_state = generator
    two.reset()
    assert two.rng_state == env.rng_state
    for key, array in after.items():
        assert np.array_equal(array[[0, 2]], before[key][[0, 2]])
        assert np.array_equal(array[[1, 3]], two.state[key])


def test_state_and_generator_resume_a_run_exactly_through_json(name: str) -> None:
    env = played(started(name), np.random.default_rng(1))
    state = {key: array.tolist() for key, array in env.state.items()}
    loaded = json.loads(json.dumps({"rng": env.rng_state, "state": state}))
    resumed = environments.make(name, batch=4)
    resumed.rng_state, resumed.state = loaded["rng"], loaded["state"]
    assert np.array_equal(resumed.observations(), env.observations())
    rng = np.random.default_rng(2)
    for _ in range(10):
        chosen = actions(env, rng)
        a, b = env.step(chosen), resumed.step(chosen)
        assert all(np.array_equal(one, other) for one, other in zip(a[:4], b[:4], strict=True))
        assert same(a[4], b[4])
        over = np.logical_and.reduce(a[2] | a[3], axis=1)
        env.reset(where=over)
        resumed.reset(where=over)
        assert same(env.state, resumed.state)


def test_it_can_be_seen(name: str) -> None:
    picture = started(name).render(row=1)
    assert (picture.ndim, picture.shape[2], picture.dtype) == (3, 3, np.uint8)
    assert picture.min() < picture.max()
