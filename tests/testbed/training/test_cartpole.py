"""One agent learns CartPole-v1 as fast as another library's does: the start of a comparison, recorded.

The whole of it is tests/benchmarks/test_against_stable_baselines.py.
"""

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "cartpole_returns.json").read_text("utf-8"))


@pytest.fixture
def cartpole(monkeypatch):
    """The game and the settings of the comparison."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    import cartpole

    return cartpole


@pytest.mark.parametrize("method", ["PPO", "TRPO"])
def test_one_agent_keeps_up_with_stable_baselines(method, cartpole):
    """Not below four fifths of what it reached on the mean of its seeds, which differ by less."""
    recorded = RECORDED[method]
    _, ended = cartpole.train(getattr(cartpole, method), seed=0, updates=recorded["steps"] // cartpole.BATCH)
    (_, first, _), (steps, reached, _) = cartpole.windows(ended, recorded["steps"])
    assert steps == recorded["steps"]
    assert first < 50  # what a policy reaches that has hardly learnt: nothing was given away
    assert reached > 0.8 * np.mean(recorded["returns"])


def test_it_is_gymnasium_s_game(cartpole):
    """The wrapper against Gymnasium's environment as it is made, time limit and all, from the same state."""
    with cartpole.CartPole(3) as world, gymnasium.make("CartPole-v1") as original:
        world.reset(4)
        original.reset(seed=0)
        original.unwrapped.state = world.state["state"][1].copy()  # type: ignore[attr-defined]
        over = np.zeros(3, dtype=bool)
        for t in range(300):
            if over.any():
                world.reset(where=over)
            action = t % 2
            observations, rewards, terminations, truncations, _ = world.step(np.full((3, 1), action))
            observation, reward, terminated, truncated, _ = original.step(action)
            assert np.array_equal(observations[1, 0], observation)
            assert (rewards[1, 0], terminations[1, 0], truncations[1, 0]) == (reward, terminated, truncated)
            over = (terminations | truncations)[:, 0]
            if over[1]:
                break
        assert terminated
