"""Detects scripts that would run themselves again in each process they start.

A spawned process imports the script that started it. A script that runs a study outside
``if __name__ == "__main__":`` would run the study again in that process, before any trial.
"""

from __future__ import annotations

import ast
import linecache
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from studies.spec.document import StudyError

REASON = 'runs a study outside `if __name__ == "__main__":`; put the call there, because trials are processes'


def check() -> None:
    """Raises StudyError if starting a process now would run the calling script again; one line.

    Notebooks and interactive sessions are never imported, so they need no guard. In a spawned process that
    imports an unguarded script (which a guard elsewhere in it had hidden from the check) this ends the
    import.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(f"{getattr(sys.modules['__main__'], '__file__', 'this script')}: {REASON}")
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is None and getattr(main, "__file__", None) is None:
        return
    frame = _of_script(sys._getframe())
    if frame is not None and not _guarded(frame):
        raise StudyError(f"{frame.f_code.co_filename}:{frame.f_lineno}: {REASON}")


@contextmanager
def imports_no_missing_script() -> Iterator[None]:
    """Processes that are started inside import the calling script only if there is one.

    A program that Python reads from its standard input (``python -``) says that its file is ``<stdin>``, and
    each process would end because it cannot import that. Such a program needs no guard.
    """
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file is None or getattr(main, "__spec__", None) is not None or Path(file).exists():
        yield
        return
    del main.__file__
    try:
        yield
    finally:
        main.__file__ = file


def _of_script(frame: FrameType | None) -> FrameType | None:
    """The frame that executes the script's top-level statements."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__":
            return frame
        frame = frame.f_back
    return None


def _guarded(frame: FrameType) -> bool:
    """Whether the current line is inside an ``if`` that tests ``__name__``; True if that is unknown."""
    source = "".join(linecache.getlines(frame.f_code.co_filename))
    if not source:
        return True
    return any(
        isinstance(node, ast.If)
        and node.lineno <= frame.f_lineno <= (node.end_lineno or node.lineno)
        and any(isinstance(name, ast.Name) and name.id == "__name__" for name in ast.walk(node.test))
        for node in ast.walk(ast.parse(source))
    )
