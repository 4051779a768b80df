"""Trials that run in the process of the tests, where it is not the point that they would run in others.

A process that runs trials imports PyTorch and pandas first, which takes longer than most trials of the tests.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from studies import runner
from studies.executors import Event, Perform, Started, attempt


class InProcess:
    """Runs one task after the other, here; an executor.

    Args:
        perform: what to do with a task.
    """

    def __init__(self, perform: Perform[Any] = runner.perform) -> None:
        self.perform = perform

    def run(self, tasks: Sequence[Any]) -> Iterator[Event]:
        """What the executors say, without progress."""
        for index, task in enumerate(tasks):
            yield Started(index)
            yield attempt(self.perform, index, task, lambda *_: None)
