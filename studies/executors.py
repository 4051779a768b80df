"""A pool of local processes, one trial in each at a time.

Python's own pools give up every task when one worker dies (out of memory, say) and cannot be stopped while
tasks run; a study needs both. Workers are spawned, not forked, because forking a process that has used torch
is not safe.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

TaskT = TypeVar("TaskT")

Report = Callable[[str, int, int, dict[str, float]], None]
"""What a task calls while it runs: phase, done, total, latest numbers."""

Perform = Callable[[TaskT, Report], None]

REPORT_EVERY = 0.1
"""Wall seconds between two progress messages of one worker; more would only slow it down."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


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
class Finished:
    """The task has returned."""

    index: int


@dataclass(frozen=True)
class Failed:
    """The task raised, or its process died; ``trace`` tells."""

    index: int
    trace: str


Event = Started | Progressed | Finished | Failed


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection[Any, Any]
    index: int


class LocalPool(Generic[TaskT]):
    """Runs tasks in ``jobs`` spawned processes, each with one arithmetic thread.

    Args:
        jobs: how many at once.
        perform: what to do with a task; an importable function.
    """

    def __init__(self, jobs: int, perform: Perform[TaskT]) -> None:
        self.jobs = jobs
        self.perform = perform

    def run(self, tasks: Sequence[TaskT]) -> Generator[Event, None, None]:
        """Yields what happens until every task has finished or failed; stops all work when it is closed."""
        waiting = deque(enumerate(tasks))
        workers: list[_Worker] = []
        try:
            while waiting and len(workers) < self.jobs:
                workers.append(self._start(*waiting.popleft()))
                yield Started(workers[-1].index)
            while workers:
                ready = wait([worker.connection for worker in workers])
                for worker in [worker for worker in workers if worker.connection in ready]:
                    event = self._receive(worker)
                    yield event
                    if isinstance(event, Progressed):
                        continue
                    if waiting and worker.process.is_alive():
                        worker.index, task = waiting.popleft()
                        worker.connection.send((worker.index, task))
                        yield Started(worker.index)
                        continue
                    workers.remove(worker)
                    _stop(worker)
                    if waiting:  # the worker died; the others' tasks go on in a new one
                        workers.append(self._start(*waiting.popleft()))
                        yield Started(workers[-1].index)
        finally:
            for worker in workers:
                _stop(worker)

    def _start(self, index: int, task: TaskT) -> _Worker:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(there, self.perform), daemon=True)
        with _environment(ONE_THREAD):
            process.start()
        there.close()
        here.send((index, task))
        return _Worker(process, here, index)

    @staticmethod
    def _receive(worker: _Worker) -> Event:
        try:
            event: Event = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            worker.process.join()
            code = worker.process.exitcode
            event = Failed(worker.index, f"the process of this trial ended by itself, exit code {code}\n")
        return event


def _stop(worker: _Worker) -> None:
    """Ends a worker, whatever it does; idle ones have nothing to lose either."""
    worker.process.terminate()
    worker.process.join()
    worker.connection.close()


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Sets environment variables for the processes started inside: they must stand before torch is loaded."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(connection: Connection[Any, Any], perform: Perform[Any]) -> None:
    """The life of a worker: perform what arrives until the pool closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the pool decides
    while True:
        try:
            index, task = connection.recv()
        except EOFError:
            return
        try:
            connection.send(_perform(connection, perform, index, task))
        except BrokenPipeError:  # the pool is gone, and with it whoever wanted the result
            return


def _perform(connection: Connection[Any, Any], perform: Perform[Any], index: int, task: Any) -> Event:
    last = -REPORT_EVERY
    unsent: Progressed | None = None

    def report(phase: str, done: int, total: int, latest: dict[str, float]) -> None:
        nonlocal last, unsent
        unsent = Progressed(index, phase, done, total, latest)
        if time.monotonic() - last >= REPORT_EVERY:
            last = time.monotonic()
            connection.send(unsent)
            unsent = None

    try:
        perform(task, report)
        if unsent is not None:  # the last numbers are the ones that stay on the screen
            connection.send(unsent)
    except BrokenPipeError:
        raise
    except Exception:  # noqa: BLE001 (a trial may fail in any way; it is recorded, and the study goes on)
        return Failed(index, traceback.format_exc())
    return Finished(index)
