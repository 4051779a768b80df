"""How many times as fast as something well known, both measured in turns: machines and hours cancel out.

    pytest tests/benchmarks/test_ratios.py --override-ini addopts=--import-mode=importlib \\
        --override-ini "pythonpath=tests/shared tests/benchmarks" -s
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from mpe2 import simple_spread_v3
from value_fits import fit_by_autograd

from policies.critics.value_critics import Critics
from testbed.environments.action_masks import uniform
from testbed.environments.skirmish import Skirmish, SkirmishSettings

ROUNDS = 7
MPE2_STEPS = 25


def in_turns(first: Callable[[], float], second: Callable[[], float]) -> tuple[float, float, float]:
    """Medians over rounds of what each gives, and of the first over the second of the same round."""
    pairs = np.array([(first(), second()) for _ in range(ROUNDS)])
    return *np.median(pairs, axis=0).tolist(), float(np.median(pairs[:, 0] / pairs[:, 1]))


@pytest.mark.parametrize("batch", [1, 100, 1000])
@pytest.mark.parametrize("name", ["2s3z", "3s5z", "10m_vs_11m", "MMM2"])
def test_skirmish_beside_the_navigation_of_mpe2(name: str, batch: int) -> None:
    """Environment steps a second of processor time; choosing actions is not timed."""
    env, generator = Skirmish(SkirmishSettings(map=name), batch), np.random.default_rng(0)
    masks = env.reset(0)[1]["action_masks"]
    steps = 100 if batch <= 100 else 20

    def skirmish() -> float:
        nonlocal masks
        seconds = 0.0
        for _ in range(steps):
            actions = uniform(masks, generator)
            started = time.process_time()
            _, _, terminations, truncations, info = env.step(actions)
            over = (terminations | truncations).all(axis=1)
            if over.any():
                _, info = env.reset(where=over)
            seconds += time.process_time() - started
            masks = info["action_masks"]
        return steps * batch / seconds

    world = simple_spread_v3.parallel_env(N=3, max_cycles=MPE2_STEPS)
    walks = generator.integers(0, 5, (20, MPE2_STEPS, 3)).tolist()

    def navigation() -> float:
        started = time.process_time()
        for walk in walks:
            world.reset(seed=0)
            for chosen in walk:
                world.step(dict(zip(world.possible_agents, chosen, strict=True)))
        return len(walks) * MPE2_STEPS / (time.process_time() - started)

    ours, theirs, ratio = in_turns(skirmish, navigation)
    print(
        f"\n{name} batch={batch}: {ours:,.0f} steps/s, mpe2 simple_spread_v3 {theirs:,.0f}: x {ratio:.1f}",
        file=sys.stderr,
    )


@pytest.mark.parametrize("activation", ["selu", "tanh", "relu"])
@pytest.mark.parametrize("agents", [5, 10])
def test_value_fits_beside_autograd(agents: int, activation: str) -> None:
    """Seconds of processor time for an update of 10,000 samples, and whether the fits are as good."""
    torch.set_num_threads(1)
    generator = np.random.default_rng(0)
    observations = torch.from_numpy(generator.standard_normal((agents, 10_000, 80)).astype(np.float32))
    targets = 40 * observations[..., 0] + 9 * observations[..., 1] * observations[..., 2] - 100
    losses: dict[str, float] = {}

    def timed(fit: Callable[..., float]) -> Callable[[], float]:
        def once() -> float:
            fitted = Critics(agents, 80, (128, 128), np.random.default_rng(1), activation=activation)
            started = time.process_time()
            losses[fit.__name__] = fit(fitted, observations, targets, np.random.default_rng(2))
            return time.process_time() - started

        return once

    theirs, ours, ratio = in_turns(timed(fit_by_autograd), timed(Critics.fit))
    print(
        f"\n{agents} agents, {activation}: {ours:.2f} s, by autograd {theirs:.2f} s: {ratio:.1f} times;"
        f" mean squared errors {losses['fit']:.4f} and {losses['fit_by_autograd']:.4f}",
        file=sys.stderr,
    )
    assert losses["fit"] == pytest.approx(losses["fit_by_autograd"], rel=1e-2)
