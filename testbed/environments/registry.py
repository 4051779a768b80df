"""Environments by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from testbed.environments.batched import BatchedEnvironment
from testbed.environments.checks import nearest
from testbed.environments.navigation import Navigation, NavigationSettings
from testbed.environments.parallel import ParallelFace
from testbed.environments.skirmish import Skirmish, SkirmishSettings
from testbed.settings import Settings


@dataclass(frozen=True, slots=True)
class _Entry:
    """What an environment is made of: the model of its options, and the class that takes them and a batch."""

    settings: type[Settings]
    build: Callable[[Any, int], BatchedEnvironment]


_ENVIRONMENTS: dict[str, _Entry] = {
    Navigation.name: _Entry(NavigationSettings, Navigation),
    Skirmish.name: _Entry(SkirmishSettings, Skirmish),
}

NAMES: tuple[str, ...] = tuple(_ENVIRONMENTS)


def _entry(name: str) -> _Entry:
    if name not in _ENVIRONMENTS:
        allowed = ", ".join(NAMES)
        raise ValueError(f"environment: unknown name {name!r}, allowed: {allowed}{nearest(name, NAMES)}")
    return _ENVIRONMENTS[name]


def settings(name: str, **options: Any) -> Settings:
    """The options of an environment, checked and completed with their defaults; nothing is built.

    Raises:
        ValueError: one line, for an unknown name or option, or a value that is not allowed.
    """
    model = _entry(name).settings
    allowed = list(model.model_fields)
    for option in options:
        if option not in allowed:
            choice = ", ".join(allowed)
            raise ValueError(
                f"{name}: unknown option {option!r}, allowed: {choice}{nearest(option, allowed)}"
            )
    try:
        return model(**options)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0])
        choices = get_args(model.model_fields[option].annotation)
        closest = nearest(first["input"], [choice for choice in choices if isinstance(choice, str)])
        raise ValueError(
            f"{name}: {option}: got {first['input']!r}, {first['msg'].lower()}{closest}"
        ) from error


def make(name: str, *, batch: int = 1, **options: Any) -> BatchedEnvironment:
    """A batched environment: `make("navigation", agents=3, batch=100)`.

    Args:
        name: one of `NAMES`.
        batch: episodes stepped side by side, >= 1.
        options: the environment's own; for navigation `agents`, `reward` and `episode_length`.

    Raises:
        ValueError: one line, for an unknown name or option, or a value that is not allowed.
    """
    return _entry(name).build(settings(name, **options), batch)


def parallel(name: str, *, render_mode: str | None = None, **options: Any) -> ParallelFace:
    """The same environment, one episode at a time, as a PettingZoo `ParallelEnv`; options as in `make`."""
    return ParallelFace(make(name, batch=1, **options), render_mode=render_mode)
