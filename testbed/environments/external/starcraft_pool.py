"""StarCraft II games in separate processes, seen from the testbed."""

import errno
import re
import sys
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.common.errors import WorldError
from testbed.environments.external import starcraft_child
from testbed.environments.external.child_processes import Children, Message

SMAC = (
    "install it into a separate environment, because its protobuf is old: `python3.10 -m venv smac-venv` "
    "(Python 3.10 is the last on which this protobuf is fast), "
    "`smac-venv/bin/pip install git+https://github.com/oxwhirl/smac.git`, and set "
    "python: smac-venv/bin/python"
)
STARCRAFT = (
    "install StarCraft II (https://github.com/Blizzard/s2client-proto#downloads) in ~/StarCraftII or where "
    "the variable SC2PATH says, with SMAC_Maps of https://github.com/oxwhirl/smac in its folder Maps"
)


TOO_MUCH = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
"""Errors of the system where it has no room for another process."""

LAUNCHED_AT_ONCE = 4
"""Clients that are launched at the same time; more would often get each other's ports."""

NOT_THE_GAME = re.compile(
    r"[IWEF]\d{4} [\d:.]+ +\d+ \S+:\d+\]"
    r"|[A-Z]+:absl:|WARNING: (Logging before|All log messages)|launching again, "
)
"""Lines of pysc2's log and of `starcraft_child`, between those that a game writes to standard error."""


class GameError(WorldError):
    """A game that cannot be played or failed; the one-line message names it and, if possible, a remedy."""


class ProcessFailed(GameError):
    """The process of a game died, or is no process of a game."""


def _reason(python: str, kind: str, text: str, words: str) -> str:
    own = f"; its last words were {words!r}" if words else ""
    reasons = {
        "absent": f"{python} has no package smac; {SMAC}",
        "other": (
            f"the package smac of {python} ({text}) is not the StarCraft Multi-Agent Challenge, because it"
            " has no smac.env: PyPI's smac is AutoML's hyper-parameter optimiser, which has taken the name;"
            f" instead of `pip install smac`, {SMAC}"
        ),
        "broken": f"{python} cannot import smac ({text}); {SMAC}",
        "map": (
            f"map: the smac of {python} does not know {text!r}; your own maps must be in its "
            "smac.env.starcraft2.maps.smac_maps"
        ),
        "launch": f"StarCraft II did not start ({text}){own}; {STARCRAFT}",
    }
    return reasons.get(kind, text)


class Games:
    """One process per game.

    Attributes:
        python: the interpreter that runs them.
        info: the sizes in the result of SMAC's `get_env_info`.
        versions: of smac and pysc2, and once a client has been launched of StarCraft II.
    """

    def __init__(
        self, python: str | None, map_name: str, games: int, options: Mapping[str, Any] | None = None
    ) -> None:
        """Start the processes and open the games, which does not launch StarCraft II yet.

        Args:
            python: an interpreter that has smac; None: this one.
            map_name: a map that its smac knows.
            games: number of games.
            options: arguments for SMAC's `StarCraft2Env`.

        Raises:
            ValueError: `python` cannot be run.
            GameError: it has no working smac, or this does not know the map.
        """
        self.python = python or sys.executable
        self.names = [f"starcraft: game {game} of {games}" for game in range(games)]
        try:
            self.children = Children(
                [self.python, str(Path(starcraft_child.__file__))],
                self.names,
                ProcessFailed,
                ignored=NOT_THE_GAME,
            )
        except OSError as error:
            if error.errno in TOO_MUCH:
                raise GameError(
                    f"starcraft: {games} games cannot be started at once ({error.strerror}): reduce"
                    " environment.games, or raise the limit of this system"
                ) from error
            raise ValueError(
                f"starcraft: python: got {self.python!r}, which cannot be run ({error.strerror})"
            ) from error
        opening = {"do": "open", "map": map_name, "options": dict(options or {})}
        try:
            opened, _ = self._ask({game: (opening, {}) for game in range(games)})[0]
        except ProcessFailed as error:
            self.close()
            raise GameError(f"{error}; python: {self.python} must have smac: {SMAC}") from error
        except BaseException:
            self.close()
            raise
        self.versions: dict[str, str] = opened.pop("versions")
        self.info: dict[str, int] = opened

    def reset(self, seeds: Mapping[int, int], launch: Container[int]) -> list[Message]:
        """Start a battle in each of these games; the replies are in the order of ``seeds``.

        Args:
            seeds: the seed of each game; only a client that is launched takes it.
            launch: games that get a new client. They are launched a few at a time.

        Raises:
            GameError: as `step` does.
        """
        begun = {
            game: ({"do": "reset", "seed": seed, "launch": game in launch}, dict[str, NDArray[Any]]())
            for game, seed in seeds.items()
        }
        launched = [game for game in begun if game in launch]
        groups = [[game for game in begun if game not in launch]]
        groups += [launched[i : i + LAUNCHED_AT_ONCE] for i in range(0, len(launched), LAUNCHED_AT_ONCE)]
        replies: dict[int, Message] = {}
        for group in filter(None, groups):
            answers = self._ask({game: begun[game] for game in group})
            replies |= zip(group, answers, strict=True)
        for fields, _ in replies.values():
            if "starcraft" in fields:
                self.versions["starcraft"] = fields["starcraft"]
        return [replies[game] for game in begun]

    def step(self, actions: NDArray[np.integer]) -> list[Message]:
        """Play joint actions `[game, agent]`.

        Raises:
            GameError: for the first game that refused, after all have answered; or one that died, and then
                all are closed.
        """
        chosen = actions.astype("<i8")
        return self._ask({game: ({"do": "step"}, {"actions": chosen[game]}) for game in range(len(chosen))})

    def replay(self, game: int) -> bytes:
        """The replay of all battles of this game's present client, in the format of StarCraft II."""
        ((_, arrays),) = self._ask({game: ({"do": "replay"}, {})})
        return arrays["replay"].tobytes()

    def _ask(self, requests: Mapping[int, Message]) -> list[Message]:
        replies = self.children.ask(requests)
        for game, (fields, _) in zip(requests, replies, strict=True):
            if "refused" in fields:
                words = self.children.last_words(game, of_last_request=True)
                reason = _reason(self.python, fields["refused"], fields["text"], words)
                raise GameError(f"{self.names[game]}: {reason}")
        return replies

    def close(self) -> None:
        """End the games and their processes; closing twice is harmless."""
        self.children.close()


def stacked(replies: Sequence[Message], name: str, dtype: Any) -> NDArray[Any]:
    """One array, or one field, of every reply, on a first axis."""
    return np.stack(
        [np.asarray(arrays.get(name, fields.get(name)), dtype=dtype) for fields, arrays in replies]
    )
