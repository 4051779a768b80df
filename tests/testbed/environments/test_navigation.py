"""Cooperative navigation against hand-computed steps, a slow reference and statistics of the original."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray

from testbed import environments
from testbed.environments import BatchedEnvironment
from testbed.environments.navigation import Navigation, NavigationSettings

Array = NDArray[np.float64]
HAND_LANDMARKS = [[0.5, 0.0], [-0.5, 0.5], [0.0, -0.5]]


def placed(pos: ArrayLike, vel: ArrayLike, landmarks: ArrayLike, **options: Any) -> BatchedEnvironment:
    """Episodes at the given state; without a batch axis, one."""
    state = {
        name: np.asarray(x, dtype=float) for name, x in (("pos", pos), ("vel", vel), ("land", landmarks))
    }
    state = {name: array if array.ndim == 3 else array[None] for name, array in state.items()}
    batch, agents, _ = state["pos"].shape
    env = environments.make("navigation", agents=agents, batch=batch, **options)
    env.state = {"pos": state["pos"], "vel": state["vel"], "landmarks": state["land"]}
    return env


def reference_step(
    pos: Array, vel: Array, landmarks: Array, actions: NDArray[np.int64], reward: str
) -> tuple[Array, Array, list[float], list[list[float]]]:
    """One step of one episode, body by body in plain Python floats."""
    agents = len(pos)
    directions = [(0.0, 0.0), (-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)]
    force = [[5.0 * d for d in directions[action]] for action in actions]
    for a in range(agents):
        for b in range(agents):
            dx, dy = pos[a][0] - pos[b][0], pos[a][1] - pos[b][1]
            r = math.sqrt(dx * dx + dy * dy)
            if a == b or r == 0.0:
                continue
            x = -(r - 0.3) / 0.001
            penetration = 0.001 * (max(x, 0.0) + math.log1p(math.exp(-abs(x))))
            force[a][0] += 100.0 * dx / r * penetration
            force[a][1] += 100.0 * dy / r * penetration
    vel = np.array([[0.75 * vel[a][k] + 0.1 * force[a][k] for k in range(2)] for a in range(agents)])
    pos = np.array([[pos[a][k] + 0.1 * vel[a][k] for k in range(2)] for a in range(agents)])

    def distance(p: Array, q: Array) -> float:
        return math.sqrt((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2)

    touched = [sum(distance(pos[a], pos[b]) < 0.3 for b in range(agents) if b != a) for a in range(agents)]
    nearest = [min(distance(pos[a], landmark) for a in range(agents)) for landmark in landmarks]
    if reward == "code":
        rewards = [-float(count) for count in touched]
        rewards[0] -= sum(nearest)
    else:
        rewards = [-1.0 if count else 0.0 for count in touched]
        rewards[0] -= min(nearest)
    observations = []
    for a in range(agents):
        seen = [*vel[a], *pos[a]]
        for landmark in landmarks:
            seen += [landmark[0] - pos[a][0], landmark[1] - pos[a][1]]
        for b in range(agents):
            if b != a:
                seen += [pos[b][0] - pos[a][0], pos[b][1] - pos[a][1]]
        observations.append([float(x) for x in seen])
    return pos, vel, rewards, observations


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Array, Array, Array, NDArray[np.int64]]:
    """Batches of crowded states, from a coarse grid so that exact contacts and coincidences happen."""
    batch, agents = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    coordinate = st.integers(-8, 8).map(lambda k: k * 0.075) | st.floats(-0.6, 0.6)
    shape = (batch, agents, 2)
    pos = draw(arrays(np.float64, shape, elements=coordinate))
    vel = draw(arrays(np.float64, shape, elements=st.floats(-3.0, 3.0)))
    landmarks = draw(arrays(np.float64, shape, elements=coordinate))
    return pos, vel, landmarks, draw(arrays(np.int64, (batch, agents), elements=st.integers(0, 4)))


@settings(max_examples=150, deadline=None)
@given(worlds(), st.sampled_from(["code", "paper"]))
def test_a_step_is_what_a_pair_by_pair_reference_says(
    world: tuple[Array, Array, Array, NDArray[np.int64]], reward: str
) -> None:
    pos, vel, landmarks, actions = world
    env = placed(pos, vel, landmarks, reward=reward)
    observations, rewards, _, _, _ = env.step(actions)
    for row in range(env.batch):
        new_pos, new_vel, expected, seen = reference_step(
            pos[row], vel[row], landmarks[row], actions[row], reward
        )
        np.testing.assert_allclose(env.state["pos"][row], new_pos, rtol=0, atol=1e-12)
        np.testing.assert_allclose(env.state["vel"][row], new_vel, rtol=0, atol=1e-12)
        np.testing.assert_allclose(observations[row], seen, rtol=1e-6, atol=1e-6)
        # Right at the rim, rounding decides whether a pair still touches.
        gaps = np.linalg.norm(new_pos[:, None] - new_pos[None], axis=-1)
        if not np.isclose(gaps, 0.3, rtol=0, atol=1e-12).any():
            np.testing.assert_allclose(rewards[row], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("pos", "vel", "actions", "next_pos", "next_vel", "code", "paper"),
    [
        pytest.param(
            [[0, 0], [0.8, 0.8], [-0.8, -0.8]],
            [[0, 0]] * 3,
            [2, 0, 0],
            [[0.05, 0], [0.8, 0.8], [-0.8, -0.8]],
            [[0.5, 0], [0, 0], [0, 0]],
            [-1.695797, 0, 0],
            [-0.45, 0, 0],
            id="a push moves an agent at rest by 0.05",
        ),
        pytest.param(
            [[0, 0], [0.3, 0], [-0.8, -0.8]],
            [[0, 0]] * 3,
            [0, 0, 0],
            [[-0.000693, 0], [0.300693, 0], [-0.8, -0.8]],
            [[-0.006931, 0], [0.006931, 0], [0, 0]],
            [-1.405924, 0, 0],
            [-0.199307, 0, 0],
            id="at exact contact the force is 0.1 ln 2",
        ),
        pytest.param(
            [[0, 0], [0.2, 0], [-0.8, -0.8]],
            [[0, 0]] * 3,
            [0, 0, 4],
            [[-0.1, 0], [0.3, 0], [-0.8, -0.75]],
            [[-1, 0], [1, 0], [0, 0.5]],
            [-1.350214, 0, 0],
            [-0.2, 0, 0],
            id="an overlap of 0.1 pushes with force 10",
        ),
        pytest.param(
            [[0, 0], [0.29, 0], [-0.29, 0]],
            [[0, 0], [-0.6, 0], [0.6, 0]],
            [0, 1, 2],
            [[0, 0], [0.205, 0], [-0.205, 0]],
            [[0, 0], [-0.85, 0], [0.85, 0]],
            [-3.375538, -1, -1],
            [-1.295, -1, -1],
            id="the middle of three pays twice in the code and once in the table",
        ),
    ],
)
def test_hand_computed_steps(
    pos: list[list[float]],
    vel: list[list[float]],
    actions: list[int],
    next_pos: list[list[float]],
    next_vel: list[list[float]],
    code: list[float],
    paper: list[float],
) -> None:
    for reward, expected in (("code", code), ("paper", paper)):
        env = placed(pos, vel, HAND_LANDMARKS, reward=reward)
        _, rewards, _, _, _ = env.step([actions])
        np.testing.assert_allclose(env.state["pos"][0], next_pos, rtol=0, atol=1e-6)
        np.testing.assert_allclose(env.state["vel"][0], next_vel, rtol=0, atol=1e-6)
        np.testing.assert_allclose(rewards[0], expected, rtol=0, atol=1e-6)


def test_the_observation_lists_velocity_position_landmarks_and_the_others() -> None:
    env = placed([[0.0, 0.0], [0.75, 1.0], [-1.0, -0.5]], [[1, 2], [3, 4], [5, 6]], HAND_LANDMARKS)
    seen = env.observations()
    assert seen.dtype == np.float32
    assert seen.shape == (1, 3, 14)
    assert env.observation_sizes == (14, 14, 14)
    assert seen[0, 1].tolist() == [3, 4, 0.75, 1, -0.25, -1, -1.25, -0.5, -0.75, -1.5, -0.75, -1, -1.75, -1.5]


def test_agents_at_the_very_same_place_do_not_push_each_other() -> None:
    env = placed([[0.2, 0.2], [0.2, 0.2]], np.zeros((2, 2)), np.zeros((2, 2)))
    _, rewards, _, _, info = env.step([[0, 0]])
    np.testing.assert_array_equal(env.state["pos"], [[[0.2, 0.2], [0.2, 0.2]]])
    assert info["collisions"][0] == 2
    assert rewards[0, 1] == -1.0


def test_an_agent_alone_has_nobody_to_see_or_touch() -> None:
    env = placed([[0.0, 0.0]], [[0.0, 0.0]], [[0.05, 0.03]])
    assert env.observation_size == 6
    observations, rewards, _, _, info = env.step([[2]])
    np.testing.assert_allclose(observations[0, 0], [0.5, 0, 0.05, 0, 0, 0.03], atol=1e-7)
    assert rewards[0, 0] == pytest.approx(-0.03)
    assert info["collisions"][0] == 0
    assert info["covered"][0] == 1


def test_contacts_keep_the_total_momentum_of_a_crowd() -> None:
    rng = np.random.default_rng(3)
    pos, vel = rng.uniform(-0.5, 0.5, (4, 12, 2)), rng.normal(size=(4, 12, 2))
    env = placed(pos, vel, np.zeros((4, 12, 2)))
    env.step(np.zeros((4, 12), dtype=int))
    assert not np.allclose(env.state["vel"], 0.75 * vel)
    np.testing.assert_allclose(env.state["vel"].sum(axis=1), 0.75 * vel.sum(axis=1), atol=1e-11)


@pytest.mark.parametrize("agents", [1, 3, 13])
def test_a_row_of_a_batch_is_bit_for_bit_an_episode_alone(agents: int) -> None:
    batch, rng = 7, np.random.default_rng(agents)
    together = environments.make("navigation", agents=agents, batch=batch)
    together.reset(5)
    alone = [environments.make("navigation", agents=agents, batch=1) for _ in range(batch)]
    for row, env in enumerate(alone):
        env.state = {name: array[[row]] for name, array in together.state.items()}
    for _ in range(20):
        actions = rng.integers(0, 5, (batch, agents))
        all_seen, all_rewards, _, _, all_info = together.step(actions)
        for row, env in enumerate(alone):
            seen, rewards, _, _, info = env.step(actions[[row]])
            assert np.array_equal(seen[0], all_seen[row])
            assert np.array_equal(rewards[0], all_rewards[row])
            assert all(info[name][0] == all_info[name][row] for name in env.components)
    for row, env in enumerate(alone):
        assert all(np.array_equal(array[0], together.state[name][row]) for name, array in env.state.items())


def test_the_code_rewards_sum_to_distance_and_collisions_and_components_ignore_the_reward() -> None:
    by_reward = {r: environments.make("navigation", agents=6, batch=50, reward=r) for r in ("code", "paper")}
    rng = np.random.default_rng(0)
    for env in by_reward.values():
        env.reset(2)
    for _ in range(30):
        actions = rng.integers(0, 5, (50, 6))
        _, rewards, _, _, info = by_reward["code"].step(actions)
        _, paper, _, _, paper_info = by_reward["paper"].step(actions)
        np.testing.assert_allclose(rewards.sum(axis=1), -(info["distance"] + info["collisions"]), atol=1e-12)
        assert all(np.array_equal(info[name], paper_info[name]) for name in info)
        assert np.array_equal(paper[:, 1:], np.maximum(rewards[:, 1:], -1.0))
    assert not any(np.signbit(r[:, 1:][r[:, 1:] == 0]).any() for r in (rewards, paper))


def test_episodes_start_at_rest_with_everything_uniform_in_the_square() -> None:
    env = environments.make("navigation", agents=3, batch=4000)
    env.reset(11)
    state = env.state
    assert not state["vel"].any()
    for places in (state["pos"], state["landmarks"]):
        assert np.abs(places).max() <= 1.0
        # Mean 0 with standard error 1/sqrt(3 * 4000), variance 1/3.
        np.testing.assert_allclose(places.mean(axis=0), 0.0, atol=4 / math.sqrt(12000))
        np.testing.assert_allclose(places.var(axis=0), 1 / 3, atol=0.02)


@pytest.mark.parametrize(
    ("agents", "team_return", "collisions", "outside", "speed"),
    [(3, (-268.3, 3.8), (1.33, 0.08), 0.708, 0.607), (6, (-389.4, 4.6), (3.05, 0.11), 0.728, 0.614)],
)
def test_random_play_has_the_statistics_of_the_original(
    agents: int,
    team_return: tuple[float, float],
    collisions: tuple[float, float],
    outside: float,
    speed: float,
) -> None:
    """Against mean and standard error over 400 (300) episodes of the original, uniformly random actions."""
    batch, rng = 4000, np.random.default_rng(1)
    env = environments.make("navigation", agents=agents, batch=batch)
    env.reset(1)
    returns, touched, speeds = np.zeros(batch), np.zeros(batch), []
    for _ in range(100):
        _, rewards, _, truncations, info = env.step(rng.integers(0, 5, (batch, agents)))
        returns += rewards.sum(axis=1)
        touched += info["collisions"] / agents
        speeds.append(np.linalg.norm(env.state["vel"], axis=-1).mean())
    assert truncations.all()

    def errors_away(sample: Array, mean: float, error: float) -> float:
        return abs(float(sample.mean()) - mean) / math.hypot(error, float(sample.std()) / math.sqrt(batch))

    assert errors_away(returns, *team_return) < 3
    assert errors_away(touched, *collisions) < 3
    assert np.mean(speeds) == pytest.approx(speed, abs=0.01)
    assert (np.abs(env.state["pos"]) > 1).any(axis=-1).mean() == pytest.approx(outside, abs=0.03)


def test_a_picture_shows_the_agents_where_they_are() -> None:
    env = placed([[-0.9, 0.9], [5.0, -5.0]], np.zeros((2, 2)), [[0.9, -0.9], [0.0, 0.0]])
    picture = env.render()
    assert picture.dtype == np.uint8
    assert picture.shape == (300, 300, 3)
    half_width = 5.0 + 1.2 * 0.15
    column = int((-0.9 / half_width + 1) * 150)
    row = int((-0.9 / half_width + 1) * 150)
    assert picture[row, column - 3].tolist() == [0, 114, 178]  # the number stands in the middle
    assert picture[0, 0].tolist() == [255, 255, 255]


def test_the_class_can_be_made_from_its_settings() -> None:
    env = Navigation(NavigationSettings(agents=2, reward="paper", episode_length=7), batch=3)
    assert (env.agents, env.batch, env.episode_length, env.action_sizes) == (2, 3, 7, (5, 5))
