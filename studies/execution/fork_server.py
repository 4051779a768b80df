"""Starts worker processes from a fork server: a process that has imported what every trial needs, and forks.

A spawned process takes seconds of processor time to import PyTorch; one that the server forks is there in
hundredths of a second, and shares the memory of what was imported. Forking a process that has *used* PyTorch
or has threads is not safe, so the server does nothing but import (:mod:`studies.execution.fork_server_main`).

A worker is a :class:`multiprocessing.Process` in all but its start: it gets the environment variables,
working folder, ``sys.path``, stdout and stderr of the moment, and imports the calling script as a spawned one
does. The standard library's fork server passes on neither variables nor streams, and its workers keep the
server alive when the process that they work for is killed.

Only on Linux: the libraries of macOS may start threads, and the standard library calls forking unsafe there.
"""

from __future__ import annotations

import atexit
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from multiprocessing import popen_fork, reduction, spawn, util
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess, set_spawning_popen
from pathlib import Path
from typing import Any

from studies.execution.executor import ONE_THREAD
from studies.spec.document import StudyError
from testbed.common.registry import GROUP

AVAILABLE = sys.platform == "linux"
"""Whether this system has fork servers."""

READ_ONCE = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "NPY_", "NUMPY_", "ATEN_", "TORCH", "PYTORCH_", "ARROW_"),
    *("CUDA", "CUBLAS", "NCCL", "NVIDIA", "LD_", "MALLOC_", "GLIBC_", "PYTHON"),
)
"""Prefixes of variables that Python, PyTorch and NumPy may read as they are loaded. If one of these variables
changes, the next worker comes from another server."""

LIBRARIES = ("torch", "numpy", "pandas", "pyarrow.parquet", "networkx", "pydantic")
"""Imported by a server in any case."""

OWN = ("studies.execution.runner",)
"""Imported by it where no other package adds to the testbed: with it, their entry points are loaded."""

READY, UNFIT, FAILED = "ready", "unfit", "failed"
"""First words of what a server says once it has imported."""

_STREAMS = (1, 2)
_GRACE = 5.0  # wall seconds that a server has to end before it is killed
NUMBER = struct.Struct("q")
_GONE = 255  # the exit code of a worker whose server has ended, as in the standard library

_MAIN = "studies.execution.fork_server_main"


class UnfitError(StudyError):
    """The server must not fork; the reason is one line."""


class _Server:
    """The parent's side of a server."""

    def __init__(self) -> None:
        self._channel, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        in_main = threading.current_thread() is threading.main_thread()
        path = [entry or str(Path.cwd()) for entry in sys.path]
        given = there.fileno(), os.getpid(), in_main, LIBRARIES if _extended() else (*LIBRARIES, *OWN)
        code = f"import sys; sys.path[:] = {path!r}; from {_MAIN} import main; main(*{given!r})"
        command = [spawn.get_executable(), *util._args_from_interpreter_flags(), "-c", code]  # type: ignore[attr-defined]
        variables = {
            **os.environ,
            **ONE_THREAD,
            "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's allocator would start a thread
        }
        with there:
            self._process = subprocess.Popen(  # noqa: S603  # an interpreter, no shell
                command, stdin=subprocess.DEVNULL, pass_fds=[there.fileno()], env=variables
            )
        self.said = self._channel.recv(4096).decode()

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_there(self) -> bool:
        return self._process.poll() is None

    def fork(self, descriptors: list[int]) -> None:
        """Asks for a worker; raises OSError if the server has ended."""
        socket.send_fds(self._channel, [b"\0"], descriptors)

    def close(self) -> int:
        """Ends the server, and by that its workers; returns its exit code."""
        self._channel.close()
        try:
            return self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:  # it has been stopped
            self._process.kill()
            return self._process.wait()

    def forget(self) -> None:
        """In a process that another part of the program has forked: the server is not its own."""
        self._channel.close()
        self._process.returncode = 0


_servers: dict[frozenset[tuple[str, str]], _Server] = {}
_lock = threading.Lock()


def _extended() -> bool:
    """Whether other packages add to the testbed."""
    return any(group.startswith(f"{GROUP}.") for group in metadata.entry_points().groups)


def _read_once(variables: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in variables.items() if name.startswith(READ_ONCE))


def server() -> _Server:
    """The server for the environment variables of the moment; starts it if there is none or it was killed.

    It is there until this process ends. Starting it takes as long as the imports.

    Raises:
        UnfitError: it must not fork, because what it has imported runs threads or uses a GPU.
        StudyError: it has ended, or could not import what trials need; one line.
    """
    key = _read_once({**os.environ, **ONE_THREAD})
    with _lock:
        found = _servers.get(key)
        if found is not None and found.said == READY and not found.is_there():
            found.close()
            found = None
        if found is None:
            found = _servers[key] = _Server()
        if found.said == READY:
            return found
        kind, _, reason = found.said.partition(" ")
        if kind == UNFIT:
            raise UnfitError(reason)
        code = _servers.pop(key).close()
        raise StudyError(f"no process for trials can be started: {reason or f'exit code {code}'}")


def _close_all() -> None:
    for each in _servers.values():
        each.close()
    _servers.clear()


def _forget_all() -> None:
    global _lock
    _lock = threading.Lock()
    for each in _servers.values():
        each.forget()
    _servers.clear()


atexit.register(_close_all)
if AVAILABLE:
    os.register_at_fork(after_in_child=_forget_all)


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

    def _fork(self, there: _Server, messages: Sequence[memoryview]) -> None:
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
