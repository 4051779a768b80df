"""Environments by name.

To add one, write a module with its settings and its `BatchedEnvironment`, and add the settings to
`EnvironmentSettings`. Settings of an environment are a `Settings` model with

* `name`, a literal whose default is the environment's name;
* `agents` and `episode_length`, integers: fields, or properties that follow from other fields;
* `make(batch)`, which builds the environment.
"""

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, ValidationError

from testbed.common.suggestions import did_you_mean
from testbed.common.validation_messages import first_error
from testbed.environments import external
from testbed.environments.batched import BatchedEnvironment
from testbed.environments.external.pettingzoo import PettingZooSettings
from testbed.environments.external.starcraft import StarCraftSettings
from testbed.environments.navigation import NavigationSettings
from testbed.environments.parallel import ParallelFace
from testbed.environments.skirmish import SkirmishSettings
from testbed.environments.skirmish.maps import load_map
from testbed.environments.treasure.environment import TreasureSettings
from testbed.identity import essence

DEFAULT = NavigationSettings()
"""The environment of those who do not name one."""


def _default_name(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    name = PettingZooSettings.model_fields["name"].default if "pettingzoo" in given else DEFAULT.name
    return {"name": name, **given}


EnvironmentSettings = Annotated[
    NavigationSettings | TreasureSettings | SkirmishSettings | PettingZooSettings | StarCraftSettings,
    Field(discriminator="name"),
    BeforeValidator(_default_name),
]
"""Which environment, and its options. Without a `name` it is navigation, or what `pettingzoo` names."""


def _by_name() -> dict[str, type[EnvironmentSettings]]:
    models = get_args(get_args(EnvironmentSettings)[0])
    return {model.model_fields["name"].default: model for model in models}


_MODELS = _by_name()

NAMES: tuple[str, ...] = tuple(_MODELS)


OUTSIDE = tuple(name for name, model in _MODELS.items() if model.__module__.startswith(external.__name__))
"""Those that run code from outside the testbed, which their settings name."""


def meaning(environment: EnvironmentSettings) -> dict[str, Any]:
    """Plain data, equal for environments that are the same; a map by what is in its file.

    See `testbed.identity`.
    """
    found: dict[str, Any] = essence(environment)
    if isinstance(environment, SkirmishSettings):
        found["map"] = essence(load_map(environment.map))
    return found


def settings_of(name: str) -> type[EnvironmentSettings]:
    """The settings of an environment of `NAMES`, not filled in."""
    return _MODELS[name]


def settings(name: str, **options: Any) -> EnvironmentSettings:
    """The options of an environment, checked and completed with their defaults; no batch is built.

    Raises:
        ValueError: one line, for an unknown name or option, or a value that is not allowed.
    """
    if name not in _MODELS:
        known = ", ".join(NAMES)
        raise ValueError(f"environment: unknown name {name!r}, allowed: {known}{did_you_mean(name, NAMES)}")
    model = _MODELS[name]
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
        _, message, first = first_error(error)
        option = str(first["loc"][0])
        choices = get_args(model.model_fields[option].annotation)
        near = did_you_mean(first["input"], [choice for choice in choices if isinstance(choice, str)])
        raise ValueError(f"{name}: {option}: got {first['input']!r}, {message}{near}") from error


def make(name: str, *, batch: int = 1, **options: Any) -> BatchedEnvironment:
    """A batched environment: `make("navigation", agents=3, batch=100)`.

    Args:
        name: one of `NAMES`.
        batch: episodes stepped side by side, >= 1.
        options: the environment's own, the fields of its settings.

    Raises:
        ValueError: one line, for an unknown name or option, or a value that is not allowed.
    """
    return settings(name, **options).make(batch)


def parallel(name: str, *, render_mode: str | None = None, **options: Any) -> ParallelFace:
    """The same environment, one episode at a time, as a PettingZoo `ParallelEnv`; options as in `make`."""
    return ParallelFace(make(name, batch=1, **options), render_mode=render_mode)
