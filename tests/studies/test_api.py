"""Studies from Python."""

import re
import textwrap

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import pytest

import studies
from studies.spec.document import StudyError

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


def test_a_training_study_has_statistics_curves_and_figures(here, in_this_process):
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


def _endless():
    inner: dict[str, object] = {}
    inner["a"] = inner
    return inner


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (
            {"topology": nx.path_graph(4)},
            "study: topology: got Graph, must be a mapping, a list, text, a number",
        ),
        ({"topology": {"file": nx.path_graph(4)}}, "study: topology.file: got Graph, must be"),
        ({"vary": {"problem.agents": [4, {5}]}}, "study: vary.problem.agents.1: got set, must be"),
        ({"question": b"why"}, "study: question: got bytes, must be"),
        (_endless(), "study: a: lists and mappings inside one another to more than 40 levels"),
        (nx.path_graph(4), "study: got Graph, must be a path, the name of a built-in study, or a mapping"),
        (None, "study: got NoneType, must be a path"),
        (7, "study: got int, must be a path"),
    ],
)
def test_what_is_no_study_is_refused_in_one_line(study, message):
    for take in (studies.define, studies.run):
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            take(study)
        assert "\n" not in str(caught.value)


def test_numpy_and_paths_are_taken_for_what_a_file_would_say(tmp_path):
    (tmp_path / "square.edgelist").write_text("0 1\n1 2\n2 3\n3 0\n")
    given = {
        "workload": "problem",
        "problem": {"name": "mean", "agents": np.int64(4)},
        "topology": {"file": tmp_path / "square.edgelist"},
        "seeds": np.arange(2),
        "network": {"link": {"loss": np.float32(0.25)}},
    }
    study = studies.define(given)
    assert [trial.seed for trial in study.trials] == [0, 1]
    assert study.trials[0].settings.network.link.loss == 0.25


@pytest.mark.parametrize("folder", [None, 3, nx.path_graph(2)])
def test_a_folder_that_is_no_path_is_refused(folder):
    with pytest.raises(ValueError, match=r"folder: got \w+, must be a path"):
        studies.load(folder)


@pytest.mark.parametrize("overrides", ["problem.agents=3", [3]])
def test_overrides_that_are_no_list_of_texts_are_refused(overrides):
    with pytest.raises(ValueError, match="overrides: must be a list of texts such as"):
        studies.define({"workload": "problem"}, overrides=overrides)
