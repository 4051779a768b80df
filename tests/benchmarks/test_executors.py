"""How well executors fill their workers: `pytest tests/benchmarks/test_executors.py -s`.

Eight tasks on four workers ideally take as long as two tasks. The tasks sleep, so that fewer processors than
workers will do; but that each worker loads torch first, and a Ray cluster starts and ends, is measured too.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sleeping

from studies.execution.executor import Executor, Finished, Started
from studies.execution.local_pool import LocalPool

WORKERS, TASKS = 4, 8
SECONDS = 120.0  # of a task; a trial takes minutes to hours


def local(folder: Path) -> Executor[float]:
    return LocalPool(WORKERS, sleeping.sleep)


def ray(folder: Path) -> Executor[float]:
    pytest.importorskip("ray")
    from studies.execution.ray.executor import RayExecutor

    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # no file of Ray's in the home of who measures
    return RayExecutor(None, WORKERS, sleeping.sleep, folder)


@pytest.mark.parametrize("make", [local, ray])
def test_time_over_ideal(make: Callable[[Path], Executor[float]], tmp_path: Path) -> None:
    begin = time.monotonic()
    moments = [
        (event, time.monotonic() - begin)
        for event in make(tmp_path).run([SECONDS] * TASKS)
        if isinstance(event, Started | Finished)
    ]
    whole = time.monotonic() - begin
    assert sum(isinstance(event, Finished) for event, _ in moments) == TASKS
    first = moments[0][1]
    last = max(when for event, when in moments if isinstance(event, Finished))
    ideal = SECONDS * TASKS / WORKERS
    print(
        f"\n{make.__name__}: {TASKS} tasks of {SECONDS:g} s on {WORKERS} workers: {whole:.1f} s,"
        f" {whole / ideal:.3f} times the ideal; first begun after {first:.1f} s, last ended at {last:.1f} s",
        file=sys.stderr,
    )
