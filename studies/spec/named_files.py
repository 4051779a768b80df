"""The files that a study names: found, and read once, so that trials can be named by what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from studies.spec.document import Document, Keys
from studies.spec.validation_errors import complaint
from testbed.environments import ENVIRONMENTS
from testbed.identity import content_of
from testbed.training.stored_models import START_FROM

FILES: tuple[Keys, ...] = (
    ("topology", "file"),
    ("update", "batch"),
    ("update", "models"),
    *(
        ("network", *link, *file)
        for link in (("link",), ("links", "*"), ("classes", "*"))
        for file in (("round_trips",), ("trace",), ("trace", "file"))
    ),
    ("network", "schedule", "file"),
)
"""Paths at which any study names files (`*`: any key); settings of environments declare their own.
Files are relative to the study file, and are hashed by content."""


def read_files(
    document: Document, known: MutableMapping[str, dict[str, str]] | None = None
) -> dict[str, dict[str, str]]:
    """Finds the files a study names, and puts their absolute paths into the document.

    Args:
        document: a study, or the settings of one trial.
        known: contents already read, by path, which are not read again; new ones are added.

    Returns:
        Each path with the digest of its content, for trial names.

    Raises:
        StudyError: there is no such file, or it cannot be read.
    """
    known = {} if known is None else known
    found = {}
    for pattern, is_path in _patterns(document):
        for keys, outer in _mappings(document.data, pattern[:-1]):
            last = str(pattern[-1])
            value = outer.get(last)
            if isinstance(value, str) and is_path(value):
                path = (document.folder / value).absolute()
                if not path.is_file():
                    absent = f"there is no such file in {path.parent}"
                    reason = "is not a regular file" if path.exists() else absent
                    raise complaint(document, (*keys, last), reason, value=value)
                outer[last] = str(path)
                if str(path) not in known:
                    try:
                        known[str(path)] = content_of(path)
                    except OSError as error:
                        reason = f"cannot be read: {error.strerror}"
                        raise complaint(document, (*keys, last), reason, value=value) from error
                found[str(path)] = known[str(path)]
    return found


def _patterns(document: Document) -> Iterator[tuple[Keys, Callable[[str], bool]]]:
    """Paths at which this document may name files, and the test that a value there is a path."""
    for pattern in FILES:
        yield pattern, lambda value: True
    yield START_FROM, lambda value: not (document.folder / value).is_dir()  # see `trained` for folders
    environment = ENVIRONMENTS.completed(document.data.get("environment"))
    name = environment.get("name") if isinstance(environment, dict) else None
    kind = ENVIRONMENTS.members().get(name) if isinstance(name, str) else None
    for field, is_path in kind.files.items() if kind is not None else ():
        yield ("environment", field), is_path


def _mappings(data: object, pattern: Keys, keys: Keys = ()) -> Iterator[tuple[Keys, dict[str, Any]]]:
    """The mappings at the given keys, with those keys; a `*` stands for every key."""
    if not isinstance(data, dict):
        return
    if not pattern:
        yield keys, data
        return
    for key in list(data) if pattern[0] == "*" else [pattern[0]]:
        yield from _mappings(data.get(key), pattern[1:], (*keys, key))
