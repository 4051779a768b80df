"""Whether the settings that are stored with a trial are those that its name is made of."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from studies.spec.study import WORKLOADS, TrialSpec
from studies.spec.topology import TopologySettings
from studies.storage.stored_files import Damage
from testbed import workloads
from testbed.environments import ENVIRONMENTS
from testbed.identity import FORMAT, whole


def outside_code(settings: Mapping[str, Any]) -> str | None:
    """What code from outside the testbed the settings of a stored trial name; None: none.

    Nothing of it is imported or started to find out.
    """
    environment = settings.get("environment")
    if environment is None:
        return None
    name = environment.get("name") if isinstance(environment, dict) else None
    kind = ENVIRONMENTS.members().get(name) if isinstance(name, str) else None
    if kind is not None and not kind.outside and "pettingzoo" not in environment:
        return None
    named = [environment[key] for key in ("pettingzoo", "python") if environment.get(key)] if name else []
    text = f"environment {' '.join(map(str, [name, *named]))}"
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def check_settings(settings: dict[str, Any], identity: Mapping[str, Any], varied: Mapping[str, Any]) -> None:
    """The settings of ``spec.json`` mean what ``identity`` says.

    Not checked of worlds from outside the testbed, whose code would have to run, nor of settings that this
    version refuses, nor of files that are named and not there any more.

    Raises:
        Damage: they mean something else.
    """
    if identity.get("format") != FORMAT or outside_code(settings) is not None:
        return
    rest = {key: value for key, value in settings.items() if key not in ("seed", "topology")}
    try:
        made = TrialSpec(
            _workload(json.dumps(rest, sort_keys=True)),
            TopologySettings.model_validate(settings["topology"]),
            settings["seed"],
            varied,
            {},
            apart="varied" in identity,
        )
        meant = made.identity
    except ValidationError:
        return  # what was right when it ran may be refused by now, or be known to a later version only
    except (ValueError, TypeError, KeyError) as error:
        if _names_files(identity):
            return
        raise Damage("spec.json: its settings are not those of a trial") from error
    if (place := _other(meant, identity)) is not None:
        raise Damage(f"spec.json: {place}: is not what the trial's name is made of")


@lru_cache(maxsize=64)
def _workload(settings: str) -> workloads.Workload:
    """From JSON, as all seeds of a condition have the same."""
    data = json.loads(settings)
    return typing.cast(workloads.Workload, WORKLOADS[data["workload"]].model_validate(data))


def _names_files(value: Any) -> bool:
    if isinstance(value, dict):
        return value.keys() == {"sha256"} or any(map(_names_files, value.values()))
    return isinstance(value, list) and any(map(_names_files, value))


def _other(meant: Any, named: Any, place: str = "") -> str | None:
    """Where two identities differ, if anywhere; a path is what its content is."""
    if isinstance(meant, str) and isinstance(named, dict) and named.keys() == {"sha256"}:
        return None
    if isinstance(meant, dict) and isinstance(named, dict):
        for key in {**meant, **named}:
            where = f"{place}.{key}" if place else str(key)
            if key not in meant or key not in named:
                return where
            if (found := _other(meant[key], named[key], where)) is not None:
                return found
        return None
    if isinstance(meant, list) and isinstance(named, list) and len(meant) == len(named):
        each = (
            _other(one, two, f"{place}.{i}") for i, (one, two) in enumerate(zip(meant, named, strict=True))
        )
        return next((found for found in each if found is not None), None)
    return (
        None
        if whole(json.loads(json.dumps(meant))) == whole(named) and type(whole(meant)) is type(whole(named))
        else place
    )
