"""Checkpoints without pickle: nested dictionaries of arrays, tensors and plain values in one file.

A file is a line that says what it is, the SHA-256 of the rest, and the rest: what torch writes of tensors and
plain values. Torch alone reads damaged numbers without a word.
"""

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from testbed.common.atomic_files import atomic_write

MAGIC = b"consensus-testbed checkpoint 2\n"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used, with the reason in one line."""


class DamagedError(CheckpointError):
    """A checkpoint that is missing, or not what was written."""


def save(path: Path, state: dict[str, Any], identity: str) -> None:
    """Write ``state`` beside ``path`` and rename; ``identity`` says whose state it is."""
    with atomic_write(path) as part:
        _write(part, state, identity)


def keep(path: Path, state: dict[str, Any], identity: str) -> None:
    """Like ``save``, and what was there before stays for ``resume``, in case that the new one is damaged."""
    with atomic_write(path, part=_part(path), previous=_before(path)) as part:
        _write(part, state, identity)


def check(path: Path) -> None:
    """Raise DamagedError if a file is missing, damaged, or no checkpoint of this version."""
    _payload(path)


def load(path: Path, identity: str | None) -> dict[str, Any]:
    """Read what ``save`` wrote for the same ``identity``, or for any if None; arrays come back as arrays.

    Raises:
        DamagedError: the file is missing, damaged, or no checkpoint of this version.
        CheckpointError: it belongs to another trial.
    """
    stored = torch.load(io.BytesIO(_payload(path)), weights_only=True, map_location="cpu")
    if identity is not None and stored["identity"] != identity:
        raise CheckpointError(f"checkpoint: {path} belongs to a trial with other settings or another seed")
    state: dict[str, Any] = _to_arrays(stored["state"])
    return state


def resume(path: Path, identity: str) -> dict[str, Any] | None:
    """The last state that ``keep`` wrote; None if there is none.

    If the last one is damaged, that is the one before, with a warning.

    Raises:
        CheckpointError: there is no other, or it is damaged as well; or they belong to another trial.
    """
    there = [file for file in (path, _before(path)) if file.exists()]
    if not there:
        return None
    try:
        return load(there[0], identity)
    except DamagedError as error:
        if len(there) < 2:
            raise CheckpointError(
                f"{error}, and there is no earlier one: remove it to start again"
            ) from error
        state = load(there[1], identity)
        warnings.warn(f"{error}; continuing from the one before", stacklevel=2)
        return state


def remove(path: Path) -> None:
    """Remove what ``keep`` wrote."""
    for file in (path, _before(path), _part(path)):
        file.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    """A name that does not depend on the process, so that ``remove`` finds what a killed one has left."""
    return path.with_name(path.name + ".part")


def _before(path: Path) -> Path:
    return path.with_name(path.name + ".before")


def _payload(path: Path) -> bytes:
    try:
        written = path.read_bytes()
    except OSError as error:
        raise DamagedError(f"checkpoint: {path} cannot be read ({type(error).__name__})") from error
    start = len(MAGIC) + hashlib.sha256().digest_size
    if not written.startswith(MAGIC):
        raise DamagedError(f"checkpoint: {path} cannot be read (not a checkpoint, or of another version)")
    if hashlib.sha256(written[start:]).digest() != written[len(MAGIC) : start]:
        raise DamagedError(f"checkpoint: {path} cannot be read (damaged: its checksum is wrong)")
    return written[start:]


def _write(path: Path, state: dict[str, Any], identity: str) -> None:
    payload = io.BytesIO()
    torch.save({"identity": identity, "state": _to_tensors(state)}, payload)
    with path.open("wb") as file:
        file.write(MAGIC + hashlib.sha256(payload.getbuffer()).digest())
        file.write(payload.getbuffer())


_ARRAY = "numpy"


def _to_tensors(value: Any) -> Any:
    """Mark arrays, so that they can be told from tensors on the way back."""
    if isinstance(value, np.ndarray):
        return {_ARRAY: torch.from_numpy(np.ascontiguousarray(value))}
    if isinstance(value, dict):
        return {key: _to_tensors(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_tensors(item) for item in value]
    return value


def _to_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return value[_ARRAY].numpy()
        return {key: _to_arrays(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_to_arrays(item) for item in value]
    return value
