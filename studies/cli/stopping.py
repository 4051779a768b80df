"""How Ctrl-C and SIGTERM end a command: once, and cleanly. Imports nothing that takes time."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""The exit code of a command that was stopped."""

STOPPED = "stopped; finished trials are kept: the same command goes on where this one was"

AGAIN = 10.0
"""Wall seconds after which another signal counts again, for somebody who is kept waiting."""


class _Once:
    """Turns signals into KeyboardInterrupt, those that come close together into one.

    Fingers and schedulers repeat themselves, and a second KeyboardInterrupt would break off what the first
    has begun to put in order.
    """

    def __init__(self) -> None:
        self.last: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.last is None or now - self.last > AGAIN:
            self.last = now
            raise KeyboardInterrupt


@contextmanager
def interrupted_once(*, then_exits: bool) -> Iterator[None]:
    """Raises one KeyboardInterrupt for any number of SIGINT and SIGTERM inside.

    A scheduler's stop is as clean as Ctrl-C. A process that was told to ignore one of them, as a shell's
    background is, goes on to.

    Args:
        then_exits: whether this process only has to end after an interrupt: then they are ignored from there.
    """
    once = _Once()
    numbers = [n for n in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, once) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if then_exits and once.last is not None else handler)
