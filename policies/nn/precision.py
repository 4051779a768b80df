"""Device and precision of stored numbers and of products."""

import time
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Device = Literal["cpu", "cuda"]
PrecisionName = Literal["float64", "float32", "bfloat16-matmul"]


@dataclass(frozen=True)
class Precision:
    """Type and device of every tensor of a learner."""

    device: torch.device
    dtype: torch.dtype
    """Type of parameters, gradients, advantages and signals."""
    products: torch.dtype
    """Type of the activations in the products of natural-gradient solves."""

    @classmethod
    def of(cls, device: Device, precision: PrecisionName) -> "Precision":
        """The device and types that these settings name.

        Raises:
            ValueError: this machine has no such device.
        """
        require(device)
        return cls(torch.device(device), *cls.dtypes(precision))

    @staticmethod
    def dtypes(precision: PrecisionName) -> tuple[torch.dtype, torch.dtype]:
        """(dtype, products) of a precision."""
        dtype = torch.float64 if precision == "float64" else torch.float32
        return dtype, torch.bfloat16 if precision == "bfloat16-matmul" else dtype

    def tensor(self, array: np.ndarray) -> Tensor:
        """A tensor of real numbers, in the type of parameters."""
        return self.place(array).to(self.dtype)

    def place(self, array: np.ndarray) -> Tensor:
        """A tensor of anything else, in its own type."""
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def require(device: Device) -> None:
    """Raise ValueError if this machine has no such device."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device 'cuda': torch finds no CUDA device on this machine; use 'cpu'")


@cache
def bfloat16_cost() -> float:
    """Time of a product in bfloat16 on this processor, relative to float32.

    Measured, in a few hundredths of a second: below 1 where there are instructions for it, otherwise 10 to
    30.
    """

    def seconds(kind: torch.dtype) -> float:
        left, right = torch.ones(128, 128, dtype=kind), torch.ones(128, 2048, dtype=kind)
        best = float("inf")
        for _ in range(3):
            begun = time.perf_counter()
            torch.mm(left, right)
            best = min(best, time.perf_counter() - begun)
        return best

    return seconds(torch.bfloat16) / seconds(torch.float32)
