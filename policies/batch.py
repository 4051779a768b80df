"""One batch of joint experience, from which every algorithm learns."""

import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from policies.settings import AverageOver

LARGEST = 4 * 2**30
"""Most bytes of a stored batch before compression: more than the largest batch of the paper's tasks."""


class BatchError(ValueError):
    """A stored batch cannot be used; the message is one line.

    Attributes:
        reason: the message without the field at its beginning.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"batch: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Batch:
    """T steps of B parallel episodes of N agents; every array leads with [T, B, N].

    Each agent keeps its own observations and its own private reward, and sees the joint action.
    """

    observations: np.ndarray  # [T, B, N, d] float32, zero-padded to the widest agent
    next_observations: np.ndarray  # [T, B, N, d] state after each step, before any reset
    actions: np.ndarray  # [T, B, N] int64, or [T, B, N, k]: k integers (MultiDiscrete), float32 (Box)
    rewards: np.ndarray  # [T, B, N] float64
    terminations: np.ndarray  # [T, B, N] bool: the task ended
    boundaries: np.ndarray  # [T, B, N] bool: it ended for this agent, by the task or by a time limit
    masks: np.ndarray | None = None  # [T, B, N, A] bool: available entries; None when all always are
    active: np.ndarray | None = None  # [T, B, N] bool: agents in the game; None when all always are

    @property
    def samples(self) -> int:
        """M = T * B, the number of joint samples."""
        return int(self.rewards.shape[0] * self.rewards.shape[1])

    def thinned(self, every: int) -> np.ndarray:
        """Indices among all M of every n-th sample, counted by episode slot and then by time.

        That is the order of MATRPO's authors: all episodes and all their parts are represented.
        """
        steps, slots = self.rewards.shape[:2]
        along: np.ndarray = np.arange(steps * slots).reshape(steps, slots).T.ravel()
        return np.sort(along[::every])

    @property
    def agents(self) -> int:
        """N."""
        return int(self.rewards.shape[2])

    @property
    def flat_actions(self) -> np.ndarray:
        """Actions by joint sample, [M, N] or [M, N, k]."""
        return self.actions.reshape(-1, *self.actions.shape[2:])

    @property
    def flat_masks(self) -> np.ndarray | None:
        """Available entries by joint sample, [M, N, A]; None when all always are.

        An entry is an action (Discrete), a category of one component (MultiDiscrete) or a number of the
        action (Box).
        """
        return None if self.masks is None else self.masks.reshape(-1, *self.masks.shape[2:])

    @property
    def acting(self) -> np.ndarray | None:
        """Which agents could act, by joint sample, bool [M, N]; None when all always could.

        An agent that is out of the game (dead, or over before the others) cannot, and neither can one with a
        single available action: its policy has no choice there. With a Box, it must have a number to choose.
        """
        acting = np.ones((self.samples, self.agents), dtype=bool)
        if self.active is not None:
            acting &= self.active.reshape(acting.shape)
        if self.masks is not None:
            acting &= self.masks.sum(-1).reshape(acting.shape) > self._without_choice
        return None if acting.all() else acting

    @property
    def _without_choice(self) -> int:
        """Available entries of an agent that has no choice: one for each component, or no number."""
        if self.actions.dtype.kind == "f":
            return 0
        return 1 if self.actions.ndim == 3 else self.actions.shape[3]

    def averaged(self, over: AverageOver) -> np.ndarray | None:
        """The samples over which each agent's means are taken, bool [M, N]; None for all."""
        return self.acting if over == "acting" else None

    @property
    def acting_shares(self) -> np.ndarray:
        """Share of each agent's steps at which it could act, [N]."""
        acting = self.acting
        return np.ones(self.agents) if acting is None else acting.mean(axis=0)

    @property
    def acting_share(self) -> float:
        """Share of all agents' steps at which they could act."""
        acting = self.acting
        return 1.0 if acting is None else float(acting.mean())

    def save(self, path: Path) -> None:
        """Write the batch as a compressed .npz of plain arrays."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        beside = path.with_name(path.name + ".part")
        try:
            with beside.open("wb") as file:
                np.savez_compressed(file, **arrays)
                file.flush()
                os.fsync(file.fileno())  # otherwise a power cut may leave an empty file under the new name
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> "Batch":
        """Read a batch that ``save`` wrote.

        Raises:
            BatchError: the file is missing, is not a batch, or its arrays are not those of the class; one
            line.
        """
        if not path.is_file():
            raise BatchError(f"{path} is not a file")
        try:
            with zipfile.ZipFile(path) as archive:  # reading is bounded by the size given here
                size = sum(entry.file_size for entry in archive.infolist())
            if size > LARGEST:
                raise ValueError(f"unpacks to {size:,} bytes, must be at most {LARGEST:,}")
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            batch = cls(**arrays)
        except OSError as error:
            raise BatchError(f"{path} cannot be read ({error.strerror or error})") from error
        # NumPy passes on any exception of the underlying formats: .npy without names, damaged archives, a
        # shape of more numbers than fit in memory.
        except (
            *(TypeError, ValueError, AttributeError, LookupError, SyntaxError, ArithmeticError, MemoryError),
            *(EOFError, NotImplementedError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error),
        ) as error:
            reason = " ".join(str(error).split())[:200]
            raise BatchError(f"{path} is not a stored batch ({reason})") from error
        batch._check(path)
        return batch

    def _check(self, path: Path) -> None:
        """Raise BatchError unless the arrays are those of a batch."""
        lead = self.rewards.shape
        if self.rewards.ndim != 3 or 0 in lead:
            raise BatchError(f"{path}: rewards have shape {lead}, must have [steps, episodes, agents]")
        for field in fields(self):
            array, kinds, further = getattr(self, field.name), *_KINDS[field.name]
            if array is not None and field.name == "actions" and array.ndim == 4:
                kinds, further = "iuf", 1
            if array is None:
                continue
            if array.dtype.kind not in kinds:
                raise BatchError(f"{path}: {field.name} are {array.dtype}, must be {_WORDS[kinds]}")
            if array.shape[:3] != lead:
                raise BatchError(
                    f"{path}: {field.name} begins with {array.shape[:3]}, must begin with {lead}, as rewards"
                )
            if array.ndim != 3 + further:
                raise BatchError(f"{path}: {field.name} has {array.ndim} axes, must have {3 + further}")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise BatchError(f"{path}: {field.name} are not all finite")
        if self.observations.shape != self.next_observations.shape:
            shapes = f"{self.observations.shape} and {self.next_observations.shape}"
            raise BatchError(f"{path}: observations and next_observations differ in shape: {shapes}")


_KINDS: Mapping[str, tuple[str, int]] = {
    "observations": ("f", 1),
    "next_observations": ("f", 1),
    "actions": ("iu", 0),
    "rewards": ("f", 0),
    "terminations": ("b", 0),
    "boundaries": ("b", 0),
    "masks": ("b", 1),
    "active": ("b", 0),
}
"""NumPy's kinds allowed for each array, and the number of axes after [T, B, N]."""

_WORDS = {"f": "floating-point numbers", "iu": "integers", "b": "true or false", "iuf": "numbers"}
