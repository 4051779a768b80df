"""StarCraft II games in processes of their own, seen from the testbed."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from testbed.environments.external import starcraft_child
from testbed.environments.external.starcraft_child import receive, send

PATIENCE = 15.0  # seconds a game has for closing its client by itself

Reply = tuple[dict[str, Any], dict[str, NDArray[Any]]]

SMAC = (
    "install it into an environment of its own, for its protobuf is old: `python -m venv smac-venv`, "
    "`smac-venv/bin/pip install git+https://github.com/oxwhirl/smac.git`, and set "
    "python: smac-venv/bin/python"
)
STARCRAFT = (
    "install StarCraft II (https://github.com/Blizzard/s2client-proto#downloads) in ~/StarCraftII or where "
    "the variable SC2PATH says, with SMAC_Maps of https://github.com/oxwhirl/smac in its folder Maps"
)


class GameError(RuntimeError):
    """A game that cannot be played, or came to grief; one line says which and, if possible, what to do."""


def _reason(python: str, kind: str, text: str) -> str:
    reasons = {
        "absent": f"{python} has no package smac; {SMAC}",
        "other": (
            f"the package smac of {python} ({text}) is not the StarCraft Multi-Agent Challenge, it has no "
            "smac.env: PyPI's smac is AutoML's hyper-parameter optimiser, which has taken the name; "
            f"not `pip install smac`, but {SMAC}"
        ),
        "broken": f"{python} cannot import smac ({text}); {SMAC}",
        "launch": f"StarCraft II did not start ({text}); {STARCRAFT}",
    }
    return reasons.get(kind, text)


class Games:
    """One process per game; every question goes to all games concerned before any answer is awaited."""

    def __init__(self, python: str | None, map_name: str, games: int) -> None:
        """Start the processes and open the games, which does not launch StarCraft II yet.

        Raises:
            ValueError: `python` cannot be run.
            GameError: it has no working smac.
        """
        self.python = python or sys.executable
        self.processes: list[subprocess.Popen[bytes]] = []
        self.logs: list[BinaryIO] = []
        self._stop = weakref.finalize(self, _stop, self.processes, self.logs)
        try:
            for _ in range(games):
                self._start()
            opened = self.ask({game: ({"do": "open", "map": map_name}, {}) for game in range(games)})
        except BaseException:
            self.close()
            raise
        self.info: dict[str, int] = opened[0][0]
        """What SMAC's `get_env_info` says."""

    def _start(self) -> None:
        log = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the games
        self.logs.append(log)
        try:
            process = subprocess.Popen(  # noqa: S603  # an interpreter the user names, no shell
                [self.python, str(Path(starcraft_child.__file__))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the parent; and the client dies with its process
            )
        except OSError as error:
            raise ValueError(
                f"starcraft: python: got {self.python!r}, which cannot be run ({error.strerror})"
            ) from error
        self.processes.append(process)

    def ask(self, requests: Mapping[int, tuple[dict[str, Any], dict[str, NDArray[Any]]]]) -> list[Reply]:
        """Send each of these games its request, then read the answers, in the same order.

        Raises:
            GameError: for the first game that refused, after all have answered; or one that died, and then
                all are closed.
        """
        if not self._stop.alive:
            raise GameError("starcraft: the games have been closed")
        replies: list[Reply] = []
        try:
            for game, (fields, arrays) in requests.items():
                self._guarded(game, send, self.processes[game].stdin, fields, arrays)
            for game in requests:
                replies.append(self._guarded(game, receive, self.processes[game].stdout))
        except BaseException:  # whatever else is on its way, nobody may take it for another answer
            self.close()
            raise
        for game, (fields, _) in zip(requests, replies, strict=True):
            if "refused" in fields:
                reason = _reason(self.python, fields["refused"], fields["text"])
                raise GameError(f"starcraft: game {game} of {len(self.processes)}: {reason}")
        return replies

    def _guarded(self, game: int, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (EOFError, OSError) as error:
            process = self.processes[game]
            _end(process)
            failure = GameError(
                f"starcraft: game {game} of {len(self.processes)} died (exit code {process.returncode}); "
                f"the last it said was {self._last_words(game)!r}"
            )
            raise failure from error

    def _last_words(self, game: int) -> str:
        log = self.logs[game]
        log.seek(max(0, log.seek(0, os.SEEK_END) - 4000))
        lines = log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def close(self) -> None:
        """End the games and their processes; closing twice does no harm."""
        self._stop()


def _stop(processes: Sequence[subprocess.Popen[bytes]], logs: Sequence[BinaryIO]) -> None:
    for process in processes:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was still to be sent has nobody to read it
                    stream.close()
    for process in processes:
        _end(process)
    for log in logs:
        log.close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let a process leave by itself for a while; then end it, and whatever it started and left behind."""
    if process.returncode is not None:
        return
    if sys.platform != "win32" and hasattr(os, "waitid"):
        # Looking without collecting keeps the number of its process group from being given to others.
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


def stacked(replies: Sequence[Reply], name: str, dtype: Any) -> NDArray[Any]:
    """One array, or one field, of every reply, on a first axis."""
    return np.stack(
        [np.asarray(arrays.get(name, fields.get(name)), dtype=dtype) for fields, arrays in replies]
    )
