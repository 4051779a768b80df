"""Cooperative treasure collection against steps recorded from the original environment."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from testbed import environments
from testbed.environments.treasure.environment import Treasure, TreasureSettings

DATA = Path(__file__).parents[3] / "data" / "particle_vectors.json"
CASES: list[dict[str, Any]] = [
    case for case in json.loads(DATA.read_text())["cases"] if case["task"] == "treasure"
]
REWARDS = {
    "paper": "rewards_paper_literal",
    "code_role": "rewards_code_by_role",
    "code_head": "rewards_code_head",
}
NAMES = [case["name"] for case in CASES]


class Replayed(Treasure):
    """Treasures appear where and as what they appeared in the recording, in each row."""

    recorded: list[dict[str, Any]]

    def _draw_treasures(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        if not hasattr(self, "recorded"):
            return super()._draw_treasures(count)
        assert count == self.batch * len(self.recorded)
        places = np.array([draw["pos"] for draw in self.recorded] * self.batch)
        return places, np.array([draw["type"] for draw in self.recorded] * self.batch)


def at_the_start_of(case: dict[str, Any], reward: str, batch: int) -> Replayed:
    settings = TreasureSettings(hunters=case["n_hunters"], banks=case["n_banks"], reward=reward)
    env = Replayed(settings, batch)
    env.reset(0)
    env.recorded = case["after_post_step"]["respawn_draws_used"]
    env.state = {
        name: np.repeat(np.array(value)[None], batch, axis=0) for name, value in case["state"].items()
    }
    return env


def assert_seen(observed: NDArray[np.float32], recorded: list[list[float]]) -> None:
    for agent, expected in enumerate(recorded):
        size = len(expected)
        np.testing.assert_allclose(observed[agent, :size], expected, rtol=0, atol=1e-6)
        assert not observed[agent, size:].any()


def test_all_recorded_treasure_steps_are_here() -> None:
    assert len(CASES) == 27
    assert {(case["n_hunters"], case["n_banks"]) for case in CASES} == {(6, 2), (9, 3), (10, 2)}
    assert sum(len(case["after_post_step"]["respawn_draws_used"]) for case in CASES) > 5


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_recorded_step_is_reproduced_in_every_row(case: dict[str, Any], reward: str) -> None:
    batch = 3
    env = at_the_start_of(case, reward, batch)
    assert [len(seen) for seen in case["obs"]] == list(env.observation_sizes)
    for row in range(batch):
        assert_seen(env.observations()[row], case["obs_before"])

    observations, rewards, terminations, truncations, info = env.step(np.array([case["actions"]] * batch))

    parts, after = case["parts"], case["after_post_step"]
    for row in range(batch):
        state = {name: array[row] for name, array in env.state.items()}
        np.testing.assert_allclose(state["pos"], case["next"]["pos"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(state["vel"], case["next"]["vel"], rtol=0, atol=1e-6)
        assert_seen(observations[row], case["obs"])
        np.testing.assert_allclose(rewards[row], case[REWARDS[reward]], rtol=0, atol=1e-6)
        assert state["holding"].tolist() == after["holding"]
        assert state["treasure_alive"].tolist() == after["treasure_alive"]
        assert state["treasure_type"].tolist() == after["treasure_type"]
        np.testing.assert_allclose(state["treasure_pos"], after["treasure_pos"], rtol=0, atol=1e-6)
        assert info["collisions"][row] == sum(parts["hunter_collision_counts"])
        closest = parts["min_empty_hunter_treasure_distance"]
        np.testing.assert_allclose(info["distance"][row], closest or 0.0, rtol=0, atol=1e-6)
        before = sum(case["state"]["treasure_alive"])
        drawn = len(after["respawn_draws_used"])
        assert info["pickups"][row] == before + drawn - sum(after["treasure_alive"])
        held = sum(kind >= 0 for kind in case["state"]["holding"])
        left = sum(kind >= 0 for kind in after["holding"])
        assert info["deposits"][row] == held + info["pickups"][row] - left
    assert terminations.any() == case["done"]
    assert not truncations.any()


@pytest.mark.parametrize("case", CASES[:3], ids=NAMES[:3])
def test_the_parallel_face_reproduces_a_recorded_step(case: dict[str, Any]) -> None:
    env = environments.parallel("treasure", hunters=case["n_hunters"], banks=case["n_banks"])
    env.reset(seed=0)
    env.environment.state = {name: np.array(value)[None] for name, value in case["state"].items()}
    actions = {f"agent_{index}": action for index, action in enumerate(case["actions"])}
    observations, rewards, *_ = env.step(actions)
    for index, agent in enumerate(env.possible_agents):
        np.testing.assert_allclose(observations[agent], case["obs"][index], rtol=0, atol=1e-6)
        np.testing.assert_allclose(rewards[agent], case["rewards_paper_literal"][index], rtol=0, atol=1e-6)
