"""The PettingZoo face: PettingZoo's own tests, and masks, unequal sizes and early deaths."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pettingzoo.test import parallel_api_test, parallel_seed_test

from testbed import environments
from testbed.environments import BatchedEnvironment
from testbed.environments.batched import Info
from testbed.environments.parallel import ParallelFace


class Countdown(BatchedEnvironment):
    """Agent 0 has 2 actions and dies at its second step; agent 1 has 3, one forbidden, and lives 4 steps."""

    name = "countdown"
    components = ("steps",)

    def __init__(self) -> None:
        super().__init__(
            batch=1, episode_length=4, observation_sizes=[1, 2], action_sizes=[2, 3], state_shapes={}
        )
        self.played: list[list[int]] = []

    def observations(self) -> NDArray[np.float32]:
        return np.array([[[self._t[0], 0.0], [self._t[0], 1.0]]], dtype=np.float32)

    def _begin(self, rows: NDArray[np.intp]) -> None:
        self.played = []

    def _advance(self, actions: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.bool_], Info]:
        self.played.append(actions[0].tolist())
        return np.array([[1.0, 2.0]]), np.array([[self._t[0] >= 2, False]]), {"steps": self._t.copy()}

    def _read(self) -> dict[str, NDArray[Any]]:
        return {}

    def _write(self, state: Mapping[str, NDArray[np.float64]]) -> None:
        pass

    def render(self, row: int = 0) -> NDArray[np.uint8]:
        return np.zeros((2, 2, 3), dtype=np.uint8)

    def masks(self) -> Info:
        return {"action_masks": np.array([[[True, True, False], [True, False, True]]])}


@pytest.mark.parametrize("options", [{"agents": 1}, {"agents": 3}, {"agents": 6, "reward": "paper"}])
def test_navigation_passes_the_parallel_api_test(options: dict[str, Any]) -> None:
    parallel_api_test(environments.parallel("navigation", **options), num_cycles=250)


@pytest.mark.parametrize(
    "options", [{}, {"hunters": 9, "banks": 3, "reward": "code_head"}, {"hunters": 1, "banks": 1}]
)
def test_treasure_passes_the_parallel_api_test(options: dict[str, Any]) -> None:
    parallel_api_test(environments.parallel("treasure", **options), num_cycles=250)


def test_treasure_passes_the_parallel_seed_test() -> None:
    parallel_seed_test(lambda: environments.parallel("treasure"))


@pytest.mark.parametrize("agents", [1, 3])
def test_navigation_passes_the_parallel_seed_test(agents: int) -> None:
    parallel_seed_test(lambda: environments.parallel("navigation", agents=agents))


def test_agents_that_die_early_and_sizes_that_differ_pass_the_parallel_api_test() -> None:
    parallel_api_test(ParallelFace(Countdown()), num_cycles=20)


def test_it_is_the_batched_environment_with_a_batch_of_one() -> None:
    face, env = environments.parallel("navigation", agents=4), environments.make("navigation", agents=4)
    observations, infos = face.reset(seed=3)
    expected, _ = env.reset(3)
    rng = np.random.default_rng(0)
    assert list(observations) == ["agent_0", "agent_1", "agent_2", "agent_3"]
    assert infos == {agent: {} for agent in observations}
    for _ in range(100):
        actions = rng.integers(0, 5, 4)
        observations, rewards, terminations, truncations, infos = face.step(
            dict(zip(face.agents, actions, strict=True))
        )
        expected, expected_rewards, _, expected_truncations, info = env.step([actions])
        for index, agent in enumerate(face.possible_agents):
            assert np.array_equal(observations[agent], expected[0, index])
            assert face.observation_space(agent).contains(observations[agent])
            assert rewards[agent] == expected_rewards[0, index]
            assert terminations[agent] is False
            assert truncations[agent] is bool(expected_truncations[0, index])
            assert infos[agent] == {name: info[name][0] for name in env.components}
    assert face.agents == []


def test_agents_leave_when_they_die_and_the_others_go_on_without_them() -> None:
    env = Countdown()
    face = ParallelFace(env)
    observations, infos = face.reset()
    assert [observations[agent].tolist() for agent in face.agents] == [[0.0], [0.0, 1.0]]
    assert infos["agent_0"]["action_mask"].tolist() == [1, 1]
    assert infos["agent_1"]["action_mask"].tolist() == [1, 0, 1]
    face.step({"agent_0": 1, "agent_1": 2})
    _, rewards, terminations, _, infos = face.step({"agent_0": 1, "agent_1": 2})
    assert terminations == {"agent_0": True, "agent_1": False}
    assert rewards == {"agent_0": 1.0, "agent_1": 2.0}
    assert infos["agent_1"]["steps"] == 2
    assert face.agents == ["agent_1"]
    observations, *_ = face.step({"agent_1": 0})
    assert list(observations) == ["agent_1"]
    _, _, _, truncations, _ = face.step({"agent_1": 2})
    assert truncations == {"agent_1": True}
    assert face.agents == []
    assert env.played == [[1, 2], [1, 2], [0, 0], [0, 2]]


def test_an_action_another_agent_has_is_refused_for_one_that_does_not() -> None:
    face = ParallelFace(Countdown())
    face.reset()
    with pytest.raises(ValueError, match="actions: got 2 for agent 0 in row 0, must be from 0 to 1"):
        face.step({"agent_0": 2, "agent_1": 2})


def test_actions_for_other_agents_than_those_playing_are_refused() -> None:
    face = environments.parallel("navigation", agents=2)
    face.reset(seed=0)
    with pytest.raises(ValueError, match="got agents agent_0, must be exactly agent_0, agent_1"):
        face.step({"agent_0": 0})
    with pytest.raises(ValueError, match="got agents agent_0, agent_2, must be exactly"):
        face.step({"agent_0": 0, "agent_2": 0})


def test_stepping_a_finished_or_unstarted_episode_is_refused() -> None:
    face = environments.parallel("navigation", agents=1, episode_length=1)
    with pytest.raises(RuntimeError, match="no agent is playing"):
        face.step({"agent_0": 0})
    face.reset(seed=0)
    face.step({"agent_0": 0})
    with pytest.raises(RuntimeError, match="no agent is playing"):
        face.step({})


def test_pictures_are_drawn_when_asked_for() -> None:
    face = environments.parallel("navigation", agents=2, render_mode="rgb_array")
    face.reset(seed=0)
    picture = face.render()
    assert picture is not None
    assert picture.shape == (300, 300, 3)
    assert environments.parallel("navigation").render() is None
    with pytest.raises(ValueError, match="render_mode: got 'human', must be None or 'rgb_array'"):
        environments.parallel("navigation", render_mode="human")


def test_only_a_batch_of_one_has_this_face() -> None:
    with pytest.raises(ValueError, match="batch: got 2, a ParallelEnv holds exactly 1 episode"):
        ParallelFace(environments.make("navigation", batch=2))
