"""Environment steps per second: `pytest tests/benchmarks/test_environments.py -s`."""

import numpy as np
import pytest
from mpe2 import simple_spread_v3
from pytest_benchmark.fixture import BenchmarkFixture

from testbed import environments
from testbed.environments.action_masks import uniform
from testbed.environments.skirmish import Skirmish, SkirmishSettings

STEPS = 100  # steps of every episode in the batch per round


@pytest.mark.parametrize("batch", [1, 10, 100, 1000])
@pytest.mark.parametrize("agents", [3, 6])
def test_navigation(benchmark: BenchmarkFixture, agents: int, batch: int) -> None:
    play(benchmark, batch, "navigation", agents=agents)


@pytest.mark.parametrize("batch", [1, 10, 100, 1000])
@pytest.mark.parametrize(("hunters", "banks"), [(6, 2), (9, 3), (10, 2)])
def test_treasure(benchmark: BenchmarkFixture, hunters: int, banks: int, batch: int) -> None:
    play(benchmark, batch, "treasure", hunters=hunters, banks=banks)


def play(benchmark: BenchmarkFixture, batch: int, name: str, **options: int) -> None:
    env = environments.make(name, batch=batch, episode_length=STEPS, **options)
    actions = np.random.default_rng(0).integers(0, 5, (STEPS, batch, env.agents))

    def episodes() -> None:
        env.reset(0)
        for chosen in actions:
            env.step(chosen)

    benchmark(episodes)
    if benchmark.stats is None:  # --benchmark-disable: played once, not timed
        return
    speed = STEPS * batch / benchmark.stats.stats.median
    benchmark.extra_info["environment_steps_per_second"] = speed
    sizes = " ".join(f"{option}={value}" for option, value in options.items())
    print(f"\n{name} {sizes} batch={batch}: {speed:,.0f} environment steps/s, one core")


def test_mpe2_itself(benchmark: BenchmarkFixture) -> None:
    """The original of cooperative navigation, called directly: what there was before."""
    steps = 25
    world = simple_spread_v3.parallel_env(N=3, max_cycles=steps)
    actions = np.random.default_rng(0).integers(0, 5, (steps, 3))

    def episode() -> None:
        world.reset(seed=0)
        for chosen in actions:
            world.step(dict(zip(world.possible_agents, chosen.tolist(), strict=True)))

    benchmark(episode)
    if benchmark.stats is None:
        return
    speed = steps / benchmark.stats.stats.median
    benchmark.extra_info["environment_steps_per_second"] = speed
    print(f"\nmpe2 simple_spread_v3 N=3: {speed:,.0f} environment steps/s, one core")


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_pettingzoo_world(benchmark: BenchmarkFixture, workers: int) -> None:
    batch, steps = 32, 25
    world = {"pettingzoo": "mpe2.simple_spread_v3", "kwargs": {"N": 3, "max_cycles": steps}}
    actions = np.random.default_rng(0).integers(0, 5, (steps, batch, 3))
    with environments.make("pettingzoo", batch=batch, workers=workers, **world) as env:

        def play() -> None:
            env.reset(0)
            for chosen in actions:
                env.step(chosen)

        benchmark(play)
    if benchmark.stats is None:
        return
    speed = steps * batch / benchmark.stats.stats.median
    benchmark.extra_info["environment_steps_per_second"] = speed
    print(f"\nsimple_spread_v3 batch={batch} workers={workers}: {speed:,.0f} environment steps/s")


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
