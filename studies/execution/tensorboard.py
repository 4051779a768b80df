"""TensorBoard output of trials; needs the extra, `pip install 'consensus-testbed[tensorboard]'`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from studies.execution.executor import ProgressCallback
from studies.execution.series_scalars import series_scalars, tag_names
from studies.spec.document import StudyError
from studies.spec.study import TrialSpec

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"


def check() -> None:
    """Raises StudyError if TensorBoard is not installed."""
    if find_spec("tensorboard") is None:
        raise StudyError("--tensorboard: needs the extra: pip install 'consensus-testbed[tensorboard]'")


class Board:
    """Writes the numbers that a trial reports for TensorBoard, and forwards them.

    A resumed trial continues from its checkpoint: events written for later updates are no longer shown.

    Args:
        folder: the results folder; a run's events go to ``tensorboard/<trial title>``.
        trial: the trial.
        report: callback that receives every report afterwards.
    """

    def __init__(self, folder: Path, trial: TrialSpec, report: ProgressCallback) -> None:
        name = "".join("_" if letter in '/\\:*?"<>|' else letter for letter in trial.title)[:150]
        self.folder = folder / FOLDER / f"{name} {trial.hash}"
        self.report = report
        self.writer: SummaryWriter | None = None
        self._names = tag_names(trial)

    def __call__(self, phase: str, done: int, total: int, latest: dict[str, float]) -> None:
        """See :data:`studies.execution.executor.ProgressCallback`."""
        if self.writer is None:
            self.writer = self._begun(done)
        for name, value in latest.items():
            self._write(f"{phase}/{name}", value, done)
        self.report(phase, done, total, latest)

    def series(
        self, update: int, agents: Sequence[Mapping[str, float]], links: Sequence[Mapping[str, float]]
    ) -> None:
        """Writes the numbers of each agent, and the dropped packets and utilisation of each direction.

        See :data:`testbed.training.trainer.Series`.
        """
        if self.writer is None:
            self.writer = self._begun(update)
        for name, value in series_scalars(agents, links, self._names):
            self._write(name, value, update)

    def _begun(self, done: int) -> SummaryWriter:
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder), purge_step=done)

    def _write(self, name: str, value: float, step: int) -> None:
        if self.writer is not None and math.isfinite(value):
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flushes and closes the event file."""
        if self.writer is not None:
            self.writer.close()
