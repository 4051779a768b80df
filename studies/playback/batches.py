"""The batch that a trial of an ``update`` study learns from: played, and stored for ``update.batch``."""

from __future__ import annotations

from pathlib import Path

import torch

from policies.batch import Batch
from studies.spec.document import StudyError
from studies.spec.study import TrialSpec
from testbed.common.settings import SettingError
from testbed.training import warm_start
from testbed.workloads import UpdateWorkload

ENDING = ".npz"


def check(trial: TrialSpec, file: Path) -> UpdateWorkload:
    """The settings of a trial that plays a batch, if it can be stored in this file.

    Raises:
        StudyError: it is not of an ``update`` study, reads a stored batch itself, or the name or the folder
            of the file is unsuitable; one line.
    """
    settings = trial.settings
    if not isinstance(settings, UpdateWorkload):
        raise StudyError(
            f"workload = {settings.workload!r}: only an `update` study plays a batch (with"
            " update.models, by the models that a training trial has learnt)"
        )
    if settings.update.batch is not None:
        raise StudyError(
            f"update.batch = {str(settings.update.batch)!r}: this trial reads a batch instead of playing one"
        )
    if file.suffix != ENDING:
        raise StudyError(f"{file}: the name of a batch must end in {ENDING}")
    if not file.parent.is_dir():
        raise StudyError(f"{file}: there is no folder {file.parent}")
    return settings


def store(trial: TrialSpec, file: Path) -> Batch:
    """Plays the batch, after the warm-up that the trial asks for, and writes it.

    An ``update`` with the same settings and seed, and with this file as ``update.batch``, is the same update.
    The same trial gives the same bytes.

    Raises:
        StudyError: see :func:`check`; or the models do not suit, or the warm-up gives infinite numbers.
    """
    settings = check(trial, file)
    torch.set_num_threads(1)
    wanted = settings.update
    try:
        start = warm_start.prepare(
            settings.environment,
            settings.algorithm,
            samples=wanted.samples,
            warmup=wanted.warmup,
            seed=trial.seed,
            models=wanted.models,
        )
    except (SettingError, FloatingPointError) as error:  # unsuitable models; a warm-up that diverges
        raise StudyError(f"{trial.title}: {' '.join(str(error).split())}") from error
    start.batch.save(file)
    return start.batch
