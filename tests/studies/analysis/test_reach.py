"""Costs to reach thresholds: when one is reached, and medians of costs that are only known to be higher."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.analysis.reach import first_reached, median_cost
from studies.analysis.reach_table import cost_text
from studies.spec.presentation import Threshold

LOW = Threshold("error", 0.1, at_least=False)


@pytest.mark.parametrize(
    ("values", "threshold", "row"),
    [
        ([1, 0.1, 0.01], LOW, 1),
        ([1, 0.05, 5, 0.01], LOW, 1),
        ([1, 0.2, 0.11], LOW, None),
        ([math.nan, -math.inf, 0.1], LOW, 2),
        ([], LOW, None),
        ([-90, -60, -70], Threshold("return", -60, at_least=True), 1),
        ([-90, math.inf, -61], Threshold("return", -60, at_least=True), None),
    ],
)
def test_a_threshold_is_reached_at_the_first_finite_row_within_it(values, threshold, row):
    assert first_reached(values, threshold) == row


def test_rows_that_do_not_count_reach_nothing():
    assert first_reached([0, 1, 0.1], LOW, np.array([False, True, True])) == 2


COSTS = st.lists(st.floats(0, 1e6), min_size=1, max_size=12)


@given(COSTS)
def test_without_censoring_the_median_is_the_ordinary_one(costs):
    found = median_cost(costs, [True] * len(costs))
    assert found.median == pytest.approx(np.median(costs))
    assert (found.low, found.high) == (min(costs), max(costs))
    assert math.isnan(found.exceeds)


@given(COSTS, st.floats(0, 1e6))
def test_with_one_budget_for_all_it_is_the_median_of_costs_of_which_the_censored_are_infinite(costs, budget):
    reached = [cost <= budget for cost in costs]
    found = median_cost(np.minimum(costs, budget), reached)
    if sum(reached) * 2 > len(costs):
        assert found.median == pytest.approx(np.median(np.where(reached, costs, np.inf)))
    else:
        assert math.isnan(found.median)
        assert found.exceeds == budget


def test_different_budgets_weigh_as_kaplan_and_meier_say():
    # S falls to 5/6 at 6, then, with three of six still watched after two were censored at 7, to 5/6 * 2/3.
    costs, reached = [6, 7, 7, 10, 12, 13], [True, False, False, True, False, True]
    assert median_cost(costs, reached).median == 13  # S is 5/9 from 10 on, and 0 at 13
    found = median_cost([6, 7, 8, 10], [True, False, True, True])
    assert found.median == 8  # 3/4, then 3/4 * 1/2 = 3/8 at 8
    assert (found.low, found.high, found.exceeds) == (6, math.inf, 7)


def test_no_seed_has_no_median():
    with pytest.raises(ValueError, match="costs: must have at least one seed"):
        median_cost([], [])


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        ((120.0, 110.0, 150.0, math.nan, 3), "120 (110, 150)"),
        ((120.0, 110.0, math.inf, 400.0, 3), "120 (110, > 400)"),
        ((math.nan, math.nan, math.inf, 1400.0, 3), "> 1,400"),
        ((120.0, 120.0, 120.0, math.nan, 1), "120"),
        ((math.nan, math.nan, math.inf, math.nan, 2), "-"),
    ],
)
def test_a_cost_is_written_with_its_range(numbers, written):
    names = ("activations", "activations_low", "activations_high", "activations_exceeds", "seeds")
    assert cost_text(dict(zip(names, numbers, strict=True)), "activations") == written
