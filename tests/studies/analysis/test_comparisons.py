"""Conditions beside each other: the table, the figures, and what is compared with what."""

import dataclasses
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from studies.analysis import comparisons
from studies.analysis.comparisons import ALL, decisive, pairs
from studies.columns import COLUMNS, column_title, format_value
from studies.figures import draw
from studies.figures.catalogue import COMPARISONS
from studies.figures.plan import FigureData
from studies.spec.loading import load

pytestmark = pytest.mark.usefixtures("closes_figures")

VARIED = ("task", "method", "network.link.loss")
SEEDS = 5


def summary(seeds=SEEDS):
    generator = np.random.default_rng(3)
    rows = []
    cells = itertools.product(["three", "six"], ["matrpo", "itrpo", "ctrpo"], [0.0, 0.3], range(seeds))
    for number, (task, method, loss, seed) in enumerate(cells):
        key = {"trial": f"t{number}", "task": task, "method": method, "network.link.loss": loss, "seed": seed}
        rows.append(key | {"return": round(generator.normal(), 1), "kl": 1.0})
    return pd.DataFrame(rows)


def test_every_column_of_the_table_is_explained():
    section = "Conditions over their seeds (`statistics.csv`, of training)"
    known = [each.name for each in COLUMNS if each.section == section]
    named = {
        name.removesuffix("_low").removesuffix("_high")  # type: ignore[attr-defined]
        for name in comparisons.statistics_table(summary(), VARIED, "method")
    }
    assert named - {*VARIED} == {*known}


def _runs(table, task, method, loss):
    rows = table[(table["task"] == task) & (table["method"] == method) & (table["network.link.loss"] == loss)]
    return rows.set_index("seed")["return"]


def test_the_table_has_each_condition_over_its_seeds_and_beside_the_first_method():
    whole = summary()
    found = comparisons.statistics_table(whole, VARIED, "method")
    assert len(found) == 12 + 2
    for row in found[found["task"] != ALL].to_dict("records"):
        runs = _runs(whole, row["task"], row["method"], row["network.link.loss"])
        assert (row["metric"], row["seeds"]) == ("return", SEEDS)
        assert row["mean"] == pytest.approx(runs.mean())
        assert row["iqm"] == pytest.approx(stats.trim_mean(runs, 0.25))
        assert row["iqm_low"] <= row["iqm"] <= row["iqm_high"]
        if row["method"] == "matrpo":
            assert np.isnan(row["paired_difference"])
            continue
        base = _runs(whole, row["task"], "matrpo", row["network.link.loss"])
        assert row["reference"] == "matrpo"
        wins = stats.mannwhitneyu(runs, base).statistic / SEEDS**2
        assert row["probability_of_improvement"] == pytest.approx(wins)
        assert row["pairs"] == SEEDS
        assert row["paired_difference"] == pytest.approx(np.mean([runs[s] - base[s] for s in range(SEEDS)]))
        assert row["paired_difference_low"] < row["paired_difference"] < row["paired_difference_high"]
    for row in found[found["task"] == ALL].to_dict("records"):
        each = found[(found["method"] == row["method"]) & (found["task"] != ALL)]
        wanted = each["probability_of_improvement"].mean()
        assert row["probability_of_improvement"] == pytest.approx(wanted)
        assert (
            row["probability_of_improvement_high"] - row["probability_of_improvement_low"]
            < (each["probability_of_improvement_high"] - each["probability_of_improvement_low"]).min()
        )


def test_runs_that_are_missing_or_undefined_are_left_out_of_the_pairs():
    whole = summary()
    here = (whole["task"] == "six") & (whole["network.link.loss"] == 0)
    whole.loc[here & (whole["method"] == "itrpo") & (whole["seed"] == 1), "return"] = np.nan
    failed = (whole["method"] == "ctrpo") | ((whole["method"] == "matrpo") & (whole["seed"] == 4))
    whole = whole[~(here & failed)]
    found = [pair for pair in pairs(whole, VARIED, "method", "return") if pair.others["task"] == "six"]
    sizes = {
        (pair.level, pair.others["network.link.loss"]): (
            len(pair.ours),
            len(pair.theirs),
            len(pair.differences),
        )
        for pair in found
    }
    assert sizes == {("itrpo", 0.0): (4, 4, 3), ("itrpo", 0.3): (5, 5, 5), ("ctrpo", 0.3): (5, 5, 5)}


def test_without_anything_to_compare_there_is_a_row_per_condition():
    whole = summary()
    alone = whole[(whole["task"] == "six") & (whole["method"] == "ctrpo") & (whole["network.link.loss"] == 0)]
    (row,) = comparisons.statistics_table(alone, (), None).to_dict("records")
    assert row["mean"] == pytest.approx(alone["return"].mean())
    assert "reference" not in row
    assert comparisons.statistics_table(whole.drop(columns="return"), VARIED, "method").empty


def test_battles_won_in_evaluation_decide_where_there_are_any():
    table = pd.DataFrame({"return": [1.0], "evaluation_return": [1.0], "evaluation_return_battle_won": [0.5]})
    assert decisive(table) == "evaluation_return_battle_won"
    assert decisive(table.assign(evaluation_return_battle_won=np.nan)) == "return"
    assert decisive(table[["evaluation_return"]]) is None


def test_the_figures_show_every_pair_a_panel_per_world_and_the_mean_over_all(tmp_path, monkeypatch):
    some = FigureData("training", "Who?", VARIED, summary(), {}, {}, ("task",), "method")
    monkeypatch.setitem(draw.PLANS, "training", COMPARISONS)
    drawn = []
    monkeypatch.setattr(plt, "close", drawn.append)
    files = draw.draw(some, tmp_path)
    assert [file.stem for file in files] == ["probability_of_improvement", "paired_differences"]
    found = list(pairs(some.summary, VARIED, "method", "return"))
    improvement, differences = ([axes for axes in figure.axes if axes.get_visible()] for figure in drawn)
    assert [axes.get_title() for axes in improvement] == [
        "task = three",
        "task = six",
        "mean over all of these",
    ]
    assert [axes.get_title() for axes in differences] == ["task = three", "task = six"]
    for task, axes in zip(("three", "six"), differences, strict=True):
        shown = {tuple(np.round(line.get_xdata(), 9)) for line in axes.lines}
        for pair in found:
            if pair.others["task"] == task:
                assert tuple(np.round(pair.differences, 9)) in shown
                assert (round(float(pair.differences.mean()), 9),) in shown
    svg = files[0].with_suffix(".svg").read_text()
    for text in (
        "Who?",
        "higher than with matrpo",
        "message loss (probability) = 0.3",
        "stratified-bootstrap",
    ):
        assert text in svg
    assert "left out" not in svg
    some.summary.loc[3, "return"] = np.nan
    for file in draw.draw(some, tmp_path):
        assert "; 1 trial that is not finite left out" in file.with_suffix(".svg").read_text()
    single = dataclasses.replace(some, summary=summary(seeds=1))
    assert draw.draw(single, tmp_path) == []


TRAINING = "workload: training\nvary:\n"


@pytest.mark.parametrize(
    ("vary", "compared"),
    [
        ("  network.link.loss: [0, 0.3]\n  algorithm.name: [matrpo, itrpo]\n", "algorithm.name"),
        ("  network.link.loss: [0, 0.3]\n  way: {A: {algorithm: {name: itrpo}}, B: {}}\n", "way"),
        ("  environment.agents: [3, 4]\n  network.link.loss: [0, 0.3]\n", "network.link.loss"),
        ("  environment.agents: [3, 4]\n", None),
        ("  algorithm.name: [itrpo]\n", None),
    ],
)
def test_algorithms_are_compared_or_else_the_first_that_leaves_the_world_alone(write, vary, compared):
    assert load(str(write(TRAINING + vary))).comparison_factor == compared


def test_figures_name_algorithms_as_the_literature_does():
    names = ["matrpo", "itrpo", "ctrpo", "mappo", "fdmarl"]
    wanted = ["MATRPO", "I-TRPO", "C-TRPO", "MAPPO", "FDMARL"]
    assert [format_value("algorithm.name", name) for name in names] == wanted
    assert format_value("algorithm", "ctrpo delta_per_agent=0.1") == "C-TRPO delta_per_agent=0.1"
    assert format_value("method", "matrpo") == "matrpo"
    assert format_value("network.link.loss", 0.10) == "0.1"
    assert column_title("algorithm.name") == "algorithm"
