"""Returns of policies without learning: the start of learning, and the level that simple rules reach."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from testbed.environments import BatchedEnvironment, EnvironmentSettings
from testbed.environments.base import RANDOM
from testbed.identity import digest
from testbed.training.rollout import Actor, Collector

SEED = 0


@dataclass(frozen=True)
class Baseline:
    """The mean return of one policy.

    Attributes:
        policy: ``random``, uniform over the available actions, or the name of a scripted policy.
        episodes: number of episodes played.
        means: over the episodes, of ``return`` and of its components, named as in training.
    """

    policy: str
    episodes: int
    means: dict[str, float]


class Uniform:
    """Every agent plays uniformly at random among its available actions; see `ActionSpaces.uniform`."""

    def __init__(self, environment: BatchedEnvironment) -> None:
        self.spaces = environment.action_spaces

    def act(
        self, observations: np.ndarray, masks: np.ndarray | None, generator: np.random.Generator | None
    ) -> np.ndarray:
        """Actions `[batch, agent, ...]`, drawn from ``generator``, which is required."""
        if generator is None:
            raise ValueError("generator: got None, a random policy needs one")
        return self.spaces.uniform(masks, len(observations), generator)


def identity(environment: EnvironmentSettings) -> str:
    """Name of everything that ``measure`` depends on, map files by content: see `testbed.identity`."""
    references: dict[str, Any] = {"seed": SEED, "episodes": environment.baseline_episodes}
    if environment.best_of:
        references["scripted"] = list(environment.best_of)
    return digest({"references": references, "environment": environment.meaning()})


def measure(environment: EnvironmentSettings) -> tuple[Baseline, ...]:
    """Play the baselines of an environment, in seconds; the results are the same each time.

    The uniformly random policy, and among the scripted policies in ``best_of`` the one with the highest mean
    return: a maximum over a few noisy means, so biased slightly upwards. Empty for environments without
    policies, or without episodes for them, such as StarCraft, which needs games.
    """
    if not environment.policies or not environment.baseline_episodes:
        return ()
    environment = environment.for_baselines()
    references = [_play(environment, RANDOM)]
    if environment.best_of:
        tried = [_play(environment, policy) for policy in environment.best_of]
        references.append(max(tried, key=lambda reference: reference.means["return"]))
    return tuple(references)


def _play(environment: EnvironmentSettings, policy: str) -> Baseline:
    episodes = environment.baseline_episodes
    with environment.make(episodes) as world:
        collector = Collector(world, SEED)
        means = collector.finish(player(world, policy), np.random.default_rng([SEED, 1]))
    return Baseline(policy, episodes, means)


def player(world: BatchedEnvironment, policy: str) -> Actor:
    """The actor for ``random`` or a scripted policy of the world. Raises ValueError for any other."""
    return Uniform(world) if policy == RANDOM else world.scripted(policy)
