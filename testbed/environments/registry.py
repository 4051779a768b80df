"""Environments by name: the values of `environment` in a study file.

To add one, write a module in `testbed.environments` with its `BatchedEnvironment` and its settings: a
subclass of `testbed.environments.base.BaseEnvironmentSettings`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import ValidationError

from testbed.common.registry import Registry
from testbed.common.suggestions import did_you_mean
from testbed.common.validation_messages import first_error
from testbed.environments.base import BaseEnvironmentSettings
from testbed.environments.batched import BatchedEnvironment
from testbed.environments.navigation import NavigationSettings
from testbed.environments.parallel import ParallelFace

DEFAULT = NavigationSettings()
"""The environment where no name is given."""


def _default_name(given: Mapping[str, Any]) -> str:
    return "pettingzoo" if "pettingzoo" in given else DEFAULT.name


ENVIRONMENTS = Registry(
    "environments", BaseEnvironmentSettings, "testbed.environments", default=_default_name
)

EnvironmentSettings = Annotated[BaseEnvironmentSettings, ENVIRONMENTS]
"""An environment by name, with its options. Without a `name`: navigation, or the world of `pettingzoo`."""

if TYPE_CHECKING:
    NAMES: tuple[str, ...]
    OUTSIDE: tuple[str, ...]
    """Environments that run code from outside the testbed, named in their settings."""
else:

    def __getattr__(name: str) -> tuple[str, ...]:
        """Look up NAMES and OUTSIDE, to which other packages may add, on access."""
        if name not in ("NAMES", "OUTSIDE"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        members = ENVIRONMENTS.members().items()
        return tuple(each for each, kind in members if name == "NAMES" or kind.outside)


def settings_of(name: str) -> type[BaseEnvironmentSettings]:
    """The settings class of an environment in `NAMES`."""
    return ENVIRONMENTS.members()[name]


def settings(name: str, **options: Any) -> BaseEnvironmentSettings:
    """The options of an environment, checked and completed with their defaults; no batch is built.

    Raises:
        ValueError: one line, for an unknown name or option, or a value that is not allowed.
    """
    members = ENVIRONMENTS.members()
    if name not in members:
        known = ", ".join(members)
        raise ValueError(f"environment: unknown name {name!r}, allowed: {known}{did_you_mean(name, members)}")
    model = members[name]
    allowed = [field for field in model.model_fields if field != "name"]
    for option in options:
        if option not in allowed:
            choice = ", ".join(allowed)
            raise ValueError(
                f"{name}: unknown option {option!r}, allowed: {choice}{did_you_mean(option, allowed)}"
            )
    try:
        return model(**options)
    except ValidationError as error:
        keys, message, first = first_error(error)
        option = str(first["loc"][0])
        choices = get_args(model.model_fields[option].annotation)
        near = did_you_mean(first["input"], [choice for choice in choices if isinstance(choice, str)])
        raise ValueError(f"{name}: {keys or option}: got {first['input']!r}, {message}{near}") from error


def make(name: str, *, batch: int = 1, **options: Any) -> BatchedEnvironment:
    """A batched environment: `make("navigation", agents=3, batch=100)`.

    Args:
        name: one of `NAMES`.
        batch: number of parallel episodes, >= 1.
        options: the fields of the environment's settings.

    Raises:
        ValueError: one line, for an unknown name or option, or a value that is not allowed.
    """
    return settings(name, **options).make(batch)


def parallel(name: str, *, render_mode: str | None = None, **options: Any) -> ParallelFace:
    """The same environment, one episode at a time, as a PettingZoo `ParallelEnv`; options as in `make`."""
    return ParallelFace(make(name, batch=1, **options), render_mode=render_mode)
