"""The trained models that training begins with, found in results of an earlier study."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from pathlib import Path

from studies.spec.document import Document
from studies.spec.manifest import MODELS_FILE, STUDY_FILE, StoredStudy, StoredTrial, from_json
from studies.spec.synonyms import did_you_mean
from studies.spec.validation_errors import complaint
from testbed import workloads
from testbed.common.json_files import parsed
from testbed.identity import content_of
from testbed.training.stored_models import START_FROM, TrainedTrial

MOST_BYTES = 256 * 2**20
"""Largest record of a study that is read: that of 100,000 trials has a tenth of it."""

MOST_NAMED = 5
"""Most trials named in an error."""


def find(
    document: Document,
    settings: workloads.Workload,
    seeds: Sequence[int],
    known: MutableMapping[str, dict[str, str]],
) -> dict[int, Path]:
    """The file of models that the trial of each seed begins with; empty where models are untrained.

    Args:
        document: of one condition; file names in it are relative to its folder.
        settings: of the same.
        seeds: of the trials.
        known: contents of files already read, by path; new ones are added.

    Raises:
        StudyError: there is no such training, it has not finished, or there are several; one line.
    """
    if not isinstance(settings, workloads.TrainingWorkload) or settings.training.start_from is None:
        return {}
    given = settings.training.start_from
    named = given if isinstance(given, TrainedTrial) else TrainedTrial(run=given)
    place = (document.folder / named.run).absolute()
    try:
        files = _files(place, named, seeds)
        for file in files.values():
            if str(file) not in known:
                known[str(file)] = content_of(file)
    except OSError as error:
        raise complaint(document, START_FROM, f"{error.filename} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise complaint(document, START_FROM, str(error)) from error
    return files


def _files(place: Path, named: TrainedTrial, seeds: Sequence[int]) -> dict[int, Path]:
    if (place / STUDY_FILE).is_file():
        study = _read(place / STUDY_FILE)
        return {
            seed: place / "trials" / _chosen(study, named, seed, place).hash / MODELS_FILE for seed in seeds
        }
    if named.where:
        raise ValueError(f"{place} is not a results folder, as `where` needs: it has no {STUDY_FILE}")
    if not place.is_dir():
        if not place.is_file():
            raise ValueError(f"{place}: there is no such file or folder")
        return dict.fromkeys(seeds, place)
    if not (place / MODELS_FILE).is_file():
        raise ValueError(
            f"{place} is neither a results folder nor a trial's: no {STUDY_FILE}, no {MODELS_FILE}"
        )
    return dict.fromkeys(seeds, place / MODELS_FILE)


def _read(file: Path) -> StoredStudy:
    try:
        return from_json(parsed(file, MOST_BYTES))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _chosen(study: StoredStudy, named: TrainedTrial, seed: int, place: Path) -> StoredTrial:
    """The finished trial of this seed. ValueError if there is none, or more than one."""
    for name, value in named.where.items():
        if name not in study.varied:
            allowed = f"allowed: {', '.join(study.varied) or 'nothing'}{did_you_mean(name, study.varied)}"
            raise ValueError(f"where: {name} is not varied in {place}; {allowed}")
        values = list(dict.fromkeys(str(trial.varied[name]) for trial in study.trials))
        if str(value) not in values:
            raise ValueError(f"where.{name}: {value!r} is not among {', '.join(values)} in {place}")
    wanted = {name: str(value) for name, value in named.where.items()}
    found = [
        trial
        for trial in study.trials
        if trial.seed == seed and all(str(trial.varied[name]) == value for name, value in wanted.items())
    ]
    if not found:
        seeds = ", ".join(map(str, dict.fromkeys(trial.seed for trial in study.trials)))
        raise ValueError(f"{place} has no trial with seed {seed}; its seeds are {seeds or 'none'}")
    if len(found) > 1:
        more = ", ..." if len(found) > MOST_NAMED else ""
        titles = ", ".join(trial.title for trial in found[:MOST_NAMED])
        raise ValueError(
            f"{place} has {len(found)} trials with seed {seed} ({titles}{more}): choose one with"
            f" `where`, a mapping with {', '.join(study.varied)}"
        )
    if not (place / "trials" / found[0].hash / MODELS_FILE).is_file():
        raise ValueError(
            f"{place}: {found[0].title} has no {MODELS_FILE}: it has not finished"
            if study.workload == "training"
            else f"{place} has workload {study.workload}, must be training"
        )
    return found[0]


def starting(settings: workloads.Workload, models: Path | None) -> workloads.Workload:
    """The settings of one trial, with the file that it begins with."""
    if models is None or not isinstance(settings, workloads.TrainingWorkload):
        return settings
    loop = settings.training.model_copy(update={"start_from": models})
    return settings.model_copy(update={"training": loop})
