"""Generalised advantage estimation with correct bootstrapping at time limits."""

from typing import Literal

import numpy as np


def gae(
    rewards: np.ndarray,
    values: np.ndarray,
    next_values: np.ndarray,
    terminations: np.ndarray,
    boundaries: np.ndarray,
    *,
    gamma: float,
    lam: float,
) -> np.ndarray:
    """Advantages [T, ...] (Schulman et al. 2016, arXiv 1506.02438, Eq. 16).

    delta_t = r_t + gamma (1 - terminated_t) V(next_t) - V(s_t),
    A_t = delta_t + gamma lam (1 - boundary_t) A_{t+1}.
    ``next_values`` are those of the state each step *led to*, before any reset: an episode cut by its time
    limit (a boundary that is no termination) still bootstraps from there. All arrays are [T, ...];
    ``terminations`` and ``boundaries`` are boolean.
    """
    deltas = rewards + gamma * np.where(terminations, 0.0, next_values) - values
    carry = gamma * lam * ~boundaries
    advantages: np.ndarray = np.empty_like(deltas)
    following = np.zeros_like(deltas[0])
    for t in range(len(deltas) - 1, -1, -1):
        following = deltas[t] + carry[t] * following
        advantages[t] = following
    return advantages


Centre = Literal["per_agent", "shared", "none"]


def normalised(
    advantages: np.ndarray, where: np.ndarray | None, *, centre: Centre, shared: bool
) -> np.ndarray:
    """Advantages [M, G] of unit variance, over all G together if ``shared``, otherwise each.

    ``centre`` subtracts the mean of each of the G, that of all together, or none. Moments are over the
    entries selected by ``where``, all by default.
    """
    if centre != "none":
        advantages = advantages - moments(advantages, 0 if centre == "per_agent" else None, where)[0]
    spread = np.sqrt(moments(advantages, None if shared else 0, where)[1])
    scaled: np.ndarray = advantages / np.where(spread > 1e-8, spread, 1.0)
    return scaled


def explained_variance(
    targets: np.ndarray, predictions: np.ndarray, where: np.ndarray | None = None
) -> np.ndarray:
    """1 - Var(targets - predictions) / Var(targets) over the first axis; nan where the targets are constant.

    Only over the entries selected by ``where``; nan without any.
    """
    spread = moments(targets, 0, where)[1]
    unexplained = moments(targets - predictions, 0, where)[1]
    share: np.ndarray = np.where(spread > 0, 1 - unexplained / np.where(spread > 0, spread, 1), np.nan)
    return share


def returns_vary(rewards: np.ndarray, terminations: np.ndarray) -> np.ndarray:
    """Whether the returns of rewards [T, B, ...] can differ, [...]: whether a critic has variance to explain.

    They cannot where all rewards are the same, unless these are not 0 and some task ended: then its length
    matters. Targets are no test: they contain the errors of a critic, so that they always vary.
    """
    first = rewards[:1, :1]
    constant = np.all(rewards == first, axis=(0, 1))
    lasting = np.any(terminations, axis=(0, 1)) & (first[0, 0] != 0)
    varied: np.ndarray = ~constant | lasting
    return varied


def moments(values: np.ndarray, axis: int | None, where: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance over the entries selected by ``where``, all by default; 0 without any."""
    if where is None:
        return values.mean(axis=axis), values.var(axis=axis)
    count = np.maximum(where.sum(axis=axis), 1)
    mean = np.sum(values, axis=axis, where=where) / count
    return mean, np.sum((values - mean) ** 2, axis=axis, where=where) / count
