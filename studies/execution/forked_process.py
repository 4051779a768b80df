"""The processes that a fork server starts, as :mod:`multiprocessing` sees them.

See :mod:`studies.execution.fork_server`.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import popen_fork, reduction, spawn, util
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess, set_spawning_popen
from typing import Any

from studies.execution.fork_server import Server, server
from studies.spec.document import StudyError

NUMBER = struct.Struct("q")
"""How a server writes numbers of processes and exit codes."""

_STREAMS = (1, 2)
_GONE = 255  # the exit code of a worker whose server has ended, as in the standard library


class Descriptor:
    """A file descriptor on its way to a worker."""

    received: tuple[int, ...] = ()
    """In a worker: what it got."""

    def __init__(self, index: int) -> None:
        self.index = index

    def detach(self) -> int:
        return self.received[self.index]


class _Popen(popen_fork.Popen):
    """A worker as :class:`multiprocessing.Process` sees it; the server, its parent, tells its exit code."""

    method = "spawn"
    DupFd = Descriptor

    def __init__(self, process: SpawnProcess) -> None:
        self._descriptors: list[int] = []
        super().__init__(process)

    def duplicate_for_child(self, fd: int) -> int:
        self._descriptors.append(fd)
        return len(self._descriptors) - 1

    def _launch(self, process: SpawnProcess) -> None:
        set_spawning_popen(self)  # type: ignore[arg-type]  # any class that has its methods
        try:
            messages = [
                reduction.ForkingPickler.dumps(each)
                for each in (spawn.get_preparation_data(process.name), process)
            ]
        finally:
            set_spawning_popen(None)
        for last in (False, True):
            there = server()
            try:
                self._fork(there, messages)
            except (OSError, EOFError) as error:  # it has been killed just now
                code = there.close()
                if last:
                    raise StudyError(f"no process for trials can be started: exit code {code}") from error
            else:
                return

    def _fork(self, there: Server, messages: Sequence[memoryview]) -> None:
        streams = [number for number in _STREAMS if _is_open(number)]
        self.sentinel, status = os.pipe()
        reads, writes = os.pipe()
        self.finalizer = util.Finalize(self, _close, (writes, self.sentinel))
        try:
            there.fork([reads, status, *streams, *self._descriptors])
        finally:
            os.close(reads)
            os.close(status)
        self.pid = _number(self.sentinel)
        moment: Connection[Any, Any] = Connection(os.dup(writes), readable=False)
        with moment, suppress(BrokenPipeError):
            moment.send((dict(os.environ), streams))  # a pipe that is broken: its exit code will say why
            for message in messages:
                moment.send_bytes(message)

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        if self.returncode is None:
            if not wait([self.sentinel], 0 if flag == os.WNOHANG else None):
                return None
            try:
                self.returncode = _number(self.sentinel)
            except EOFError:
                self.returncode = _GONE
        return self.returncode

    def _send_signal(self, sig: int) -> None:
        if self.poll() is None:  # otherwise the number may be that of another process by now
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)


class Worker(SpawnProcess):
    """A process that the fork server starts; as a spawned one in everything else."""

    @staticmethod
    def _Popen(process: SpawnProcess) -> _Popen:  # type: ignore[override]
        return _Popen(process)


def _close(*descriptors: int) -> None:
    for each in descriptors:
        os.close(each)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _number(descriptor: int) -> int:
    data = os.read(descriptor, NUMBER.size)  # written at once, and shorter than what a pipe may split
    if not data:
        raise EOFError
    number: int = NUMBER.unpack(data)[0]
    return number
