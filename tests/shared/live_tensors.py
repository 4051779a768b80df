"""Counts the bytes of the tensors that are alive while code runs, as an allocator of a GPU would see them."""

from __future__ import annotations

from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveTensors(TorchDispatchMode):
    """While it is active, follows every storage that an operation of torch reads or makes.

    Attributes:
        peak: largest number of bytes of storages that were alive at the same time. Tensors that nothing uses
            while the mode is active, and workspaces inside an operation, are not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: nothing is compiled here, and to skip its compiler torch would import it, for five seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        new = False
        for leaf in tree_leaves((args, kwargs, result)):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                known = self._alive.get(storage._cdata)
                if known is None or known[0].expired():
                    self._alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
                    new = True
        if new:
            self._alive = {key: kept for key, kept in self._alive.items() if not kept[0].expired()}
            self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return result
