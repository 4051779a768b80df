"""Tasks that take time but no processor, in processes that have loaded what trials need."""

import time

from studies.execution import runner  # noqa: F401  # with torch: as long as it takes, a worker is not yet at work
from studies.execution.executor import ProgressCallback


def sleep(task: float, report: ProgressCallback) -> None:
    """Takes so many wall seconds, and reports now and then."""
    end = time.monotonic() + task
    while (left := end - time.monotonic()) > 0:
        report("sleeping", int(task - left), int(task), {})
        time.sleep(min(0.05, left))
