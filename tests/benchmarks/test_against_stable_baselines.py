"""One agent on CartPole-v1, beside Stable-Baselines3's PPO and sb3-contrib's TRPO at equal steps.

    BASELINES_RESULTS=studies/results/baselines pytest tests/benchmarks/test_against_stable_baselines.py \
        --override-ini addopts=--import-mode=importlib --override-ini pythonpath=tests/benchmarks -s

Minutes; needs the extra `baselines`. Writes `cartpole.csv` into that folder, without the variable into a
temporary one.
"""

import csv
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cartpole
import numpy as np
import pytest
import torch

SEEDS = range(3)
UPDATES = 20
TOTAL = UPDATES * cartpole.BATCH

pytestmark = pytest.mark.filterwarnings("default")  # those of other libraries

Trained = tuple[Any, cartpole.Ended]


def ours(settings: Any, seed: int) -> Trained:
    """By a learner of the testbed."""
    return cartpole.train(settings, seed, UPDATES)


def ppo(seed: int, *, hidden_gain: float | None) -> Trained:
    """By Stable-Baselines3; hidden layers begin with gain 1 or, for None, with the library's, sqrt 2."""
    from stable_baselines3 import PPO

    return theirs(
        PPO,
        seed,
        hidden_gain,
        learning_rate=3e-4,
        batch_size=cartpole.BATCH // cartpole.PPO.minibatches,
        n_epochs=10,
        clip_range=0.2,
        ent_coef=0.0,
        vf_coef=0.5,
        max_grad_norm=1e9,
    )


def trpo(seed: int, *, hidden_gain: float | None) -> Trained:
    """By sb3-contrib; hidden layers as in ``ppo``."""
    from sb3_contrib import TRPO

    return theirs(
        TRPO,
        seed,
        hidden_gain,
        learning_rate=1e-3,
        batch_size=128,
        cg_max_steps=15,
        cg_damping=0.1,
        target_kl=0.01,
        n_critic_updates=10,
    )


def theirs(algorithm: Any, seed: int, hidden_gain: float | None, **options: Any) -> Trained:
    """What both have in common, and the books of their episodes."""
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env

    ended: list[tuple[int, float, float]] = []

    class Ends(BaseCallback):
        def _on_step(self) -> bool:
            infos = self.locals["infos"]
            ended.extend((self.num_timesteps, info["episode"]["r"], 1) for info in infos if "episode" in info)
            return True

    class Actor:
        def act(self, observations: np.ndarray, masks: None, generator: None) -> np.ndarray:
            return model.predict(observations[:, 0], deterministic=True)[0][:, None]

    world = make_vec_env("CartPole-v1", n_envs=cartpole.EPISODES, seed=seed)
    model = algorithm(
        "MlpPolicy",
        world,
        n_steps=cartpole.STEPS,
        gamma=0.99,
        gae_lambda=0.95,
        seed=seed,
        device="cpu",
        policy_kwargs={"net_arch": list(cartpole.HIDDEN), "activation_fn": torch.nn.Tanh},
        **options,
    )
    if hidden_gain is not None:
        for module in model.policy.mlp_extractor.modules():
            model.policy.init_weights(module, gain=hidden_gain)
    model.learn(TOTAL, callback=Ends())
    world.close()
    return Actor(), ended


WAYS: dict[tuple[str, str], Callable[[int], Trained]] = {
    ("PPO", "MAPPO of one agent, SB3's value loss"): partial(ours, cartpole.PPO),
    ("PPO", "MAPPO of one agent, its own value loss"): partial(ours, cartpole.MAPPO),
    ("PPO", "stable-baselines3, hidden gain 1"): partial(ppo, hidden_gain=1.0),
    ("PPO", "stable-baselines3, hidden gain sqrt 2"): partial(ppo, hidden_gain=None),
    ("TRPO", "I-TRPO of one agent"): partial(ours, cartpole.TRPO),
    ("TRPO", "sb3-contrib, hidden gain 1"): partial(trpo, hidden_gain=1.0),
    ("TRPO", "sb3-contrib, hidden gain sqrt 2"): partial(trpo, hidden_gain=None),
}


def test_cartpole(tmp_path: Path) -> None:
    pytest.importorskip("sb3_contrib")
    rows: list[dict[str, Any]] = []
    for (method, way), train in WAYS.items():
        for seed in SEEDS:
            actor, ended = train(seed)
            curve, evaluation = cartpole.windows(ended, TOTAL), cartpole.evaluated(actor, seed)
            rows += [
                {
                    "method": method,
                    "implementation": way,
                    "seed": seed,
                    "steps": steps,
                    "return": round(mean, 2),
                    "episodes": count,
                    "evaluation_return": round(evaluation, 2) if steps == TOTAL else "",
                }
                for steps, mean, count in curve
            ]
            print(method, way, seed, [round(mean, 1) for _, mean, _ in curve], evaluation, flush=True)
    folder = Path(os.environ.get("BASELINES_RESULTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "cartpole.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
