"""Whether processes run, which others have started, too."""

import os
import time
from collections.abc import Sequence
from pathlib import Path


def alive(process: int) -> bool:
    """Whether a process runs or is stopped; one that has ended may wait to be collected by its parent."""
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (ProcessLookupError, FileNotFoundError):
        return False


def gone(processes: Sequence[int]) -> bool:
    """Whether none is alive; those just killed, and orphans, get some time to be collected."""
    deadline = time.monotonic() + 60
    while any(map(alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(alive, processes))
