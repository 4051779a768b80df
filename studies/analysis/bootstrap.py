"""Statistics over seeds as Agarwal et al. recommend them (2021, arXiv 2108.13264; their library is rliable).

Intervals are 95 % percentile intervals of a stratified bootstrap: runs are drawn again, with replacement,
within each condition. All resamples of a sample are computed at once, from how often each run was drawn. The
draws are fixed, so that the same numbers, in any order, always have the same interval.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studies.columns import geometric
from studies.formatting import equal

ENOUGH = 5
"""Least number of seeds for a meaningful interval: with fewer, it is roughly the range of the runs."""

RESAMPLES = 10_000
PERCENTILES = (2.5, 97.5)

Array = NDArray[np.float64]

Kind = Literal["mean", "iqm"]
"""Kind of an estimator."""


class Estimate(NamedTuple):
    """A number with the bounds of its interval, which are nan if there are too few runs for one."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimator:
    """An estimator of a metric over seeds.

    Attributes:
        kind: the mean, or the interquartile mean (IQM), which equals the mean of fewer than four runs.
        geometric: whether logarithms are averaged, for metrics that span powers of ten. A run at zero makes
            the estimate zero, unless an interquartile mean leaves it out; for negative numbers the estimate
            is nan.
    """

    kind: Kind = "mean"
    geometric: bool = False

    def __call__(self, values: ArrayLike) -> Estimate:
        """The estimate of the runs and its interval.

        Args:
            values: one per run, finite; at least one.
        """
        runs = np.sort(np.asarray(values, dtype=float))
        if runs[0] == runs[-1] and len(runs) > 1 and not (self.geometric and runs[0] < 0):
            return Estimate(*[float(runs[0])] * 3)  # exactly, whatever sums of it are rounded to
        if not self.geometric:
            return _estimate(runs, self.kind)
        if runs[0] < 0:
            return Estimate(np.nan, np.nan, np.nan)
        with np.errstate(divide="ignore"):
            logarithms = np.log(runs)
        return Estimate(*(float(np.exp(part)) for part in _estimate(logarithms, self.kind)))

    def along(self, values: Array) -> tuple[Array, Array, Array]:
        """The estimate and its interval at every point of a curve.

        Args:
            values: [places, runs], finite, and positive if ``geometric``.

        Returns:
            [places] each: value, low, high.
        """
        if not self.geometric:
            return along(values, kind=self.kind)
        value, low, high = (np.exp(part) for part in along(np.log(values), kind=self.kind))
        return value, low, high

    def name(self, seeds: int = ENOUGH) -> str:
        """``mean``, ``geometric mean``, ``interquartile mean`` or ``geometric interquartile mean``."""
        words = ["geometric"] if self.geometric else []
        words += ["interquartile"] if self.kind == "iqm" and seeds >= 4 else []
        return " ".join([*words, "mean"])


def paired_means(values: Array) -> Array:
    """The mean over seeds of several quantities in each resample of the seeds, the same for all of them.

    Args:
        values: [seeds, quantities], finite.

    Returns:
        [resamples, quantities].
    """
    drawn: Array = _weights(len(values), "mean") @ values
    return drawn


def interquartile_mean(values: ArrayLike) -> Estimate:
    """Mean of the middle half of the runs: the ``n // 4`` lowest and highest of ``n`` are left out.

    This is rliable's ``aggregate_iqm``. With fewer than four runs it is the mean.

    Args:
        values: one per run, finite; at least one.
    """
    return Estimator("iqm")(values)


def mean(values: ArrayLike) -> Estimate:
    """The mean of at least one run.

    Args:
        values: one per run, or the difference of each pair of runs; finite.
    """
    return Estimator()(values)


def _estimate(runs: Array, kind: Kind) -> Estimate:
    """Interval bounds of ascending values, the lowest of which may be minus infinity."""
    count = len(runs)
    cut = count // 4 if kind == "iqm" else 0
    value = float(runs[cut : count - cut].mean())
    if count < 2:
        return Estimate(value, np.nan, np.nan)
    weights = _weights(count, kind)
    lowest = int(np.isneginf(runs).sum())
    if not lowest:
        return Estimate(value, *_bounds(weights @ runs))
    resampled = weights[:, lowest:] @ runs[lowest:]
    resampled[weights[:, :lowest].any(axis=1)] = -np.inf
    # Between minus infinity and a number there is nothing to interpolate.
    low = float(np.percentile(resampled, PERCENTILES[0], method="lower"))
    high = float(np.percentile(resampled, PERCENTILES[1], method="higher"))
    return Estimate(value, low, high)


def along(values: Array, *, kind: Kind) -> tuple[Array, Array, Array]:
    """The estimate and its bounds at every point of a curve, as by the two functions above.

    Args:
        values: [places, runs], finite.
        kind: the interquartile mean, or the mean.

    Returns:
        [places] each: value, low, high.
    """
    runs = np.sort(values, axis=1)
    count = runs.shape[1]
    cut = count // 4 if kind == "iqm" else 0
    value = runs[:, cut : count - cut].mean(axis=1)
    if count < 2:
        return value, np.full(len(runs), np.nan), np.full(len(runs), np.nan)
    weights, times = _distinct(count, kind)
    if len(weights) > _FEW:
        low, high = np.percentile(_weights(count, kind) @ runs.T, PERCENTILES, axis=0)
        return value, low, high
    resampled = weights @ runs.T
    order = np.argsort(resampled, axis=0)
    ordered = np.take_along_axis(resampled, order, axis=0)
    so_far = np.cumsum(times[order], axis=0)  # resamples up to and including each value
    low, high = (_percentile(ordered, so_far, percent) for percent in PERCENTILES)
    return value, low, high


def described(seeds: Collection[int], how: Estimator) -> str:
    """Description of a point and its interval: ``geometric mean of 3 seeds and their range ...``.

    ``seeds`` has the number of seeds of each condition.
    """
    fewest, most = min(seeds), max(seeds)
    of = f"{most} seeds" if fewest == most else f"{fewest} to {most} seeds"
    if most == 1:
        return "one seed, so no interval"
    # With up to three runs, over one in forty resamples repeats only the lowest run, or the highest.
    spread = " and their range" if most <= 3 else ", 95 % bootstrap interval"
    few = (
        ""
        if fewest >= ENOUGH
        else " (too few to conclude)"
        if most < ENOUGH
        else " (some too few to conclude)"
    )
    return f"{how.name(most)} of {of}{spread}{few}"


def no_interval(estimate: Estimate, seeds: int, how: Estimator) -> str:
    """The reason why an estimate has no interval wider than a point; empty if it has one."""
    if seeds < 2:
        return "one seed"
    if np.isnan(estimate.value):
        return "negative numbers have no geometric mean"
    if not equal([estimate.low, estimate.high]):
        return ""
    half = "the middle half of " if how.kind == "iqm" and seeds >= 4 else ""
    if half:
        return f"{half}{seeds} seeds equal"
    return "both seeds equal" if seeds == 2 else f"all {seeds} seeds equal"


def not_finite(left_out: int, seeds: int) -> str:
    """The seeds that an estimate leaves out, as ``1 of 2 seeds not finite``; empty if none."""
    return f"{left_out} of {seeds} seed{'s' * (seeds != 1)} not finite" if left_out else ""


def left_out(trials: int) -> str:
    """The end of a caption, as ``; 1 trial that is not finite left out``; empty if there is none."""
    if not trials:
        return ""
    return f"; {trials} trial{'s that are' if trials > 1 else ' that is'} not finite left out"


def no_interval_of_probability(estimate: Estimate) -> str:
    """The same for :func:`probability_of_improvement`."""
    if np.isnan(estimate.low):
        return "one seed"
    if estimate.low < estimate.high:
        return ""
    words = {
        0.0: "every pair of runs lower",
        0.5: "every pair of runs equal",
        1.0: "every pair of runs higher",
    }
    return words.get(estimate.value, "the same in every resample")


def probability_of_improvement(ours: Sequence[ArrayLike], theirs: Sequence[ArrayLike]) -> Estimate:
    """Probability that a run of ours exceeds a run of theirs; ties count half. Mean over the conditions.

    This is rliable's ``probability_of_improvement``: in each condition the Mann-Whitney statistic U of ours,
    divided by the number of pairs. The two sides and the conditions are resampled independently.

    Args:
        ours: the runs of each condition, finite; at least one.
        theirs: runs of the same conditions; their number may differ.
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
    """[resamples, runs]: weight of each run, in ascending order, in a resample's interquartile mean."""
    cut = runs // 4
    middle = np.sort(_draws(runs, 0), axis=1)[:, cut : runs - cut]
    return _tally(middle, runs) / (runs - 2 * cut)


_FEW = 1000
"""Largest number of distinct resamples for which counting them is faster than sorting them all."""


def _weights(runs: int, kind: Kind) -> Array:
    return _trimmed_weights(runs) if kind == "iqm" else _counts(runs, 0) / runs


@lru_cache(maxsize=64)
def _distinct(runs: int, kind: Kind) -> tuple[Array, NDArray[np.int64]]:
    """The distinct weights [distinct, runs] of resamples of few runs, and their counts."""
    distinct, times = np.unique(_weights(runs, kind), axis=0, return_counts=True)
    return distinct, times


def _percentile(ordered: Array, so_far: NDArray[np.int64], percent: float) -> Array:
    """NumPy's percentiles of each column of ascending values with multiplicities."""
    rank = percent / 100 * (RESAMPLES - 1)
    below = int(rank)
    first, second = (
        np.take_along_axis(ordered, (so_far <= place).sum(axis=0)[None], axis=0)[0]
        for place in (below, min(below + 1, RESAMPLES - 1))
    )
    return np.asarray(first + (second - first) * (rank - below))


def _tally(indices: NDArray[np.int64], runs: int) -> Array:
    rows = np.arange(len(indices))[:, None] * runs
    return (
        np.bincount((rows + indices).ravel(), minlength=len(indices) * runs).reshape(-1, runs).astype(float)
    )


def estimator(workload: str, metric: str) -> Estimator:
    """The estimator of a metric over seeds, shared by tables, figures and the page.

    Training uses interquartile means, as Agarwal et al. advise (2021, arXiv 2108.13264), the rest means.
    """
    return Estimator("iqm" if workload == "training" else "mean", geometric=geometric(metric))
