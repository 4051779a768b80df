"""Runs for Weights & Biases: with a stand-in for its package and, where it is installed, with it, offline."""

import sys
from importlib import util
from types import SimpleNamespace

import pytest

from studies.execution import runner, weights_and_biases
from studies.spec.loading import load
from studies.storage.store import Store

TRAINING = """\
workload: training
environment: {name: navigation, agents: 3, episode_length: 10}
algorithm: {name: itrpo, hidden: [8]}
training: {updates: 4, samples: 40}
"""


class Stopped(Exception):
    pass


class Run:
    """A stand-in for a run: remembers what it was given."""

    def __init__(self, **given):
        self.given, self.rows, self.axes, self.finished = given, [], {}, False

    def define_metric(self, name, *, step_metric):
        self.axes[name] = step_metric

    def log(self, row):
        assert not self.finished
        self.rows.append(row)

    def finish(self):
        self.finished = True


@pytest.fixture
def runs(monkeypatch):
    """The runs that were begun, with a stand-in for the package."""
    begun = []

    def init(**given):
        begun.append(Run(**given))
        return begun[-1]

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init, Settings=lambda **given: given))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return begun


def stop(phase, done, total, latest):
    if done == 2:
        raise Stopped


def test_a_resumed_trial_continues_the_same_run_and_nothing_is_sent(write, tmp_path, runs):
    study, store = load(str(write(TRAINING))), Store(tmp_path / "out")
    task = runner.Task(study.trials[0], store.folder, {}, wandb="nets")
    with pytest.raises(Stopped):
        runner.perform(task, stop)
    runner.perform(task, lambda *_: None)
    first, second = runs
    assert first.finished
    assert second.finished
    for run in runs:
        assert run.given["mode"] == "offline"
        assert run.given["id"] == study.trials[0].hash
        assert run.given["resume"] == "allow"
        assert (run.given["project"], run.given["dir"]) == ("nets", str(store.folder))
        assert run.given["config"]["training"]["updates"] == 4
        assert run.given["settings"]["silent"] is True
        assert run.axes["training/*"] == "training/step"
    curve = store.curve(study, "training")
    rows = [row for run in runs for row in run.rows]
    values = {row["training/step"]: row["training/return"] for row in rows if "training/step" in row}
    assert values == dict(enumerate(curve["return"], start=1))
    agents = store.curve(study, "agents")
    for agent, one in agents.groupby("agent"):
        name = f"agents/return/{int(agent)}"
        assert {row["agents/step"]: row[name] for row in rows if name in row} == dict(
            zip(one["update"], one["return"], strict=True)
        )


def test_the_user_decides_whether_runs_are_sent(write, tmp_path, runs, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    study = load(str(write(TRAINING)))
    run = weights_and_biases.WandbRun(tmp_path, "nets", study.trials[0], lambda *_: None)
    run("training", 1, 4, {"return": float("nan"), "kl": 1.0})
    run.close()
    assert runs[0].given["mode"] == "online"
    assert runs[0].rows == [{"training/step": 1, "training/kl": 1.0}]


def test_without_the_extra_or_with_a_bad_project_it_is_one_line(call, write, monkeypatch):
    with monkeypatch.context() as changed:
        changed.setattr(
            weights_and_biases, "find_spec", lambda name: None if name == "wandb" else util.find_spec(name)
        )
        code, out, err = call("run", write(), "--wandb", "nets")
    assert (code, out) == (2, "")
    assert err == "--wandb: needs the extra: pip install 'consensus-testbed[wandb]'\n"
    monkeypatch.setattr(weights_and_biases, "find_spec", lambda name: name)
    for wrong in ("", "a/b", "x" * 129, "a\x1bb"):
        code, out, err = call("run", write(), "--wandb", wrong)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "is not a project name" in err


def test_the_package_itself_writes_one_run_offline(write, tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="the extra is large: 100 MB with its dependencies")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    study, store = load(str(write(TRAINING))), Store(tmp_path / "out")
    task = runner.Task(study.trials[0], store.folder, {}, wandb="nets")
    with pytest.raises(Stopped):
        runner.perform(task, stop)
    runner.perform(task, lambda *_: None)
    written = sorted((store.folder / "wandb").glob(f"offline-run-*-{study.trials[0].hash}"))
    assert len(written) == 2  # parts of one run: they have its id
    for part in written:
        assert list(part.glob("run-*.wandb"))
