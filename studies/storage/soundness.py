"""Integrity checks of a stored trial's folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

from studies.spec.manifest import MODELS_FILE, TrialRecord
from studies.storage.same_trial import check_settings
from studies.storage.stored_files import Damage, check_table, missing, read_json
from testbed.common import checkpoints
from testbed.identity import FORMAT, digest

STATUS = "status.json"
NEEDED = ("spec.json", "versions.json", "timings.json", "metrics.parquet")
"""Files that every finished trial has."""


def sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file in a folder, for its ``status.json``."""
    return {file.name: _sum(file) for file in sorted(folder.iterdir()) if file.name != STATUS}


def status(folder: Path, trial: TrialRecord) -> str:
    """The status of an intact trial folder: ``finished`` or ``failed``.

    Args:
        folder: the trial's folder.
        trial: the trial it should belong to.

    Raises:
        Damage: a file is missing or has changed, or the folder belongs to another trial.
    """
    if not folder.is_dir():
        raise Damage("is a file, must be a folder")
    found = read_json(folder / STATUS)
    if found["status"] == "finished":
        written = found.get("files")
        if written is not None:
            _compare(folder, written)
        elif trial.names >= FORMAT:
            raise Damage(f"{STATUS}: has no checksums of the other files")
        _open(folder)  # correct checksums do not say who wrote the files
    if found["status"] == "finished" or (folder / "spec.json").exists():
        _check_owner(folder, trial)
    return str(found["status"])


def _compare(folder: Path, written: dict[str, str]) -> None:
    """Checks that the folder has exactly the files that were written, as far as they are read."""
    there = {file.name for file in folder.iterdir()}
    for name in (*written, *NEEDED):
        if name not in there:
            raise Damage(f"{_shown(name)}: is missing")
        if name not in written:
            raise Damage(f"{STATUS}: has no checksum of {name}")
        file = folder / name
        if _sum(file) != written[name]:
            empty = not file.stat().st_size
            raise Damage(f"{name}: is {'empty' if empty else 'not what was written (its checksum is wrong)'}")
    for name in sorted(there - written.keys()):
        if name.endswith(".parquet") or name == MODELS_FILE:
            raise Damage(f"{name}: is not among the files that were written")


def _shown(name: str) -> str:
    return name if name.isprintable() else repr(name)


def _open(folder: Path) -> None:
    for name in NEEDED:
        if not (folder / name).is_file():
            raise Damage(f"{name}: is missing")
    for path in sorted(folder.iterdir()):
        if path.suffix == ".json":
            read_json(path)
        elif path.suffix == ".parquet":
            check_table(path)
        elif path.name == MODELS_FILE:
            try:
                checkpoints.check(path)
            except checkpoints.DamagedError as error:
                raise Damage(f"{path.name}: is damaged") from error


def _check_owner(folder: Path, trial: TrialRecord) -> None:
    spec = read_json(folder / "spec.json")
    if spec["workload"] != trial.workload:
        raise Damage(f"spec.json: workload: is {spec['workload']!r}, but the study's is {trial.workload!r}")
    identity = spec.pop("identity", None)
    if identity is None:
        if trial.names >= FORMAT:
            raise Damage("spec.json: identity: is missing")
        return  # an older format, in which trials did not record what their names are derived from
    try:
        other = digest(identity)
    except ValueError as error:  # an infinity
        raise Damage("spec.json: identity: has a number that is not finite") from error
    if other != trial.hash:
        raise Damage(f"spec.json: belongs to trial {other}: the folder has been replaced")
    check_settings(spec, identity, trial.varied)


def _sum(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise Damage(f"{file.name}: {missing(file, error)}") from error
