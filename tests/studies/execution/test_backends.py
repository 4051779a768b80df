"""Where trials run."""

import pytest

from studies.execution import backends, host_resources, requirements
from studies.execution.runner import Task
from studies.spec.loading import load
from testbed.workloads import memory

STUDY = """\
workload: training
environment: {name: navigation, agents: 4}
vary: {training.samples: [1000, 4000], topology: [ring, complete]}
seeds: 2
"""


def test_a_local_pool_knows_the_memory_of_each_trial(write, tmp_path):
    trials = load(str(write(STUDY))).trials
    pool = backends.executor("local", None, tmp_path)
    assert pool.jobs == host_resources.processors()  # type: ignore[attr-defined]
    links = {"ring": 4, "complete": 6}
    peaks = [memory.peak(trial.settings, links[trial.varied["topology"]]) for trial in trials]
    assert [pool.memory(Task(trial, tmp_path, {})) for trial in trials] == peaks  # type: ignore[attr-defined]
    assert len(set(peaks)) == 4


def test_each_condition_is_estimated_once(write):
    asked = []
    peak = requirements.peaks(lambda settings, links: asked.append(links))
    assert [peak(trial) for trial in load(str(write(STUDY))).trials] == [None] * 8
    assert len(asked) == 4


def test_a_ray_cluster_knows_the_gpus_of_each_trial(write, tmp_path, monkeypatch):
    cluster = pytest.importorskip("studies.execution.ray.cluster")
    monkeypatch.setattr(cluster, "find", lambda on: on)
    text = STUDY.replace("training.samples: [1000, 4000]", "algorithm.device: [cpu, cuda]")
    trials = load(str(write(text))).trials
    executor = backends.executor("127.0.0.1:6379", None, tmp_path)
    wanted = [int(trial.varied["algorithm.device"] == "cuda") for trial in trials]
    assert [executor.gpus(Task(trial, tmp_path, {})) for trial in trials] == wanted  # type: ignore[attr-defined]
    assert sorted(wanted) == [0] * 4 + [1] * 4
    problem = write("workload: problem\nproblem: {name: mean, agents: 4}\n", "problem.yaml")
    assert requirements.gpus(load(str(problem)).trials[0]) == 0
