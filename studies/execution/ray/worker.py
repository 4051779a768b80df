"""Code that runs on the nodes of a Ray cluster: trials, the check before them, and the mailbox of reports.

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
"""Wall seconds between two progress messages of one trial, which cross a network."""

News = tuple[int, int, str, Event]
"""Index of a task, its attempt, the address of its node, and the report."""


@dataclass(frozen=True)
class Token:
    """A file with a random text: a node that can read it shares the folder with the process that wrote it."""

    path: Path
    text: str

    def is_here(self) -> bool:
        """Whether this node sees the token."""
        try:
            return self.path.read_text() == self.text
        except OSError:
            return False


class Mailbox:
    """An actor that keeps the latest report of each task until the driver collects it."""

    def __init__(self) -> None:
        self._latest: dict[int, News] = {}

    def put(self, news: News) -> None:
        """Stores a task's report, replacing the previous one."""
        self._latest[news[0]] = news

    def take(self) -> list[News]:
        """Returns all reports since the last call."""
        taken, self._latest = self._latest, {}
        return list(taken.values())


def look(token: Token) -> tuple[bool, dict[str, str]]:
    """Reports to the driver whether a node sees the folder, and its versions of the code."""
    return token.is_here(), versions()


def carry_out(
    perform: Perform[Any], index: int, number: int, task: Any, token: Token, mailbox: Any
) -> tuple[Progressed | None, Finished | Failed]:
    """Performs a task, and returns its last report, if not yet sent, and its final event.

    Reports are sent to the mailbox without waiting: if it cannot be reached, they are lost and the trial
    continues.
    """
    node = ray.util.get_node_ip_address()

    def send(event: Event) -> None:
        with suppress(ray.exceptions.RayError):
            mailbox.put.remote((index, number, node, event))

    send(Started(index))
    if not token.is_here():  # a node that has joined since the check
        return None, Failed(index, f"node {node} does not see the folder {token.path.parent}\n")
    reporter = Reporter(index, send, REPORT_EVERY)
    ended = attempt(perform, index, task, reporter)
    return reporter.unsent, ended
