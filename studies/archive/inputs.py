"""The files that a study names (graphs, round trips, maps, batches, models), copied into its archive."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from studies.spec.manifest import StudyRecord
from studies.storage.store import Store
from testbed.identity import content_of

OTHERS = "files"
"""Folder for files that the study names by a path that leads elsewhere."""


def copy(
    study: StudyRecord, store: Store, document: Mapping[str, Any], place: Path, taken: str
) -> tuple[dict[str, Any], list[str]]:
    """Copies the files that the finished trials read, so that the study file can be run from its archive.

    A file is copied only if its content is still what the trials read. Relative paths stay as they are, so
    that labels in tables do, too; others are changed.

    Args:
        study: the study.
        store: its results.
        document: the study's document.
        place: the folder of the study file.
        taken: name of the study file itself.

    Returns:
        The document with paths that are relative to ``place``, and a line for each file that is not there.
    """
    needed, found = _read(study, store)
    paths: dict[str, str] = {}
    names = {taken}
    for path in found:
        name = _name(path, document, names)
        names.add(name)
        paths[str(path)] = name
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place / name)
    absent = needed - set(found.values())
    lines = [
        f"a file that the trials read is no longer where it was and is left out: SHA-256 {digest}"
        for digest in sorted(absent)
    ]
    changed = _changed(dict(document), paths)
    return changed, lines


def _read(study: StudyRecord, store: Store) -> tuple[set[str], dict[Path, str]]:
    """Digests of the files that finished trials have read; and the paths where these contents still are."""
    needed: set[str] = set()
    tried: dict[str, str | None] = {}
    for trial in study.trials:
        if store.status(trial) != "finished":
            continue
        digests = set(_digests(store.identity(trial)))
        needed |= digests
        for text in _texts(store.settings(trial)) if digests else ():
            if text not in tried:
                tried[text] = _digest(text)
    found = {Path(text): digest for text, digest in tried.items() if digest in needed and digest is not None}
    return needed, found


def _digests(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.keys() == {"sha256"} and isinstance(value["sha256"], str):
            yield value["sha256"]
        else:
            for inner in value.values():
                yield from _digests(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _digests(inner)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _digest(text: str) -> str | None:
    """The digest of a file's content; None if the text is no absolute path of a file that can be read."""
    try:
        path = Path(text)
        if not path.is_absolute() or not path.is_file():
            return None
        return content_of(path)["sha256"]
    except (OSError, ValueError):  # no such name, or no permission: the file is reported as absent
        return None


def _is(path: str, text: str) -> bool:
    """Whether a text of the document is this absolute path, or relative to a folder above it."""
    parts = Path(text).parts if text and "\0" not in text else ()
    return bool(parts) and Path(path).parts[-len(parts) :] == parts


def _name(path: Path, document: Mapping[str, Any], names: set[str]) -> str:
    """Where a file goes, relative to the study file."""
    for text in _texts(document):
        inside = Path(text)
        leads_elsewhere = inside.is_absolute() or ".." in inside.parts
        if _is(str(path), text) and not leads_elsewhere and inside.as_posix() not in names:
            return inside.as_posix()
    name, number = f"{OTHERS}/{path.name}", 1
    while name in names:
        number += 1
        name = f"{OTHERS}/{path.stem}-{number}{path.suffix}"
    return name


def _changed(value: Any, paths: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _changed(inner, paths) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_changed(inner, paths) for inner in value]
    if isinstance(value, str):
        for path, name in paths.items():
            if _is(path, value) and Path(value).as_posix() != name:
                return name
    return value
