"""Runnable trials reconstructed from the settings stored with their results."""

from __future__ import annotations

import copy
import typing
from collections.abc import Mapping
from dataclasses import replace

from pydantic import ValidationError

from studies.spec.document import Document, StudyError
from studies.spec.manifest import TrialRecord
from studies.spec.named_files import read_files
from studies.spec.study import WORKLOADS, TrialSpec
from studies.spec.topology import TopologySettings
from studies.storage import same_trial
from studies.storage.store import Store
from testbed import workloads
from testbed.common.validation_messages import first_error
from testbed.identity import digest, same, with_contents

NAMING = ("name", "pettingzoo", "kwargs", "python")
"""Fields of an environment's settings that name code from outside the testbed, and its arguments."""


def outside_code(store: Store, trial: TrialRecord) -> str | None:
    """The code from outside the testbed that a stored trial's settings name; None if there is none.

    Nothing is imported or started to find out.
    """
    return same_trial.outside_code(store.settings(trial))


def stored_trial(store: Store, trial: TrialRecord) -> TrialSpec:
    """The trial as it was run, if its settings still mean the same to this version.

    Validating the settings of a PettingZoo environment imports and builds it, so the code that they name is
    first compared with the trial's identity: see :func:`outside_code`. The rest is compared afterwards.

    Args:
        store: the results store.
        trial: a finished or failed trial.

    Raises:
        StudyError: a file that it names is missing or has changed, or the settings now mean something else.
    """
    data = copy.deepcopy(store.settings(trial))
    contents = read_files(Document(data, source=f"trial {trial.hash}"))
    if outside_code(store, trial) is not None and not _is_named(store, trial, contents):
        raise StudyError(
            f"trial {trial.hash}: cannot be run again: the code from outside the testbed that its settings"
            " name is not what the trial's name was derived from"
        )
    seed, topology = data.pop("seed"), data.pop("topology")
    settings = WORKLOADS[data["workload"]]
    try:
        again = TrialSpec(
            typing.cast(workloads.Workload, settings.model_validate(data)),
            TopologySettings.model_validate(topology),
            seed,
            trial.varied,
            contents,
        )
    except ValidationError as error:
        reason = first_error(error)
        raise StudyError(f"trial {trial.hash}: this version cannot run it again: {reason}") from error
    if again.hash != trial.hash:
        again = replace(again, apart=True)
    if again.hash != trial.hash:
        raise StudyError(
            f"trial {trial.hash}: cannot be run again: its files have changed, or its settings mean something"
            " different in this version"
        )
    return again


def _is_named(store: Store, trial: TrialRecord, contents: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether the outside code in a trial's settings is that of its identity; imports nothing."""
    identity = store.identity(trial)
    if not isinstance(identity, dict) or digest(identity) != trial.hash:
        return False
    settings = identity.get("settings")
    hashed = settings.get("environment") if isinstance(settings, dict) else None
    stored = store.settings(trial).get("environment")
    if not isinstance(hashed, dict) or not isinstance(stored, dict):
        return False
    named = with_contents({key: stored[key] for key in NAMING if stored.get(key) not in (None, {})}, contents)
    return same(named, {key: hashed[key] for key in NAMING if key in hashed})
