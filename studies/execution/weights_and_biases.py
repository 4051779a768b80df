"""Weights & Biases output of trials; needs the extra, `pip install 'consensus-testbed[wandb]'`.

Nothing is sent anywhere by default: runs are written to ``DIR/wandb`` for `wandb sync`. Whoever sets the
environment variable WANDB_MODE (to online, say) decides otherwise.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from studies.execution.executor import ProgressCallback
from studies.execution.series_scalars import series_scalars, tag_names
from studies.spec.document import StudyError
from studies.spec.study import TrialSpec
from studies.text import visible

MODE = "WANDB_MODE"
"""The environment variable by which users of W&B choose: online, offline, shared or disabled."""


def check(project: str) -> None:
    """Raises StudyError if W&B is not installed, or the project has a name that W&B does not allow."""
    if find_spec("wandb") is None:
        raise StudyError("--wandb: needs the extra: pip install 'consensus-testbed[wandb]'")
    if not 1 <= len(project) <= 128 or not project.isprintable() or re.search(r"[/\\#?%:]", project):
        raise StudyError(
            f"--wandb {visible(project)}: is not a project name: must have 1 to 128 characters, none of"
            " / \\ # ? % :"
        )


class WandbRun:
    """Sends the numbers that a trial reports to a run of W&B, and forwards them.

    The run's id is the trial's hash, so a resumed trial continues the same run. Numbers are named
    ``phase/name``, and ``phase/step`` is their horizontal axis.

    Args:
        folder: the results folder; W&B writes to ``wandb`` in it.
        project: name of the W&B project.
        trial: the trial.
        report: callback that receives every report afterwards.
    """

    def __init__(self, folder: Path, project: str, trial: TrialSpec, report: ProgressCallback) -> None:
        self.folder, self.project, self.trial, self.report = folder, project, trial, report
        self._run: Any = None
        self._groups: set[str] = set()
        self._names = tag_names(trial)

    def __call__(self, phase: str, done: int, total: int, latest: dict[str, float]) -> None:
        """See :data:`studies.execution.executor.ProgressCallback`."""
        self._log(phase, done, ((f"{phase}/{name}", value) for name, value in latest.items()))
        self.report(phase, done, total, latest)

    def series(
        self, update: int, agents: Sequence[Mapping[str, float]], links: Sequence[Mapping[str, float]]
    ) -> None:
        """Sends the numbers of each agent and direction; see :data:`testbed.training.trainer.Series`."""
        scalars = list(series_scalars(agents, links, self._names))
        for group in ("agents", "links"):
            self._log(group, update, [each for each in scalars if each[0].startswith(f"{group}/")])

    def _log(self, group: str, step: int, scalars: Iterable[tuple[str, float]]) -> None:
        if self._run is None:
            self._run = self._begin()
        if group not in self._groups:
            self._groups.add(group)
            self._run.define_metric(f"{group}/*", step_metric=f"{group}/step")
        finite = {name: value for name, value in scalars if math.isfinite(value)}
        if finite:
            self._run.log({f"{group}/step": step, **finite})

    def close(self) -> None:
        """Ends the run and waits until its data are written, or sent."""
        if self._run is not None:
            self._run.finish()

    def _begin(self) -> Any:
        import wandb

        self.folder.mkdir(parents=True, exist_ok=True)
        return wandb.init(
            project=self.project,
            dir=str(self.folder),
            id=self.trial.hash,
            name=visible(self.trial.title)[:128],
            config=self.trial.resolved,
            mode=os.environ.get(MODE) or "offline",
            resume="allow",
            # No code, no terminal output and no measurements of the machine: only the trial's numbers.
            settings=wandb.Settings(
                silent=True, console="off", save_code=False, disable_git=True, x_disable_stats=True
            ),
        )
