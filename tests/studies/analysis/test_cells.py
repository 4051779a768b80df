"""Cells of two varied settings: the best, and those that cannot be told from it."""

import numpy as np
import pandas as pd
import pytest

from studies.analysis.bootstrap import Estimator
from studies.analysis.cells import cells

SEEDS = np.arange(8)
NOISE = np.array([0.3, -0.2, 0.1, -0.4, 0.25, 0.05, -0.15, 0.05])


def table(values):
    """``values`` has the runs of each (row, column)."""
    rows = [
        {"a": a, "b": b, "seed": seed, "gain": value}
        for (a, b), runs in values.items()
        for seed, value in enumerate(runs)
    ]
    return pd.DataFrame(rows)


def found(values, how, better):
    data = table(values)
    return cells(data, ("a", "b"), ([0, 1], [0, 1]), "gain", how, better)


def test_the_best_is_the_largest_and_its_rivals_are_those_whose_paired_difference_may_be_zero():
    common = 10 * NOISE  # shared by all cells: only pairs can tell them apart
    values = {
        (0, 0): common,
        (0, 1): common + 1 + NOISE,
        (1, 0): common + 1.01 - NOISE,
        (1, 1): common * np.nan,
    }
    result = found(values, Estimator(), "higher")
    assert result.best == (1, 0)
    assert result.rivals == {(0, 1)}
    assert result.paired
    assert result.values[0, 1] == pytest.approx(1)
    assert np.isnan(result.values[1, 1])


def test_distances_are_compared_by_their_logarithms():
    tiny = np.exp(NOISE)
    # Differences are dominated by seeds with large numbers, ratios are always 2.
    values = {(0, 0): tiny * 10.0**SEEDS, (0, 1): 2 * tiny * 10.0**SEEDS}
    result = found(values, Estimator(geometric=True), "lower")
    assert (result.best, result.rivals) == ((0, 0), frozenset())


def test_equal_cells_are_rivals_and_one_seed_has_none():
    same = {(0, 0): NOISE, (1, 1): NOISE}
    assert found(same, Estimator(), "higher").rivals == {(1, 1)}
    one = found({(0, 0): [1.0], (1, 1): [1.0]}, Estimator(), "higher")
    assert (one.best, one.rivals, one.paired) == ((0, 0), frozenset(), False)


def test_a_metric_without_direction_has_no_best_cell():
    assert found({(0, 0): [1.0, 2.0]}, Estimator(), "").best is None
