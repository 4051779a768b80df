"""Private copies of a trial's files, so that they cannot change while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel

from studies.spec.document import StudyError
from studies.spec.study import TrialSpec


@contextmanager
def frozen(trial: TrialSpec) -> Iterator[TrialSpec]:
    """The trial with copies of the files it names, whose contents are those its name was derived from.

    Each file is read once, and those bytes are both compared and copied, so nothing can change in between.

    Raises:
        StudyError: a file cannot be read, or has changed; one line that names it.
    """
    if not trial.contents:
        yield trial
        return
    with TemporaryDirectory(prefix="testbed-") as folder:
        copies: dict[str, str] = {}
        for number, (name, content) in enumerate(trial.contents.items()):
            copy = Path(folder, str(number), Path(name).name)
            copy.parent.mkdir()
            copy.write_bytes(_read(Path(name), content["sha256"]))
            copies[name] = str(copy)
        yield replace(
            trial,
            settings=_moved(trial.settings, copies),
            topology=_moved(trial.topology, copies),
            contents={copies[name]: content for name, content in trial.contents.items()},
        )


def _read(file: Path, expected: str) -> bytes:
    try:
        found = file.read_bytes()
    except OSError as error:
        raise StudyError(f"{file}: can no longer be read: {error.strerror}") from error
    if sha256(found).hexdigest() != expected:
        raise StudyError(f"{file}: has changed since the study was checked; run the study again")
    return found


def _moved(value: Any, places: Mapping[str, str]) -> Any:
    """Settings with paths replaced; the same objects where nothing changes."""
    if isinstance(value, BaseModel):
        inner = {name: getattr(value, name) for name in type(value).model_fields}
        changed = {name: new for name, old in inner.items() if (new := _moved(old, places)) is not old}
        return value.model_copy(update=changed) if changed else value
    if isinstance(value, Mapping):
        moved = {key: _moved(old, places) for key, old in value.items()}
        return moved if any(moved[key] is not old for key, old in value.items()) else value
    if isinstance(value, tuple):
        items = tuple(_moved(old, places) for old in value)
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if isinstance(value, str | Path) and str(value) in places:
        return type(value)(places[str(value)])
    return value
