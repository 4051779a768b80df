"""Python's garbage collector, kept out of imports."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def not_collected() -> Iterator[None]:
    """Looks for no garbage inside the block.

    Modules stay, but each thousand of their objects makes the collector look through all of them: a fifth of
    the time that imports of PyTorch take.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
