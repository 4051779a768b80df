"""Lookup of a PettingZoo world by name, and description of its spaces."""

import contextlib
import importlib
import importlib.util
import json
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from gymnasium.spaces import Dict, Space
from pettingzoo import AECEnv, ParallelEnv

from testbed.common.errors import WorldError
from testbed.environments.checks import USABLE, unusable
from testbed.environments.external.aec import as_parallel, takes_turns
from testbed.environments.external.episode import Description, Episode, others_code
from testbed.environments.external.world_spaces import OBSERVED, action_spaces, observation_size, text

FACTORIES = ("parallel_env", "env")
"""Functions in PettingZoo's modules that make a parallel world, or an AEC world; the first is preferred."""

CALLED = "parallel_env, env or ..._env"  # the names of functions that may be called, in messages
PETTINGZOO = "pettingzoo"

TOOLS = frozenset({"pip", "setuptools", "pkg_resources", "wheel", "_distutils_hack", "distutils"})
"""Packages that come with an installation of Python but are not part of its standard library."""


def load(path: str) -> Callable[..., Any]:
    """The factory of a world, from `module` (its `parallel_env`, or else `env`) or `module:attribute`.

    The module is imported, which runs its code, unless it comes with Python or is a program. The object
    found in it is inspected and not called: see `_refused`.

    Raises:
        ValueError: one line, when there is no such module, it cannot be imported, or the object found in
        it does not make a world.
    """
    module_name, _, attribute = path.partition(":")
    names = (attribute,) if attribute else FACTORIES
    parts = module_name.split(".")
    if not all(part.isidentifier() for part in [*parts, *names]):
        raise ValueError(f"{path!r} is neither a dotted module nor module:attribute")
    if "__main__" in parts:
        raise ValueError(f"{module_name} is a program, not a module with environments")
    if reason := _comes_with_python(parts[0]):
        raise ValueError(f"{parts[0]} {reason}, which has no environments")
    found = absent = None
    with others_code(lambda raised: ValueError(f"{path!r} cannot be imported ({raised})")):
        try:
            module = importlib.import_module(module_name)
            attribute = next((name for name in names if getattr(module, name, None) is not None), "")
            found = getattr(module, attribute) if attribute else None
        except ModuleNotFoundError as error:
            if error.name is None:
                raise
            absent = error.name
    if absent is not None:
        raise ValueError(f"no module {absent!r} for {path!r}: is its package installed?")
    if found is None:
        raise ValueError(f"module {module_name!r} has no {' and no '.join(map(repr, names))}")
    if reason := _refused(module_name, attribute, found):
        raise ValueError(
            f"{attribute} of {module_name} {reason}; an environment is a subclass of pettingzoo.ParallelEnv"
            f" or AECEnv, or a function {CALLED} that is defined in the same package, in a module that"
            " imports pettingzoo"
        )
    return found  # type: ignore[no-any-return]  # a class or a function


def _comes_with_python(package: str) -> str:
    """The reason to refuse a top-level package as part of Python; empty if there is none. Imports nothing.

    Python's list of names in its standard library omits some, such as its tests, so the location of a module
    counts as well.
    """
    library = "is of Python's standard library"
    if package in sys.stdlib_module_names:
        return library
    if package in TOOLS:
        return "is a tool that comes with Python"
    with others_code(lambda raised: ValueError(f"{package!r} cannot be imported ({raised})")):
        found = importlib.util.find_spec(package)
    if found is None:
        return ""  # the import reports it
    if found.origin in ("built-in", "frozen"):
        return library
    places = [*(found.submodule_search_locations or ()), *([found.origin] if found.origin else [])]
    return library if any(_in_standard_library(Path(place)) for place in places) else ""


def _in_standard_library(place: Path) -> bool:
    """Whether a path belongs to the standard library, which may have installed packages inside it."""
    for name in ("stdlib", "platstdlib"):
        folder = Path(sysconfig.get_path(name))
        for whole, inner in ((folder, place), (folder.resolve(), place.resolve())):
            if inner.is_relative_to(whole):
                return not {"site-packages", "dist-packages"} & {*inner.relative_to(whole).parts}
    return False


def _refused(module: str, attribute: str, found: Any) -> str:
    """The reason why an object in a module must not be called to make a world; empty if it may.

    The author of a study chooses the callable and its arguments among everything installed, so only
    functions written to make a world are allowed. A function's own name can be set by any code, but its
    globals are always those of the module that defines it.
    """
    if isinstance(found, type):
        return (
            "" if issubclass(found, ParallelEnv | AECEnv) else "is a class, but not a ParallelEnv or AECEnv"
        )
    if not isinstance(found, FunctionType):
        return f"is a {type(found).__name__}, neither a class nor a plain function"
    if attribute not in FACTORIES and not attribute.endswith("_env"):
        return f"is a function, but not called {CALLED}"
    home = str(found.__globals__.get("__name__", "?"))
    if home.split(".")[0] not in (module.split(".")[0], PETTINGZOO):
        return f"is a function of another package, defined in {home}"
    if home.split(".")[0] != PETTINGZOO and not any(map(_of_pettingzoo, list(found.__globals__.values()))):
        return f"is a function of {home}, which imports nothing from pettingzoo"
    return ""


def _of_pettingzoo(value: Any) -> bool:
    if isinstance(value, ModuleType):
        return value.__name__.split(".")[0] == PETTINGZOO
    if isinstance(value, type):
        return issubclass(value, ParallelEnv | AECEnv)
    return isinstance(value, FunctionType) and value.__module__.split(".")[0] == PETTINGZOO


def build(path: str, kwargs: Mapping[str, Any]) -> Any:
    """A new world, a `ParallelEnv`; an AEC world is converted to one.

    Raises:
        ValueError: one line, when it cannot be built, cannot be converted, or has no fixed agents.
    """
    make = load(path)
    with others_code(lambda raised: ValueError(f"{path} cannot be built with {dict(kwargs)} ({raised})")):
        world = make(**kwargs)
    if isinstance(world, AECEnv):
        world = as_parallel(path, world)
    if not isinstance(world, ParallelEnv):
        made = type(world).__name__
        raise ValueError(f"{path} makes a {made}, must make a PettingZoo ParallelEnv or AECEnv")
    with others_code(lambda raised: ValueError(f"{path}: its possible_agents cannot be read ({raised})")):
        agents = list(getattr(world, "possible_agents", None) or ())
        distinct = len(set(agents))
    if not agents:
        raise ValueError(f"{path} has no fixed possible_agents, so its number of agents is not known")
    if distinct < len(agents):
        raise ValueError(f"{path} has an agent twice in its possible_agents")
    return world


def describe(path: str, kwargs: Mapping[str, Any]) -> Description:
    """Build a world once, reset it and inspect it; the result is cached.

    Raises:
        ValueError: one line, when `load` or `build` refuses, a reset fails, or the spaces are other than
            those of `world_spaces` (or, for observations, a Dict of an `observation` and an `action_mask`).
    """
    return _described(path, json.dumps(kwargs, sort_keys=True))


@lru_cache(maxsize=256)
def _described(path: str, kwargs: str) -> Description:
    world = build(path, json.loads(kwargs))
    try:
        with others_code(lambda raised: WorldError(f"{path}: its spaces cannot be read ({raised})")):
            description = _spaces(path, world)
        # Assume masks until the first reset has shown whether there are any.
        episode = Episode(world, replace(description, masked=True), path)
        episode.reset(0)
        if (wrong := unusable(episode.observations)) is not None:
            agent, value = description.agents[wrong[0]], episode.observations[wrong]
            raise WorldError(f"{path}, step 0: agent {agent!r} observed {value:g}, {USABLE}")
    except BaseException as error:
        with contextlib.suppress(WorldError), others_code(WorldError):  # a more important error follows
            world.close()
        if isinstance(error, WorldError):
            raise ValueError(str(error)) from error
        raise
    with others_code(lambda raised: ValueError(f"{path}: close raised {raised}")):
        world.close()
    return replace(description, masked=description.masked or episode.gave_masks)


def _spaces(path: str, world: Any) -> Description:
    """The description from a world's spaces; its first reset shows whether it also gives masks in infos."""
    agents = tuple(world.possible_agents)
    observed: list[Space[Any]] = []
    for agent in agents:
        space = world.observation_space(agent)
        own = space.spaces.get("observation") if _has_mask(space) else space
        if not isinstance(own, OBSERVED):
            raise WorldError(
                f"{path}: agent {agent!r} observes {text(space)}, must observe Box, Discrete, MultiDiscrete "
                "or Dict of one of them as 'observation' and an 'action_mask'"
            )
        observed.append(own)
    sizes = [observation_size(space) for space in observed]
    acted = tuple(world.action_space(agent) for agent in agents)
    try:
        spaces = action_spaces(agents, acted)
    except ValueError as error:
        raise WorldError(f"{path}: {error}") from error
    if not max(sizes):
        raise WorldError(f"{path}: no agent observes anything, its spaces have no numbers")
    turns = takes_turns(world)
    # Where agents take turns, a step is a turn, and PettingZoo does not define how many a cycle has.
    limit = None if turns else getattr(world.unwrapped, "max_cycles", None)
    metadata = getattr(world, "metadata", None)
    modes = metadata.get("render_modes") if isinstance(metadata, Mapping) else None
    return Description(
        agents=agents,
        observation_sizes=tuple(sizes),
        action_spaces=spaces,
        observed=tuple(observed),
        acted=acted,
        masked=turns or not spaces.every.all() or any(_has_mask(world.observation_space(a)) for a in agents),
        turns=turns,
        limit=limit if type(limit) is int and limit > 0 else None,
        pictures="rgb_array" in (modes or ()),
    )


def _has_mask(space: Space[Any]) -> bool:
    return isinstance(space, Dict) and "action_mask" in space.spaces
