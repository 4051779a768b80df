"""Tasks for the pool, importable by the processes it spawns, and quickly: nothing here needs torch."""

import os
import time
from pathlib import Path
from typing import Any

from studies.executors import ONE_THREAD, Report


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


def raise_die_or_sleep(task: str | Path, report: Report) -> None:
    """Fails with what the process has found when it began, or vanishes, or notes its number and sleeps."""
    if task == "raise":
        begun = Path("/proc/self/environ")
        lines = (
            begun.read_text().split("\0") if begun.exists() else [f"{k}={v}" for k, v in os.environ.items()]
        )
        raise ValueError(
            f"threads {' '.join(line[-1] for line in lines if line.partition('=')[0] in ONE_THREAD)}"
        )
    if task == "die":
        os._exit(9)
    Path(task).write_text(str(os.getpid()))
    report("sleeping", 1, 2, {})
    time.sleep(60.0)
