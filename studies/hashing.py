"""The name of a trial: a hash of everything that decides its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FORMAT = 1
"""Part of every hash; to be raised when the same specification starts to mean something else."""

LENGTH = 16
"""Hexadecimal digits kept: two of a million trials collide with probability 3e-8."""


def canonical(spec: Mapping[str, Any]) -> str:
    """JSON that does not depend on the order of keys. ValueError for infinities and not-a-numbers."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(spec: Mapping[str, Any], files: Mapping[str, Path]) -> str:
    """The hash of a resolved specification with all its defaults filled in.

    Args:
        spec: plain data, keys to values.
        files: dotted path in ``spec`` -> file it names. Files count by content, wherever they lie.
    """
    content = json.loads(canonical({"format": FORMAT, **spec}))
    for path, file in files.items():
        *outer, last = path.split(".")
        inner = content
        for key in outer:
            inner = inner[key]
        inner[last] = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:LENGTH]
