"""Child processes that answer requests over their standard input and output.

The messages are those of `starcraft_child`: JSON and raw arrays, nothing executable. The processes are
started directly rather than by multiprocessing, which would run the user's script again in each of them and
refuses to start any from the worker process of a study.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from numpy.typing import NDArray

from testbed.environments.external.starcraft_child import NoMessage, receive, send

PATIENCE = 15.0  # seconds that a process has to exit by itself

Message = tuple[dict[str, Any], dict[str, NDArray[Any]]]


class Children:
    """A group of processes; each request is sent to all its recipients before any answer is awaited.

    Attributes:
        processes: in the order of their names.
    """

    def __init__(
        self,
        command: Sequence[str],
        names: Sequence[str],
        failure: type[RuntimeError],
        environment: Mapping[str, str] | None = None,
        ignored: re.Pattern[str] | None = None,
    ) -> None:
        """Start one process for each name.

        Args:
            command: the command line to run.
            names: name of each process in error messages.
            failure: the error to raise when one has died.
            environment: variables set for them in addition to those of this process.
            ignored: lines that match at their beginning are never among the last words of a process.

        Raises:
            OSError: the command cannot be run.
        """
        self.processes: list[subprocess.Popen[bytes]] = []
        self._names = tuple(names)
        self._failure = failure
        self._ignored = ignored
        self._logs: list[BinaryIO] = []
        self._asked = [0] * len(names)
        self._stop = weakref.finalize(self, _stop, self.processes, self._logs)
        try:
            for _ in names:
                log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
                self._logs.append(log)
                process = subprocess.Popen(  # noqa: S603  # an interpreter, no shell
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is for the parent, which ends the pipe
                    env={**os.environ, **(environment or {})},
                )
                self.processes.append(process)
        except BaseException:
            self.close()
            raise

    def ask(self, requests: Mapping[int, Message]) -> list[Message]:
        """Send each of these processes its request, then read the answers, in the same order.

        Any failure here, Ctrl-C included, closes all: a late answer must not be taken for
        that to another request.

        Raises:
            RuntimeError: of the kind given, when a process died or printed something else than an answer, or
                all have been closed.
        """
        if not self._stop.alive:
            raise self._failure(f"{self._names[0]}: this and all others have been closed")
        answers: list[Message] = []
        try:
            for index, (fields, arrays) in requests.items():
                self._asked[index] = self._logs[index].seek(0, os.SEEK_END)
                self._guarded(index, send, self.processes[index].stdin, fields, arrays)
            for index in requests:
                answer = self._guarded(index, receive, self.processes[index].stdout)
                if "do" in answer[0]:
                    raise self._failure(f"{self._names[index]} repeats requests instead of answering them")
                answers.append(answer)
        except BaseException:
            self.close()
            raise
        return answers

    def _guarded(self, index: int, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except NoMessage as error:
            raise self._failure(
                f"{self._names[index]} printed text that begins with {str(error)!r}, where only answers are"
                " expected: its interpreter must print nothing to standard output as it starts"
            ) from error
        except (EOFError, OSError) as error:
            _end(self.processes[index])
            code, words = self.processes[index].returncode, self.last_words(index)
            raise self._failure(
                f"{self._names[index]} died (exit code {code}); its last output was {words!r}"
            ) from error

    def last_words(self, index: int, *, of_last_request: bool = False) -> str:
        """The last line that a process, or one that it started, has written to standard error; may be empty.

        Args:
            index: which process.
            of_last_request: leave out what was written before its last request.
        """
        log = self._logs[index]
        begin = self._asked[index] if of_last_request else 0
        log.seek(max(begin, log.seek(0, os.SEEK_END) - 4000))
        for line in reversed(log.read().decode(errors="replace").splitlines()):
            words = "".join(letter if letter.isprintable() else " " for letter in line).strip()
            if words and not (self._ignored and self._ignored.match(words)):
                return words
        return ""

    def close(self) -> None:
        """End the processes; closing twice is harmless."""
        self._stop()


def _stop(processes: Sequence["subprocess.Popen[bytes]"], logs: Sequence[BinaryIO]) -> None:
    for process in processes:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # nobody is left to read unsent data
                    stream.close()
    for process in processes:
        _end(process)
    for log in logs:
        log.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Give a process time to exit by itself; then end it, and all processes that it left behind."""
    if process.returncode is not None:
        return
    if sys.platform != "win32" and hasattr(os, "waitid"):
        # Polling without reaping keeps the number of its process group from being reused.
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        deadline = time.monotonic() + PATIENCE
        while os.waitid(os.P_PID, process.pid, look) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left in the group
            os.killpg(process.pid, signal.SIGKILL)
    else:
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
