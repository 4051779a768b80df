"""Files that are whole or not there, whatever happens: a kill, a full disk, a power cut."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_write(
    place: Path, *, part: Path | None = None, previous: Path | None = None, durable: bool = True
) -> Iterator[Path]:
    """A file to write, which takes the place of ``place`` when all went well, and else is removed.

    When this has returned, the file survives a power cut.

    Args:
        place: the file to be.
        part: the file to write first, in the same folder; None: one with a name of this process.
        previous: the new name of the file that was at ``place`` before; None: it is replaced.
        durable: whether to wait until the file is on the disk itself.

    Raises:
        OSError: it cannot be written; ``filename`` is ``place`` unless the error names another file.
    """
    part = place.with_name(f".{place.name}.{os.getpid()}") if part is None else part
    try:
        yield part
        if durable:
            settle(part)  # else a power cut may leave the new name with nothing behind it
        if previous is not None and place.exists():
            place.replace(previous)
        part.replace(place)  # whoever is stopped just before this still has the previous one
        if durable:
            settle(place.parent)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(part)):
            # A full disk names no file, and Arrow says of one what it was doing.
            raise OSError(error.errno, os.strerror(error.errno), str(place)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def settle(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk itself."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders, and orders such changes itself
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def settle_all(folder: Path) -> None:
    """Waits until a folder, with the files in it, is on the disk itself; its own name is its parent's."""
    for file in folder.iterdir():
        settle(file)
    settle(folder)


def write_text(place: Path, text: str) -> None:
    """Writes text as UTF-8 with plain line ends, by :func:`atomic_write`."""
    with atomic_write(place) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(place: Path, data: Any) -> None:
    """Writes plain data as indented JSON, by :func:`atomic_write`. ValueError for infinities."""
    write_text(place, json.dumps(data, indent=2, allow_nan=False) + "\n")
