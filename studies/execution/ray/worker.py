"""What runs on the nodes of a Ray cluster: trials, the check before them, and the box their reports go to.

The nodes import this by its name, so this package must be installed on each.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from studies.execution.executor import (
    Event,
    Failed,
    Finished,
    Perform,
    Progressed,
    Reporter,
    Started,
    attempt,
)
from studies.storage.provenance import versions

REPORT_EVERY = 0.5
"""Wall seconds between two progress messages of one trial: they cross a network."""

News = tuple[int, int, str, Event]
"""Index of a task, which of its attempts speaks, from the node of which address, and what it says."""


@dataclass(frozen=True)
class Token:
    """A file with a text nobody else knows: who reads it has the same folder as who wrote it."""

    path: Path
    text: str

    def is_here(self) -> bool:
        """Whether this node has it."""
        try:
            return self.path.read_text() == self.text
        except OSError:
            return False


class Mailbox:
    """An actor that keeps the latest that each task has said until the driver takes it."""

    def __init__(self) -> None:
        self._latest: dict[int, News] = {}

    def put(self, news: News) -> None:
        """What a task has to say; what it said before is out of date."""
        self._latest[news[0]] = news

    def take(self) -> list[News]:
        """Everything since the last time."""
        taken, self._latest = self._latest, {}
        return list(taken.values())


def look(token: Token) -> tuple[bool, dict[str, str]]:
    """What the driver must know of a node: does it have the folder, and which code."""
    return token.is_here(), versions()


def carry_out(
    perform: Perform[Any], index: int, number: int, task: Any, token: Token, mailbox: Any
) -> tuple[Progressed | None, Finished | Failed]:
    """Performs a task, and returns its last report, if that was not sent yet, and how it ended.

    Reports are thrown into the mailbox and forgotten: if it cannot be reached, they are lost and the trial
    goes on.
    """
    node = ray.util.get_node_ip_address()

    def send(event: Event) -> None:
        with suppress(ray.exceptions.RayError):
            mailbox.put.remote((index, number, node, event))

    send(Started(index))
    if not token.is_here():  # a node that has joined since all were asked
        return None, Failed(index, f"node {node} does not see the folder {token.path.parent}\n")
    reporter = Reporter(index, send, REPORT_EVERY)
    ended = attempt(perform, index, task, reporter)
    return reporter.unsent, ended
