"""PyTorch's optimisers without its compiler, which they would import: a second, and 40 MiB in each process.

Methods of ``torch.optim`` are decorated to keep ``torch.compile`` out of them, and the decorators import it
when they are first called. Here nothing is compiled, so these call what is inside: numbers and states are the
same to the bit.
"""

import inspect
from typing import Any

import torch


class _Plain(torch.optim.Optimizer):
    """The methods of every optimiser, undecorated."""

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)


class Adam(_Plain, torch.optim.Adam):
    """:class:`torch.optim.Adam`."""

    _step = staticmethod(inspect.unwrap(torch.optim.Adam.step))

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step by the gradients of the parameters."""
        self._step(self)


class SGD(_Plain, torch.optim.SGD):
    """:class:`torch.optim.SGD`."""

    _step = staticmethod(inspect.unwrap(torch.optim.SGD.step))

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step by the gradients of the parameters."""
        self._step(self)
