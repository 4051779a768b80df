"""Child processes that end when their parent has ended, whatever they are doing."""

import ctypes
import os
import signal
import sys
import threading
import time

LOOK_EVERY = 1.0
"""Wall seconds between two looks for the parent where the kernel does not watch it."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(parent: int, *, started_by_main_thread: bool) -> None:
    """Ends this process by SIGKILL, or at once, as soon as the process that started it has ended.

    A thread looks for the parent. It cannot look while an extension keeps the interpreter to itself; on Linux
    the kernel therefore watches as well (prctl(2), PR_SET_PDEATHSIG). The kernel takes the end of the
    *thread* that started a process for the end of the parent, so it is asked only where that is the main one.

    Args:
        parent: number of the process that started this one, as that process passed it on.
        started_by_main_thread: of the parent.
    """
    if sys.platform == "linux" and started_by_main_thread:
        killed_with_parent(parent)
    threading.Thread(target=_watch, args=(parent,), name="parent death", daemon=True).start()


def killed_with_parent(parent: int) -> None:
    """Asks the kernel to end this process by SIGKILL with the thread that started it; needs no thread.

    Only for Linux. Ends this process at once if its parent is not that one any more.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    os._exit(1)
