"""Studies from Python."""

import textwrap

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import studies
from studies.document import StudyError

TRAINING = {
    "question": "Does it learn?",
    "workload": "training",
    "algorithm": {"name": "itrpo", "hidden": [8]},
    "training": {"updates": 2, "samples": 200},
    "vary": {"environment.agents": [3, 4]},
    "seeds": 2,
}


@pytest.fixture
def here(monkeypatch, tmp_path):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_study_is_defined_run_and_plotted_in_ten_lines_as_the_documentation_has_it(here):
    example = textwrap.dedent(studies.__doc__.partition("::\n")[2])
    assert len(example.strip().splitlines()) <= 10
    names: dict = {}
    exec(compile(example, "the docstring of studies", "exec"), names)  # noqa: S102 (our own documentation)
    results = names["results"]
    assert len(results.summary) == 10
    assert {"network.link.loss", "seed", "error"} <= set(results.summary)
    pd.testing.assert_frame_equal(studies.load("runs/loss").summary, results.summary)
    plt.close("all")


def test_a_training_study_has_statistics_curves_and_figures(here):
    results = studies.run(TRAINING, "out", jobs=2)
    assert list(results.statistics["seeds"].unique()) == [2]
    assert len(results.curve("training")) == 2 * 2 * 2
    figure = results.plot("return_by_steps")
    assert figure.get_suptitle() == "Does it learn?"
    plt.close(figure)
    assert "return_by_steps" in results.figures
    assert plt.get_fignums() == []
    again = studies.run(studies.define(TRAINING, overrides=["seeds=3"]), "out", jobs=2)
    assert len(again.summary) == 6
    assert list(here.iterdir()) == [here / "out"]
    with pytest.raises(ValueError, match=r"no figure 'returns'; there are .*return_by_steps"):
        again.plot("returns")
    with pytest.raises(ValueError, match=r"no trial has one named 'train'; there are training$"):
        again.curve("train")


def test_what_is_wrong_is_said_before_anything_is_written(here):
    with pytest.raises(StudyError, match="study: netwrk: unknown key; did you mean 'network'"):
        studies.run({"workload": "problem", "netwrk": {}})
    with pytest.raises(StudyError, match="no such folder"):
        studies.load("gone")
    assert list(here.iterdir()) == []
