"""Folders, .zip and .tar.gz files with the same bytes for the same files, whoever makes them and when."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
import zipfile
from pathlib import Path

from studies.spec.document import StudyError
from testbed.common.atomic_files import atomic_write, settle_all

SUMS = "SHA256SUMS"
"""The checksums of all other files, for ``sha256sum --check``."""

ZIP, TAR = (".zip",), (".tar.gz", ".tgz")
OTHERS = (".tar", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a .zip file can hold."""


def check(target: Path, option: str, *, force: bool) -> None:
    """Raises StudyError if the target is unsuitable, or exists and may not be replaced; one line."""
    name = target.name.lower()
    packed = name.endswith((*ZIP, *TAR))
    if not packed and name.endswith(OTHERS):
        raise StudyError(
            f"{option} {target}: cannot write this format; must be a folder, or end in"
            f" {', '.join((*ZIP, *TAR))}"
        )
    if target.is_symlink():
        raise StudyError(f"{option} {target}: is a link; choose another name")
    if not target.exists():
        return
    if packed:
        if target.is_dir():
            raise StudyError(f"{option} {target}: is a folder; choose another name")
        if not force:
            raise StudyError(f"{option} {target}: already exists; choose another name, or add --force")
    elif not target.is_dir():
        raise StudyError(f"{option} {target}: is a file; choose another name")
    elif any(target.iterdir()):
        if not force:
            raise StudyError(f"{option} {target}: is not empty; choose another name, or add --force")
        if (other := _other(target)) is not None:
            raise StudyError(
                f"{option} {target}: --force replaces only an unchanged earlier archive, and"
                f" {other}: choose another name"
            )


def _other(folder: Path) -> str | None:
    """The first sign that a folder is not an archive as it was written; None if it is one."""
    if not (folder / SUMS).is_file():
        return f"this one has no {SUMS}"
    lines = (folder / SUMS).read_text("utf-8", errors="replace").splitlines()
    known = {name: checksum for checksum, gap, name in (line.partition("  ") for line in lines) if gap}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_symlink():
            return f"{name} is a link"
        if file.is_file() and name != SUMS and known.get(name) != _sum(file):
            return f"{name} is {'changed' if name in known else 'not part of one'}"
    return None


def stem(target: Path) -> str:
    """The name of the folder inside an archive: the target's without its ending."""
    for ending in (*ZIP, *TAR):
        if target.name.lower().endswith(ending):
            return target.name[: -len(ending)] or "results"
    return target.name


def write_sums(folder: Path) -> None:
    """Writes the checksums of all files in a folder."""
    lines = [f"{_sum(file)}  {file.relative_to(folder).as_posix()}\n" for file in files(folder)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


def _sum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def files(folder: Path) -> list[Path]:
    """All files in a folder and its subfolders, in a fixed order."""
    return sorted((file for file in folder.rglob("*") if file.is_file()), key=lambda file: file.as_posix())


def put(made: Path, target: Path) -> None:
    """Moves or packs a finished folder to the target, which appears whole or not at all.

    Raises:
        OSError: it cannot be written; the target is then as it was.
    """
    if target.name.lower().endswith(ZIP):
        with atomic_write(target) as part:
            _zip(made, part)
    elif target.name.lower().endswith(TAR):
        with atomic_write(target) as part:
            _tar(made, part)
    else:
        for folder in [made, *(place for place in made.rglob("*") if place.is_dir())]:
            settle_all(folder)
        if target.exists():  # empty, or an earlier archive
            aside = made.with_name(f"{made.name}.replaced")
            target.rename(aside)
            made.rename(target)
            shutil.rmtree(aside)
        else:
            made.rename(target)


def _zip(made: Path, part: Path) -> None:
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files(made):
            entry = zipfile.ZipInfo(f"{made.name}/{file.relative_to(made).as_posix()}", EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            entry.create_system = 3  # Unix, wherever it is made
            archive.writestr(entry, file.read_bytes())


def _tar(made: Path, part: Path) -> None:
    with (
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for file in files(made):
            entry = tarfile.TarInfo(f"{made.name}/{file.relative_to(made).as_posix()}")
            entry.size, entry.mode = file.stat().st_size, 0o644
            with file.open("rb") as opened:
                archive.addfile(entry, opened)
