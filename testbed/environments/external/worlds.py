"""Finding a PettingZoo world by name, and what its spaces say."""

import importlib
import json
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gymnasium.spaces import Box, Dict, Discrete, Space
from pettingzoo import ParallelEnv

FACTORY = "parallel_env"  # what PettingZoo's modules call the function that makes a parallel world


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a world without playing it; tuples have one entry per agent.

    Attributes:
        agents: the world's own names, in the order of its `possible_agents`.
        observation_sizes: numbers in each flattened observation.
        action_sizes: actions of each agent.
        first_actions: the world's number for each agent's action 0 (`start` of its Discrete space).
        masked: whether some actions can be forbidden, by the world or because sizes differ.
        limit: steps after which the world truncates its episodes (its `max_cycles`), where it says so.
        pictures: whether it can be built with `render_mode="rgb_array"`.
    """

    agents: tuple[Hashable, ...]
    observation_sizes: tuple[int, ...]
    action_sizes: tuple[int, ...]
    first_actions: tuple[int, ...]
    masked: bool
    limit: int | None
    pictures: bool


def first_line(error: BaseException) -> str:
    """Type and first line of what an error says."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def load(path: str) -> Callable[..., Any]:
    """The callable that makes the world, of `module` (its `parallel_env`) or `module:callable`.

    Raises:
        ValueError: one line, when there is no such module or callable, or it cannot be imported.
    """
    module_name, _, attribute = path.partition(":")
    attribute = attribute or FACTORY
    if not all(part.isidentifier() for part in [*module_name.split("."), attribute]):
        raise ValueError(f"{path!r} is neither a dotted module nor module:callable")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ValueError(f"no module {error.name!r} for {path!r}: is its package installed?") from error
    except Exception as error:  # a module can raise anything while it is imported
        raise ValueError(f"{path!r} cannot be imported ({first_line(error)})") from error
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise ValueError(f"module {module_name!r} has no callable {attribute!r}")
    return factory  # type: ignore[no-any-return]  # callable, and its result is checked where it is made


def build(path: str, kwargs: Mapping[str, Any]) -> Any:
    """A new world.

    Raises:
        ValueError: one line, when it cannot be built or is no `ParallelEnv` with fixed agents.
    """
    factory = load(path)
    try:
        world = factory(**kwargs)
    except Exception as error:  # a world can raise anything
        raise ValueError(f"{path} cannot be built with {dict(kwargs)} ({first_line(error)})") from error
    if not isinstance(world, ParallelEnv):
        raise ValueError(f"{path} makes a {type(world).__name__}, needed is a PettingZoo ParallelEnv")
    if not getattr(world, "possible_agents", None):
        raise ValueError(f"{path} has no fixed possible_agents, so its number of agents is not known")
    return world


def describe(path: str, kwargs: Mapping[str, Any]) -> Description:
    """Build a world once, reset it and look at it; the answer is kept.

    Raises:
        ValueError: one line, for what `load` and `build` refuse, a reset that fails, and spaces other than
            Discrete actions and observations in a Box (or a Dict of a Box `observation` and an
            `action_mask`).
    """
    return _described(path, json.dumps(kwargs, sort_keys=True))


@lru_cache(maxsize=256)
def _described(path: str, kwargs: str) -> Description:
    world = build(path, json.loads(kwargs))
    try:
        return _look(path, world)
    finally:
        world.close()


def _look(path: str, world: Any) -> Description:
    agents = tuple(world.possible_agents)
    sizes: list[int] = []
    actions: list[Discrete] = []
    for agent in agents:
        space, acts = world.observation_space(agent), world.action_space(agent)
        box = space.spaces.get("observation") if _has_mask(space) else space
        if not isinstance(box, Box):
            raise ValueError(
                f"{path}: agent {agent!r} observes {_text(space)}, allowed are Box "
                "and Dict of a Box 'observation' and an 'action_mask'"
            )
        if not isinstance(acts, Discrete):
            raise ValueError(f"{path}: agent {agent!r} acts in {_text(acts)}, allowed is Discrete")
        sizes.append(math.prod(box.shape))
        actions.append(acts)
    try:
        _, infos = world.reset(seed=0)
    except Exception as error:
        raise ValueError(f"{path}: reset(seed=0) failed ({first_line(error)})") from error
    action_sizes = tuple(int(space.n) for space in actions)
    masked = (
        len(set(action_sizes)) > 1
        or any(_has_mask(world.observation_space(agent)) for agent in agents)
        or any("action_mask" in infos.get(agent, {}) for agent in agents)
    )
    limit = getattr(world.unwrapped, "max_cycles", None)
    return Description(
        agents=agents,
        observation_sizes=tuple(sizes),
        action_sizes=action_sizes,
        first_actions=tuple(int(space.start) for space in actions),
        masked=masked,
        limit=limit if type(limit) is int and limit > 0 else None,
        pictures="rgb_array" in world.metadata.get("render_modes", ()),
    )


def _has_mask(space: Space[Any]) -> bool:
    return isinstance(space, Dict) and "action_mask" in space.spaces


def _text(space: Space[Any]) -> str:
    return " ".join(str(space).split())
