"""Studies from Python."""

import re
import textwrap

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich import console

import studies
from studies.execution import backends, executor, runner
from studies.spec.document import StudyError
from studies.storage.store import Store

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
    agents, links = results.curve("agents"), results.curve("links")
    assert len(agents) == 2 * 2 * (3 + 4)
    assert {"environment.agents", "seed", "update", "agent", "return"} <= set(agents)
    assert links.groupby("trial").size().to_dict() == {
        trial: 2 * len(table) for trial, table in results.table("traffic").groupby("trial")
    }
    figure = results.plot("return_by_steps")
    figure.savefig(here / "return.png", dpi=100)
    with Image.open(here / "return.png") as image:  # the question stands above the figure, and is not cut off
        assert image.height > 100 * figure.get_figheight() + 20
    (here / "return.png").unlink()
    assert figure.get_suptitle() == "Does it learn?"
    plt.close(figure)
    assert "return_by_steps" in results.figures
    assert plt.get_fignums() == []
    again = studies.run(studies.define(TRAINING, overrides=["seeds=3"]), "out", jobs=2)
    assert len(again.summary) == 6
    assert list(here.iterdir()) == [here / "out"]
    with pytest.raises(ValueError, match=r"no figure 'returns'; there are .*return_by_steps"):
        again.plot("returns")
    with pytest.raises(
        ValueError, match=r"no trial has one named 'train'; there are training, agents, links$"
    ):
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
        (_endless(), "study: a: lists and mappings are nested deeper than 40 levels"),
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


@pytest.fixture(scope="module")
def lossy(tmp_path_factory):
    """Results of a small study, and of the same with another penalty."""
    folder, made = tmp_path_factory.mktemp("lossy"), []
    for penalty in (1, 2):
        study = studies.define({**PROBLEM, "consensus": {**BUDGET, "penalty": penalty}}, name="<i>lossy</i>")
        store = Store(folder / str(penalty))
        store.remember(study)
        for trial in study.trials:
            runner.perform(runner.Task(trial, store.folder, {}), lambda *_: None)
        made.append(studies.load(store.folder))
    return made


BUDGET = {"budget": {"activations": 20}}
PROBLEM = {
    "question": "Is 1 < 2 & 3?",
    "workload": "problem",
    "problem": {"name": "mean", "agents": 4},
    "consensus": BUDGET,
    "vary": {"network.link.loss": [0, 0.3]},
    "seeds": 2,
}


def test_an_overview_is_what_the_table_shows(lossy, call):
    made = lossy[0].overview(["error"])
    _, out, _ = call("table", lossy[0].folder, "--markdown", "--metrics", "error")
    assert made.markdown() == out
    numbers = made.numbers
    assert list(numbers) == ["network.link.loss", "seeds", "error", "error_low", "error_high"]
    means = lossy[0].summary.groupby("network.link.loss")["error"].apply(lambda x: np.exp(np.log(x).mean()))
    assert list(numbers["error"]) == pytest.approx(list(means))
    assert lossy[0].overview("error") == made
    with pytest.raises(ValueError, match="metrics eror: no such metric; did you mean 'error'"):
        lossy[0].overview(["eror"])


def test_studies_and_results_are_short_at_the_prompt_and_escaped_in_notebooks(lossy):
    results = lossy[0]
    assert repr(results) == f"<results of <i>lossy</i> in {results.folder}: 4 of 4 trials finished>"
    words = "problem, 4 trials: 2 conditions of network.link.loss, 2 seeds each"
    assert repr(results.study) == f"<study <i>lossy</i>: {words}>"
    assert repr(studies.define(PROBLEM, name="s")) == f"<study s: {words}>"
    for shown in (results, results.study, studies.define(PROBLEM, name="<i>"), results.overview()):
        page = shown._repr_html_()
        assert "<i>" not in page
        assert "color: #" not in page
        assert "background" not in page
    assert "Is 1 &lt; 2 &amp; 3?" in results._repr_html_()
    assert "&lt;i&gt;lossy" in results._repr_html_()


def test_two_results_are_compared_as_by_the_command(lossy, call):
    first, second = lossy
    found = studies.compare(first, str(second.folder), metric="error")
    assert (found.equal, found.pairs, found.metric) == (0, 4, "error")
    assert found.changed == {"consensus.penalty": (("1.0", "2.0"),)}
    table = found.table
    assert list(table["condition"]) == ["loss=0", "loss=0.3"]
    assert set(table["kind"]) == {"ratio"}
    one, two = (results.summary.groupby("network.link.loss")["error"] for results in lossy)
    ratios = two.apply(lambda x: np.log(x).mean()) - one.apply(lambda x: np.log(x).mean())
    assert list(table["change"]) == pytest.approx(list(np.exp(ratios)))
    assert "4 pairs with other settings" in repr(found)
    with pytest.raises(ValueError, match="metric eror: no such metric"):
        studies.compare(first, second, metric="eror")


def test_a_report_is_written_from_python(lossy, tmp_path):
    made = studies.write_report(lossy[0], tmp_path / "page.html", replay=False)
    assert made.file == tmp_path / "page.html"
    assert "Is 1 &lt; 2 &amp; 3?" in made.file.read_text()
    (tmp_path / "mine.html").write_text("mine")
    with pytest.raises(StudyError, match="already exists"):
        studies.write_report(lossy[0].folder, tmp_path / "mine.html", replay=False)


def test_a_trace_is_recorded_and_written(tmp_path):
    trace = studies.trace(PROBLEM, trial=3)
    assert len(trace.events) > 10
    again = studies.trace(PROBLEM, 3, tmp_path / "files", begin=0, end="1s")
    assert list(again.lines()) == list(trace.lines())
    assert (tmp_path / "files" / "spacetime.png").is_file()
    with pytest.raises(StudyError, match=r"trace\.jsonl already exists; choose another, or pass force=True"):
        studies.trace(PROBLEM, 3, tmp_path / "files")
    for wrong in (0, 5, True, "1"):
        with pytest.raises(StudyError, match="must be from 1 to 4"):
            studies.trace(PROBLEM, wrong)
    with pytest.raises(StudyError, match="begin: "):
        studies.trace(PROBLEM, begin="soon")


MANY = {**PROBLEM, "vary": {}, "seeds": 60, "consensus": {"budget": {"activations": 1}}}


class Instant:
    """An executor that finishes or fails every trial at once, without running it."""

    def __init__(self, store, fail):
        self.store, self.fail = store, fail

    def run(self, tasks):
        for index, task in enumerate(tasks):
            yield executor.Started(index)
            yield executor.Progressed(index, "consensus", 1, 1, {"disagreement": 0.5})
            if self.fail:
                yield executor.Failed(index, "Traceback:\nValueError: no\n")
            else:
                self.store.write(task.trial, {"error": 1.0}, {}, task.versions, 1.0)
                yield executor.Finished(index)


@pytest.mark.parametrize(("notebook", "fail"), [(False, False), (True, False), (True, True)])
def test_progress_is_some_plain_lines_without_a_terminal(here, monkeypatch, capsys, notebook, fail):
    monkeypatch.setattr(console, "_is_jupyter", lambda: notebook)
    monkeypatch.setenv("FORCE_COLOR", "1" if notebook else "")
    monkeypatch.setattr(backends, "executor", lambda on, jobs, folder: Instant(Store(folder), fail))
    if fail:
        with pytest.raises(RuntimeError, match="60 of 60 trials failed"):
            studies.run(MANY, "many")
    else:
        assert len(studies.run(MANY, "many").summary) == 60
    out = capsys.readouterr().out
    assert out.isprintable() or set(filter(lambda letter: not letter.isprintable(), out)) == {"\n"}
    assert 5 < len(out.splitlines()) <= 40
    if not fail:
        assert "60 of 60 trials" in out.splitlines()[-1]
