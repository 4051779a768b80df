"""Archives of results: what is in them, that they are the same each time, and that they can be run again."""

import hashlib
import json
import os
import re
import tarfile
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import studies
from studies.execution import runner
from studies.figures import draw
from studies.spec.loading import load
from studies.storage.store import Store

STUDY = """\
question: 'Is <b>this</b> | kept?'
workload: problem
problem: {name: mean, agents: 4, dimension: 2}
consensus: {budget: {activations: 20}}
vary:
  topology.file: [graphs/square.edgelist, ELSEWHERE]
  network.link.loss: [0, 0.3]
seeds: [3, 5]
quick: {seeds: [3]}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A finished quick study that names a graph below its own folder and one elsewhere."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "graphs").mkdir()
    (folder / "graphs" / "square.edgelist").write_text("a b\nb c\nc d\nd a\n")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "path.edgelist"
    elsewhere.write_text("a b\nb c\nc d\n")
    (folder / "my.yaml").write_text(STUDY.replace("ELSEWHERE", str(elsewhere)))
    study, store = load(str(folder / "my.yaml"), quick=True), Store(folder / "out")
    store.remember(study)
    for trial in study.trials:
        runner.perform(
            runner.Task(trial, store.folder, {"consensus-testbed": "1", "commit": "c" * 40}), _quiet
        )
    return store.folder


def _quiet(*_):
    """Reports nothing."""


@pytest.fixture
def one_figure(monkeypatch):
    """Only the first kind of figure is drawn; the others take the time."""
    monkeypatch.setattr(draw, "PLANS", {kind: plans[:1] for kind, plans in draw.PLANS.items()})


@pytest.fixture
def no_figures(monkeypatch):
    """No figure is drawn."""
    monkeypatch.setattr(draw, "PLANS", dict.fromkeys(draw.PLANS, ()))


def listed(folder):
    return {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}


def test_an_archive_holds_everything_and_runs_again(call, results, one_figure, tmp_path, in_this_process):
    target = tmp_path / "archive"
    (results / "report.html").write_text("<p>as it was</p>")
    code, out, err = call("export", results, target)
    assert (code, out, err) == (0, f"archive: {target}\n", "")
    files = listed(target)
    assert {
        "README.md",
        "SHA256SUMS",
        "curves/consensus.parquet",
        "report.html",
        "study/files/path.edgelist",
        "study/graphs/square.edgelist",
        "study/study.yaml",
        "summary.csv",
        "summary.parquet",
        "tables/traffic.parquet",
        "trials.csv",
        "versions.json",
    } < files.keys()
    assert {name.rpartition(".")[2] for name in files if name.startswith("figures/")} == {"png", "svg"}
    assert call("export", results, tmp_path / "again")[0] == 0
    again = listed(tmp_path / "again")
    assert {name: file.read_bytes() for name, file in again.items()} == {
        name: file.read_bytes() for name, file in files.items()
    }
    sums = dict(line.split("  ")[::-1] for line in files["SHA256SUMS"].read_text().splitlines())
    assert sums == {
        name: hashlib.sha256(file.read_bytes()).hexdigest()
        for name, file in files.items()
        if name != "SHA256SUMS"
    }
    assert json.loads(files["versions.json"].read_text()) == [
        {"trials": 4, "versions": {"consensus-testbed": "1", "commit": "c" * 40}}
    ]
    trials = pd.read_csv(files["trials.csv"])
    assert list(trials["number"]) == [1, 2, 3, 4]
    assert set(trials["status"]) == {"finished"}
    text = files["README.md"].read_text()
    assert r"Is \<b\>this\</b\> \| kept?" in text
    assert "Seeds: 3." in text
    assert "c" * 40 in text
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert block.splitlines()[0] == "testbed run study/study.yaml --out again"
    code, _, err = call("run", target / "study" / "study.yaml", "--out", "again", "--jobs", 1)
    assert (code, err) == (0, "")
    code, out, _ = call("compare", results, "again")
    assert code == 0
    assert out.startswith("4 trials in both, by hash: 4 with equal results\n")
    here, there = (pd.read_csv(file) for file in ("again/summary.csv", files["summary.csv"]))
    names = [name for name in here if name != "topology.file"]  # one graph was elsewhere, and now is not
    pd.testing.assert_frame_equal(here[names], there[names])


@pytest.mark.parametrize("ending", [".zip", ".tar.gz", ".tgz"])
def test_the_same_results_give_the_same_bytes(call, results, no_figures, tmp_path, ending):
    target, other = tmp_path / f"it{ending}", tmp_path / "later" / f"it{ending}"
    other.parent.mkdir()
    assert call("export", results, target)[0] == 0
    for file in results.rglob("*"):
        os.utime(file, (10**9, 10**9))
    assert call("export", results, other)[0] == 0
    assert target.read_bytes() == other.read_bytes()
    if ending == ".zip":
        with zipfile.ZipFile(target) as archive:
            names = archive.namelist()
    else:
        with tarfile.open(target) as archive:
            assert {(one.mtime, one.uid, one.uname) for one in archive.getmembers()} == {(0, 0, "")}
            names = archive.getnames()
    assert names == sorted(names)
    assert {"it/README.md", "it/study/study.yaml"} < set(names)
    code, out, err = call("export", results, target)
    assert (code, out) == (2, "")
    assert err == f"TARGET {target}: already exists; choose another name, or add --force\n"
    assert call("export", results, target, "--force")[0] == 0


def test_a_folder_with_something_else_is_never_replaced(call, results, no_figures, tmp_path):
    target = tmp_path / "archive"
    target.mkdir()
    assert call("export", results, target)[0] == 0
    assert call("export", results, target)[2].endswith("is not empty; choose another name, or add --force\n")
    assert call("export", results, target, "--force")[0] == 0
    (target / "notes.txt").write_text("mine")
    code, _, err = call("export", results, target, "--force")
    assert (code, err.count("\n")) == (2, 1)
    assert "notes.txt is not part of one" in err
    (target / "notes.txt").unlink()
    (target / "README.md").write_text("changed by hand")
    assert "README.md is changed" in call("export", results, target, "--force")[2]
    assert (target / "README.md").read_text() == "changed by hand"
    assert [place.name for place in tmp_path.iterdir() if place.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("it.7z", "cannot write this format"),
        ("it.tar", "cannot write this format"),
        ("file", "is a file"),
        ("folder.zip", "is a folder"),
        ("link", "is a link"),
    ],
)
def test_unsuitable_targets_are_refused_in_one_line(call, results, tmp_path, target, message):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder.zip")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = call("export", results, tmp_path / target, "--force")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["report.html", "study.json", "trials"])
def test_links_out_of_the_results_are_not_followed(call, results, tmp_path, name):
    folder = tmp_path / "linked"
    folder.mkdir()
    if name != "study.json":
        (folder / "study.json").write_bytes((results / "study.json").read_bytes())
    (folder / name).symlink_to(results / name)
    code, out, err = call("export", folder, tmp_path / "target")
    assert (code, out) == (2, "")
    assert (
        err == f"{folder / name}: links to a place outside {folder}; an export does not follow such links\n"
    )
    assert not (tmp_path / "target").exists()


def test_from_python_and_with_a_file_that_has_changed(results, no_figures, tmp_path):
    loaded = studies.load(results)
    changed = next(path for path in _paths(results) if path.name == "path.edgelist")
    before = changed.read_text()
    changed.write_text("a b\nb c\nc d\nd b\n")
    try:
        with pytest.warns(UserWarning, match=r"no longer where it was and is left out: SHA-256 [0-9a-f]{64}"):
            made = studies.export(loaded, tmp_path / "it")
    finally:
        changed.write_text(before)
    assert made == tmp_path / "it"
    assert "study/files/path.edgelist" not in listed(made)
    with pytest.raises(ValueError, match="target: got NoneType, must be a path"):
        studies.export(loaded, None)


def _paths(results):
    for file in results.glob("trials/*/spec.json"):
        yield Path(json.loads(file.read_text())["topology"]["file"])


def test_nothing_finished_is_nothing_to_export(call, write, tmp_path):
    store = Store(tmp_path / "none")
    store.remember(load(str(write())))
    code, out, err = call("export", store.folder, tmp_path / "target")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "has finished, so there is nothing to export" in err
    assert not (tmp_path / "target").exists()
