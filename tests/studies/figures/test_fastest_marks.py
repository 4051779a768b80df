"""Marks in heat maps where a closed form puts the penalty of the fastest agreement."""

import math

import numpy as np
import pytest
import reported

import studies
import topologies
from studies.analysis import fastest_penalty
from studies.figures.fastest_marks import EDGE, TITLE, position
from studies.storage.store import Store
from topologies import spectrum

pytestmark = pytest.mark.usefixtures("closes_figures")

STUDY = """\
workload: problem
problem: {name: mean, agents: 16, dimension: 1}
network: {link: {delay: 5ms}}
consensus: {algorithm: relaxed_admm, activation: synchronous, budget: {activations: 32}}
vary:
  topology: [ring, complete, path]
  consensus.penalty: [0.05, 0.5, 2]
seeds: 1
"""
GRAPHS, PENALTIES = ("ring", "complete", "path"), (0.05, 0.5, 2.0)

MEAN = {
    "workload": "problem",
    "problem": {"name": "mean", "agents": 6},
    "consensus": {"algorithm": "relaxed_admm", "activation": "synchronous", "budget": {"activations": 12}},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The study, finished."""
    folder = tmp_path_factory.mktemp("fastest")
    (folder / "study.yaml").write_text(STUDY)
    reported.run(folder / "study.yaml", folder / "out")
    return studies.load(folder / "out")


def marks(figure):
    """Places and shapes of the marks in the cells of a figure."""
    found = [line for line in figure.axes[0].lines if line.get_gid() == "fastest penalty"]
    return [(line.get_xdata()[0], line.get_ydata()[0], line.get_marker()) for line in found]


def test_marks_are_where_the_closed_form_puts_the_best_penalty(results):
    figure = results.plot("heat_map_of_error")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.05", "0.5", "2"]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == list(GRAPHS)
    found = marks(figure)
    assert len(found) == 2 * len(GRAPHS)
    for row, name in enumerate(GRAPHS):
        best = spectrum.summary(topologies.make(name, 16)).best_penalty
        (x, up, above), (same, low, below) = found[2 * row : 2 * row + 2]
        assert (x, up, low) == (same, row - EDGE, row + EDGE)
        assert (above, below) == ("v", "^")
        # Back from the axis: logarithmic between the cells, and as far beyond the last as before it.
        step = math.log(2 / 0.5) if x > 1 else math.log(0.5 / 0.05)
        assert 0.5 * math.exp(step * (x - 1)) == pytest.approx(best, rel=1e-6)
    (entry,) = figure.legends[0].get_texts()
    assert entry.get_text().replace("\n", " ") == TITLE


def test_marks_follow_the_penalty_to_the_other_axis_of_an_own_figure(results):
    figure = results.plot(kind="heatmap", x="topology", y="consensus.penalty", hue="error")
    across, up = (np.array(marks(results.plot("heat_map_of_error"))), np.array(marks(figure)))
    # The largest penalty is at the top, and marks are left and right of the numbers.
    assert up[:, 1].astype(float) == pytest.approx(2 - across[:, 0].astype(float))
    assert set(up[:, 2]) == {">", "<"}
    assert figure.legends[0].get_texts()[0].get_text().replace("\n", " ") == TITLE


@pytest.mark.parametrize(
    ("wanted", "place", "beyond"),
    [(1, 1, 0), (10**0.5, 1.5, 0), (10**1.25, 2.25, 0), (100, 2 + EDGE, 1), (0.001, -EDGE, -1)],
)
def test_a_place_is_logarithmic_and_ends_half_a_cell_beyond_the_last(wanted, place, beyond):
    assert position([0.1, 1, 10], wanted) == (pytest.approx(place), beyond)
    other, outside = position([10, 1, 0.1], wanted)
    assert (other, outside) == (pytest.approx(2 - place), -beyond)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"network": {"link": {"delay": "20ms"}}}, True),
        ({"topology": "star"}, True),
        ({"network": {"link": {"loss": 0.1}}}, False),
        ({"network": {"link": {"jitter": "1ms"}}}, False),
        ({"network": {"faults": [{"link": "0-1", "down": "10ms"}]}}, False),
        ({"network": {"links": {"0-1": {"delay": "1s"}}}}, False),
        ({"problem": {"name": "least_squares", "agents": 6}}, False),
        ({"consensus": {**MEAN["consensus"], "relaxation": 0.4}}, False),
        ({"consensus": {**MEAN["consensus"], "coupling": 1}}, False),
        ({"consensus": {**MEAN["consensus"], "activation": "asynchronous"}}, False),
        ({"consensus": {"budget": {"activations": 12}}}, False),
    ],
)
def test_the_closed_form_is_only_used_where_it_applies(changes, expected):
    (trial,) = studies.define({**MEAN, **changes}).trials
    assert fastest_penalty.applies(trial.resolved, trial.identity) is expected


def test_a_study_to_which_it_does_not_apply_has_no_marks(results, tmp_path):
    assert len(fastest_penalty.by_trial(results.study, Store(results.folder))) == 9
    (tmp_path / "study.yaml").write_text(STUDY.replace("delay: 5ms", "loss: 0.1"))
    study, store = reported.run(tmp_path / "study.yaml", tmp_path / "out", trials=3)
    assert fastest_penalty.by_trial(study, store) == {}
