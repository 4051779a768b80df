"""Whose code runs: looking at results imports and starts nothing that they name, unless told to."""

import json
import sys
from pathlib import Path

import pytest
import reported

import studies
from studies import report
from studies.storage import soundness
from testbed.identity import digest

TRAINING = """\
workload: training
environment: {name: navigation, agents: 3, episode_length: 5}
algorithm: {name: itrpo, hidden: [4]}
training: {updates: 1, samples: 10}
network: {link: {loss: 0.2}}
"""
MATRPO = TRAINING.replace("itrpo", "matrpo") + "consensus: {budget: {activations: 3}}\n"


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A file that is made by importing the module `canary_world`, or by running the program `canary.sh`."""
    made = tmp_path / "made"
    (tmp_path / "canary_world.py").write_text(f"from pathlib import Path\nPath({str(made)!r}).touch()\n")
    program = tmp_path / "canary.sh"
    program.write_text(f"#!/bin/sh\ntouch {made}\n")
    program.chmod(0o755)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "canary_world", raising=False)
    yield made
    sys.modules.pop("canary_world", None)


def doctored(write, environment, folder="out", named=None):
    """Results of a trial whose stored settings, and whose study, name another environment.

    Its checksums are right. Its name is made of the environment that it was run with, or else of `named`.
    """
    study, store = reported.run(write(MATRPO), Path(folder))
    trial = store.trials / study.trials[0].hash
    spec = json.loads((trial / "spec.json").read_text())
    spec["environment"] = environment
    remembered = store.folder / "study.json"
    kept = json.loads(remembered.read_text())
    kept["document"]["environment"] = environment
    if named is not None:
        spec["identity"]["settings"]["environment"] = named
        kept["trials"][0]["hash"] = digest(spec["identity"])
        trial = trial.rename(trial.with_name(digest(spec["identity"])))
    remembered.write_text(json.dumps(kept))
    (trial / "spec.json").write_text(json.dumps(spec))
    status = json.loads((trial / "status.json").read_text())
    status["files"] = soundness.sums(trial)
    (trial / "status.json").write_text(json.dumps(status))
    return store


def environments(tmp_path):
    world = {"pettingzoo": "canary_world", "kwargs": {}, "episode_length": 5, "workers": 0}
    return {
        "world": {"name": "pettingzoo", **world},
        "world without a name": world,
        "world under another name": {"name": "navigation", **world},
        "game": {"name": "starcraft", "map": "3m", "python": str(tmp_path / "canary.sh")},
    }


@pytest.mark.parametrize("kind", ["world", "world without a name", "world under another name", "game"])
def test_reading_results_runs_none_of_the_code_they_name(call, write, tmp_path, canary, kind):
    doctored(write, environments(tmp_path)[kind])
    assert call("status", "out")[0] == 0
    assert call("table", "out")[0] == 0
    assert call("compare", "out", "out")[0] == 0
    code, out, err = call("report", "out", "--trial", "1")
    assert (code, err) == (0, "")
    assert out.startswith("replay:  There is no replay: trial 1 (seed 0) names environment ")
    assert "which runs code from outside the testbed: `testbed report --trust` runs it." in out
    assert len(studies.load("out").summary) == 1
    page = reported.read(Path("out/report.html"))
    assert page.data["replay"] is None
    assert not canary.exists()
    assert "canary_world" not in sys.modules


def test_with_trust_it_is_run(call, write, tmp_path, canary):
    world = environments(tmp_path)["world"]
    named = {"name": "pettingzoo", "pettingzoo": "canary_world", "episode_length": 5}
    doctored(write, world, named=named)
    code, _, err = call("report", "out", "--trial", "1", "--trust")
    assert canary.exists()
    assert code == 2  # for the module has no world
    assert err.count("\n") == 1
    assert "module 'canary_world' has no 'parallel_env'" in err


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("world", None),
        ("world", {"name": "pettingzoo", "pettingzoo": "another_world"}),
        ("world", {"name": "pettingzoo", "pettingzoo": "canary_world", "kwargs": {"n": 1}}),
        ("world without a name", {"name": "pettingzoo", "pettingzoo": "another_world"}),
        ("world under another name", {"name": "navigation"}),
        ("game", {"name": "starcraft", "map": "3m", "python": "/usr/bin/python3"}),
        ("game", {"name": "starcraft", "map": "3m"}),
    ],
)
def test_even_with_trust_no_code_is_run_that_the_name_of_a_trial_is_not_made_of(
    call, write, tmp_path, canary, kind, named
):
    doctored(write, environments(tmp_path)[kind], named=named)
    code, _, err = call("report", "out", "--trial", "1", "--trust")
    assert code == 2
    assert err.count("\n") == 1
    assert "cannot be run again: the code from outside the testbed that its settings name is not what" in err
    assert not canary.exists()
    assert "canary_world" not in sys.modules
    code, out, _ = call("report", "out", "--trust")
    assert "There is no replay: trial " in out
    assert not canary.exists()


def test_even_with_trust_no_code_is_run_where_a_trial_does_not_say_what_its_name_is_made_of(
    call, write, tmp_path, canary
):
    store = doctored(write, environments(tmp_path)["world"])
    (trial,) = store.trials.iterdir()
    spec = json.loads((trial / "spec.json").read_text())
    (trial / "spec.json").write_text(json.dumps({**spec, "identity": None}))
    status = json.loads((trial / "status.json").read_text())
    (trial / "status.json").write_text(json.dumps({**status, "files": soundness.sums(trial)}))
    code, _, err = call("report", "out", "--trial", "1", "--trust")
    assert code == 2
    assert "damaged" in err
    assert not canary.exists()


def test_a_trial_of_the_testbeds_own_that_was_doctored_is_damaged(call, write):
    doctored(write, {"name": "navigation", "agents": 3, "episode_length": 4})
    code, _, err = call("report", "out")
    assert (code, err.count("\n")) == (0, 1)
    assert (
        "spec.json: settings.environment.episode_length: is not what the trial's name was derived from" in err
    )
    assert call("status", "out")[0] == 3


def test_trust_without_a_replay_means_nothing(call, write):
    reported.run(write(reported.LOSSY), Path("out"), trials=1)
    code, _, err = call("report", "out", "--trust", "--no-replay")
    assert code == 2
    assert err.startswith("--trust and --no-replay cannot be combined")


@pytest.mark.parametrize("name", ["../../elsewhere", "/elsewhere", "..", "", "abc/def", "0" * 99, 3])
def test_a_trial_can_have_no_name_that_leads_out_of_its_folder(call, write, name):
    _, store = reported.run(write(reported.LOSSY), Path("out"), trials=1)
    file = store.folder / "study.json"
    data = json.loads(file.read_text())
    data["trials"][0]["hash"] = name
    file.write_text(json.dumps(data))
    for command in ("status", "table", "report"):
        code, out, err = call(command, "out")
        assert (code, out) == (2, "")
        assert err.startswith("out/study.json: cannot be read: a trial has the hash ")
        assert err.count("\n") == 1


def test_ones_own_environments_need_no_trust(write, tmp_path):
    _, store = reported.run(write(MATRPO), tmp_path / "out")
    assert report.write(store.folder).replayed.startswith("Trial 1 (seed 0), run again: ")
