"""The locks of trials that are running, their progress, and the checkpoints from which they resume."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from studies.spec.manifest import TrialRecord
from studies.storage.stored_files import parsed
from testbed.common import checkpoints
from testbed.common.atomic_files import atomic_write

MOST_BYTES = 100_000
"""Bytes of a progress file at most; those that are written have a few hundred."""


class TrialLocks:
    """Locks, progress and checkpoints of unfinished trials, in files named by the hashes of the trials.

    Args:
        folder: made when the first trial begins.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def checkpoint(self, trial: TrialRecord) -> Path:
        """Where an unfinished trial may keep its state."""
        return self.folder / trial.hash

    @contextmanager
    def claim(self, trial: TrialRecord, waiting: Callable[[], None] | None = None) -> Iterator[bool]:
        """Whether this process may run the trial: others that share the folder may not meanwhile.

        The claim ends with the process, however that ends. It is a file lock, which network file systems must
        support if several machines share the folder.

        Args:
            trial: what to run.
            waiting: called every second until the trial is free; None: do not wait.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._file(trial, "lock"))
        while True:
            try:
                lock.acquire(timeout=0 if waiting is None else 1)
                break
            except Timeout:
                if waiting is None:
                    yield False
                    return
                waiting()
        try:
            yield True
        finally:
            lock.release()

    def running(self, trial: TrialRecord) -> bool:
        """Whether a process runs it at this moment."""
        if not self._file(trial, "lock").is_file():
            return False
        with self.claim(trial) as free:
            return not free

    def write_progress(self, trial: TrialRecord, progress: Mapping[str, Any]) -> None:
        """Writes how far a trial has come; the claim on it must be held."""
        part = self._file(trial, "part.json")
        with atomic_write(self._file(trial, "json"), part=part, durable=False):
            part.write_text(json.dumps(progress), encoding="utf-8")

    def read_progress(self, trial: TrialRecord) -> dict[str, Any] | None:
        """The progress written last; None if there is none, or it is damaged: the trial goes on without."""
        try:
            found = parsed(self._file(trial, "json"), most=MOST_BYTES)
        except (OSError, ValueError):
            return None
        whole = isinstance(found, dict) and {"phase", "done", "total", "latest"} <= found.keys()
        return found if whole and isinstance(found["latest"], dict) else None

    def clear(self, trial: TrialRecord) -> None:
        """Removes everything of a trial that is stored; the claim on it must be held, if any is.

        Whoever waits for the claim finds the trial finished, and so may have that on a file that is gone.
        """
        checkpoints.remove(self.checkpoint(trial))
        for ending in ("json", "part.json", "lock"):
            self._file(trial, ending).unlink(missing_ok=True)

    def _file(self, trial: TrialRecord, ending: str) -> Path:
        return self.folder / f"{trial.hash}.{ending}"
