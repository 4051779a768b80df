"""Cooperative navigation against steps recorded from the original environment."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from testbed import environments

DATA = Path(__file__).parents[2] / "data" / "particle_vectors.json"
CASES: list[dict[str, Any]] = [
    case for case in json.loads(DATA.read_text())["cases"] if case["task"] == "nav"
]
REWARDS = {"code": "rewards_code", "paper": "rewards_paper_literal"}


def test_all_recorded_navigation_steps_are_here() -> None:
    assert len(CASES) == 26


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_recorded_step_is_reproduced_in_every_row(case: dict[str, Any], reward: str) -> None:
    batch = 3
    env = environments.make("navigation", agents=case["N"], batch=batch, reward=reward)
    env.reset(0)
    env.state = {
        name: np.repeat(np.array(value)[None], batch, axis=0) for name, value in case["state"].items()
    }
    observed = env.observations()
    for row in range(batch):
        np.testing.assert_allclose(observed[row], case["obs_before"], rtol=0, atol=1e-6)

    observations, rewards, terminations, truncations, info = env.step(np.array([case["actions"]] * batch))

    for row in range(batch):
        np.testing.assert_allclose(env.state["pos"][row], case["next"]["pos"], rtol=0, atol=1e-8)
        np.testing.assert_allclose(env.state["vel"][row], case["next"]["vel"], rtol=0, atol=1e-8)
        np.testing.assert_allclose(observations[row], case["obs"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(rewards[row], case[REWARDS[reward]], rtol=0, atol=1e-8)
        np.testing.assert_allclose(info["distance"][row], case["proximity_sum"], rtol=0, atol=1e-8)
        assert info["collisions"][row] == sum(case["collisions_count"])
    assert terminations.any() == case["done"]
    assert not truncations.any()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_parallel_face_reproduces_a_recorded_step(case: dict[str, Any]) -> None:
    env = environments.parallel("navigation", agents=case["N"])
    env.reset(seed=0)
    env.environment.state = {name: np.array(value)[None] for name, value in case["state"].items()}
    actions = {f"agent_{index}": action for index, action in enumerate(case["actions"])}
    observations, rewards, *_ = env.step(actions)
    for index, agent in enumerate(env.possible_agents):
        np.testing.assert_allclose(observations[agent], case["obs"][index], rtol=0, atol=1e-6)
        np.testing.assert_allclose(rewards[agent], case["rewards_code"][index], rtol=0, atol=1e-8)
