"""Uniformly random play of treasure collection against statistics of the original under the same play."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from testbed import environments
from testbed.environments.treasure.rewards import REWARDS

EPISODES = 200
# (hunters, banks): mean and standard error over 150, 50 and 50 episodes of 100 steps of the original.
RECORDED: dict[tuple[int, int], dict[str, tuple[float, float]]] = {
    (6, 2): {
        "return of code_head": (-29.9, 5.6),
        "first bank's return of code_role": (-2.3, 2.7),
        "hunters' return of code_role": (-26.5, 2.1),
        "return of paper": (-14.8, 2.2),
        "pickups": (1.66, 0.09),
        "deposits": (0.073, 0.02),
    },
    (9, 3): {
        "return of code_head": (220, 34),
        "first bank's return of code_role": (99, 11),
        "hunters' return of code_role": (-76.4, 7.6),
        "return of paper": (-25.7, 7.5),
        "pickups": (3.44, 0.22),
        "deposits": (0.24, 0.07),
    },
    (10, 2): {
        "return of code_head": (178, 26),
        "first bank's return of code_role": (128, 13),
        "hunters' return of code_role": (-76.0, 6.3),
        "return of paper": (-38.8, 6.6),
        "pickups": (3.76, 0.21),
        "deposits": (0.30, 0.07),
    },
}
SPEED = 0.272  # mean over 150 episodes with 6 hunters and 2 banks


def played(hunters: int, banks: int, reward: str) -> dict[str, NDArray[np.float64]]:
    """Of each episode: returns `[episode, agent]`, sums of the components, and mean speed."""
    env = environments.make("treasure", hunters=hunters, banks=banks, batch=EPISODES, reward=reward)
    env.reset(0)
    rng = np.random.default_rng(0)
    sums = {name: np.zeros(EPISODES) for name in ("speed", *env.components)}
    sums["returns"] = np.zeros((EPISODES, env.agents))
    for _ in range(100):
        _, rewards, _, truncations, info = env.step(rng.integers(0, 5, (EPISODES, env.agents)))
        sums["returns"] += rewards
        sums["speed"] += np.linalg.norm(env.state["vel"], axis=-1).mean(axis=1) / 100
        for name in env.components:
            sums[name] += info[name]
    assert truncations.all()
    return sums


@pytest.mark.parametrize(("hunters", "banks"), RECORDED)
def test_random_play_has_the_statistics_of_the_original(hunters: int, banks: int) -> None:
    by_reward = {reward: played(hunters, banks, reward) for reward in REWARDS}
    roles = by_reward["code_role"]["returns"]
    found = {
        "return of code_head": by_reward["code_head"]["returns"][:, 0],
        "first bank's return of code_role": roles[:, hunters],
        "hunters' return of code_role": roles[:, :hunters].sum(axis=1),
        "return of paper": by_reward["paper"]["returns"].sum(axis=1),
        "pickups": by_reward["paper"]["pickups"],
        "deposits": by_reward["paper"]["deposits"],
    }
    for name, (mean, error) in RECORDED[hunters, banks].items():
        own_error = found[name].std() / math.sqrt(EPISODES)
        errors_away = abs(found[name].mean() - mean) / math.hypot(error, own_error)
        assert errors_away < 3, name
    # However they are paid, the same episodes were played.
    for sums in by_reward.values():
        assert np.array_equal(sums["speed"], by_reward["paper"]["speed"])
    np.testing.assert_allclose(by_reward["code_head"]["returns"].sum(axis=1), roles.sum(axis=1), atol=1e-9)
    shared = by_reward["shared"]["returns"]
    np.testing.assert_allclose(shared.sum(axis=1), found["return of paper"], atol=1e-9)
    assert np.array_equal(shared, np.repeat(shared[:, :1], hunters + banks, axis=1))


def test_random_play_is_as_fast_as_in_the_original() -> None:
    speeds = played(6, 2, "paper")["speed"]
    error = speeds.std() * math.sqrt(1 / 150 + 1 / EPISODES)
    assert abs(speeds.mean() - SPEED) < 3 * error
