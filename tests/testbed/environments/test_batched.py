"""The contract of every batched environment: resetting, stepping, reading and setting state, bad input."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from testbed import environments
from testbed.environments import BatchedEnvironment


def make(**options: Any) -> BatchedEnvironment:
    return environments.make("navigation", **{"agents": 3, "batch": 4, **options})


def started(**options: Any) -> BatchedEnvironment:
    env = make(**options)
    env.reset(0)
    return env


STAY = np.zeros((4, 3), dtype=int)


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return list(a) == list(b) and all(np.array_equal(a[name], b[name]) for name in a)


def test_shapes_and_types_are_as_documented() -> None:
    env = started()
    observations, info = env.reset()
    assert (observations.shape, observations.dtype.name) == ((4, 3, 14), "float32")
    assert info == {}
    observations, rewards, terminations, truncations, info = env.step(STAY)
    assert (observations.shape, observations.dtype.name) == ((4, 3, 14), "float32")
    assert observations.flags.c_contiguous
    assert (rewards.shape, rewards.dtype.name) == ((4, 3), "float64")
    assert (terminations.shape, terminations.dtype.name) == ((4, 3), "bool")
    assert (truncations.shape, truncations.dtype.name) == ((4, 3), "bool")
    assert list(info) == list(env.components) == ["distance", "collisions", "covered"]
    assert all(info[name].shape == (4,) for name in info)


def test_the_same_seed_gives_the_same_episodes_and_another_seed_others() -> None:
    a, b = make(), make()
    assert np.array_equal(a.reset(7)[0], b.reset(7)[0])
    assert np.array_equal(a.reset()[0], b.reset()[0])
    assert not np.array_equal(a.reset(8)[0], b.reset(7)[0])


def test_without_any_seed_two_environments_differ() -> None:
    assert not np.array_equal(make().reset()[0], make().reset()[0])


def test_resetting_some_rows_leaves_the_others_and_draws_only_for_them() -> None:
    env = started()
    env.step(STAY)
    before = env.state
    generator = env.rng_state
    observations, _ = env.reset(where=np.array([False, True, False, True]))
    after = env.state
    assert after["t"].tolist() == [1, 0, 1, 0]
    for name in ("pos", "vel", "landmarks"):
        assert np.array_equal(before[name][[0, 2]], after[name][[0, 2]])
    assert np.array_equal(observations, env.observations())

    two = make(batch=2)
    two.rng_state = generator
    two.reset()
    assert np.array_equal(two.state["pos"], after["pos"][[1, 3]])
    assert two.rng_state == env.rng_state


def test_resetting_no_row_changes_nothing() -> None:
    env = started()
    env.step(STAY)
    state, generator = env.state, env.rng_state
    env.reset(where=np.zeros(4, dtype=bool))
    assert same(env.state, state)
    assert env.rng_state == generator


def test_an_episode_is_truncated_at_its_length_and_only_then() -> None:
    env = started(episode_length=3)
    for step in (1, 2, 3):
        _, _, terminations, truncations, _ = env.step(STAY)
        assert truncations.all() == (step == 3)
        assert truncations.any() == (step == 3)
        assert not terminations.any()


def test_the_step_that_ends_an_episode_shows_its_last_state() -> None:
    env = started(episode_length=1)
    positions = env.state["pos"]
    observations, *_ = env.step(np.full((4, 3), 4))
    assert np.array_equal(observations, env.observations())
    assert env.state["t"].tolist() == [1, 1, 1, 1]
    assert not np.array_equal(env.state["pos"], positions)


def test_stepping_a_finished_episode_is_refused_and_changes_nothing() -> None:
    env = started(episode_length=2)
    env.step(STAY)
    env.reset(where=[True, False, True, True])
    env.step(STAY)
    state = env.state
    with pytest.raises(RuntimeError, match=r"1 of 4 episodes are over \(first: row 1\)"):
        env.step(STAY)
    assert same(env.state, state)
    env.reset(where=[False, True, False, False])
    env.step(STAY)


def test_stepping_before_any_reset_is_refused() -> None:
    with pytest.raises(RuntimeError, match="no episode has been started"):
        make().step(STAY)


def test_a_first_reset_of_some_rows_only_is_refused() -> None:
    with pytest.raises(RuntimeError, match="first reset must start every episode"):
        make().reset(where=[True, False, True, True])


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.full((4, 3), 5), "actions: got 5 for agent 0 in row 0, must be from 0 to 4"),
        (
            np.array([[0, 1, 2]] * 3 + [[0, -1, 0]]),
            "actions: got -1 for agent 1 in row 3, must be from 0 to 4",
        ),
        (np.zeros((4, 2), dtype=int), "actions: got shape (4, 2), must be (4, 3)"),
        (np.zeros((3, 4), dtype=int), "actions: got shape (3, 4), must be (4, 3)"),
        (np.zeros((4, 3)), "actions: got float64, must be integers"),
        (np.zeros((4, 3), dtype=bool), "actions: got bool, must be integers"),
        ([[0, 1, 2], [0, 1]], "actions: got nested lists of unequal lengths, must be an array"),
    ],
)
def test_wrong_actions_are_refused_in_one_line_and_change_nothing(actions: Any, message: str) -> None:
    env = started()
    state = env.state
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        env.step(actions)
    assert same(env.state, state)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_actions_of_any_integer_type_mean_the_same(dtype: type) -> None:
    env, other = started(), started()
    actions = np.array([[0, 1, 2], [3, 4, 0], [1, 1, 1], [4, 3, 2]])
    env.step(actions)
    other.step(actions.astype(dtype))
    assert same(env.state, other.state)


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0"])
def test_a_wrong_seed_is_refused(seed: Any) -> None:
    with pytest.raises(ValueError, match=r"seed: got .*, must be an integer of at least 0"):
        make().reset(seed)


@pytest.mark.parametrize("where", [[True, False], [1, 0, 1, 0], np.ones((4, 1), dtype=bool)])
def test_a_wrong_mask_is_refused(where: Any) -> None:
    with pytest.raises(ValueError, match=r"where: got .*, must be bool of shape \(4,\)"):
        started().reset(where=where)


def test_what_is_read_from_the_state_is_a_copy_and_so_is_what_is_set() -> None:
    env = started()
    state = env.state
    env.state["pos"][:] = 9.0
    assert same(env.state, state)
    mine = {name: array.copy() for name, array in state.items()}
    env.state = mine
    mine["pos"][:] = 9.0
    mine["t"][:] = 3
    assert same(env.state, state)


def test_later_steps_leave_earlier_results_alone() -> None:
    env = started()
    observations, rewards, terminations, truncations, info = env.step(STAY)
    results: list[NDArray[Any]] = [observations, rewards, terminations, truncations, *info.values()]
    copies = [array.copy() for array in results]
    env.step(np.full((4, 3), 2))
    for array, copy in zip(results, copies, strict=True):
        assert np.array_equal(array, copy)


def test_a_state_without_t_starts_the_episodes() -> None:
    env = started(episode_length=1)
    env.step(STAY)
    state = env.state
    del state["t"]
    env.state = state
    assert env.state["t"].tolist() == [0, 0, 0, 0]
    env.step(STAY)


def test_a_state_can_be_set_before_any_reset() -> None:
    state = started().state
    env = make()
    env.state = state
    env.step(STAY)


def test_a_state_at_the_end_of_an_episode_is_finished() -> None:
    env = started(episode_length=5)
    env.state = {**env.state, "t": np.array([0, 5, 2, 5])}
    with pytest.raises(RuntimeError, match="2 of 4 episodes are over"):
        env.step(STAY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: s.update(position=s.pop("pos")),
            "state: unknown name 'position', must be one of pos, vel",
        ),
        (lambda s: s.update(landmark=0), "state: unknown name 'landmark'.*did you mean 'landmarks'?"),
        (lambda s: s.pop("vel"), "state: vel missing, must have pos, vel, landmarks"),
        (
            lambda s: s.update(pos=s["pos"][:2]),
            r"state\['pos'\]: got shape \(2, 3, 2\), must be \(4, 3, 2\)",
        ),
        (lambda s: s.update(pos=s["pos"][0]), r"state\['pos'\]: got shape \(3, 2\), must be \(4, 3, 2\)"),
        (lambda s: s.update(vel=s["vel"] * np.nan), r"state\['vel'\]: got nan, must be finite"),
        (lambda s: s.update(vel=s["vel"] + 1j), r"state\['vel'\]: got complex128, must be real numbers"),
        (lambda s: s.update(vel=[[1], [1, 2]]), r"state\['vel'\]: got nested lists of unequal lengths"),
        (lambda s: s.update(t=np.array([0, 0, 0, 101])), r"state\['t'\]: got 101, must be from 0 to 100"),
        (lambda s: s.update(t=np.array([0, -1, 0, 0])), r"state\['t'\]: got -1, must be from 0 to 100"),
        (
            lambda s: s.update(t=np.zeros(4)),
            r"state\['t'\]: got float64 of shape \(4,\), must be integers",
        ),
        (
            lambda s: s.update(t=0),
            r"state\['t'\]: got int64 of shape \(\), must be integers of shape \(4,\)",
        ),
    ],
)
def test_a_wrong_state_is_refused_in_one_line_and_changes_nothing(
    change: Callable[[dict[str, Any]], object], message: str
) -> None:
    env = started()
    before = env.state
    state = env.state
    change(state)
    with pytest.raises(ValueError, match=message) as caught:
        env.state = state
    assert "\n" not in str(caught.value)
    assert same(env.state, before)


def test_state_and_generator_resume_a_run_exactly_through_json() -> None:
    rng = np.random.default_rng(0)
    env = started(episode_length=10)
    for _ in range(7):
        env.step(rng.integers(0, 5, (4, 3)))
    stored = json.dumps(
        {"rng": env.rng_state, "state": {name: array.tolist() for name, array in env.state.items()}}
    )
    resumed = make(episode_length=10)
    loaded = json.loads(stored)
    resumed.rng_state = loaded["rng"]
    resumed.state = loaded["state"]
    for _ in range(30):
        actions = rng.integers(0, 5, (4, 3))
        a, b = env.step(actions), resumed.step(actions)
        for index in range(4):
            assert np.array_equal(np.asarray(a[index]), np.asarray(b[index]))
        assert same(a[4], b[4])
        over = a[3].all(axis=1)
        assert np.array_equal(env.reset(where=over)[0], resumed.reset(where=over)[0])


@pytest.mark.parametrize("value", [{}, {"bit_generator": "MT19937"}, None, {"bit_generator": "PCG64"}])
def test_a_wrong_generator_state_is_refused_and_changes_nothing(value: Any) -> None:
    env = started()
    before = env.rng_state
    with pytest.raises(ValueError, match="rng_state: not a state of NumPy's PCG64 generator"):
        env.rng_state = value
    assert env.rng_state == before


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("navigaton", {}, "environment: unknown name 'navigaton', allowed: .*; did you mean 'navigation'?"),
        ("navigation", {"agent": 3}, "navigation: unknown option 'agent', allowed: .*did you mean 'agents'?"),
        ("navigation", {"hunters": 6}, "navigation: unknown option 'hunters', allowed: agents, reward"),
        ("treasure", {"agents": 8}, "treasure: unknown option 'agents', allowed: hunters, banks, reward"),
        ("treasure", {"reward": "code"}, "treasure: reward: got 'code', .*; did you mean 'code_role'?"),
        (
            "navigation",
            {"agents": 0},
            "navigation: agents: got 0, must be greater than or equal to 1",
        ),
        ("navigation", {"agents": 2.5}, "navigation: agents: got 2.5, must be a whole number"),
        ("navigation", {"agents": True}, "navigation: agents: got True, must be a whole number"),
        ("navigation", {"reward": "papr"}, "reward: got 'papr', .*'code' or 'paper'; did you mean 'paper'?"),
        ("navigation", {"episode_length": 0}, "navigation: episode_length: got 0"),
        ("navigation", {"batch": 0}, "batch: got 0, must be an integer of at least 1"),
        ("navigation", {"batch": 2.0}, "batch: got 2.0, must be an integer of at least 1"),
    ],
)
def test_an_environment_that_does_not_exist_is_refused_in_one_line(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        environments.make(name, **options)
    assert "\n" not in str(caught.value)


def test_settings_fill_in_the_defaults_without_building() -> None:
    assert environments.settings("navigation", agents=6).model_dump() == {
        "name": "navigation",
        "agents": 6,
        "reward": "code",
        "episode_length": 100,
    }


BUILT_IN = [name for name in environments.NAMES if name not in ("pettingzoo", "starcraft")]


@pytest.mark.parametrize("name", BUILT_IN)  # the others need to be told of a world, or a game
def test_every_name_makes_an_environment_with_that_name(name: str) -> None:
    env = environments.make(name, batch=2)
    assert env.name == name
    settings = environments.settings(name)
    assert (settings.name, settings.agents, settings.episode_length) == (name, env.agents, env.episode_length)
    observations, _ = env.reset(0)
    assert observations.shape == (2, env.agents, env.observation_size)
