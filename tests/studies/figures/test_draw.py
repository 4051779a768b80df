"""Figures from small made-up tables."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from studies.analysis.bootstrap import estimator
from studies.analysis.resampling import POINTS
from studies.columns import column_title
from studies.figures import draw
from studies.figures.bands import aligned, over_seeds
from studies.figures.draw import FigureData
from studies.spec.labels import label

pytestmark = pytest.mark.usefixtures("closes_figures")

PATHS = ("topology", "network.link.loss", "consensus.penalty", "consensus.activation")
VALUES = (["ring", "star"], [0.0, 0.3], [1.0, 5.0], ["sequential", "poisson"])


def results(workload, varied, seeds, question="Why?", points=4, levels=VALUES):
    """What a study with ``varied`` of the above parameters would leave."""
    names, generator = PATHS[:varied], np.random.default_rng(0)
    cells = [dict(zip(names, cell, strict=True)) for cell in _product(levels[:varied])]
    summary, consensus, training = [], [], []
    for index, cell in enumerate(cells):
        for seed in range(seeds):
            key = {"trial": f"{index}-{seed}", **cell, "seed": seed}
            noise = generator.normal()
            final = {
                "error": math.exp(noise),
                "relative_disagreement": math.exp(noise),
                "return": -100 + noise,
                "message_age_average": math.exp(noise),
                "utilisation": 0.5,
            }
            summary.append({**key, **final})
            for k in range(points):
                shared = {
                    "relative_disagreement": math.exp(noise - k) if k else 0.0,
                    "seconds": k * (1 + noise / 9),
                    "bytes": 100 * k,
                }
                numbers = {
                    "activations": k,
                    "error": math.exp(-k),
                    "primal_residual": 0.5**k,
                    "message_age": k,
                }
                consensus.append({**key, **shared, "update": k % 2, **numbers})
                training.append({**key, **shared, "update": k + 1, "steps": 1000 * k, "return": k + noise})
    curves = {"consensus": pd.DataFrame(consensus), "training": pd.DataFrame(training)}
    return FigureData(workload, question, names, pd.DataFrame(summary), curves)


def _first(some, folder):
    """Draws the first figure only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(draw.PLANS, some.workload, draw.PLANS[some.workload][:1])
        return draw.draw(some, folder)[0]


def _product(values):
    return [()] if not values else [(*rest, v) for rest in _product(values[:-1]) for v in values[-1]]


EXPECTED = {
    "problem": [
        "disagreement_by_activations",
        "disagreement_by_seconds",
        "disagreement_by_bytes",
        "error_by_activations",
        "error_by_seconds",
        "error_by_bytes",
        "residual_by_activations",
        "residual_by_seconds",
        "residual_by_bytes",
        "message_age_by_seconds",
        "message_age",
        "utilisation",
        "final_error",
    ],
    "update": [
        "disagreement_by_activations",
        "disagreement_by_seconds",
        "disagreement_by_bytes",
        "message_age_by_seconds",
        "message_age",
        "utilisation",
        "final_disagreement",
        "heat_map_of_disagreement",
    ],
    "training": [
        "return_by_steps",
        "return_by_seconds",
        "return_by_bytes",
        "disagreement_by_update",
        "disagreement_by_activations",
        "disagreement_by_seconds",
        "disagreement_by_bytes",
        "final_return",
        "final_disagreement",
    ],
}


@pytest.mark.parametrize(
    ("workload", "varied", "seeds"), [("problem", 1, 2), ("update", 2, 1), ("training", 1, 1)]
)
def test_each_workload_has_its_figures_as_png_and_svg(workload, varied, seeds, tmp_path):
    drawn = draw.draw(results(workload, varied, seeds), tmp_path)
    assert [path.stem for path in drawn] == EXPECTED[workload]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert all(path.with_suffix(".svg").read_text().lstrip().startswith("<?xml") for path in drawn)
    assert plt.get_fignums() == []


def test_four_varied_parameters_and_a_single_seed_can_be_drawn(tmp_path):
    assert _first(results("update", 4, 1), tmp_path).is_file()


def test_with_nothing_varied_there_is_nothing_to_compare_at_the_end(tmp_path):
    drawn = draw.draw(results("update", 0, 1), tmp_path)
    assert [path.stem for path in drawn] == EXPECTED["update"][:4]


def test_labels_are_for_people_and_say_what_the_band_is(tmp_path):
    asked = results("problem", 2, 3, question="What do lost messages cost?")
    drawn = _first(asked, tmp_path)
    svg = drawn.with_suffix(".svg").read_text()
    for text in (
        "What do lost messages cost?",
        "mean of 3 seeds",
        "message loss (probability)",
        ">activations<",
    ):
        assert text in svg
    assert "network.link.loss" not in svg


def test_the_same_tables_give_the_same_svg(tmp_path):
    one, two = (_first(results("update", 1, 2), tmp_path / name) for name in ("one", "two"))
    assert one.with_suffix(".svg").read_bytes() == two.with_suffix(".svg").read_bytes()


def test_points_of_a_curve_at_the_same_place_are_one_point():
    some = results("training", 1, 3, points=3)
    silent = some.curves["training"]["topology"] == "ring"
    some.curves["training"].loc[silent, "bytes"] = 0
    ((_, drawn),) = draw.drawings(some, "return_by_bytes")
    ring, star = (line for line in drawn.axes[0].lines if len(line.get_xdata()))
    assert (list(ring.get_xdata()), list(star.get_xdata())) == ([0], [0, 100, 200])
    wanted = estimator("training", "return")(some.curves["training"].loc[silent, "return"]).value
    assert ring.get_ydata() == pytest.approx([wanted])


def test_empty_and_undefined_numbers_leave_a_figure_out(tmp_path, monkeypatch):
    empty = FigureData(
        "training", "", (), pd.DataFrame({"trial": ["a"], "seed": [0]}), {"training": pd.DataFrame()}
    )
    assert draw.draw(empty, tmp_path) == []
    undefined = results("problem", 1, 1)
    undefined.curves["consensus"]["error"] = math.nan
    plans = [plan for plan in draw.PLANS["problem"] if plan.name.endswith("by_activations")]
    monkeypatch.setitem(draw.PLANS, "problem", plans)
    drawn = draw.draw(undefined, tmp_path)
    assert [path.stem for path in drawn] == ["disagreement_by_activations", "residual_by_activations"]


def test_seeds_recorded_at_different_times_meet_on_common_ones():
    lines = pd.concat(
        pd.DataFrame({"seconds": np.arange(5) * pace, "d": np.exp(-np.arange(5.0)), "seed": seed})
        for seed, pace in ((0, 1.0), (1, 2.0))
    )
    table = aligned(lines, "seconds", "d", [], log=True)
    places = [one["seconds"].to_numpy() for _, one in table.groupby("seed")]
    assert len(places[0]) == POINTS
    np.testing.assert_array_equal(places[0], places[1])
    assert places[0][-1] == 4.0  # where the shorter one ends
    one = table[table["seed"] == 0]
    np.testing.assert_allclose(one["d"], np.exp(-one["seconds"]))  # exact, because straight on a log axis


def test_seeds_with_no_time_in_common_leave_a_figure_by_time_out(tmp_path, monkeypatch):
    apart = results("problem", 1, 2)
    curve = apart.curves["consensus"]
    curve["seconds"] += 1e6 * curve["seed"]
    plans = [plan for plan in draw.PLANS["problem"] if plan.name.startswith("disagreement_by")]
    monkeypatch.setitem(draw.PLANS, "problem", plans)
    drawn = [path.stem for path in draw.draw(apart, tmp_path)]
    assert "disagreement_by_activations" in drawn
    assert "disagreement_by_seconds" not in drawn


@pytest.mark.parametrize("workload", ["problem", "training"])
def test_the_mean_of_a_distance_is_geometric_and_lies_in_its_interval(workload):
    how = estimator(workload, "relative_disagreement")
    chosen = over_seeds(pd.DataFrame({"seed": [0, 1]}), how)
    values = pd.Series([0.01, 1.0])
    assert chosen["estimator"](values) == pytest.approx(0.1)
    low, high = chosen["errorbar"](values)
    assert 0 < low <= 0.1 <= high
    assert over_seeds(pd.DataFrame({"seed": [0, 0]}), how)["errorbar"] is None


def test_conditions_that_have_fewer_seeds_than_others_are_owned_up_to(tmp_path):
    some = results("problem", 1, 3)
    rings = some.curves["consensus"][PATHS[0]] == VALUES[0][0]
    some.curves["consensus"] = some.curves["consensus"][~rings | (some.curves["consensus"]["seed"] == 0)]
    svg = _first(some, tmp_path).with_suffix(".svg").read_text()
    assert "geometric mean of 1 to 3 seeds and their range (too few to conclude)" in svg


@pytest.mark.parametrize("figure", ["return_by_steps", "final_return_by_bytes"])
def test_more_names_than_colours_are_told_apart_by_dashes_and_markers(figure):
    some = results("training", 1, 2, levels=([f"network {i}" for i in range(13)],))
    some.summary["bytes_sent"] = 1000.0 * (1 + some.summary.index)
    ((_, drawn),) = draw.drawings(some, figure)
    looks = {
        (line.get_color(), str(line.get_linestyle()), line.get_marker())
        for line in drawn.legends[0].legend_handles
    }
    assert len(looks) == 13


def test_more_names_than_colours_have_as_many_where_dashes_say_something_else():
    some = results("training", 2, 2, levels=([f"network {i}" for i in range(13)], [0.0, 0.3]))
    ((_, drawn),) = draw.drawings(some, "return_by_steps")
    lines = [line for line in drawn.axes[0].lines if len(line.get_xdata())]
    assert len(lines) == 26
    assert len({line.get_color() for line in lines}) == 13


def test_returns_are_shown_by_their_interquartile_mean_and_convex_problems_by_their_mean(
    tmp_path, monkeypatch
):
    lines = {}
    for workload in ("training", "problem"):
        some = results(workload, 0, 5)
        curve = some.curves["training" if workload == "training" else "consensus"]
        curve["steps"] = curve["activations"] = curve.groupby("seed").cumcount().astype(float)
        curve["return"] = curve["relative_disagreement"] = 1.0 + curve["seed"] ** 3
        drawn = []
        monkeypatch.setattr(plt, "close", drawn.append)
        svg = _first(some, tmp_path / workload).with_suffix(".svg").read_text()
        lines[workload] = set(np.round(drawn[0].axes[0].lines[0].get_ydata(), 6)), svg
    assert lines["training"][0] == {13.0}  # of 1, 2, 9, 28, 65 the middle three
    assert lines["problem"][0] == {round(float(np.exp(np.mean(np.log([1, 2, 9, 28, 65])))), 6)}
    assert "interquartile mean of 5 seeds, 95 % bootstrap interval" in lines["training"][1]
    assert "mean of 5 seeds" in lines["problem"][1]
    assert "interquartile" not in lines["problem"][1]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ring", "ring"),
        (0.3, 0.3),
        (None, "none"),
        ({"name": "random_regular", "d": 3, "allow_disconnected": True}, "random_regular d=3"),
        ([1, None], "1, none"),
        ([], "none"),
        ([{"fault": "partition", "groups": "halves", "down": "2s"}], "partition groups=halves down=2s"),
        ([{"link": "0-1", "down": 1, "up": 2}], "link 0-1 down=1 up=2"),
        ([{"name": "a cut", "fault": "crash", "agent": 1, "down": 1}], "a cut"),
        ([{"name": "two slow", "fault": "straggler"}, {"fault": "straggler", "agent": 1}], "two slow"),
        ({"gemodel": {"p": 0.05, "r": 0.2}}, "0.2 in bursts of 5"),
        ({"gemodel": {"p": 0.05, "r": 0.2, "1-h": 0.5}}, "gemodel p=0.05 r=0.2 1-h=0.5"),
    ],
)
def test_varied_values_are_shown_in_few_words(value, shown):
    assert label(value) == shown


def test_columns_without_a_title_show_their_last_key():
    assert column_title("network.link.loss") == "message loss (probability)"
    assert column_title("algorithm.values.learning_rate") == "learning rate"


def test_one_number_against_another_shows_every_trial_and_a_line_through_the_means(tmp_path, monkeypatch):
    some = results("update", varied=2, seeds=3)
    table = some.summary.assign(
        solve_error=np.geomspace(1e-3, 1, len(some.summary)), surrogate_gain=range(len(some.summary))
    )
    some = FigureData("update", "Why?", some.varied, table, some.curves)
    plan = next(p for p in draw.PLANS["update"] if p.name == "surrogate_gain_by_error")
    monkeypatch.setitem(draw.PLANS, "update", (plan,))
    drawn = []
    monkeypatch.setattr(plt, "close", lambda figure: drawn.append(figure))
    (file,) = draw.draw(some, tmp_path)
    (axes,) = drawn[0].axes
    assert file.name == "surrogate_gain_by_error.png"
    assert axes.get_xscale() == "log"
    assert sum(len(points.get_offsets()) for points in axes.collections) == len(table)
    lines = {tuple(np.round(line.get_ydata(), 9)) for line in axes.lines if len(line.get_xdata()) == 2}
    means = table.groupby(["topology", "network.link.loss"])["surrogate_gain"].mean()
    assert lines == {tuple(means[name]) for name in ("ring", "star")}


def test_solvers_are_told_by_what_makes_them_different():
    paper = {"preconditioner": "none", "iterations": 10, "tolerance": 0, "warm_start": False}
    assert label(paper) == "plain, 10 iterations from zero"
    assert label({"preconditioner": "kfac"}) == "K-FAC"
    assert (
        label({"preconditioner": "kfac", "tolerance": 0.1, "damping": 0.01}) == "K-FAC, to 0.1, damping=0.01"
    )
