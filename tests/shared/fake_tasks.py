"""Tasks for the pool, importable by the processes it spawns, and quickly: nothing here needs torch."""

import atexit
import ctypes
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from studies.execution.executor import ONE_THREAD, ProgressCallback


def die_at_odd(task: int, report: ProgressCallback) -> None:
    """The process vanishes, as when the system runs out of memory."""
    if task % 2:
        os._exit(9)


def environment(task: Any, report: ProgressCallback) -> None:
    """Fails with what the process sees."""
    raise ValueError(f"threads {os.environ.get('OMP_NUM_THREADS')}")


def sleep(task: float, report: ProgressCallback) -> None:
    """Takes its time."""
    time.sleep(task)


def raise_die_or_sleep(task: str | Path, report: ProgressCallback) -> None:
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


def note_gpus(task: Path, report: ProgressCallback) -> None:
    """Writes the GPUs that the process may see."""
    task.write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "all"))


def note_then_stop_or_spin(task: Path, report: ProgressCallback) -> None:
    """Notes its number; then it is deaf to SIGTERM and never comes back, or stops as by SIGSTOP."""
    if task.name == "stopped":
        note(task)
        os.kill(os.getpid(), signal.SIGSTOP)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note(task)
    while True:
        pass


def note_then_never_return_from_c(task: Path, report: ProgressCallback) -> None:
    """Notes its number, then keeps the interpreter to itself: no thread of the process runs again."""
    note(task)
    ctypes.PyDLL(None).pause()


def note(task: Path, text: str | None = None) -> None:
    """Leaves this process's number, or other text, in a file, whole or not at all."""
    part = task.with_suffix(".part")
    part.write_text(str(os.getpid()) if text is None else text)
    part.replace(task)


def tell(task: Path, report: ProgressCallback) -> None:
    """Prints, and writes what the process has and which process is its parent."""
    print("a word of a worker")
    print("a word of its errors", file=sys.stderr)
    parent = os.getppid()
    found = {
        "parent": parent,
        "threads of the parent": len(list(Path(f"/proc/{parent}/task").iterdir())),
        "folder": str(Path.cwd()),
        "path": sys.path,
        "variables": dict(os.environ),
        "loaded": sorted(sys.modules),
        "draw": random.random(),
        "draw of NumPy": float(np.random.random()),  # noqa: NPY002  # somebody's environment may use it
        "stdin": str(Path("/proc/self/fd/0").readlink()),
        "GPU": "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized(),
    }
    note(task, json.dumps(found))


def end(task: Path, report: ProgressCallback) -> None:
    """The process ends in the ordinary way, in the middle of its task."""
    atexit.register(task.touch)
    raise SystemExit(7)
