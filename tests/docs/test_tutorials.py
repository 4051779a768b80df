"""The tutorials, word for word: their files are written, their commands run, their claims looked up.

Of the figures only those that a page names are drawn; the others would take most of the time.
"""

import json
import re
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from page_blocks import blocks

import studies
import topologies
from studies.cli.main import main
from studies.figures import draw
from studies.figures.catalogue import COMPARISONS
from studies.spec.loading import load

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
BEFORE = "source .venv/bin/activate"
UNCOMMITTED = "made by a commit with changes that are not in it"
"""What a report warns of while somebody works on the code."""


@pytest.fixture
def follow(tmp_path, monkeypatch, capsys, in_this_process):
    """Does what tutorials say, one after the other, in a folder that is empty at first."""

    def follow(name: str) -> None:
        page = TUTORIALS / name
        monkeypatch.chdir(tmp_path)
        text = page.read_text()
        named = {
            workload: [plan for plan in plans if f"{plan.name}.png" in text or plan in COMPARISONS]
            for workload, plans in draw.PLANS.items()
        }
        monkeypatch.setattr(draw, "PLANS", named)
        said = ""
        for block in blocks(page):
            if block.language == "yaml":
                with Path(block.file).open("a") as file:  # a later tutorial adds to a file of an earlier one
                    file.write(block.text)
            elif block.language == "sh":
                said = "".join(_run(line, capsys) for line in block.text.splitlines() if line != BEFORE)
            else:
                assert block.language == "text", f"{name} shows {block.language}"
                heard = [line.split() for line in said.splitlines()]
                for line in block.text.splitlines():
                    assert line.split() in heard, f"{name} shows {line!r}, but the commands said:\n{said}"

    return follow


def _run(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    program, *arguments = shlex.split(line, comments=True)
    assert program == "testbed", line
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    assert ended.value.code == 0, f"{line}: {said.err}"
    unexpected = [line for line in said.err.splitlines() if not line.endswith(UNCOMMITTED)]
    assert unexpected == [], line
    return said.out


def _by_seed(folder: str, column: str, by: str) -> pd.DataFrame:
    """A row per seed, a column per condition."""
    return studies.load(folder).summary.pivot(index="seed", columns=by, values=column)


def _rising(table: pd.DataFrame, *names: object) -> bool:
    """Whether these columns go up from one to the next, in every row."""
    return all((table[one] < table[two]).all() for one, two in pairwise(names))


def claims_of_compare_topologies() -> None:
    graphs = ("path", "ring", "star", "complete")
    spectra = {name: topologies.spectrum.summary(topologies.make(name, 8)) for name in graphs}
    assert [*spectra] == sorted(spectra, key=lambda name: spectra[name].algebraic_connectivity)
    assert (spectra["star"].best_penalty, 7 * spectra["complete"].best_penalty) == pytest.approx((1, 1))
    needed, lighter = (
        _by_seed(folder, "activations", "topology") for folder in ("runs/graphs", "runs/lighter")
    )
    assert _rising(needed, "star", "ring", "path", "complete")
    assert (lighter["complete"] < needed["complete"]).all()
    for topology in ("path", "ring", "star"):
        assert (lighter[topology] > needed[topology]).all()
    assert (_by_seed("runs/graphs", "relative_disagreement", "topology") <= 0.001).all(axis=None)
    assert 0.025 < _by_seed("runs/graphs", "error", "topology")["complete"].mean() < 0.035


def claims_of_inject_link_failures() -> None:
    none, link, short, long = studies.load("runs/failures").summary["network.faults"].unique()
    curve = studies.load("runs/failures").curve("consensus")

    def error(time: float) -> pd.DataFrame:
        then = curve[curve["seconds"] <= time].groupby(["network.faults", "seed"])["error"].last()
        return then.unstack("network.faults")

    assert (error(1).nunique(axis=1) == 1).all()
    assert (error(1)[none] < 1).all()
    assert _rising(error(5), none, link, short)
    came_nearer = error(2) / error(5)
    assert _rising(came_nearer, short, link, none)
    assert (error(10)[short] < error(5)[short] / 2).all()
    assert (error(10)[long] > error(9)[long] / 2).all()
    assert _rising(error(10), none, link, short, long)
    quiet, lossy = (_by_seed(folder, "error", "network.faults") for folder in ("runs/failures", "runs/lossy"))
    assert (lossy > quiet).all(axis=None)
    assert (lossy[none] > quiet[link]).all()
    (trace,) = Path("runs/failures/traces").glob("*/trace.jsonl")
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    lost = [event for event in events if event.get("reason") == "link_down"]
    given_up = [event["time"] for event in events if event["event"] == "given_up"]
    requests = [event for event in lost if event["kind"] == "request"]
    assert requests
    assert all(pytest.approx(event["time"] + 0.2) in given_up for event in requests)
    assert trace.with_name("spacetime.png").is_file()


def claims_of_stress_iteration_budgets() -> None:
    varied = "consensus.budget.activations"
    apart, heavier = (
        _by_seed(folder, "relative_disagreement", varied) for folder in ("runs/budgets", "runs/heavier")
    )
    assert _rising(apart, 100, 30, 10)
    assert (apart[100] > apart[10] / 10).all()
    assert (heavier < apart).all(axis=None)
    sent = _by_seed("runs/budgets", "consensus_bytes", varied)
    assert (sent[100] == 10 * sent[10]).all()
    gain, pulled = (_by_seed(folder, "surrogate_gain", varied) for folder in ("runs/budgets", "runs/heavier"))
    assert _rising(gain, 100, 30, 10)
    assert (pulled < gain).all(axis=None)
    assert (_by_seed("runs/budgets", "heldout_gain", varied) < gain / 10).all(axis=None)


def claims_of_agree_on_a_mean() -> None:
    varied = "consensus.budget.activations"
    error, seconds, sent = (
        _by_seed("runs/mean", column, varied) for column in ("error", "consensus_seconds", "messages_sent")
    )
    assert len(studies.load("runs/mean").summary) == 9
    for budget in (5, 20, 80):
        assert seconds[budget].tolist() == pytest.approx([0.04 * budget] * 3)
        assert (sent[budget] == 2 * budget).all()
    means = error.apply(lambda column: column.prod() ** (1 / 3))  # geometric
    assert means[5] / 10 < means[20] < means[5] / 3
    assert means[80] < means[20] / 100
    (trace,) = Path("runs/mean/traces").glob("*/trace.jsonl")
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    assert sum(event["event"] == "sent" for event in events) == 10
    assert events[1]["time"] == 0.01  # the sender of the first request has computed
    assert trace.with_name("spacetime.png").is_file()


def claims_of_train_agents() -> None:
    results = studies.load("runs/train")
    assert len(results.summary) == 4
    matrpo, itrpo = sorted(results.summary["algorithm"].unique(), reverse=True)
    assert ("matrpo" in matrpo, "itrpo" in itrpo) == (True, True)
    sent = results.summary.set_index("algorithm")["consensus_bytes"]
    assert (sent[matrpo] > 0).all()
    assert sent[itrpo].isna().all()
    for film in ("learnt.gif", "random.gif"):
        assert Path(film).read_bytes().startswith(b"GIF89a")
    assert Path("learnt.gif").read_bytes() != Path("random.gif").read_bytes()


def claims_of_read_the_page() -> None:
    text = (TUTORIALS / "read-the-page.md").read_text()
    page, small = (Path(name).read_text() for name in ("runs/failures/report.html", "small.html"))
    parts = re.findall(r"^- \*\*(.+?)\*\*", text, re.MULTILINE)
    assert re.findall(r"<h2[^>]*>([^<]+)", page)[-len(parts) :] == parts
    assert "Trial 4 (one link 1 s to 5 s, seed 0), run again" in page
    assert load("failures.yaml").trials[9].title.startswith("faults=two halves 1 s to 9 s")
    assert "Replay of the network</h2>" not in small
    assert len(small) < len(page)


def claims_of_make_a_paper_figure() -> None:
    study = load("failures.yaml")
    assert Path("runs/failures/figures/recovery.pdf").read_bytes().startswith(b"%PDF")
    reached = pd.read_csv("runs/failures/reach.csv")
    assert set(reached["trial"]) == {trial.hash for trial in study.trials}
    costs = studies.load("runs/failures").reach(error=[0.03], over_seeds=True)
    assert costs.set_index("network.faults")["reached"].iloc[-1] == 0
    assert costs["network.faults"].iloc[-1] == study.trials[-1].varied["network.faults"]


CLAIMS: dict[str, Callable[[], None]] = {
    "agree-on-a-mean.md": claims_of_agree_on_a_mean,
    "compare-topologies.md": claims_of_compare_topologies,
    "inject-link-failures.md": claims_of_inject_link_failures,
    "read-the-page.md": claims_of_read_the_page,
    "make-a-paper-figure.md": claims_of_make_a_paper_figure,
    "stress-iteration-budgets.md": claims_of_stress_iteration_budgets,
    "train-agents.md": claims_of_train_agents,
}
CONTINUED = {"inject-link-failures.md": ("read-the-page.md", "make-a-paper-figure.md")}
"""Tutorials that use the results of another one."""

ELSEWHERE = {
    "scale-to-a-cluster.md": "studies/execution/ray/test_executor.py",
    "bring-your-own.md": "docs/test_own_package.py",
}
"""Tutorials that need more than a folder -> the tests that follow them."""

ALONE = sorted(CLAIMS.keys() - {name for names in CONTINUED.values() for name in names})


@pytest.mark.parametrize("first", ALONE)
def test_a_tutorial_works_as_written_and_claims_what_is_true(follow, first):
    for name in (first, *CONTINUED.get(first, ())):
        follow(name)
        for figure in re.findall(r"runs/[\w/-]+\.(?:png|pdf)", (TUTORIALS / name).read_text()):
            assert Path(figure).is_file(), figure
        CLAIMS[name]()


@pytest.mark.parametrize("name", ALONE)
def test_more_that_a_tutorial_names_can_be_tried(tmp_path, name):
    (study,) = (block for block in blocks(TUTORIALS / name) if block.language == "yaml")
    path = tmp_path / study.file
    path.write_text(study.text)
    inline = re.findall(r"`([^`\n]+)`", (TUTORIALS / name).read_text())
    settings = [shlex.split(code)[1::2] for code in inline if code.startswith("--set ")]
    studies_named = [
        code.split()[2]
        for code in inline
        if code.startswith("testbed run ") and not code.split()[2].endswith(".yaml")
    ]
    faults = [code for code in inline if code.startswith("{")]
    assert settings
    assert studies_named
    for overrides in [*settings, *([f"vary.network.faults=[[{fault}]]"] for fault in faults)]:
        assert load(str(path), overrides=overrides).trials
    for named in studies_named:
        assert load(named, quick=True).trials


def test_every_tutorial_is_followed():
    assert sorted([*CLAIMS, *ELSEWHERE]) == sorted(path.name for path in TUTORIALS.glob("*.md"))
    for name, tests in ELSEWHERE.items():
        assert name in (Path(__file__).parents[1] / tests).read_text()
