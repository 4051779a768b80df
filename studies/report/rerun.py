"""A stored trial as something that can be run again, from the settings that are kept beside its results."""

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
"""What of an environment's settings says which code from outside runs, and what it is called with."""


def outside_code(store: Store, trial: TrialRecord) -> str | None:
    """What code from outside the testbed the settings of a stored trial name; None: none.

    Nothing of it is imported or started to find out.
    """
    return same_trial.outside_code(store.settings(trial))


def stored_trial(store: Store, trial: TrialRecord) -> TrialSpec:
    """The trial as it was run, if this code still means the same by its settings.

    Checking the settings of a PettingZoo world imports and builds it, so what they name must be what the
    trial's name was made of before that: see :func:`outside_code`. The rest is compared afterwards.

    Args:
        store: where its results are.
        trial: finished or failed.

    Raises:
        StudyError: a file that it names is not there any more or has changed, or other code made it.
    """
    data = copy.deepcopy(store.settings(trial))
    contents = read_files(Document(data, source=f"trial {trial.hash}"))
    if outside_code(store, trial) is not None and not _is_named(store, trial, contents):
        raise StudyError(
            f"trial {trial.hash}: cannot be run again: the code from outside the testbed that its settings"
            " name is not what its name was made of"
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
            " else to this version"
        )
    return again


def _is_named(store: Store, trial: TrialRecord, contents: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a trial's name was made of the code from outside that its settings name; imports nothing."""
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
