"""The score says what it should: numbers by hand, and the sanity that a benchmark needs."""

import math

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from studies.spec.loading import define
from studies.suite import centre, heat_maps, profiles, rows, score
from studies.suite.definition import Score

DIGITS = Score(metric="error", scale="digits", most=8)


def series(*values):
    return pd.Series(values, dtype=float)


def table(**cells):
    """Rows of one task: condition or (method, condition) -> values of the seeds."""
    found = []
    for key, values in cells.items():
        method, _, condition = key.rpartition("__")
        for seed, value in enumerate(values):
            found.append(("t", method or "ref", condition, seed, "", value, value, 10.0, 1.0))
    return pd.DataFrame(found, columns=list(rows.COLUMNS)).replace({"condition": {"none": "no network"}})


@pytest.mark.parametrize(
    ("metric", "digits"),
    [(1e-3, 3), (1.0, 0), (0.0, 8), (1e-30, 8), (1e9, -2), (math.inf, -2), (math.nan, -2)],
)
def test_digits_have_a_floor_and_a_ceiling(metric, digits):
    assert rows.value(DIGITS, metric) == pytest.approx(digits)


def test_a_linear_value_is_the_metric():
    assert rows.value(Score(metric="return", scale="linear"), -44.5) == -44.5


def test_a_share_is_the_ratio_of_means():
    share, low, high = score.kept_share(series(3, 5), series(1, 1), series(5, 7))
    assert share == pytest.approx(3 / 5)  # and not 0.5833, the mean of 2/4 and 4/6
    assert (low, high) == pytest.approx((2 / 4, 4 / 6))


def test_intervals_are_paired():
    """A part of the values that is the seed's own, however large, does not widen the interval."""
    own = np.array([0.0, 1000.0, -500.0, 200.0])
    share = score.kept_share(series(*(own + 1.0)), series(*own), series(*(own + 2.0)))
    assert share == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize("perfect", [(1, 1, 1), (2, 1, 0.5), (0.5, 0.4, 0.3)])
def test_without_a_gap_there_is_no_number(perfect):
    assert score.kept_share(series(1, 1, 1), series(1, 1, 1), series(*perfect)) is None


def test_only_seeds_in_common_count():
    here = pd.Series([2.0, math.nan, 9.0], index=[0, 1, 5])
    ends = pd.Series([1.0, 1.0], index=[0, 1]), pd.Series([3.0, 3.0], index=[0, 1])
    share, low, high = score.kept_share(here, *ends)
    assert share == 0.5
    assert np.isnan([low, high]).all()
    assert score.kept_share(pd.Series([2.0], index=[7]), *ends) is None


def test_kept_is_of_the_methods_own_way_and_reached_of_the_references():
    given = table(none=[0, 0], perfect=[10, 10], mine__none=[0, 0], mine__perfect=[2, 2], mine__loss=[1, 1])
    found = score.scores(given, {}, "ref").set_index(["method", "condition"])
    assert found.loc[("mine", "loss"), "kept"] == 0.5
    assert found.loc[("mine", "loss"), "reached"] == 0.1
    assert list(found["note"]) == [""] * 5


def test_a_share_without_a_gap_is_undefined_and_says_so():
    found = score.scores(table(none=[1, 1], perfect=[1, 1], loss=[0, 0]), {}, "ref")
    assert found["kept"].isna().all()
    assert set(found["note"]) == {"kept undefined: no gap; reached undefined: no gap"}


def test_without_the_ends_of_the_scale_there_is_no_share():
    found = score.scores(table(mine__none=[0], mine__perfect=[1], centre__perfect=[3]), {}, "ref")
    assert list(found["kept"].fillna(-9)) == [0, 1, -9]
    assert found["reached"].isna().all()
    assert list(found["note"]) == [
        *["reached undefined: the reference was not run"] * 2,
        f"kept {score.NO_OWN}; reached {score.NO_REFERENCE}",
    ]


def test_an_empty_cell_has_its_reason_and_no_number():
    found = score.scores(table(none=[0], perfect=[1]), {("t", "x", "perfect"): "averages alone"}, "ref")
    line = found.set_index("method").loc["x"]
    assert (line["seeds"], line["note"]) == (0, "averages alone")
    assert line[["kept", "value", "bytes"]].isna().all()


def test_the_centre_is_charged_for_every_link_on_the_way():
    study = define(
        {
            "workload": "problem",
            "topology": "star",
            "problem": {"name": "logistic", "agents": 4, "dimension": 3, "rows": 5},
            "network": {"link": {"delay": "5ms"}},
        },
        name="star",
    )
    sent, seconds = centre.charge(study.trials[0])
    assert sent == 8 * 3 * (5 * 4 + 3)  # three agents send five rows with labels and get three numbers
    assert seconds == pytest.approx(2 * 0.005 + 0.01)
    path = define(
        {"workload": "problem", "topology": "path", "problem": {"name": "mean", "agents": 5, "dimension": 2}},
        name="path",
    )
    hops = nx.single_source_shortest_path_length(nx.path_graph(5), 2)
    assert centre.charge(path.trials[0])[0] == 8 * sum(hops.values()) * (2 + 2)


def test_a_profile_is_the_share_of_runs_above_tau():
    share, low, high = profiles.profile([np.array([0.1, 0.5]), np.array([0.9, 0.9])])
    at = dict(zip(profiles.TAUS.round(2), share, strict=True))
    assert [at[tau] for tau in (0.0, 0.3, 0.7, 1.0)] == [1.0, 0.75, 0.5, 0.0]
    assert (low <= share).all()
    assert (share <= high).all()


def test_runs_are_normalised_by_the_reference():
    given = table(none=[1, 3], perfect=[11, 13], loss=[7, 7], mine__loss=[12, 17])
    found = profiles.normalised(given, "ref")
    assert list(found["run"]) == [0.5, 0.5, 1.0, 1.5]
    assert profiles.normalised(table(none=[1], perfect=[1], loss=[0]), "ref").empty
    assert profiles.draw(table(none=[1], perfect=[1], loss=[0]), "ref", "title") is None


def test_a_method_without_any_result_under_other_conditions_has_no_row_in_the_heat_map():
    """A panel without rows would have no height."""
    given = score.scores(table(none=[0, 0], perfect=[1, 1], loss=[1, 0]), {}, "ref")
    nothing = given.assign(task="u", seeds=0)
    figure = heat_maps.draw(pd.concat([given, nothing]), "title")
    assert [axes.get_title(loc="left") for axes in figure.axes][:-1] == ["t"]
    assert heat_maps.draw(nothing, "title") is None


@pytest.mark.parametrize(("conditions", "said"), [(1, "1 cell, 2 seeds"), (2, "2 cells, 2 seeds")])
def test_a_panel_counts_its_cells(conditions, said):
    given = table(loss=[1, 1], more=[1, 1])
    assert profiles.size(given[given["condition"].isin(["loss", "more"][:conditions])]) == said
