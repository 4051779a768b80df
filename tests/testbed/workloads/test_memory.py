"""The estimate of a trial's memory against what a process that runs it has used at most."""

import gc
import json
import subprocess
import sys
import tracemalloc
from typing import Any

import pytest

import topologies
from testbed import workloads
from testbed.workloads import ProblemWorkload, TrainingWorkload, UpdateWorkload, memory

SCRIPT = """
import ctypes, gc, json, resource, sys
from pathlib import Path
import torch
import topologies
from testbed import workloads
torch.set_num_threads(1)
linux = sys.platform == "linux"  # there the other number begins with that of the process which started this
for name, settings in json.loads(sys.argv[1]):
    if linux:  # the peak of each trial, beginning from what its predecessors have not given back
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    trial = getattr(workloads, name).model_validate(settings)
    workloads.run(trial, seed=0, graph=topologies.make("ring", trial.agents))
    if linux:
        words = Path("/proc/self/status").read_text().split()
        print(1024 * int(words[words.index("VmHWM:") + 1]))
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
assert "torch._dynamo" not in sys.modules  # PyTorch's compiler takes 40 MiB; see policies.nn.optimisers
"""

NAVIGATION = {"name": "navigation", "agents": 6}
ONE_UPDATE = {"updates": 1, "samples": 5000}
TRIALS: dict[str, tuple[Any, dict[str, Any]]] = {
    "problem": (ProblemWorkload, {"problem": {"name": "mean", "agents": 8, "dimension": 1000}}),
    "training": (
        TrainingWorkload,
        {
            "environment": NAVIGATION,
            "algorithm": {"hidden": [64, 64]},
            "training": ONE_UPDATE,
            "consensus": {"budget": {"activations": 12}},
        },
    ),
    "mappo": (
        TrainingWorkload,
        {"environment": NAVIGATION, "algorithm": {"name": "mappo", "epochs": 1}, "training": ONE_UPDATE},
    ),
    "fdmarl": (
        TrainingWorkload,
        {"environment": NAVIGATION, "algorithm": {"name": "fdmarl"}, "training": ONE_UPDATE},
    ),
    "update": (
        UpdateWorkload,
        {
            "environment": {"name": "treasure", "hunters": 6, "banks": 2},
            "update": {"samples": 2000},
            "consensus": {"budget": {"activations": 12}},
        },
    ),
}


@pytest.fixture(scope="module")
def used():
    """Bytes that a process had at most while it ran each trial; on Linux one process runs them all."""

    def run(*trials):
        given = [(model.__name__, settings) for model, settings in trials]
        command = [sys.executable, "-c", SCRIPT, json.dumps(given)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return map(int, printed.split())

    if sys.platform == "linux":
        return dict(zip(TRIALS, run(*TRIALS.values()), strict=True))
    return {name: next(run(trial)) for name, trial in TRIALS.items()}


@pytest.mark.parametrize("name", TRIALS)
def test_a_trial_takes_about_what_was_said(name, used):
    model, settings = TRIALS[name]
    trial = model.model_validate(settings)
    said = memory.peak(trial, links=trial.agents)
    assert 0.75 * said < used[name] < 1.25 * said  # some 300 MB are the process; freed memory may stay


def test_more_of_anything_takes_more():
    def said(links=3, **settings):
        return memory.peak(TrainingWorkload.model_validate(settings), links)

    usual = said()
    for more in (
        {"training": {"samples": 20_000}},
        {"environment": {"agents": 4}},
        {"algorithm": {"hidden": [256, 128]}},
        {"algorithm": {"precision": "float64"}},
        {"algorithm": {"solver": {"recycle": 100}}},
        {"algorithm": {"solver": {"audit": True}}},
        {"links": 30},
    ):
        assert said(**more) > usual
    assert said(algorithm={"precision": "bfloat16-matmul"}) < usual


@pytest.mark.parametrize(
    ("problem", "consensus"),
    [
        ({"name": "mean", "agents": 8, "dimension": 100_000}, {"budget": {"activations": 30}}),
        (
            {"name": "mean", "agents": 8, "dimension": 100_000},
            {"algorithm": "relaxed_admm", "budget": {"activations": 32}},
        ),
        (
            {"name": "mean", "agents": 8, "dimension": 100_000},
            {"algorithm": "metropolis", "budget": {"activations": 32}},
        ),
        (
            {"name": "mean", "agents": 8, "dimension": 100_000},
            {"algorithm": "robust_push_sum", "budget": {"activations": 32}},
        ),
        (
            {"name": "least_squares", "agents": 6, "dimension": 250, "rows": 50},
            {"budget": {"activations": 3}},
        ),
        (
            {"name": "least_squares", "agents": 4, "dimension": 50, "rows": 3000},
            {"budget": {"activations": 3}},
        ),
        ({"name": "lasso", "agents": 6, "dimension": 250, "rows": 50}, {"budget": {"activations": 3}}),
        ({"name": "logistic", "agents": 4, "dimension": 50, "rows": 3000}, {"budget": {"activations": 3}}),
        ({"name": "mean", "agents": 3, "dimension": 1}, {"budget": {"activations": 2000}}),
    ],
    ids=lambda given: "-".join(str(value) for value in given.values() if not isinstance(value, dict)),
)
def test_a_problem_s_arrays_and_curves_are_about_what_was_said(problem, consensus):
    """What NumPy and Python allocate, without the process itself; the workspace of LAPACK is not seen."""
    trial = ProblemWorkload.model_validate({"problem": problem, "consensus": consensus})
    graph = topologies.make("ring", trial.agents)
    said = memory.peak(trial, graph.number_of_edges()) - memory.PROCESS
    usual = gc.get_threshold()
    gc.set_threshold(700, 10, 10)  # Python's own, by which garbage is collected when trials run
    tracemalloc.start()
    try:
        workloads.run(trial, seed=0, graph=graph)
        used = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.set_threshold(*usual)
    assert 0.4 * said < used < 1.25 * said


@pytest.mark.parametrize("name", ["mean", "least_squares", "lasso", "logistic"])
def test_more_of_anything_takes_more_in_a_problem(name):
    def said(links=8, consensus=None, **problem):
        rows = {} if name == "mean" else {"rows": max(200, problem.get("dimension", 0))}
        given = {"problem": {"name": name, "dimension": 100, **rows, **problem}, "consensus": consensus or {}}
        return memory.peak(ProblemWorkload.model_validate(given), links)

    usual = said()
    for more in (
        {"dimension": 1000},
        {"agents": 80},
        *([] if name == "mean" else [{"rows": 1000}]),
        {"links": 80},
        {"consensus": {"budget": {"activations": 10_000}}},
        {"consensus": {"budget": {"bytes": 10**9}}},
        {"consensus": {"budget": {"seconds": 10_000}}},
        {"consensus": {"activation": "poisson", "budget": {"seconds": 10_000}}},
    ):
        assert said(**more) > usual
    assert said(dimension=10**10) > 8 * 8 * 10**10
    assert said(agents=10**400, dimension=10**400) > 10**800
    # What ends first counts, and a budget that may end at any time is not held against a trial.
    for budget in (
        {"activations": 10**400, "exchanges": 10},
        {"activations": 10**400, "seconds": 1},
        {"activations": 10**400, "bytes": 1000},
        {"activations": 10**400, "tolerance": 0.1},
    ):
        assert said(consensus={"budget": budget}) <= usual + 2 * 10**6
    rare = {"budget": {"activations": 10_000}, "curve_every": 100}
    assert said(consensus=rare) < said(consensus={"budget": {"activations": 10_000}})


def test_more_of_anything_takes_more_by_mappo():
    def said(**settings):
        workload = {**settings, "algorithm": {"name": "mappo", **settings.get("algorithm", {})}}
        return memory.peak(TrainingWorkload.model_validate(workload), links=3)

    usual = said()
    for more in (
        {"training": {"samples": 20_000}},
        {"environment": {"agents": 4}},
        {"algorithm": {"hidden": [256, 128]}},
        {"algorithm": {"precision": "float64"}},
    ):
        assert said(**more) > usual
    assert said(algorithm={"minibatches": 4}) < usual


def test_the_paper_s_largest_update_stays_under_four_gigabytes():
    trial = TrainingWorkload.model_validate({"environment": {"name": "treasure", "hunters": 9, "banks": 3}})
    links = topologies.make("ring", 12).number_of_edges()
    assert memory.peak(trial, links) < 4e9
