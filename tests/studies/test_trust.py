"""Whose code runs: looking at results imports and starts nothing that they name, unless told to."""

import json
import sys
from pathlib import Path

import pytest

import studies
from studies import report, soundness

from . import reported

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


def doctored(write, environment, folder="out"):
    """A trial whose stored settings, and study, name another environment; the sums are right."""
    study, store = reported.run(write(MATRPO), Path(folder))
    for file in (store.trials / study.trials[0].hash / "spec.json", store.folder / "study.json"):
        data = json.loads(file.read_text())
        (data if file.name == "spec.json" else data["document"])["environment"] = environment
        file.write_text(json.dumps(data))
    status = store.trials / study.trials[0].hash / soundness.STATUS
    status.write_text(json.dumps({"status": "finished", "files": soundness.sums(status.parent)}))
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
    doctored(write, environments(tmp_path)["world"])
    code, _, err = call("report", "out", "--trust", "--trial", "1")
    assert canary.exists()
    assert code == 2  # for the module has no world
    assert err.count("\n") == 1
    assert "module 'canary_world' has no 'parallel_env'" in err


def test_a_trial_of_the_testbeds_own_that_was_doctored_is_damaged(call, write):
    doctored(write, {"name": "navigation", "agents": 3, "episode_length": 4})
    code, _, err = call("report", "out")
    assert (code, err.count("\n")) == (0, 1)
    assert "spec.json: settings.environment.episode_length: is not what the trial's name is made of" in err
    assert call("status", "out")[0] == 3


def test_trust_without_a_replay_means_nothing(call, write):
    reported.run(write(reported.LOSSY), Path("out"), trials=1)
    code, _, err = call("report", "out", "--trust", "--no-replay")
    assert code == 2
    assert err.startswith("--trust and --no-replay contradict each other")


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
