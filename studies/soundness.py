"""Whether the folder of a stored trial holds what was written into it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from testbed import checkpoints
from testbed.identity import digest

STATUS = "status.json"
NEEDED = ("spec.json", "versions.json", "timings.json", "metrics.parquet")
"""What a finished trial has, whatever else."""


class Damage(ValueError):
    """The folder of a trial cannot be used; one line that names the file and what is wrong with it."""


def read_json(file: Path) -> dict[str, Any]:
    """The mapping in a JSON file. Raises Damage if there is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Damage(f"{file.name}: {_missing(file, error)}") from error
    except ValueError as error:  # not UTF-8, or not JSON
        raise Damage(f"{file.name}: {'is empty' if not file.stat().st_size else 'is not JSON'}") from error
    if not isinstance(found, dict):
        raise Damage(f"{file.name}: is not a mapping of keys to values")
    return found


def sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file in a folder, for its ``status.json``."""
    return {file.name: _sum(file) for file in sorted(folder.iterdir()) if file.name != STATUS}


def status(folder: Path, name: str) -> str:
    """``finished`` or ``failed``.

    Args:
        folder: of a trial.
        name: the trial's.

    Raises:
        Damage: a file is missing or not what was written, or the folder is that of another trial.
    """
    if not folder.is_dir():
        raise Damage("is a file, where a folder should be")
    found = read_json(folder / STATUS)
    said = found.get("status")
    if said not in ("finished", "failed"):
        raise Damage(f"{STATUS}: says neither finished nor failed")
    if said == "finished":
        written = found.get("files")
        if isinstance(written, dict):
            for file, expected in written.items():
                _compare(folder / file, expected)
        else:  # written before sums were kept
            _open(folder)
    if (folder / "spec.json").exists():
        _check_owner(folder, name)
    return str(said)


def _compare(file: Path, expected: object) -> None:
    if _sum(file) != expected:
        empty = not file.stat().st_size
        raise Damage(
            f"{file.name}: is {'empty' if empty else 'not what was written (its checksum is wrong)'}"
        )


def _open(folder: Path) -> None:
    for file in NEEDED:
        if not (folder / file).is_file():
            raise Damage(f"{file}: is missing")
    for path in sorted(folder.iterdir()):
        if path.suffix == ".json":
            read_json(path)
        elif path.suffix == ".parquet":
            try:
                pq.ParquetFile(path).read(use_threads=False)
            except (OSError, pa.ArrowException) as error:
                raise Damage(f"{path.name}: cannot be read as a table") from error
        elif path.name == "models.pt":
            try:
                checkpoints.check(path)
            except checkpoints.DamagedError as error:
                raise Damage(f"{path.name}: is damaged") from error


def _check_owner(folder: Path, name: str) -> None:
    identity = read_json(folder / "spec.json").get("identity")
    if identity is None:
        return  # of a format in which trials did not say what their names are made of
    if not isinstance(identity, dict) or (other := digest(identity)) != name:
        whose = f"trial {other}" if isinstance(identity, dict) else "no trial"
        raise Damage(f"spec.json: is that of {whose}: the folder has been replaced")


def _sum(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise Damage(f"{file.name}: {_missing(file, error)}") from error


def _missing(file: Path, error: OSError) -> str:
    return "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
