"""Checkpoints without pickle: nested dictionaries of arrays, tensors and plain values in one file."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

FORMAT = 1


class CheckpointError(ValueError):
    """A checkpoint that cannot be used, with the reason in one line."""


def save(path: Path, state: dict[str, Any], identity: str) -> None:
    """Write ``state`` beside ``path`` and rename; ``identity`` says whose state it is."""
    beside = path.with_name(path.name + ".part")
    torch.save({"format": FORMAT, "identity": identity, "state": _to_tensors(state)}, beside)
    beside.replace(path)


def load(path: Path, identity: str | None) -> dict[str, Any]:
    """Read what ``save`` wrote for the same ``identity``, or for any if None; arrays come back as arrays.

    Raises:
        CheckpointError: the file is missing or damaged, of another format, or belongs to another trial.
    """
    try:
        stored = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises a different type for every kind of damage
        raise CheckpointError(f"checkpoint: {path} cannot be read ({type(error).__name__})") from error
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        raise CheckpointError(f"checkpoint: {path} is not of format {FORMAT}")
    if identity is not None and stored["identity"] != identity:
        raise CheckpointError(f"checkpoint: {path} belongs to a trial with other settings or another seed")
    state: dict[str, Any] = _to_arrays(stored["state"])
    return state


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
