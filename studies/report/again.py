"""A stored trial as something that can be run again, from the settings that are kept beside its results."""

from __future__ import annotations

import copy
import typing
from dataclasses import replace

from pydantic import ValidationError

from studies import same_trial
from studies.document import Document, StudyError
from studies.named_files import read_files
from studies.outline import TrialOutline
from studies.spec import WORKLOADS, TrialSpec
from studies.store import Store
from studies.topology import TopologySettings
from testbed import workloads


def outside_code(store: Store, trial: TrialOutline) -> str | None:
    """What code from outside the testbed the settings of a stored trial name; None: none.

    Nothing of it is imported or started to find out.
    """
    return same_trial.outside_code(store.settings(trial))


def trial_again(store: Store, trial: TrialOutline) -> TrialSpec:
    """The trial as it was run, if this code still means the same by its settings.

    Checking the settings of a PettingZoo world imports and builds it: see :func:`outside_code`.

    Args:
        store: where its results are.
        trial: finished or failed.

    Raises:
        StudyError: a file that it names is not there any more or has changed, or other code made it.
    """
    data = copy.deepcopy(store.settings(trial))
    contents = read_files(Document(data, source=f"trial {trial.hash}"))
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
        reason = error.errors()[0]["msg"]
        raise StudyError(f"trial {trial.hash}: this version cannot run it again: {reason}") from error
    if again.hash != trial.hash:
        again = replace(again, apart=True)
    if again.hash != trial.hash:
        raise StudyError(
            f"trial {trial.hash}: cannot be run again: its files have changed, or its settings mean something"
            " else to this version"
        )
    return again
