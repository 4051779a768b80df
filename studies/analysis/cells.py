"""A metric over two varied settings: the estimate of each cell, the best one, and those as good as it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from studies.analysis.bootstrap import Estimator, mean

Cell = tuple[int, int]


@dataclass(frozen=True)
class Cells:
    """A metric in the cells of two varied settings.

    Attributes:
        values: [rows, columns], the estimate over the seeds; nan in a cell without a finite number.
        best: row and column of the best cell; None if the metric has no direction of improvement.
        rivals: cells whose paired difference from the best, over the seeds in common, has a 95 % interval
            that includes zero; of a metric with geometric means, the difference of logarithms.
        paired: whether any cell has two seeds in common with the best, so that there is an interval.
    """

    values: NDArray[np.float64]
    best: Cell | None
    rivals: frozenset[Cell]
    paired: bool


def cells(
    table: pd.DataFrame,
    axes: tuple[str, str],
    levels: tuple[Sequence[Any], Sequence[Any]],
    metric: str,
    how: Estimator,
    better: Literal["", "higher", "lower"],
    pair_by: Sequence[str] = ("seed",),
) -> Cells:
    """Computes the cells.

    Args:
        table: a row per trial.
        axes: the columns whose values are the rows and the columns of the cells.
        levels: these values, in order.
        metric: a column of numbers; trials where it is not finite are left out.
        how: its estimator.
        better: its direction of improvement, if there is one.
        pair_by: the columns in which two trials of a pair are equal.
    """
    table = table[np.isfinite(table[metric])]
    runs: dict[Cell, pd.Series[float]] = {}
    for i, row in enumerate(levels[0]):
        for j, column in enumerate(levels[1]):
            group = table[(table[axes[0]] == row) & (table[axes[1]] == column)]
            if len(group):
                runs[i, j] = group.set_index(list(pair_by))[metric]
    values = np.full((len(levels[0]), len(levels[1])), np.nan)
    for cell, numbers in runs.items():
        values[cell] = how(numbers).value
    if not better or not np.isfinite(values).any():
        return Cells(values, None, frozenset(), False)
    flat = int(np.nanargmax(values) if better == "higher" else np.nanargmin(values))
    best = (flat // values.shape[1], flat % values.shape[1])
    rivals, paired = set(), False
    for cell, numbers in runs.items():
        if cell == best or not np.isfinite(values[cell]):
            continue
        differences = _differences(numbers, runs[best], how)
        if len(differences) > 1:
            paired = True
            _, low, high = mean(differences)
            if low <= 0 <= high:
                rivals.add(cell)
    return Cells(values, best, frozenset(rivals), paired)


def _differences(ours: pd.Series[float], best: pd.Series[float], how: Estimator) -> NDArray[np.float64]:
    if how.geometric:
        ours, best = (numbers[numbers > 0].map(math.log) for numbers in (ours, best))
    return np.asarray((ours - best).dropna(), dtype=np.float64)
