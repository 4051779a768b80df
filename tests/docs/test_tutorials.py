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
def follow(shown, tmp_path, monkeypatch, capsys, in_this_process):
    """Does what a tutorial says, in an empty folder."""

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
        for block in shown(page):
            if block.language == "yaml":
                Path(block.file).write_text(block.text)
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


CLAIMS: dict[str, Callable[[], None]] = {
    "compare-topologies.md": claims_of_compare_topologies,
    "inject-link-failures.md": claims_of_inject_link_failures,
    "stress-iteration-budgets.md": claims_of_stress_iteration_budgets,
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_tutorial_works_as_written_and_claims_what_is_true(follow, name):
    follow(name)
    for figure in re.findall(r"runs/[\w/-]+\.png", (TUTORIALS / name).read_text()):
        assert Path(figure).is_file(), figure
    CLAIMS[name]()


@pytest.mark.parametrize("name", CLAIMS)
def test_what_to_try_next_can_be_tried(shown, tmp_path, name):
    (study,) = (block for block in shown(TUTORIALS / name) if block.language == "yaml")
    path = tmp_path / study.file
    path.write_text(study.text)
    inline = re.findall(r"`([^`\n]+)`", (TUTORIALS / name).read_text())
    settings = [shlex.split(code)[1::2] for code in inline if code.startswith("--set ")]
    studies_named = [code.split()[2] for code in inline if code.startswith("testbed run ")]
    faults = [code for code in inline if code.startswith("{")]
    assert settings
    assert studies_named
    for overrides in [*settings, *([f"vary.network.faults=[[{fault}]]"] for fault in faults)]:
        assert load(str(path), overrides=overrides).trials
    for named in studies_named:
        assert load(named, quick=True).trials


def test_every_tutorial_is_followed():
    assert sorted(CLAIMS) == sorted(path.name for path in TUTORIALS.glob("*.md"))
