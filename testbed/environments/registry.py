"""Environments by name."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from testbed.environments.batched import BatchedEnvironment
from testbed.environments.checks import nearest
from testbed.environments.navigation import Navigation, NavigationSettings
from testbed.environments.parallel import ParallelFace
from testbed.settings import Settings


@dataclass(frozen=True, slots=True)
class _Entry:
    options: type[Settings]
    build: Any  # (settings, batch) -> BatchedEnvironment


_ENVIRONMENTS: dict[str, _Entry] = {
    Navigation.name: _Entry(NavigationSettings, Navigation),
}

NAMES: tuple[str, ...] = tuple(_ENVIRONMENTS)


def _entry(name: str) -> _Entry:
    if name not in _ENVIRONMENTS:
        raise ValueError(
            f"environment: unknown name {name!r}, allowed are {', '.join(NAMES)}{nearest(name, NAMES)}"
        )
    return _ENVIRONMENTS[name]


def settings(name: str, **options: Any) -> Settings:
    """The options of an environment, checked and completed with their defaults; nothing is built.

    Raises:
        ValueError: one line, for an unknown name or option, or a value that is not allowed.
    """
    model = _entry(name).options
    allowed = list(model.model_fields)
    for option in options:
        if option not in allowed:
            raise ValueError(
                f"{name}: unknown option {option!r}, allowed are {', '.join(allowed)}{nearest(option, allowed)}"
            )
    try:
        return model(**options)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{name}: {field}: got {first['input']!r}, {first['msg'].lower()}") from None


def make(name: str, *, batch: int = 1, **options: Any) -> BatchedEnvironment:
    """A batched environment: `make("navigation", agents=3, batch=100)`.

    Args:
        name: one of `NAMES`.
        batch: episodes stepped side by side, >= 1.
        options: the environment's own, such as `agents`, `reward` and `episode_length` of navigation.

    Raises:
        ValueError: one line, for an unknown name or option, or a value that is not allowed.
    """
    environment: BatchedEnvironment = _entry(name).build(settings(name, **options), batch)
    return environment


def parallel(name: str, *, render_mode: str | None = None, **options: Any) -> ParallelFace:
    """The same environment, one episode at a time, as a PettingZoo `ParallelEnv`; errors as in `make`."""
    return ParallelFace(make(name, batch=1, **options), render_mode=render_mode)
