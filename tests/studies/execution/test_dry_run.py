"""What is left of a study, and what it will take."""

import re
from pathlib import Path

import pytest

from studies.execution import dry_run
from studies.formatting import duration
from studies.spec.loading import load
from studies.storage.store import Store

TRAINING = """\
workload: training
algorithm: {name: itrpo, hidden: [8]}
training: {updates: 40, samples: 300}
vary: {network.link.loss: [0, 0.5], environment.agents: [3, 4]}
seeds: 2
"""


def test_times_come_from_finished_trials_alike_and_else_from_one_update(write, tmp_path):
    study, store, tried = load(str(write(TRAINING))), Store(tmp_path / "out"), []
    for trial in study.trials[:2]:  # a stand-in for 40 updates: what they say they took
        rows = [{"update": k, "return": 0.0, "wall_rollout": 1.5, "wall_values": 0.5} for k in range(40)]
        store.write(trial, {"return": 0.0}, {"training": rows}, {}, wall_seconds=3.0)
    found = dry_run.estimate(study, store, tried.append)
    by_agents = {3: [], 4: []}
    for one in found:
        by_agents[one.trial.settings.agents].append(one)
    assert [one.status for one in by_agents[3]] == ["finished"] * 2 + ["missing"] * 2
    assert {one.seconds for one in by_agents[3]} == {80.0}  # and not 3 s, which is after it was resumed
    assert {one.basis for one in by_agents[3]} == {"2 finished trials"}
    assert tried == [by_agents[4][0].trial]
    assert {one.basis for one in by_agents[4]} == {"one try"}
    assert len({one.seconds for one in by_agents[4]}) == 1
    assert dry_run.remaining(found, 2).startswith("6 of 8 trials to run: about ")


def test_a_dry_run_lists_all_trials_and_writes_nothing(call, write):
    code, out, err = call("run", write(), "--dry-run", "--jobs", "3")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 1 + 8 + 1
    assert re.fullmatch(r"1 +topology=ring loss=0 seed=0 +missing +\d+ MiB +\d+\.\d s +one try *", lines[1])
    assert re.fullmatch(
        r"study: 8 of 8 trials to run: about [\d.]+ s by 3 at once, [\d.]+ s of work", lines[-1]
    )
    assert list(Path.cwd().iterdir()) == []


def test_what_is_not_tried_is_said(write, tmp_path, monkeypatch):
    monkeypatch.setattr(dry_run, "PATIENCE", -1.0)
    study = load(str(write()))
    found = dry_run.estimate(study, Store(tmp_path / "out"), lambda _: None)
    assert {(one.seconds, one.basis) for one in found} == {(None, "not tried")}
    assert dry_run.remaining(found, 2) == "8 of 8 trials to run; the time of 8 is not known"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (59.99, "1 min 0 s"), (200, "3 min 20 s"), (3599.7, "1 h 0 min")],
)
def test_durations_are_written_for_people(seconds, text):
    assert duration(seconds) == text
