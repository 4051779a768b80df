"""Policy updates of a trial that are run again: whether there are such, and how long it will take."""

from __future__ import annotations

import math

from studies.formatting import counted, duration
from studies.spec.document import StudyError
from studies.spec.manifest import TrialRecord
from studies.storage.store import Store
from testbed import workloads

LONG = 10.0
"""Wall seconds from which the time to run again is announced."""


def check_update(settings: workloads.Workload, update: int, named: str) -> None:
    """Checks the number of a policy update of a trial.

    Raises:
        StudyError: the trial has no such update; one line.
    """
    if not isinstance(settings, workloads.TrainingWorkload):
        if update != 1:
            raise StudyError(f"--update {update}: {named} has update 1 only (workload {settings.workload})")
    elif not 1 <= update <= settings.training.updates:
        raise StudyError(
            f"--update {update}: {named} has {counted(settings.training.updates, 'policy update')}"
        )


def wall_seconds(store: Store, trial: TrialRecord, update: int) -> float:
    """Wall seconds that a finished training trial took until the end of an update; nan if it is unknown."""
    if store.status(trial) != "finished":
        return math.nan
    rows = store.timings(trial).get("training", ())
    return sum(sum(row.values()) for row in rows[:update]) if len(rows) >= update else math.nan


def announcement(named: str, update: int, seconds: float) -> str | None:
    """A line that says how long running up to an update will take; None if it is soon done.

    Args:
        named: the trial, such as ``trial 3``.
        update: the last update that is run.
        seconds: expected wall seconds; nan if they are unknown.
    """
    if update == 1 or seconds < LONG:
        return None
    took = "no stored times say how long it takes" if math.isnan(seconds) else f"about {duration(seconds)}"
    return f"running {named} again up to policy update {update}: {took}"
