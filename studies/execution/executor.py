"""What carries out the trials of a study, and what it says meanwhile.

An executor runs tasks somewhere: :class:`~studies.execution.local_pool.LocalPool` in processes of this
machine, :class:`~studies.execution.ray.executor.RayExecutor` on a Ray cluster. What a trial computes does not
depend on which.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

TaskT = TypeVar("TaskT")
TaskT_contra = TypeVar("TaskT_contra", contravariant=True)

ProgressCallback = Callable[[str, int, int, dict[str, float]], None]
"""What a task calls while it runs: phase, done, total, latest numbers."""

Perform = Callable[[TaskT, ProgressCallback], None]

Memory = Callable[[TaskT], int | None]
"""The estimated peak memory of a task's process in bytes; None if it is not known."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""The environment of every process that runs trials; it must stand before torch is loaded."""


@dataclass(frozen=True)
class Started:
    """A worker has begun the task with this index."""

    index: int


@dataclass(frozen=True)
class Progressed:
    """What the task last reported."""

    index: int
    phase: str
    done: int
    total: int
    latest: dict[str, float]


@dataclass(frozen=True)
class Retried:
    """The task's node was lost; it will be begun anew elsewhere, from its checkpoint if it keeps one."""

    index: int
    reason: str


@dataclass(frozen=True)
class Finished:
    """The task has returned."""

    index: int


@dataclass(frozen=True)
class Failed:
    """The task raised, or its process died; ``trace`` tells."""

    index: int
    trace: str


@dataclass(frozen=True)
class Held:
    """Tasks wait for something other than their turn; said once."""

    reason: str


Event = Started | Progressed | Retried | Finished | Failed | Held


class Executor(Protocol[TaskT_contra]):
    """Runs tasks, as many at once as there is room for."""

    def run(self, tasks: Sequence[TaskT_contra]) -> Generator[Event, None, None]:
        """Yields what happens until every task has finished or failed; stops all work when it is closed.

        A task has one ``Started``, then any number of ``Progressed`` and ``Retried``, and in the end one
        ``Finished`` or ``Failed``.
        """
        ...


def unknown(task: object) -> None:
    """The estimate of who knows nothing about what tasks need."""


class Reporter:
    """Hands on what a task reports, but not more often than it is of use.

    Args:
        index: of the task.
        send: what to do with a report.
        every: wall seconds between two that are sent; one that comes too early is kept in ``unsent``, until
            a later one takes its place.
    """

    def __init__(self, index: int, send: Callable[[Progressed], None], every: float) -> None:
        self.unsent: Progressed | None = None
        self._index = index
        self._send = send
        self._every = every
        self._last = -every

    def __call__(self, phase: str, done: int, total: int, latest: dict[str, float]) -> None:
        """What the task calls."""
        self.unsent = Progressed(self._index, phase, done, total, latest)
        if time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            self._send(self.unsent)
            self.unsent = None


def attempt(perform: Perform[Any], index: int, task: Any, report: ProgressCallback) -> Finished | Failed:
    """Performs a task in this process; an exception is how it ended."""
    try:
        perform(task, report)
    except Exception:  # noqa: BLE001 (a trial may fail in any way; it is recorded, and the study goes on)
        return Failed(index, traceback.format_exc())
    return Finished(index)
