"""Whether agents have learnt numbers: what overflows on the way must not end as a result."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from policies.algorithms.learner import Learner
from policies.batch import Batch


def check_models(learner: Learner, batch: Batch, environment: str) -> None:
    """Look at all that a learner holds after it has learnt from a batch.

    Args:
        learner: any; its state is plain data, arrays and tensors.
        batch: what it has learnt from.
        environment: its name.

    Raises:
        FloatingPointError: something is not finite; one line, with the largest numbers of the batch, which
            are usually why.
    """
    for name, array in _arrays(learner.state_dict(), ""):
        if not np.isfinite(array).all():
            observations, rewards = np.abs(batch.observations), np.abs(batch.rewards)
            step, row, agent, _ = np.unravel_index(observations.argmax(), observations.shape)
            paid_step, paid_row, paid = np.unravel_index(rewards.argmax(), rewards.shape)
            raise FloatingPointError(
                f"{environment}: {name} is not finite any more after learning from a batch whose largest"
                f" observation is {observations.max():g} (of agent {agent}, in row {row}, at step {step} of"
                f" the batch) and whose largest reward is {rewards.max():g} (of agent {paid}, in row"
                f" {paid_row}, at step {paid_step})"
            )


def _arrays(state: object, name: str) -> Iterator[tuple[str, np.ndarray]]:
    """The floating-point arrays in nested plain data, with the dotted path of each."""
    if isinstance(state, torch.Tensor):
        state = state.detach().cpu().numpy()
    if isinstance(state, Mapping):
        for key, part in state.items():
            yield from _arrays(part, f"{name}.{key}" if name else f"{key}")
    elif isinstance(state, list | tuple):
        for index, part in enumerate(state):
            yield from _arrays(part, f"{name}.{index}")
    elif isinstance(state, float | np.ndarray | np.floating):
        array = np.asarray(state)
        if array.dtype.kind == "f":
            yield name, array
