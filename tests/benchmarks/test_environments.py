"""Environment steps per second: `pytest tests/benchmarks/test_environments.py -s`."""

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from testbed import environments
from testbed.environments.skirmish import Skirmish, SkirmishSettings
from testbed.environments.skirmish.scripted import uniform

STEPS = 100  # steps of every episode in the batch per round


@pytest.mark.parametrize("batch", [1, 10, 100, 1000])
@pytest.mark.parametrize("agents", [3, 6])
def test_navigation(benchmark: BenchmarkFixture, agents: int, batch: int) -> None:
    env = environments.make("navigation", agents=agents, batch=batch, episode_length=STEPS)
    actions = np.random.default_rng(0).integers(0, 5, (STEPS, batch, agents))

    def play() -> None:
        env.reset(0)
        for chosen in actions:
            env.step(chosen)

    benchmark(play)
    if benchmark.stats is None:  # --benchmark-disable: played once, not timed
        return
    speed = STEPS * batch / benchmark.stats.stats.median
    benchmark.extra_info["environment_steps_per_second"] = speed
    print(f"\nnavigation N={agents} batch={batch}: {speed:,.0f} environment steps/s, one core")


@pytest.mark.parametrize("batch", [1, 10, 100, 1000])
@pytest.mark.parametrize("name", ["2s3z", "3s5z", "10m_vs_11m", "MMM2"])
def test_skirmish(benchmark: BenchmarkFixture, name: str, batch: int) -> None:
    """Random play with masks and observations; ended battles start again. Choosing actions is not timed."""
    env = Skirmish(SkirmishSettings(map=name), batch)
    generator = np.random.default_rng(0)
    masks = env.reset(0)[1]["action_masks"]

    def choose() -> tuple[tuple[np.ndarray], dict[str, object]]:
        return (uniform(masks, generator),), {}

    def step(actions: np.ndarray) -> None:
        nonlocal masks
        _, _, terminations, truncations, info = env.step(actions)
        over = (terminations | truncations).all(axis=1)
        if over.any():
            _, info = env.reset(where=over)
        masks = info["action_masks"]

    benchmark.pedantic(step, setup=choose, rounds=STEPS)
    if benchmark.stats is None:
        return
    speed = batch / benchmark.stats.stats.mean
    benchmark.extra_info["environment_steps_per_second"] = speed
    print(f"\n{name} batch={batch}: {speed:,.0f} environment steps/s, one core")
