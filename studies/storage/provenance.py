"""Which code made a result."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = ("consensus-testbed", "torch", "numpy", "networkx", "simpy", "pandas", "pyarrow")

OWN = ("consensus-testbed", "commit")
"""The entries of the versions that describe this package."""

THIS_PROCESS = (*PACKAGES, "python", "platform", "commit")
"""All entries that :func:`versions` may have; others are of programs that a trial started, such as a game."""


def versions() -> dict[str, str]:
    """Versions of Python and of the dependencies, and the commit (``-dirty`` if files had changed).

    The commit is left out when the package does not run from a checkout.
    """
    found = {"python": platform.python_version(), "platform": platform.platform()}
    found |= {package: metadata.version(package) for package in PACKAGES}
    commit = _commit(Path(__file__).resolve())
    return {**found, **({"commit": commit} if commit else {})}


def _commit(file: Path) -> str | None:
    # The package may be installed inside somebody else's repository: only a tracked file counts.
    if _git(file.parent, "ls-files", "--error-unmatch", file.name) is None:
        return None
    commit = _git(file.parent, "rev-parse", "HEAD")
    if commit is None:
        return None
    return f"{commit}-dirty" if _git(file.parent, "status", "--porcelain", "--untracked-files=no") else commit


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        command = ["git", "-C", str(folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (fixed words)
    except FileNotFoundError:  # git is not installed
        return None
    return done.stdout.strip() if done.returncode == 0 else None
