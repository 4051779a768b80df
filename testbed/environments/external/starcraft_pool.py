"""StarCraft II games in processes of their own, seen from the testbed."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.common.errors import WorldError
from testbed.environments.external import starcraft_child
from testbed.environments.external.child_processes import Children, Message

SMAC = (
    "install it into an environment of its own, for its protobuf is old: `python -m venv smac-venv`, "
    "`smac-venv/bin/pip install git+https://github.com/oxwhirl/smac.git`, and set "
    "python: smac-venv/bin/python"
)
STARCRAFT = (
    "install StarCraft II (https://github.com/Blizzard/s2client-proto#downloads) in ~/StarCraftII or where "
    "the variable SC2PATH says, with SMAC_Maps of https://github.com/oxwhirl/smac in its folder Maps"
)


class GameError(WorldError):
    """A game that cannot be played or failed; the one-line message names it and, if possible, a remedy."""


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
    """One process per game.

    Attributes:
        python: the interpreter that runs them.
        info: the result of SMAC's `get_env_info`.
    """

    def __init__(self, python: str | None, map_name: str, games: int) -> None:
        """Start the processes and open the games, which does not launch StarCraft II yet.

        Raises:
            ValueError: `python` cannot be run.
            GameError: it has no working smac.
        """
        self.python = python or sys.executable
        self.names = [f"starcraft: game {game} of {games}" for game in range(games)]
        try:
            self.children = Children(
                [self.python, str(Path(starcraft_child.__file__))], self.names, GameError
            )
        except OSError as error:
            raise ValueError(
                f"starcraft: python: got {self.python!r}, which cannot be run ({error.strerror})"
            ) from error
        try:
            opened = self.ask({game: ({"do": "open", "map": map_name}, {}) for game in range(games)})
        except BaseException:
            self.close()
            raise
        self.info: dict[str, int] = opened[0][0]

    def ask(self, requests: Mapping[int, Message]) -> list[Message]:
        """Send requests as `Children.ask` does.

        Raises:
            GameError: for the first game that refused, after all have answered; or one that died, and then
                all are closed.
        """
        replies = self.children.ask(requests)
        for game, (fields, _) in zip(requests, replies, strict=True):
            if "refused" in fields:
                reason = _reason(self.python, fields["refused"], fields["text"])
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
