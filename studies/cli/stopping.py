"""Handling of Ctrl-C and SIGTERM: they stop a command once, and cleanly. Imports nothing slow."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""The exit code of a command that was stopped."""

RESUMED = ("run", "train")
"""Commands that go on where they were stopped."""


def stopped(arguments: Sequence[str]) -> str:
    """The line about a command that was stopped, from its command line."""
    command = next((word for word in arguments if not word.startswith("-")), None)
    kept = "; finished trials are kept: the same command resumes the study"
    return f"stopped{kept if command in RESUMED else ''}"


AGAIN = 10.0
"""Wall seconds after which a further signal counts again, for a user who is kept waiting."""


class _Once:
    """Turns signals into KeyboardInterrupt, and signals in quick succession into one.

    Users and schedulers repeat signals, and a second KeyboardInterrupt would break off the cleanup that the
    first has started.
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

    A scheduler's stop is as clean as Ctrl-C. A signal that the process already ignores, as a shell's
    background jobs ignore SIGINT, stays ignored.

    Args:
        then_exits: whether the process only has to exit after an interrupt; further signals are then ignored.
    """
    once = _Once()
    numbers = [n for n in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, once) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if then_exits and once.last is not None else handler)
