"""Trials that run in the process of the tests, where it is not the point that they would run in others.

A process that runs trials imports PyTorch and pandas first, which takes longer than most trials of the tests.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from studies.execution import runner
from studies.execution.executor import Event, Perform, Progressed, Started, attempt


class InProcess:
    """Runs one task after the other, here; an executor.

    Args:
        perform: what to do with a task.
    """

    def __init__(self, perform: Perform[Any] = runner.perform) -> None:
        self.perform = perform

    def run(self, tasks: Sequence[Any]) -> Iterator[Event]:
        """What the executors say; of each task's progress the last."""
        for index, task in enumerate(tasks):
            yield Started(index)
            said: list[tuple[Any, ...]] = []
            ended = attempt(self.perform, index, task, lambda *what, to=said: to.append(what))
            yield from (Progressed(index, *what) for what in said[-1:])
            yield ended
