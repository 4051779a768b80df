"""The server of :mod:`fresh_processes`: imports the libraries that the testbed uses, then forks for requests.

It has one thread, uses nothing of what it has imported, and imports nothing of the testbed. It is independent
of the fork server in ``studies/execution``, which tests with these processes may test.
"""

import atexit
import gc
import importlib
import json
import linecache
import os
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from importlib.machinery import BuiltinImporter, SourceFileLoader
from multiprocessing import process as multiprocessing_process
from pathlib import Path
from types import ModuleType
from typing import Any

MOST = 1 << 20
"""Bytes of a request."""


def main(channel: int, libraries: Sequence[str], own: Sequence[str]) -> None:
    """Serves until the process that has the other end of the channel ends; in a child, runs its program."""
    interrupt = signal.getsignal(signal.SIGINT)  # ignored by what a shell puts into the background
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; pytest decides
    asked = socket.socket(fileno=channel)
    path = list(sys.path)
    asked.send(json.dumps(_prepared(libraries, own)).encode())
    found = _served(asked)
    if found is None:
        os._exit(0)
    signal.signal(signal.SIGINT, interrupt)
    _run(_Program(path, *found))


def _prepared(libraries: Sequence[str], own: Sequence[str]) -> dict[str, str]:
    """Imports; says what is wrong, if anything is."""
    gc.disable()
    try:
        for name in libraries:
            importlib.import_module(name)
    except Exception:  # noqa: BLE001  # whatever a library raises is passed on
        return {"failed": traceback.format_exc()}
    gc.collect()
    gc.freeze()  # children share this memory as long as nobody writes there
    gc.enable()
    threads = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    if len(threads) > 1:
        return {"failed": f"the imports have started threads: {', '.join(sorted(threads))}"}
    if found := sorted(name for name in own if name in sys.modules):
        return {"failed": f"the imports have imported {', '.join(found)}"}
    return {}


def _served(asked: socket.socket) -> tuple[bytes, list[int]] | None:
    """Forks as long as it is asked to; the request and its descriptors in each child, None in the server."""
    woken, wakes = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}  # process -> where its exit code goes
    ended: dict[int, int] = {}  # where it has gone -> process, not collected until it is known there
    while True:
        ready, _, _ = select.select([asked.fileno(), woken, *ended], [], [])
        for known in ended.keys() & set(ready):
            os.waitpid(ended.pop(known), 0)
            os.close(known)
        if woken in ready:
            os.read(woken, 4096)
            _collect(running, ended)
        if asked.fileno() not in ready:
            continue
        data, descriptors, *_ = socket.recv_fds(asked, MOST, 4, socket.MSG_CMSG_CLOEXEC)
        if not data:
            return None
        number = os.fork()
        if number == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asked.close()
            for descriptor in (woken, wakes, *running.values(), *ended):
                os.close(descriptor)
            return data, descriptors
        running[number], *others = descriptors
        for descriptor in others:
            os.close(descriptor)


def _collect(running: dict[int, int], ended: dict[int, int]) -> None:
    """Passes on the exit codes of the children that have ended."""
    for number in list(running):
        found = os.waitid(os.P_PID, number, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            continue
        where = running.pop(number)
        ended[where] = number
        by_itself = found.si_code == os.CLD_EXITED
        with socket.socket(fileno=os.dup(where)) as there:
            _send(there, {"ended": found.si_status if by_itself else -found.si_status})


def _send(where: socket.socket, message: Mapping[str, Any]) -> None:
    try:
        where.send(json.dumps(message).encode())
    except BrokenPipeError:
        return  # nobody waits for it any more


class _Program:
    """What a child is to run; by making one the process becomes what Python would be when it starts it.

    Says ``{"pid": number}`` when that is done, or ``{"errno": number, "file": name}`` or
    ``{"failed": traceback}``, and ends.
    """

    def __init__(self, path: list[str], data: bytes, descriptors: list[int]) -> None:
        request = json.loads(data)
        with socket.socket(fileno=descriptors[0]) as status:
            try:
                if request["start_new_session"]:
                    os.setsid()
                for stream, descriptor in enumerate(descriptors[1:]):
                    os.dup2(descriptor, stream)
                    os.close(descriptor)
                os.environ.clear()
                os.environ.update(request["env"])
                os.chdir(request["cwd"])
                self._become(request["arguments"], path)
            except OSError as error:
                _send(status, {"errno": error.errno, "file": error.filename})
                os._exit(1)
            except Exception:  # noqa: BLE001  # the other side raises it
                _send(status, {"failed": traceback.format_exc()})
                os._exit(1)
            _send(status, {"pid": os.getpid()})

    def _become(self, arguments: list[str], path: list[str]) -> None:
        self.kind = arguments[0] if arguments[0] in ("-c", "-m") else "script"
        self.what, self.given = (
            (arguments[0], arguments[1:]) if self.kind == "script" else (arguments[1], arguments[2:])
        )
        sys.orig_argv = [sys.executable, *arguments]
        sys.argv = [self.what if self.kind == "script" else self.kind, *self.given]
        first = {"-c": "", "-m": os.getcwd(), "script": os.path.dirname(os.path.realpath(self.what))}  # noqa: PTH109, PTH120
        added = os.environ.get("PYTHONPATH", "")
        places = [os.path.abspath(each) for each in added.split(os.pathsep)] if added else []  # noqa: PTH100
        sys.path[:] = [first[self.kind], *dict.fromkeys([*places, *path])]
        sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
        multiprocessing_process.ORIGINAL_DIR = os.getcwd()  # type: ignore[attr-defined]  # noqa: PTH109
        importlib.invalidate_caches()
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()  # unlike Python's own, it would be the same in all children


def _run(program: _Program) -> None:
    """Runs it as Python does, and ends as Python does, but without taking down what was imported."""
    code, interrupted = 0, False
    try:
        _execute(program)
    except SystemExit as end:
        code = _code(end)
    except BaseException as error:  # noqa: BLE001  # as Python does when it ends
        _show(error)
        code, interrupted = 1, isinstance(error, KeyboardInterrupt)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError:
            code = 120  # see sys.exit
    if interrupted:  # as by Python
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code & 0xFF)


def _execute(program: _Program) -> None:
    module = sys.modules["__main__"] = ModuleType("__main__")
    names = module.__dict__
    names["__builtins__"] = sys.modules["builtins"]
    if program.kind == "-m":
        runpy._run_module_as_main(program.what)  # type: ignore[attr-defined]
        return
    if program.kind == "-c":
        names["__loader__"] = BuiltinImporter
        code = compile(program.what, "<string>", "exec")
        if sys.version_info >= (3, 13):  # which shows it in tracebacks
            lines = [f"{line}\n" for line in program.what.splitlines()]
            linecache.cache["<string>"] = (len(program.what), None, lines, "<string>")
    else:
        path = str(Path(program.what).absolute())
        names.update(__file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path))
        code = compile(Path(path).read_bytes(), path, "exec")
    exec(code, names)  # noqa: S102 - the program of a test


def _code(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1


def _show(error: BaseException) -> None:
    """Prints the traceback, which begins in the program."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    sys.excepthook(type(error), error.with_traceback(trace), trace)


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    __name__ = "fresh_process_server"  # the main module is another: a child's own
    main(**json.loads(sys.argv[1]))
