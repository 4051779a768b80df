"""Statistics over seeds as Agarwal et al. recommend them (2021, arXiv 2108.13264; their library is rliable).

Intervals are 95 % percentile intervals of a stratified bootstrap: runs are drawn again, with replacement,
within each condition. All resamples of a sample are computed at once, from how often each run was drawn. The
draws are fixed, so that the same numbers, in any order, always have the same interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000
PERCENTILES = (2.5, 97.5)

Array = NDArray[np.float64]


class Estimate(NamedTuple):
    """A number with the bounds of its interval, which are nan where there are too few runs for one."""

    value: float
    low: float
    high: float


def interquartile_mean(values: ArrayLike) -> Estimate:
    """Mean of the middle half of the runs: of ``n`` the ``n // 4`` lowest and highest are left out.

    This is rliable's ``aggregate_iqm``. Of fewer than four runs it is the mean.

    Args:
        values: one per run, finite; at least one.
    """
    runs = np.sort(np.asarray(values, dtype=float))
    cut = len(runs) // 4
    value = float(runs[cut : len(runs) - cut].mean())
    if len(runs) < 2:
        return Estimate(value, np.nan, np.nan)
    return Estimate(value, *_bounds(_trimmed_weights(len(runs)) @ runs))


def mean(values: ArrayLike) -> Estimate:
    """The mean of the runs, of at least one.

    Args:
        values: one per run, or per pair of runs their difference; finite.
    """
    runs = np.sort(np.asarray(values, dtype=float))
    if len(runs) < 2:
        return Estimate(float(runs.mean()), np.nan, np.nan)
    return Estimate(float(runs.mean()), *_bounds(_counts(len(runs), 0) @ runs / len(runs)))


def probability_of_improvement(ours: Sequence[ArrayLike], theirs: Sequence[ArrayLike]) -> Estimate:
    """How probably a run of ours is better than a run of theirs; ties count half. Mean over the conditions.

    This is rliable's ``probability_of_improvement``: in each condition the Mann-Whitney statistic U of ours,
    divided by the number of pairs. The two sides and the conditions are resampled independently.

    Args:
        ours: of each condition the runs, finite; at least one.
        theirs: of the same conditions; there may be other numbers of runs.
    """
    values, resampled = [], []
    for condition, (x, y) in enumerate(zip(ours, theirs, strict=True)):
        a, b = np.sort(np.asarray(x, dtype=float)), np.sort(np.asarray(y, dtype=float))
        better = (a[:, None] > b) + 0.5 * (a[:, None] == b)
        values.append(better.mean())
        drawn_a, drawn_b = _counts(len(a), 2 * condition), _counts(len(b), 2 * condition + 1)
        resampled.append(np.einsum("ri,ij,rj->r", drawn_a, better, drawn_b, optimize=True) / better.size)
    few = min(min(np.size(x), np.size(y)) for x, y in zip(ours, theirs, strict=True)) < 2
    bounds = (np.nan, np.nan) if few else _bounds(np.mean(resampled, axis=0))
    return Estimate(float(np.mean(values)), *bounds)


def _bounds(resampled: Array) -> tuple[float, float]:
    low, high = np.percentile(resampled, PERCENTILES)
    return float(low), float(high)


def _draws(runs: int, stream: int) -> NDArray[np.int64]:
    """[resamples, runs]: which runs make up each resample."""
    return np.random.default_rng(stream).integers(0, runs, size=(RESAMPLES, runs))


@lru_cache(maxsize=256)
def _counts(runs: int, stream: int) -> Array:
    """[resamples, runs]: how often each run was drawn."""
    return _tally(_draws(runs, stream), runs)


@lru_cache(maxsize=64)
def _trimmed_weights(runs: int) -> Array:
    """[resamples, runs]: what each run, in ascending order, weighs in a resample's interquartile mean."""
    cut = runs // 4
    middle = np.sort(_draws(runs, 0), axis=1)[:, cut : runs - cut]
    return _tally(middle, runs) / (runs - 2 * cut)


def _tally(indices: NDArray[np.int64], runs: int) -> Array:
    rows = np.arange(len(indices))[:, None] * runs
    return (
        np.bincount((rows + indices).ravel(), minlength=len(indices) * runs).reshape(-1, runs).astype(float)
    )
