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
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, metadata
from multiprocessing import spawn, util
from pathlib import Path
from typing import Self

from studies.execution.executor import ONE_THREAD
from studies.spec.document import StudyError
from testbed.common.environment_variables import environment_variables
from testbed.common.garbage import not_collected
from testbed.common.registry import GROUP

AVAILABLE = sys.platform == "linux"
"""Whether this system has fork servers."""

READ_ONCE = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "NPY_", "NUMPY_", "ATEN_", "TORCH", "PYTORCH_", "ARROW_"),
    *("CUDA", "CUBLAS", "NCCL", "NVIDIA", "LD_", "MALLOC_", "GLIBC_", "PYTHON"),
)
"""Prefixes of variables that Python, PyTorch and NumPy may read as they are loaded. If one of these variables
changes, or what other packages add to the testbed, the next worker comes from another server."""

LIBRARIES = ("torch", "numpy", "pandas", "pyarrow.parquet", "networkx", "pydantic")
"""Imported by a server in any case."""

OWN = ("studies.execution.runner",)
"""Imported by it where no other package adds to the testbed: with it, their entry points are loaded."""

_AS_IMPORTED = {
    **ONE_THREAD,
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's allocator would start a thread
}

READY, UNFIT, FAILED = "ready", "unfit", "failed"
"""First words of what a server says once it has imported."""

_GRACE = 5.0  # wall seconds that a server has to end before it is killed

_MAIN = "studies.execution.fork_server_main"


class UnfitError(StudyError):
    """The server must not fork; the reason is one line."""


class _Split:
    """A process that has been forked off this one; a part of what :class:`subprocess.Popen` is."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            number, status = os.waitpid(self.pid, os.WNOHANG)
            if number:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        end = math.inf if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(0.001)
        return code

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class Server:
    """The parent's side of a server."""

    def __init__(self, process: subprocess.Popen[bytes] | _Split, channel: socket.socket) -> None:
        self._process, self._channel = process, channel
        self.said = channel.recv(4096).decode()

    @classmethod
    def start(cls) -> Self:
        """A new process, which imports by itself."""
        channel, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        in_main = threading.current_thread() is threading.main_thread()
        path = [entry or str(Path.cwd()) for entry in sys.path]
        given = there.fileno(), os.getpid(), in_main, LIBRARIES if _added() else (*LIBRARIES, *OWN)
        code = f"import sys; sys.path[:] = {path!r}; from {_MAIN} import main; main(*{given!r})"
        command = [spawn.get_executable(), *util._args_from_interpreter_flags(), "-c", code]  # type: ignore[attr-defined]
        variables = {**os.environ, **_AS_IMPORTED}
        with there:
            process = subprocess.Popen(  # noqa: S603  # an interpreter, no shell
                command, stdin=subprocess.DEVNULL, pass_fds=[there.fileno()], env=variables
            )
        return cls(process, channel)

    @classmethod
    def split(cls) -> Self:
        """A fork of this process, which must have one thread and have used nothing of what it imported."""
        channel, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        main, parent = import_module(_MAIN).main, os.getpid()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        number = os.fork()
        if number == 0:
            try:
                channel.close()
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                main(there.detach(), parent, True, ())
            finally:
                os._exit(1)
        there.close()
        return cls(_Split(number), channel)

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


_Moment = frozenset[tuple[str, str]]

_servers: dict[_Moment, Server] = {}
_lock = threading.Lock()


def _added() -> frozenset[tuple[str, str]]:
    """The entry points by which other packages add to the testbed now."""
    found = metadata.entry_points()
    return frozenset(
        (group, f"{point.name} = {point.value}")
        for group in found.groups
        if group.startswith(f"{GROUP}.")
        for point in found.select(group=group)
    )


def _moment() -> _Moment:
    """What a server must have been started with to be of use now."""
    variables = {**os.environ, **ONE_THREAD}
    return frozenset(each for each in variables.items() if each[0].startswith(READ_ONCE)) | _added()


def server() -> Server:
    """The server for this moment; starts it if there is none, or it was killed.

    It is there until this process ends. Starting it takes as long as the imports.

    Raises:
        UnfitError: it must not fork, because what it has imported runs threads or uses a GPU.
        StudyError: it has ended, or could not import what trials need; one line.
    """
    key = _moment()
    with _lock:
        found = _servers.get(key)
        if found is not None and found.said == READY and not found.is_there():
            found.close()
            found = None
        if found is None:
            found = _servers[key] = Server.start()
        if found.said == READY:
            return found
        kind, _, reason = found.said.partition(" ")
        if kind == UNFIT:
            raise UnfitError(reason)
        code = _servers.pop(key).close()
        raise StudyError(f"no process for trials can be started: {reason or f'exit code {code}'}")


@contextmanager
def first_imports(*, here: bool) -> Iterator[None]:
    """Around the first imports of a command: splits a server off the process as soon as they are done.

    So a command that runs trials ``here``, on this machine, imports PyTorch once, and not once more for its
    server. Splits nothing off where that is not safe: the process has imported PyTorch or NumPy before, or
    has threads, or other packages add to the testbed and have been loaded, too. No garbage is collected
    meanwhile.
    """
    if not (here and AVAILABLE) or _threads() > 1 or not {"torch", "numpy"}.isdisjoint(sys.modules):
        with not_collected():
            yield
        return
    with environment_variables(_AS_IMPORTED), not_collected():
        yield
    if _threads() == 1 and not _added():
        with _lock:
            _servers[_moment()] = Server.split()


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


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
