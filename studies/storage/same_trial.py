"""Check that the settings stored with a trial are those that its name was derived from."""

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
    """The code from outside the testbed that a stored trial's settings name; None if there is none.

    Nothing is imported or started to find out.
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
    """Checks that the settings in ``spec.json`` agree with its ``identity``.

    Three cases are not checked: environments from outside the testbed, whose code would have to run; settings
    that this version rejects; and named files that no longer exist.

    Raises:
        Damage: the settings do not match the identity.
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
        return  # valid settings may have become invalid since, or be known only to a later version
    except (ValueError, TypeError, KeyError) as error:
        if _names_files(identity):
            return
        raise Damage("spec.json: its settings are not those of a trial") from error
    if (place := _other(meant, identity)) is not None:
        raise Damage(f"spec.json: {place}: is not what the trial's name was derived from")


@lru_cache(maxsize=64)
def _workload(settings: str) -> workloads.Workload:
    """Validated settings from JSON; all seeds of a condition share one text, so the cache is effective."""
    data = json.loads(settings)
    return typing.cast(workloads.Workload, WORKLOADS[data["workload"]].model_validate(data))


def _names_files(value: Any) -> bool:
    if isinstance(value, dict):
        return value.keys() == {"sha256"} or any(map(_names_files, value.values()))
    return isinstance(value, list) and any(map(_names_files, value))


def _other(meant: Any, named: Any, place: str = "") -> str | None:
    """The first key at which two identities differ, if any; paths are compared by file content."""
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
