"""Gymnasium's CartPole-v1 for learners of one agent, so that they can be held against other libraries'."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from no_network import Nobody
from numpy.typing import NDArray

from policies.algorithms.itrpo import ItrpoSettings
from policies.algorithms.learner import Learner
from policies.algorithms.mappo import MappoSettings
from testbed.environments.batched import BatchedEnvironment, Info, Observations
from testbed.training.rollout import Actor, Collector
from testbed.training.trainer import spaces

EPISODES, STEPS = 8, 256  # side by side, and of each in a batch
BATCH = EPISODES * STEPS
WINDOW = 5 * BATCH  # steps over which the returns of the episodes that ended are averaged
EVALUATED = 100  # whole episodes by the most probable actions

HIDDEN = (64, 64)
_NETWORKS: dict[str, Any] = {"gamma": 0.99, "lam": 0.95, "hidden": HIDDEN, "activation": "tanh"}
MAPPO = MappoSettings(
    **_NETWORKS,
    share_policy=False,
    minibatches=8,
    learning_rate=3e-4,
    value_learning_rate=3e-4,
    entropy_coefficient=0.0,
    max_gradient_norm=1e9,  # Stable-Baselines3 clips the gradients of policy and values together
)
PPO = MAPPO.model_copy(update={"normalise_values": False, "clip_values": False, "huber_delta": 1e9})
"""The same with the value loss of Stable-Baselines3."""
TRPO = ItrpoSettings(
    **_NETWORKS,
    delta_per_agent=0.01,
    solver={"damping": 0.1, "iterations": 15},
    values={"epochs": 10, "batch_size": 128, "learning_rate": 1e-3},
)

Ended = Sequence[tuple[int, float, float]]
"""(steps, mean return, episodes): what ended when so many steps had been played."""


class CartPole(BatchedEnvironment):
    """Each row is an environment that Gymnasium made; the time limit is the one registered there."""

    name = "cartpole"
    components = ()

    def __init__(self, batch: int) -> None:
        super().__init__(
            batch=batch,
            episode_length=gymnasium.spec("CartPole-v1").max_episode_steps,
            observation_sizes=(4,),
            action_sizes=(2,),
            state_shapes={"state": (4,)},
        )
        self.rows: list[Any] = [gymnasium.make("CartPole-v1").unwrapped for _ in range(batch)]

    def observations(self) -> Observations:
        return np.array([row.state for row in self.rows], dtype=np.float32)[:, None]

    def _begin(self, rows: NDArray[np.intp]) -> None:
        for row in rows:
            self.rows[row].reset(seed=int(self._generator.integers(2**31)))

    def _advance(self, actions: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.bool_], Info]:
        steps = [row.step(int(action)) for row, action in zip(self.rows, actions[:, 0], strict=True)]
        rewards = np.array([reward for _, reward, *_ in steps], dtype=np.float64)
        return rewards[:, None], np.array([over for _, _, over, *_ in steps])[:, None], {}

    def _read(self) -> dict[str, NDArray[Any]]:
        return {"state": np.array([row.state for row in self.rows], dtype=np.float64)}

    def _write(self, state: Mapping[str, NDArray[Any]]) -> None:
        for row, values in zip(self.rows, state["state"], strict=True):
            row.state, row.steps_beyond_terminated = values.copy(), None

    def render(self, row: int = 0) -> NDArray[np.uint8]:
        raise NotImplementedError("CartPole is played here, not shown")


def train(settings: MappoSettings | ItrpoSettings, seed: int, updates: int) -> tuple[Learner, Ended]:
    """A learner after so many updates, and its returns on the way."""
    generator = np.random.default_rng(seed)
    world = CartPole(EPISODES)
    learner = settings.make(spaces(world), generator)
    collector, ended = Collector(world, seed), []
    for update in range(1, updates + 1):
        batch, row = collector.collect(learner, STEPS, generator)
        learner.learn(batch, Nobody(), generator)
        ended.append((update * BATCH, row["return"], row["episodes"]))
    return learner, ended


def windows(ended: Ended, steps: int) -> list[tuple[int, float, int]]:
    """(steps, mean return, episodes) of each window of the first ``steps``."""
    curve = []
    for last in range(WINDOW, steps + 1, WINDOW):
        inside = [(mean, count) for at, mean, count in ended if last - WINDOW < at <= last and count]
        episodes = sum(count for _, count in inside)
        mean = sum(mean * count for mean, count in inside) / episodes if episodes else math.nan
        curve.append((last, mean, int(episodes)))
    return curve


def evaluated(actor: Actor, seed: int) -> float:
    """Mean return of whole episodes by the most probable actions."""
    with CartPole(EVALUATED) as world:
        return Collector(world, 1000 + seed).finish(actor, None)["return"]
