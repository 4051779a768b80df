"""Masks of available actions; unavailable ones are refused, or replaced."""

import numpy as np
from numpy.typing import NDArray

Actions = NDArray[np.integer]
Masks = NDArray[np.bool_]


def _wrong(actions: Actions, masks: Masks) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = np.take_along_axis(masks, actions[..., None].astype(np.intp), axis=2)[..., 0]
    return ~chosen


def uniform(masks: Masks, generator: np.random.Generator) -> NDArray[np.int64]:
    """A uniformly random available action for every agent, [batch, agent]."""
    counts = masks.cumsum(axis=2)
    number = generator.integers(1, counts[..., -1:], endpoint=True)
    return np.asarray((counts >= number).argmax(axis=2))


def refuse_unavailable(actions: Actions, masks: Masks) -> None:
    """Raise ValueError, naming the first, if any of the actions [batch, agent] is not available."""
    wrong = _wrong(actions, masks)
    if wrong.any():
        row, agent = np.argwhere(wrong)[0]
        choice = ", ".join(map(str, np.flatnonzero(masks[row, agent])))
        raise ValueError(
            f"actions: got {actions[row, agent]} for agent {agent} in row {row}, must be one of {choice}"
        )


def replace_unavailable(actions: Actions, masks: Masks, generator: np.random.Generator) -> Actions:
    """The actions [batch, agent], each unavailable one replaced by an available one, all equally likely."""
    wrong = _wrong(actions, masks)
    if not wrong.any():
        return actions
    choices = masks[wrong].cumsum(axis=1)  # [replaced, action]
    number = generator.integers(1, choices[:, -1], endpoint=True)
    replaced = actions.astype(np.int64)
    replaced[wrong] = (choices >= number[:, None]).argmax(axis=1)
    return replaced
