"""A pool of local processes, each of which runs one trial at a time.

The standard library's pools fail every task when one worker dies (out of memory, say) and cannot be stopped
while tasks run; a study must survive the former and allow the latter. Workers are not forked from this
process, because forking a process that has used torch is not safe: on Linux a fork server starts them
(:mod:`studies.execution.fork_server`), elsewhere they are spawned.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic

from studies.execution import fork_server, host_resources
from studies.execution.executor import (
    ONE_THREAD,
    Event,
    Failed,
    Held,
    Memory,
    Perform,
    Progressed,
    Reporter,
    Started,
    TaskT,
    attempt,
    unknown,
)
from studies.execution.forked_process import Worker
from studies.execution.main_guard import imports_no_missing_script
from testbed.common.environment_variables import environment_variables
from testbed.common.parent_death import end_with_parent

REPORT_EVERY = 0.1
"""Wall seconds between two progress messages of one worker; more frequent ones would only slow it down."""

LOOK_AGAIN = 1.0
"""Wall seconds after which a pool that waits for memory checks again whether some has been freed."""

GRACE = 5.0
"""Wall seconds that workers have to exit before they are killed."""


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection[Any, Any]
    index: int


class LocalPool(Generic[TaskT]):
    """Runs tasks in up to ``jobs`` processes, each with one arithmetic thread.

    An additional task starts only if its estimated peak fits into the available memory, less what the running
    tasks are still expected to claim. One task always runs. Tasks with an unknown peak are treated as needing
    no memory, and on systems that do not report available memory (see
    :func:`studies.execution.host_resources.available_memory`) memory holds nothing back.

    Args:
        jobs: maximum number of concurrent tasks.
        perform: function that carries out a task; must be importable.
        memory: estimated peak memory of a task's process in bytes, or None.
        available: available memory in bytes, or None.
    """

    def __init__(
        self,
        jobs: int,
        perform: Perform[TaskT],
        *,
        memory: Memory[TaskT] = unknown,
        available: Callable[[], int | None] = host_resources.available_memory,
    ) -> None:
        self.jobs = jobs
        self.perform = perform
        self.memory = memory
        self.available = available

    def run(self, tasks: Sequence[TaskT]) -> Generator[Event, None, None]:
        """Yields what happens until every task has finished or failed; stops all work when it is closed."""
        forks = fork_server.AVAILABLE
        if forks and tasks:
            try:
                with _interrupts_put_off():
                    fork_server.server()
            except fork_server.UnfitError as unfit:
                forks = False
                yield Held(f"processes start one by one, seconds each: {unfit}")
        waiting = deque(enumerate(tasks))
        peaks = [self.memory(task) for task in tasks]
        workers: list[_Worker] = []
        said = False
        try:
            while waiting or workers:
                held = False
                while waiting and len(workers) < self.jobs:
                    missing = self._missing(peaks, waiting[0][0], workers)
                    held = missing > 0
                    if held:
                        break
                    workers.append(self._start(*waiting.popleft(), forks=forks))
                    yield Started(workers[-1].index)
                if held and not said:
                    said = True
                    yield Held(
                        f"{len(workers)} at once, not {self.jobs}: another one would need"
                        f" {missing / 2**20:,.0f} MiB more memory than is free"
                    )
                ready = wait([worker.connection for worker in workers], LOOK_AGAIN if held else None)
                for worker in [worker for worker in workers if worker.connection in ready]:
                    event = self._receive(worker)
                    yield event
                    if isinstance(event, Progressed):
                        continue
                    if waiting and worker.process.is_alive():
                        others = [other for other in workers if other is not worker]
                        if self._missing(peaks, waiting[0][0], others, worker) <= 0:
                            worker.index, task = waiting.popleft()
                            worker.connection.send((worker.index, task))
                            yield Started(worker.index)
                            continue
                    workers.remove(worker)
                    _stop([worker])
        finally:
            _stop(workers)

    def _missing(
        self, peaks: Sequence[int | None], index: int, others: Sequence[_Worker], own: _Worker | None = None
    ) -> int:
        """Bytes that a task lacks to start next to the running ones, in its ``own`` process or a new one.

        The task may start if this is not positive.
        """
        peak = peaks[index]
        if peak is None or not others:
            return 0
        available = self.available()
        if available is None:
            return 0
        promised = sum(_unused(peaks[other.index], other) for other in others)
        return (peak if own is None else _unused(peak, own)) + promised - available

    def _start(self, index: int, task: TaskT, *, forks: bool) -> _Worker:
        here, there = multiprocessing.Pipe()
        with environment_variables(ONE_THREAD), _interrupts_put_off(), imports_no_missing_script():
            process = self._forked(there) if forks else self._spawned(there)
            process.start()
        there.close()
        here.send((index, task))
        return _Worker(process, here, index)

    def _forked(self, there: Connection[Any, Any]) -> SpawnProcess:
        return Worker(target=_serve, args=(there, self.perform), daemon=True)

    def _spawned(self, there: Connection[Any, Any]) -> SpawnProcess:
        in_main = threading.current_thread() is threading.main_thread()
        arguments = there, self.perform, os.getpid(), in_main
        return multiprocessing.get_context("spawn").Process(
            target=_serve_spawned, args=arguments, daemon=True
        )

    @staticmethod
    def _receive(worker: _Worker) -> Event:
        try:
            event: Event = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            _end([worker.process], GRACE)  # it has closed its pipe, so it is about to exit
            code = worker.process.exitcode
            event = Failed(worker.index, f"the process of this trial ended by itself, exit code {code}\n")
        return event


def _unused(peak: int | None, worker: _Worker) -> int:
    """Bytes that a task is still expected to claim, beyond what its process already occupies."""
    return 0 if peak is None else max(0, peak - host_resources.resident_memory(worker.process.pid))


def _stop(workers: Sequence[_Worker]) -> None:
    """Terminates workers, busy or idle."""
    for worker in workers:
        worker.process.terminate()
    _end([worker.process for worker in workers], GRACE)
    for worker in workers:
        worker.connection.close()


def _end(processes: Iterable[SpawnProcess], grace: float) -> None:
    """Waits for processes, and kills those that remain after this many seconds in total.

    A stopped process (SIGSTOP) does not receive SIGTERM, and the cleanup of another may never end.
    """
    deadline = time.monotonic() + grace
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.exitcode is None:
            process.kill()
            process.join()


@contextmanager
def _interrupts_put_off() -> Iterator[None]:
    """Defers Ctrl-C until the end of the block; processes started inside ignore it until they opt in.

    Ctrl-C reaches a whole group of processes, and one that is still importing would end with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve_spawned(
    connection: Connection[Any, Any], perform: Perform[Any], parent: int, started_by_main_thread: bool
) -> None:
    """The main function of a spawned worker, which ends with its pool; a forked one ends with its server."""
    end_with_parent(parent, started_by_main_thread=started_by_main_thread)
    _serve(connection, perform)


def _serve(connection: Connection[Any, Any], perform: Perform[Any]) -> None:
    """The main loop of a worker: performs tasks until the pool closes the pipe or has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the pool decides
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def send(event: Event) -> None:
        try:
            connection.send(event)
        except BrokenPipeError as error:  # the pool is gone, so nobody needs the result
            raise SystemExit from error

    while True:
        try:
            index, task = connection.recv()
        except EOFError:
            return
        reporter = Reporter(index, send, REPORT_EVERY)
        ended = attempt(perform, index, task, reporter)
        if reporter.unsent is not None:  # the last numbers stay on the screen
            send(reporter.unsent)
        send(ended)
