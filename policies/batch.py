"""One batch of joint experience: what every algorithm learns from."""

import os
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Batch:
    """T steps of B parallel episodes of N agents; every array leads with [T, B, N].

    Each agent keeps its own observations and its own private reward, and sees the joint action.
    """

    observations: np.ndarray  # [T, B, N, d] float32, zero-padded to the widest agent
    next_observations: np.ndarray  # [T, B, N, d] what each step led to, before any reset
    actions: np.ndarray  # [T, B, N] int64
    rewards: np.ndarray  # [T, B, N] float64
    terminations: np.ndarray  # [T, B, N] bool: the task ended
    boundaries: np.ndarray  # [T, B, N] bool: the episode ended, by the task or by its time limit
    masks: np.ndarray | None = None  # [T, B, N, A] bool: available actions; None when all always are

    @property
    def samples(self) -> int:
        """M = T * B, the number of joint samples."""
        return int(self.rewards.shape[0] * self.rewards.shape[1])

    @property
    def agents(self) -> int:
        """N."""
        return int(self.rewards.shape[2])

    @property
    def flat_masks(self) -> np.ndarray | None:
        """Available actions by joint sample, [M, N, A]; None when all always are."""
        return None if self.masks is None else self.masks.reshape(-1, *self.masks.shape[2:])

    def save(self, path: Path) -> None:
        """Write the batch as a compressed .npz of plain arrays."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        beside = path.with_name(path.name + ".part")
        try:
            with beside.open("wb") as file:
                np.savez_compressed(file, **arrays)
                file.flush()
                os.fsync(file.fileno())  # else a power cut may leave the new name with nothing behind it
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> "Batch":
        """Read what ``save`` wrote.

        Raises:
            ValueError: the file is missing, is no batch, or its arrays disagree in shape.
        """
        if not path.is_file():
            raise ValueError(f"batch: {path} is no file")
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            batch = cls(**arrays)
        except (TypeError, ValueError, OSError) as error:
            raise ValueError(f"batch: {path} holds no stored batch ({error})") from error
        lead = batch.rewards.shape
        for field in fields(batch):
            array = getattr(batch, field.name)
            if array is not None and array.shape[:3] != lead:
                raise ValueError(f"batch: {path}: {field.name} leads with {array.shape[:3]}, rewards {lead}")
        return batch
