"""Generalised advantage estimation with correct bootstrapping at time limits."""

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


def explained_variance(targets: np.ndarray, predictions: np.ndarray, axis: int = 0) -> np.ndarray:
    """1 - Var(targets - predictions) / Var(targets) along ``axis``; nan where the targets are constant."""
    spread = targets.var(axis=axis)
    unexplained = (targets - predictions).var(axis=axis)
    share: np.ndarray = np.where(spread > 0, 1 - unexplained / np.where(spread > 0, spread, 1), np.nan)
    return share
