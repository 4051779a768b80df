"""One StarCraft II game in a separate process, run by the interpreter that has the package `smac`.

This file is run as a script by a Python that may differ from the testbed's (3.8 or later): it imports the
standard library, NumPy and smac, and nothing from the testbed. It answers requests on its standard input with
replies on its original standard output; everything that smac or the game prints goes to standard error.

A message is `MARK`, a 4-byte big-endian length, that many bytes of JSON (`fields`, and `arrays` as [name,
dtype, shape]), and the arrays' raw bytes in that order.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import struct
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    Arrays = dict[str, np.ndarray[Any, Any]]


MARK = b"\x00msg"
"""Beginning of every message, which nothing begins with that programs print."""


class NoMessage(ValueError):
    """Something else than a message; the text is its beginning."""


def send(stream: BinaryIO, fields: dict[str, Any], arrays: Arrays | None = None) -> None:
    """Write one message and flush."""
    given = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    shapes = [[name, array.dtype.str, list(array.shape)] for name, array in given.items()]
    header = json.dumps({"fields": fields, "arrays": shapes}).encode()
    stream.write(MARK + struct.pack(">I", len(header)) + header)
    for array in given.values():
        stream.write(array.tobytes())
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], Arrays]:
    """Read one message; EOFError when the stream ends before or within it, NoMessage if it is not one."""
    begin = _exactly(stream, len(MARK))
    if begin != MARK:
        raise NoMessage(begin.decode(errors="replace"))
    (length,) = struct.unpack(">I", _exactly(stream, 4))
    message = json.loads(_exactly(stream, length))
    arrays = {}
    for name, dtype, shape in message["arrays"]:
        kind = np.dtype(dtype)
        raw = _exactly(stream, kind.itemsize * int(np.prod(shape, dtype=np.int64)))
        arrays[name] = np.frombuffer(raw, dtype=kind).reshape(shape)
    return message["fields"], arrays


def _exactly(stream: BinaryIO, count: int) -> bytes:
    parts = []
    while count:
        part = stream.read(count)
        if not part:
            raise EOFError("the stream ended")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class Refusal(Exception):
    """An error for the user to correct; `kind` names it by a word known to the other side."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class ClientLost(Exception):
    """The client of the game broke down; SMAC would launch another one by itself."""


LAUNCHES = 3
"""Attempts to launch a client: pysc2 releases a port before the game binds it, so another may take it."""

LAUNCHED_ANEW = ("ClientLost", "ConnectError", "ConnectionError")
"""Errors, by the names that pysc2 gives them, of a client that never listened or was lost at once."""


def starcraft_environment() -> Any:
    """SMAC's `StarCraft2Env` without its own restarts, which raise ClientLost instead.

    Raises:
        Refusal: it describes what was found instead.
    """
    spec = importlib.util.find_spec("smac")
    if spec is None:
        raise Refusal("absent", "")
    folders = list(spec.submodule_search_locations or [])
    if not any(os.path.isdir(os.path.join(folder, "env")) for folder in folders):  # noqa: PTH112, PTH118
        raise Refusal("other", folders[0] if folders else str(spec.origin))
    try:
        from smac.env import StarCraft2Env
    except Exception as error:
        raise Refusal("broken", described(error)) from error

    class Client(StarCraft2Env):  # type: ignore[misc]
        max_reward: float
        obs_timestep_number: bool

        def full_restart(self) -> None:
            # SMAC's own launches a client with the old seed and goes on with units of the lost game.
            raise ClientLost("the client of the game was lost")

        def get_obs_size(self) -> int:
            # SMAC's own forgets that it leaves a 0 in place of the step number, which it then appends.
            return int(super().get_obs_size()) + bool(self.obs_timestep_number)

        def init_units(self) -> None:
            # SMAC's own adds the enemies again each time it waits for units that are still missing, and the
            # scale of all rewards of the client is wrong.
            before = self.max_reward
            super().init_units()
            if self._episode_count == 0:
                points = sum(unit.health_max + unit.shield_max for unit in self.enemies.values())
                self.max_reward = before + points

    return Client


def described(error: BaseException) -> str:
    """Type and first line of an error."""
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"


def installed(*packages: str) -> dict[str, str]:
    """The versions of packages of this interpreter; `unknown` if they lie on its path without metadata."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


class Game:
    """One `StarCraft2Env`, made again when its client has to be launched with another seed."""

    def __init__(self, map_name: str, options: dict[str, Any]) -> None:
        self.environment = starcraft_environment()
        self.map_name, self.options = map_name, options
        self.client: Any = self._made(None)
        info = self.client.get_env_info()
        names = ("n_agents", "n_actions", "obs_shape", "state_shape", "episode_limit")
        self.info: dict[str, Any] = {name: int(info[name]) for name in names}
        self.info["versions"] = installed("smac", "pysc2")

    def _made(self, seed: int | None) -> Any:
        try:
            # continuing_episode makes SMAC report in `info` that a battle ran out of time; it changes
            # nothing else.
            return self.environment(
                map_name=self.map_name, seed=seed, continuing_episode=True, **self.options
            )
        except KeyError as error:
            if error.args != (self.map_name,):
                raise
            raise Refusal("map", self.map_name) from error

    def reset(self, seed: int, launch: bool) -> tuple[dict[str, Any], Arrays]:
        """Start a battle, in a new client with this seed if asked for, or if the old one is lost on the way.

        SMAC can start a battle in the present client only after it has seen one end there.
        """
        lost = False
        if not launch:
            try:
                self.client.reset()
            except ClientLost:
                lost = True
        fields = {"lost": lost, **(self._launch(seed) if launch or lost else {})}
        return fields, self._seen()

    def _launch(self, seed: int) -> dict[str, Any]:
        for left in reversed(range(LAUNCHES)):
            self.close()
            self.client = self._made(seed)
            try:
                self.client.reset()
                return {"starcraft": str(self.client._controller.ping().game_version)}
            except Exception as error:
                if left == 0 or type(error).__name__ not in LAUNCHED_ANEW:
                    raise Refusal("launch", described(error)) from error
                print(f"launching again, with another port: {described(error)}", file=sys.stderr, flush=True)
        raise AssertionError("unreachable")

    def step(self, actions: Any) -> tuple[dict[str, Any], Arrays]:
        """Play one joint action; a battle whose client is lost ends with the last observations."""
        try:
            reward, terminated, info = self.client.step([int(action) for action in actions])
            lost = False
        except ClientLost:
            reward, terminated, info, lost = 0.0, True, {}, True
        fields = {
            "reward": float(reward),
            "terminated": bool(terminated),
            "lost": lost,
            "timed_out": bool(info.get("episode_limit", False)),
            "battle_won": bool(info.get("battle_won", False)),
            "dead_allies": int(info.get("dead_allies", 0)),
            "dead_enemies": int(info.get("dead_enemies", 0)),
        }
        seen = self._seen()
        if lost:
            self.close()
        return fields, seen

    def _seen(self) -> Arrays:
        return {
            "observations": np.asarray(self.client.get_obs(), dtype="<f4"),
            "masks": np.asarray(self.client.get_avail_actions()).astype("|b1"),
            "state": np.asarray(self.client.get_state(), dtype="<f4"),
        }

    def replay(self) -> tuple[dict[str, Any], Arrays]:
        """The bytes of the game's replay of all battles of the present client.

        Raises:
            Refusal: there is none, because it was lost.
        """
        if self.client is None:
            raise Refusal("lost", "its client was lost in the last battle, so there is no replay")
        with tempfile.TemporaryDirectory() as folder:
            self.client.replay_dir = folder
            self.client.save_replay()
            (file,) = Path(folder).iterdir()
            return {}, {"replay": np.frombuffer(file.read_bytes(), dtype="|u1")}

    def close(self) -> None:
        """Close the client, if there is one."""
        client, self.client = self.client, None
        if client is not None:
            client.close()


def _answer(game: Game | None, fields: dict[str, Any], arrays: Arrays) -> tuple[Game, dict[str, Any], Arrays]:
    if game is None:
        game = Game(fields["map"], fields["options"])
        return game, game.info, {}
    if fields["do"] == "reset":
        return (game, *game.reset(fields["seed"], fields["launch"]))
    if fields["do"] == "replay":
        return (game, *game.replay())
    return (game, *game.step(arrays["actions"]))


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until the requests end; the first one opens the game."""
    game: Game | None = None
    try:
        while True:
            try:
                message = receive(requests)
            except EOFError:
                return
            try:
                game, fields, arrays = _answer(game, *message)
            except Refusal as refusal:
                fields, arrays = {"refused": refusal.kind, "text": str(refusal)}, {}
            except Exception as error:  # noqa: BLE001  # the other side raises it
                fields, arrays = {"refused": "raised", "text": described(error)}, {}
            send(replies, fields, arrays)
    except BrokenPipeError:
        return
    finally:
        if game is not None:
            game.close()


def own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes for requests and replies, reserved for messages; later printing goes to standard error."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


if __name__ == "__main__":
    del sys.path[0]  # this file's folder, whose modules smac must not import
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # a normal exit, which closes the client
    serve(*own_pipes())
