"""The interface of executors, which run the trials of a study, and the events they report.

:class:`~studies.execution.local_pool.LocalPool` runs tasks in processes on this machine,
:class:`~studies.execution.ray.executor.RayExecutor` on a Ray cluster. A trial's results do not depend on the
choice.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from testbed.common.errors import PluginError, WorldError

TaskT = TypeVar("TaskT")
TaskT_contra = TypeVar("TaskT_contra", contravariant=True)

ProgressCallback = Callable[[str, int, int, dict[str, float]], None]
"""Progress callback of a running task: phase, done, total, latest numbers."""

Perform = Callable[[TaskT, ProgressCallback], None]

Memory = Callable[[TaskT], int | None]
"""The estimated peak memory of a task's process in bytes; None if it is not known."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Environment variables of every process that runs trials; they must be set before torch is loaded."""


@dataclass(frozen=True)
class Started:
    """A worker has begun the task with this index."""

    index: int


@dataclass(frozen=True)
class Progressed:
    """A progress report of the task."""

    index: int
    phase: str
    done: int
    total: int
    latest: dict[str, float]


@dataclass(frozen=True)
class Retried:
    """The task's node was lost; the task restarts elsewhere, from its checkpoint if it keeps one."""

    index: int
    reason: str


@dataclass(frozen=True)
class Finished:
    """The task has returned."""

    index: int


@dataclass(frozen=True)
class Failed:
    """The task raised, or its process died.

    Attributes:
        index: the task's index.
        trace: the traceback, or the reason.
        foreign: whether an environment or another package broke (`WorldError`, `PluginError`), and not the
            testbed.
    """

    index: int
    trace: str
    foreign: bool = False


@dataclass(frozen=True)
class Held:
    """Something other than the number of jobs holds tasks back; reported once."""

    reason: str


Event = Started | Progressed | Retried | Finished | Failed | Held


class Executor(Protocol[TaskT_contra]):
    """Runs tasks, as many concurrently as there is room for."""

    def run(self, tasks: Sequence[TaskT_contra]) -> Generator[Event, None, None]:
        """Yields what happens until every task has finished or failed; stops all work when it is closed.

        A task has one ``Started``, then any number of ``Progressed`` and ``Retried``, and in the end one
        ``Finished`` or ``Failed``.
        """
        ...


def unknown(task: object) -> None:
    """A memory estimator for tasks whose needs are unknown: always None."""


class Reporter:
    """Forwards the reports of a task at a limited rate.

    Args:
        index: the task's index.
        send: called with each report that is forwarded.
        every: minimum wall seconds between two reports; one that comes too early is kept in ``unsent`` until
            a later one replaces it.
    """

    def __init__(self, index: int, send: Callable[[Progressed], None], every: float) -> None:
        self.unsent: Progressed | None = None
        self._index = index
        self._send = send
        self._every = every
        self._last = -every

    def __call__(self, phase: str, done: int, total: int, latest: dict[str, float]) -> None:
        """Progress callback for the task."""
        self.unsent = Progressed(self._index, phase, done, total, latest)
        if time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            self._send(self.unsent)
            self.unsent = None


def attempt(perform: Perform[Any], index: int, task: Any, report: ProgressCallback) -> Finished | Failed:
    """Performs a task in this process; an exception becomes a ``Failed`` event."""
    try:
        perform(task, report)
    except Exception as error:  # noqa: BLE001 (a trial may fail in any way: it is recorded, and the study goes on)
        return Failed(index, traceback.format_exc(), isinstance(error, WorldError | PluginError))
    return Finished(index)
