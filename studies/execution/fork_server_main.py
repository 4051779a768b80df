"""The fork server's process: imports what every trial needs, then forks a worker for each request.

It has one thread and uses nothing of what it has imported, so a fork of it is as good as a new process. Entry
points of other packages are loaded by the workers that need them.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import process, spawn
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from studies.execution.fork_server import FAILED, READY, UNFIT
from studies.execution.forked_process import NUMBER, Descriptor
from testbed.common.parent_death import end_with_parent, killed_with_parent

_MOST_DESCRIPTORS = 32


@dataclass(frozen=True)
class _Request:
    """A request, as the worker that it is for sees it.

    Attributes:
        server: number of the server's process.
        reads: descriptor from which the worker reads what it is.
        status: descriptor to which the server writes the number of the worker, and its exit code.
        descriptors: those of stdout and stderr, if they are open, and those that the process object has.
    """

    server: int
    reads: int
    status: int
    descriptors: Sequence[int]


def main(channel: int, parent: int, started_by_main_thread: bool, modules: Sequence[str]) -> NoReturn:
    """Runs the server until the process that started it has ended; in a worker, runs that and exits.

    Args:
        channel: descriptor of the socket on which the parent asks for workers.
        parent: number of that process.
        started_by_main_thread: of the parent.
        modules: names of the modules to import.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if started_by_main_thread:
        killed_with_parent(parent)
    with socket.socket(fileno=channel) as asked:
        said = _prepared(modules)
        asked.send(said.encode()[:4000])
        request = _served(asked) if said == READY else None
    if request is None:
        os._exit(0)  # nothing is left to do, and taking down what was imported takes time
    _leave(_run(request))


def _prepared(modules: Sequence[str]) -> str:
    """Imports; returns ``READY``, or ``FAILED`` or ``UNFIT`` and the reason, one line."""
    gc.disable()
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 (whatever a library raises is passed on)
            return f"{FAILED} importing {name}: {' '.join(f'{type(error).__name__}: {error}'.split())}"
    gc.freeze()  # workers share this memory as long as nobody writes there
    gc.enable()
    threads = sorted(_name(thread) for thread in Path("/proc/self/task").iterdir())
    if len(threads) > 1:
        return f"{UNFIT} the imports have started threads: {', '.join(threads)}"
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized():
        return f"{UNFIT} the imports have used a GPU"
    return READY


def _name(thread: Path) -> str:
    return (thread / "comm").read_text().strip()


def _served(asked: socket.socket) -> _Request | None:
    """Forks as long as it is asked to; returns in each worker, and None in the server when it is to end."""
    woken, wakes = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    server = os.getpid()
    running: dict[int, int] = {}  # process -> where its exit code goes
    while True:
        ready, _, _ = select.select([asked.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _collect(running)
        if asked.fileno() not in ready:
            continue
        data, descriptors, *_ = socket.recv_fds(asked, 1, _MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        if not data:
            return None
        reads, status, *others = descriptors
        number = os.fork()
        if number == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (woken, wakes, *running.values()):
                os.close(descriptor)
            return _Request(server, reads, status, others)
        for descriptor in (reads, *others):
            os.close(descriptor)
        running[number] = status
        _send(status, number)


def _collect(running: dict[int, int]) -> None:
    """Passes on the exit codes of the workers that have ended."""
    while running:
        number, status = os.waitpid(-1, os.WNOHANG)
        if number == 0:
            return
        where = running.pop(number)
        _send(where, os.waitstatus_to_exitcode(status))
        os.close(where)


def _send(where: int, number: int) -> None:
    try:
        os.write(where, NUMBER.pack(number))
    except BrokenPipeError:
        return  # nobody waits for it any more


def _run(request: _Request) -> int:
    """Runs a worker as Python runs a program; returns the exit code."""
    try:
        return _worker(request)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001  # as Python does when it ends
        traceback.print_exc()
    return 1


def _leave(code: int) -> NoReturn:
    """Ends the process as Python ends it, but without taking down what was imported."""
    try:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(code)


def _worker(request: _Request) -> int:
    """Becomes what a spawned process would be, and runs; returns the exit code."""
    end_with_parent(
        request.server, started_by_main_thread=True
    )  # as soon as its own parent ends, the server does
    os.close(request.status)  # the server has it, too, and alone tells the exit code
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # unlike Python's own, it would be the same in all workers
    moment: Connection[Any, Any] = Connection(os.dup(request.reads), writable=False)
    with moment:
        variables, streams = moment.recv()
        os.environ.clear()
        os.environ.update(variables)
        for stream, descriptor in zip(streams, request.descriptors, strict=False):
            os.dup2(descriptor, stream)
            os.close(descriptor)
        Descriptor.received = tuple(request.descriptors[len(streams) :])
        current: Any = process.current_process()
        current._inheriting = True
        try:
            spawn.prepare(moment.recv())
            worker = moment.recv()
        finally:
            del current._inheriting
    code: int = worker._bootstrap(request.reads)
    return code
