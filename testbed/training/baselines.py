"""What policies without learning earn: where learning starts from, and what plain rules already reach."""

from dataclasses import dataclass

import numpy as np

from testbed.environments import BatchedEnvironment, EnvironmentSettings
from testbed.environments.external.pettingzoo import PettingZooSettings
from testbed.environments.external.starcraft import StarCraftSettings
from testbed.environments.registry import meaning
from testbed.environments.skirmish import Skirmish, SkirmishSettings
from testbed.environments.skirmish.scripted import Scripted, uniform
from testbed.identity import digest
from testbed.training.rollout import Actor, Collector

EPISODES = 100
WORLDS = 20
"""Episodes of a PettingZoo world, which nobody can know to be quick."""

SEED = 0
SCRIPTED = ("hold", "nearest", "nearest10", "focus", "focus10")
"""The policies of skirmish of which the best is kept; some win only when a little at random."""

RANDOM = "random"


@dataclass(frozen=True)
class Baseline:
    """What one policy earns.

    Attributes:
        policy: ``random``, which plays all available actions alike, or the name of a scripted policy.
        episodes: how many were played.
        means: over the episodes; ``return`` and the components of the return, named as those of training.
    """

    policy: str
    episodes: int
    means: dict[str, float]


class Uniform:
    """Every agent plays all its available actions alike."""

    def __init__(self, environment: BatchedEnvironment) -> None:
        sizes = np.array(environment.action_sizes)
        self.every = np.arange(environment.action_size) < sizes[:, None]  # [agent, action]

    def act(
        self, observations: np.ndarray, masks: np.ndarray | None, generator: np.random.Generator | None
    ) -> np.ndarray:
        """Actions `[batch, agent]`, drawn from ``generator``, which there must be."""
        if generator is None:
            raise ValueError("generator: got None, a random policy needs one")
        every = np.broadcast_to(self.every, (len(observations), *self.every.shape))
        return uniform(every if masks is None else masks, generator)


def identity(environment: EnvironmentSettings) -> str:
    """Names what ``measure`` depends on, the content of a map file included: see `testbed.identity`."""
    episodes = WORLDS if isinstance(environment, PettingZooSettings) else EPISODES
    content = {"references": {"seed": SEED, "episodes": episodes}, "environment": meaning(environment)}
    if isinstance(environment, SkirmishSettings):
        content["references"]["scripted"] = list(SCRIPTED)
    return digest(content)


def measure(environment: EnvironmentSettings) -> tuple[Baseline, ...]:
    """Plays the references of an environment, in seconds; the same each time.

    The uniformly random policy, and in skirmish then the scripted policy that has the highest mean return of
    those tried: a maximum over few noisy means, and so a little too high rather than too low. Nothing of
    StarCraft, which needs a game.
    """
    if isinstance(environment, StarCraftSettings):
        return ()
    environment = with_masks(environment)
    if isinstance(environment, PettingZooSettings):
        environment = environment.model_copy(update={"workers": 0})
    references = [_play(environment, RANDOM)]
    if isinstance(environment, SkirmishSettings):
        tried = [_play(environment, policy) for policy in SCRIPTED]
        references.append(max(tried, key=lambda reference: reference.means["return"]))
    return tuple(references)


def with_masks(environment: EnvironmentSettings) -> EnvironmentSettings:
    """The environment as scripts need it: with masks, whatever is done about unavailable actions.

    They play none of these, so nothing else changes.
    """
    if isinstance(environment, SkirmishSettings):
        return environment.model_copy(update={"unavailable": "mask"})
    return environment


def _play(environment: EnvironmentSettings, policy: str) -> Baseline:
    episodes = WORLDS if isinstance(environment, PettingZooSettings) else EPISODES
    with environment.make(episodes) as world:
        collector = Collector(world, SEED)
        means = collector.finish(player(world, policy), np.random.default_rng([SEED, 1]))
    return Baseline(policy, episodes, means)


def player(world: BatchedEnvironment, policy: str) -> Actor:
    """Who plays ``random``, or a scripted policy of skirmish. Raises ValueError for any other."""
    if policy != RANDOM and not isinstance(world, Skirmish):
        raise ValueError(f"policy: got {policy!r}, {world.name} has only {RANDOM!r}")
    return Scripted(world, policy) if isinstance(world, Skirmish) and policy != RANDOM else Uniform(world)
