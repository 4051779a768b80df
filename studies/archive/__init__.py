"""A study's results as an archive to share: ``testbed export``.

``contents`` writes the files, ``readme`` the page that explains them, ``inputs`` finds the files that the
study names, and ``packing`` puts everything into a folder, a ``.zip`` or a ``.tar.gz``.
"""

from __future__ import annotations

import tempfile
import warnings
from os import PathLike
from pathlib import Path

from studies.archive import contents, packing
from studies.spec.document import StudyError
from studies.storage.store import Store

__all__ = ["export", "write"]


def write(folder: Path, target: Path, *, force: bool = False, option: str = "DIR") -> list[str]:
    """Writes the archive of a results folder; the same results give the same bytes.

    Args:
        folder: the results folder.
        target: a folder, or a file ending in ``.zip``, ``.tar.gz`` or ``.tgz``.
        force: whether an existing file, or a folder that is an earlier archive as it was written, is
            replaced.
        option: what names the target, for messages.

    Returns:
        Warnings for the user, one line each.

    Raises:
        StudyError: there are no results, a link leads out of the folder, or the target may not be replaced or
            cannot be written; one line.
    """
    packing.check(target, option, force=force)
    contents.check_links(folder)
    store = Store(folder)
    study = store.study()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as place:
        made = Path(place) / packing.stem(target)
        made.mkdir()
        lines = contents.write(study, store, made)
        packing.put(made, target)
    return lines


def export(folder: object, target: str | PathLike[str], *, force: bool = False) -> Path:
    """Writes results as an archive to share, as ``testbed export`` does; see :func:`write`.

    Args:
        folder: results (:class:`studies.api.Results`), or their folder.
        target: a folder, or a file ending in ``.zip``, ``.tar.gz`` or ``.tgz``.
        force: whether an earlier archive is replaced.

    Returns:
        The target.

    Raises:
        StudyError: see :func:`write`. (A ValueError.)
    """
    source, place = _path("folder", getattr(folder, "folder", folder)), _path("target", target)
    for line in write(source, place, force=force, option="target"):
        warnings.warn(line, stacklevel=2)
    return place


def _path(name: str, given: object) -> Path:
    if not isinstance(given, str | PathLike):
        raise StudyError(f"{name}: got {type(given).__name__}, must be a path")
    return Path(given)
