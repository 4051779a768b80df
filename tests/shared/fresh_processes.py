"""Python processes for tests that need one of their own, without the seconds that PyTorch takes to import.

On Linux a process is forked off a server (:mod:`fresh_process_server`), which has imported the libraries that
the testbed uses, and nothing of the testbed. What it is given is as for a new interpreter: program,
``sys.argv``, ``sys.path`` with its PYTHONPATH, entry points, environment, working folder, streams and
session. Elsewhere it is a new interpreter.

Not for tests of what Python or libraries do as they start or are imported, of memory, of what is left to do
when modules are taken down, or of commands that split the testbed's own fork server off themselves.
"""

import atexit
import functools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIBRARIES = (
    *("torch", "numpy", "pandas", "pyarrow.csv", "pyarrow.parquet", "networkx", "simpy", "yaml", "filelock"),
    *("matplotlib.pyplot", "seaborn", "PIL.ImageDraw", "gymnasium", "pettingzoo", "scipy.optimize"),
    *("pydantic.main", "pydantic.type_adapter", "pydantic.types"),
    *("typer", "rich.console", "rich.markup", "rich.progress", "rich.table"),
)
"""What the testbed imports of others."""

READ_ONCE = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "NPY_", "NUMPY_", "ATEN_", "TORCH", "PYTORCH_", "ARROW_"),
    *("CUDA", "CUBLAS", "NCCL", "NVIDIA", "LD_", "MALLOC_", "GLIBC_", "PYTHON", "MPL", "MATPLOTLIB", "LANG"),
    *("LC_", "TZ"),
)
"""Prefixes of variables that Python and libraries read as they start."""

APPLIED = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
"""Those among them that a forked process heeds all the same; `sys.flags` does not tell the second."""

SET_BY_LIBRARIES = ("TORCHINDUCTOR_CACHE_DIR", "PYTHONBREAKPOINT")
"""Those that a test may find changed: by PyTorch as it imports its compiler, and by Ray as it connects."""

AS_IMPORTED = {
    **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")},
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's allocator would start a thread
}

OWN = ("testbed", "studies", "topologies", "policies")
"""What must not have been imported before a process is forked."""

_FIRST = dict(os.environ)  # before any test changes it


class ServerError(RuntimeError):
    """The server could not start, or has ended; says why."""


class _Server:
    def __init__(self, libraries: Sequence[str] = LIBRARIES, own: Sequence[str] = OWN) -> None:
        self.channel, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.owner = os.getpid()
        program = Path(__file__).with_name("fresh_process_server.py")
        given = {"channel": there.fileno(), "libraries": libraries, "own": own}
        with there:
            self.process = subprocess.Popen(
                [sys.executable, program, json.dumps(given)],
                pass_fds=[there.fileno()],
                env={key: value for key, value in _FIRST.items() if key not in APPLIED} | AS_IMPORTED,
                cwd=program.parent,
                stdin=subprocess.PIPE,  # nobody reads or writes there: a process gets its own
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        atexit.register(self.close)
        said = self.channel.recv(1 << 16)
        if not said:
            fault = self.fault()
            self.close()
            raise fault
        if "failed" in (found := json.loads(said)):
            self.close()
            raise ServerError(f"the server of fresh processes cannot be used: {found['failed']}")

    def fault(self) -> ServerError:
        """What is known about its end."""
        code = self.process.wait()
        assert self.process.stderr is not None
        said = "" if self.process.stderr.closed else self.process.stderr.read().decode()
        return ServerError(f"the server of fresh processes has ended (exit code {code}): {said}".strip())

    def close(self) -> None:
        if os.getpid() != self.owner:
            return
        self.channel.close()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def fork(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        try:
            socket.send_fds(self.channel, [json.dumps(request).encode()], descriptors)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self.fault() from error


@functools.cache
def _server() -> _Server:
    return _Server()


class _Forked(subprocess.Popen):  # type: ignore[type-arg]
    """A process that the server has forked, with what `subprocess` does with pipes and time-outs."""

    def __init__(self, arguments: Sequence[str], server: _Server, **options: Any) -> None:
        self._server = server
        self._status: Any = None
        super().__init__([sys.executable, *arguments], **options)

    def _execute_child(  # type: ignore[no-untyped-def]
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, restore_signals, gid, gids, uid, umask,
        start_new_session, *_,
    ):  # fmt: skip
        streams = (p2cread, c2pwrite, errwrite)
        request = {"arguments": args[1:], "cwd": cwd, "env": env, "start_new_session": start_new_session}
        self._status, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with there:
                given = [number if end == -1 else end for number, end in enumerate(streams)]
                self._server.fork(request, [there.fileno(), *given])
            said = self._said(None)
            if "errno" in said:
                raise OSError(said["errno"], os.strerror(said["errno"]), said["file"])
            if "pid" not in said:
                raise ServerError(f"a fresh process could not begin: {said}")
            self.pid, self._child_created = said["pid"], True
        except BaseException:
            self._status.close()
            raise
        finally:
            self._close_pipe_fds(  # type: ignore[attr-defined]
                p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite
            )

    def _said(self, timeout: float | None) -> dict[str, Any]:
        self._status.settimeout(timeout)
        said = self._status.recv(4096)
        if not said:
            self._status.close()
            raise self._server.fault()
        return json.loads(said)

    def _wait(self, timeout: float | None) -> int:
        if self.returncode is None:
            try:
                self.returncode = self._said(timeout)["ended"]
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout) from None
            self._status.close()
        return self.returncode

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        try:
            return self._wait(0)
        except subprocess.TimeoutExpired:
            return None


def start(
    arguments: Sequence[str | os.PathLike[str]],
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    **options: Any,
) -> "subprocess.Popen[Any]":
    """Starts a process; what is returned is used like what `subprocess.Popen` returns.

    Args:
        arguments: of Python: `-c` and code, `-m` and a module, or a script's path; then those of the program.
        cwd: its working folder; by default that of this process.
        env: its environment variables; by default those of this process.
        options: `stdin`, `stdout`, `stderr`, `text` and `start_new_session`, as for `subprocess.Popen`.

    Raises:
        ValueError: other options, options of Python itself, or a variable that is read only as Python or a
            library starts and is not as it was when the tests began: that needs an interpreter of its own.
        ServerError: the server could not start, or has ended.
        OSError: there is no such working folder.
    """
    words = [os.fspath(each) for each in arguments]
    variables = dict(os.environ if env is None else env)
    _check(words, variables, options)
    if sys.platform != "linux":
        return subprocess.Popen([sys.executable, *words], cwd=cwd, env=variables, **options)
    return _Forked(words, _server(), cwd=os.fspath(cwd or Path.cwd()), env=variables, **options)


def run(
    arguments: Sequence[str | os.PathLike[str]],
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    input: str | None = None,
    timeout: float | None = None,
    check: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """Runs a process to its end, as `subprocess.run` does, and keeps its output as text; see `start`.

    Raises:
        CalledProcessError: with `check`, it has not ended with 0; a note holds what it wrote to stderr.
        TimeoutExpired: it has not ended in so many wall seconds, and has been killed.
    """
    pipe = subprocess.PIPE
    stdin = None if input is None else pipe
    with start(arguments, cwd=cwd, env=env, stdin=stdin, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.wait(), out, err)
    if check:
        try:
            done.check_returncode()
        except subprocess.CalledProcessError as error:
            error.add_note(err)
            raise
    return done


def _check(words: Sequence[str], variables: Mapping[str, str], options: Mapping[str, Any]) -> None:
    if other := sorted(options.keys() - {"stdin", "stdout", "stderr", "text", "start_new_session"}):
        raise ValueError(f"{', '.join(other)}: only an interpreter of its own has these options")
    if not words or (words[0].startswith("-") and (words[0] not in ("-c", "-m") or len(words) == 1)):
        raise ValueError(f"{words}: must be -c CODE, -m MODULE or the path of a script, and arguments")
    for name in sorted(variables.keys() | _FIRST.keys()):
        now, first = variables.get(name), _FIRST.get(name)
        if name.startswith(READ_ONCE) and name not in APPLIED + SET_BY_LIBRARIES and now != first:
            raise ValueError(f"{name}: is {now!r}, was {first!r} when the tests began, and is read only once")
