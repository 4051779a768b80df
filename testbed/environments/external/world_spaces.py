"""Conversion between the spaces of a PettingZoo world and the arrays of batched environments."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete, Space
from numpy.typing import NDArray

from testbed.environments.action_spaces import ActionSpaces, BoxSpaces, DiscreteSpaces, MultiDiscreteSpaces

OBSERVED = (Box, Discrete, MultiDiscrete)
"""Spaces of observations that can be shown to a network."""

ACTIONS = "Discrete, MultiDiscrete or Box of floating-point numbers"
"""The action spaces that learners know, for messages."""


def text(space: "Space[Any]") -> str:
    """A space in one line."""
    return " ".join(str(space).split())


def observation_size(space: "Space[Any]") -> int:
    """Numbers of an observation as networks see it; Discrete and MultiDiscrete are one-hot."""
    if isinstance(space, Discrete):
        return int(space.n)
    return int(space.nvec.sum()) if isinstance(space, MultiDiscrete) else math.prod(space.shape or ())


def one_hot(space: "Space[Any]", seen: NDArray[Any]) -> NDArray[np.float32] | None:
    """An observation in Discrete or MultiDiscrete as Gymnasium's `flatten` has it; None: not in its space."""
    if seen.dtype.kind not in "iu":
        return None
    counts = np.atleast_1d(space.n if isinstance(space, Discrete) else space.nvec).reshape(-1)  # type: ignore[attr-defined]
    if seen.size != counts.size:
        return None
    number = seen.reshape(-1) - np.reshape(space.start, -1)  # type: ignore[attr-defined]
    if (number < 0).any() or (number >= counts).any():
        return None
    flat = np.zeros(int(counts.sum()), dtype=np.float32)
    flat[np.cumsum(counts) - counts + number] = 1
    return flat


def action_spaces(agents: Sequence[Any], spaces: Sequence["Space[Any]"]) -> ActionSpaces:
    """The action spaces of a world's agents.

    Raises:
        ValueError: one line, when learners do not support a space, or agents have different kinds.
    """
    kinds = [_kind(space) for space in spaces]
    for agent, space, kind in zip(agents, spaces, kinds, strict=True):
        if kind is None:
            raise ValueError(f"agent {agent!r} acts in {text(space)}, must act in {ACTIONS}")
        if kind is not kinds[0]:
            raise ValueError(
                f"agent {agent!r} acts in {text(space)} and agent {agents[0]!r} in {text(spaces[0])}; "
                "all agents must have the same kind of action space"
            )
    given: Any = spaces
    if kinds[0] is Discrete:
        return DiscreteSpaces([int(space.n) for space in given])
    if kinds[0] is MultiDiscrete:
        return MultiDiscreteSpaces([space.nvec.reshape(-1).tolist() for space in given])
    return BoxSpaces(
        [space.low.reshape(-1) for space in given],
        [space.high.reshape(-1) for space in given],
    )


def _kind(space: "Space[Any]") -> type | None:
    if isinstance(space, Box):
        return Box if np.issubdtype(space.dtype, np.floating) and observation_size(space) else None
    return next((kind for kind in (Discrete, MultiDiscrete) if isinstance(space, kind)), None)


def first_action(space: "Space[Any]") -> Any:
    """The action played for an agent that waits: the first one, or the numbers of a Box nearest to 0."""
    if isinstance(space, Discrete):
        return int(space.start)
    if isinstance(space, MultiDiscrete):
        return np.array(space.start, dtype=space.dtype)
    box: Any = space
    return np.clip(np.zeros(box.shape, dtype=box.dtype), box.low, box.high)


def to_world(space: "Space[Any]", action: Any) -> Any:
    """An action as the world has it: in the type and shape of its space, counted from its `start`."""
    if isinstance(space, Discrete):
        return int(action) + int(space.start)
    shape: tuple[int, ...] = space.shape or ()
    own = np.asarray(action[: math.prod(shape)], dtype=space.dtype).reshape(shape)
    return own + space.start if isinstance(space, MultiDiscrete) else own
