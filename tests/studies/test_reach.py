"""Costs to reach thresholds of a study that was run: in Python, on the command line and on the page."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import reported

import studies
from studies import report
from studies.execution import runner
from studies.figures import draw
from studies.figures.from_store import draw_figures
from studies.spec.document import StudyError
from studies.storage.store import Store

STUDY = {
    "question": "What does a small error cost?",
    "workload": "problem",
    "problem": {"name": "least_squares", "agents": 6, "dimension": 3},
    "network": {
        "link": {"delay": "5ms", "jitter": "2ms", "loss": {"gemodel": {"p": 0.1, "r": 0.5}}},
    },
    "consensus": {"penalty": 20, "budget": {"activations": 60}, "curve_every": 2},
    "vary": {"topology": ["ring", "complete"]},
    "seeds": 2,
    "reach": {"error": [0.5, 1e-9]},
    "figures": [{"name": "mine", "x": "seconds", "y": "error", "hue": "topology", "format": "svg"}],
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The study, finished."""
    folder = tmp_path_factory.mktemp("reach") / "out"
    study, store = studies.define(STUDY), Store(folder)
    store.remember(study)
    for trial in study.trials:
        runner.perform(runner.Task(trial, store.folder, {}), lambda *_: None)
    return store


def test_the_cost_is_that_of_the_first_row_within_the_threshold(store):
    results = studies.load(store.folder)
    table = results.reach()
    assert list(table["reached"].unique()) == [True, False]
    assert table["reached"].dtype == bool
    curve = results.curve("consensus")
    for row in table.to_dict("records"):
        rows = curve[curve["trial"] == row["trial"]]
        within = rows[(rows["error"] <= row["threshold"]) & (rows["exchanges"] > 0)]
        assert row["reached"] == (len(within) > 0)
        paid = within.iloc[0] if len(within) else rows.iloc[-1]
        for cost in ("activations", "exchanges", "bytes", "seconds"):
            assert row[cost] == paid[cost]
    over = results.reach(over_seeds=True, error=0.5)
    assert (list(over["seeds"]), list(over["reached"])) == ([2, 2], [2, 0])
    assert np.isnan(over["activations"][1])
    assert over["activations_exceeds"][1] == 60
    ring = table[(table["topology"] == "ring") & table["reached"]]
    assert over["activations"][0] == ring["activations"].mean()  # the median of two
    assert len(results.reach(disagreement={"at_most": [1e9]})) == 4
    with pytest.raises(StudyError, match="reach: kl: these curves have no such column"):
        results.reach(kl={"at_most": [1]})


def test_disagreement_before_the_first_exchange_reaches_nothing(store):
    table = studies.load(store.folder).reach(disagreement={"at_most": [1e9]})
    assert (table["exchanges"] > 0).all()


def test_the_table_prints_costs_by_default_and_for_given_thresholds(call, store):
    code, out, err = call("table", store.folder)
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert any(line.startswith("error ≤ 0.5 ring 2 of 2 ") for line in lines)
    assert "error ≤ 1e-09 ring 0 of 2 > 60" in " ".join(lines)
    assert "Kaplan-Meier" in lines[-3]
    code, out, _ = call("table", store.folder, "--reach", "disagreement<=1e9")
    assert "disagreement ≤ 1000000000 ring 2 of 2" in " ".join(out.split())
    assert "relative_disagreement" not in out
    code, out, _ = call("table", store.folder, "--reach", "error=0.5", "--csv")
    assert out.splitlines()[0].startswith("trial,topology,seed,metric,bound,threshold,reached,activations")
    assert len(out.splitlines()) == 1 + 4
    code, out, _ = call("table", store.folder, "--reach", "error=0.5", "--latex")
    assert r"error $\leq$ 0.5 & ring & 2 of 2 & " in out
    assert out.count("tabular}") == 2
    assert call("table", store.folder, "--markdown")[1].count("\n| ---") == 2
    for wrong in (["--reach", "kl<=1"], ["--reach", "eror=1"], ["--reach", "error=1", "--metrics", "error"]):
        code, out, err = call("table", store.folder, *wrong)
        assert (code, out, err.count("\n")) == (2, "", 1)


def test_an_archive_has_the_costs_and_the_figures(store, tmp_path, monkeypatch):
    monkeypatch.setitem(draw.PLANS, "problem", ())
    studies.export(studies.load(store.folder), tmp_path / "archive")
    assert (tmp_path / "archive/reach.csv").is_file()
    figures = {path.name for path in (tmp_path / "archive/figures").iterdir()}
    assert figures == {"mine.svg", "cost_to_reach_error.png", "cost_to_reach_error.svg"}


def test_the_page_has_the_costs(store):
    page = reported.read(report.write(store.folder, replayed=False).file)
    records = page.records("reach")
    assert len(records) == 4
    assert records[0]["reached"][0][0] == "error ≤ 0.5"


def test_figures_and_the_table_of_costs_are_written(store, monkeypatch):
    monkeypatch.setitem(draw.PLANS, "problem", ())
    drawn = draw_figures(studies.define(STUDY), store)
    assert [path.name for path in drawn] == ["cost_to_reach_error.png", "mine.svg"]
    written = pd.read_csv(store.folder / "reach.csv")
    assert list(written["reached"]) == list(studies.load(store.folder).reach()["reached"])


def test_any_columns_are_drawn_from_python(store):
    results = studies.load(store.folder)
    figure = results.plot(x="seconds", y="error", hue="topology", width="two_columns")
    assert figure.get_size_inches()[0] == 6.9
    plt.close(figure)
    for wrong, message in (
        ({"x": "seconds", "y": "eror"}, "plot: y = 'eror': must be a column of numbers"),
        ({"x": "seconds"}, "plot: y: missing"),
        ({"x": "seconds", "y": "error", "size": 3}, "plot: size: unknown key"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            results.plot(**wrong)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="plot: name a figure, or columns"):
        results.plot()


def test_thresholds_that_no_curve_has_are_a_warning_and_cost_no_other_figure(store, monkeypatch):
    monkeypatch.setitem(draw.PLANS, "problem", ())
    lines: list[str] = []
    drawn = draw_figures(
        studies.define({**STUDY, "reach": {"joint_connectivity": {"at_least": [1]}}}), store, lines.append
    )
    assert [path.name for path in drawn] == ["mine.svg"]
    assert len(lines) == 1
    assert lines[0].startswith("reach: joint_connectivity: these curves have no such column")
