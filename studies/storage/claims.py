"""The locks of trials that are running, their progress, and the checkpoints from which they resume."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from studies.spec.manifest import TrialRecord
from testbed.common import checkpoints
from testbed.common.atomic_files import atomic_write
from testbed.common.json_files import parsed

MOST_BYTES = 100_000
"""Largest size of a progress file in bytes; real ones have a few hundred."""


class TrialLocks:
    """Locks, progress and checkpoints of unfinished trials, in files named by the hashes of the trials.

    Args:
        folder: made when the first trial begins.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def checkpoint(self, trial: TrialRecord) -> Path:
        """The path of an unfinished trial's checkpoint."""
        return self.folder / trial.hash

    @contextmanager
    def claim(self, trial: TrialRecord, waiting: Callable[[], None] | None = None) -> Iterator[bool]:
        """Whether this process may run the trial: others that share the folder may not meanwhile.

        The claim ends with the process, however the process ends. It is a file lock, which a network file
        system must support if several machines share the folder.

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
        """Whether a process is running the trial now."""
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
        """The most recent progress; None if there is none or it is damaged, which does not stop the trial."""
        try:
            found = parsed(self._file(trial, "json"), most=MOST_BYTES)
        except (OSError, ValueError):
            return None
        whole = isinstance(found, dict) and {"phase", "done", "total", "latest"} <= found.keys()
        return found if whole and isinstance(found["latest"], dict) else None

    def clear(self, trial: TrialRecord) -> None:
        """Removes the lock, progress and checkpoints of a stored trial; any claim on it must be held.

        A process waiting for the claim finds the trial finished, so it may hold a claim on a removed file.
        """
        checkpoints.remove(self.checkpoint(trial))
        for ending in ("json", "part.json", "lock"):
            self._file(trial, ending).unlink(missing_ok=True)

    def _file(self, trial: TrialRecord, ending: str) -> Path:
        return self.folder / f"{trial.hash}.{ending}"
