"""Single trials from Python: the trace of a trial's network, and the batch that an update learns from."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from studies.api import _path, define
from studies.spec.document import StudyError
from studies.spec.study import Study, TrialSpec

if TYPE_CHECKING:
    from policies.batch import Batch
    from testbed.network import Trace

Defined = Study | str | PathLike[str] | Mapping[str, Any]


def trace(
    study: Defined,
    trial: int = 1,
    folder: str | PathLike[str] | None = None,
    *,
    begin: float | str | None = None,
    end: float | str | None = None,
    vertical: bool = False,
    force: bool = False,
    update: int | None = None,
) -> Trace:
    """Runs one trial and returns the trace of its network, as ``testbed trace`` does.

    Args:
        study: from :func:`studies.define`, or anything it accepts.
        trial: number of a trial in the study's grid, from 1.
        folder: folder for the trace as JSON lines and Parquet, and for the diagram; None: no files.
        begin, end: what the diagram shows: seconds, or text such as ``1.5s``; None: from the start, and as
            far as it stays readable.
        vertical: whether time runs downward.
        force: whether files in the folder are replaced.
        update: traces this policy update of a training trial only, from 1; None: the whole trial.

    Raises:
        StudyError: the study is invalid, there is no such trial or update, the diagram would be empty, or a
            file exists already. (A ValueError.)
    """
    from studies.execution import requirements
    from studies.playback import trace as recording
    from studies.playback.updates import check_update

    chosen = _trial(study, trial)
    if update is not None:
        check_update(chosen.settings, update, f"trial {trial}")
    requirements.check_game(chosen)
    window = recording.Window(_seconds("begin", begin), _seconds("end", end))
    place = None if folder is None else _path("folder", folder)
    if place is not None and not force:
        for name in recording.FILES:
            if (place / name).exists():
                raise StudyError(f"folder: {place / name} already exists; choose another, or pass force=True")
    recorded = recording.record(chosen, update)
    if place is not None:
        try:
            recording.write(chosen, recorded, place, window, upright=vertical, update=update)
        except ValueError as error:
            raise StudyError(str(error)) from error
    return recorded


def save_batch(study: Defined, file: str | PathLike[str], trial: int = 1, *, force: bool = False) -> Batch:
    """Plays the batch that a trial of an ``update`` study learns from, and stores it; as ``testbed batch``.

    Args:
        study: from :func:`studies.define`, or anything it accepts.
        file: a name ending in ``.npz``, for the setting ``update.batch`` of other studies.
        trial: number of a trial in the study's grid, from 1.
        force: whether an existing file is replaced.

    Returns:
        The batch, its arrays of shape [steps, episodes, agents, ...].

    Raises:
        StudyError: the study is invalid, there is no such trial, it plays no batch, or the file exists
            already or cannot be written. (A ValueError.)
    """
    from studies.execution import requirements
    from studies.playback import batches

    chosen, place = _trial(study, trial), _path("file", file)
    requirements.check_game(chosen)
    batches.check(chosen, place)
    if place.exists() and not force:
        raise StudyError(f"file: {place} already exists; choose another, or pass force=True")
    return batches.store(chosen, place)


def _trial(study: Defined, number: int) -> TrialSpec:
    checked = study if isinstance(study, Study) else define(study)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(checked.trials):
        raise StudyError(f"trial: got {number!r}, must be from 1 to {len(checked.trials)}")
    return checked.trials[number - 1]


def _seconds(name: str, given: float | str | None) -> float | None:
    from testbed.common.units import parse_duration

    if given is None:
        return None
    try:
        return parse_duration(given)
    except ValueError as error:
        raise StudyError(f"{name}: {error}") from error
