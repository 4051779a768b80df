"""Tasks for the pool, importable by the processes it spawns, and quickly: nothing here needs torch."""

import os
import time
from typing import Any

from studies.executors import Report


def die_at_odd(task: int, report: Report) -> None:
    """The process vanishes, as when the system runs out of memory."""
    if task % 2:
        os._exit(9)


def environment(task: Any, report: Report) -> None:
    """Fails with what the process sees."""
    raise ValueError(f"threads {os.environ.get('OMP_NUM_THREADS')}")


def sleep(task: float, report: Report) -> None:
    """Takes its time."""
    time.sleep(task)
