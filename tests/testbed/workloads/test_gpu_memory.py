"""The estimate of a trial's memory on a GPU, against tensors counted on a processor and peaks of a GPU."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from live_tensors import LiveTensors

import topologies
from testbed import workloads
from testbed.workloads import ProblemWorkload, TrainingWorkload, UpdateWorkload, memory

TABLE = Path(__file__).parents[3] / "studies" / "results" / "devices" / "table.csv"

FIT = {"epochs": 1, "batch_size": 250}
"""Fewer steps than usual of critics, whose tensors are small."""
NAVIGATION = {"name": "navigation", "agents": 6, "episode_length": 20}
TREASURE = {"name": "treasure", "hunters": 6, "banks": 2}
TASKS = {
    3: {"name": "navigation", "agents": 3},
    6: {"name": "navigation", "agents": 6},
    8: TREASURE,
    12: {"name": "treasure", "hunters": 9, "banks": 3},
}
"""The tasks of the table, by their number of agents."""


def on_gpu(trial, agents):
    """The estimate over a ring, as if the trial asked for a GPU."""
    moved = trial.model_copy(update={"algorithm": trial.algorithm.model_copy(update={"device": "cuda"})})
    return memory.peak_on_gpu(moved, links=agents)


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (
            UpdateWorkload,
            {
                "environment": NAVIGATION | {"agents": 3},
                "algorithm": {"values": FIT},
                "update": {"samples": 500},
                "consensus": {"budget": {"activations": 4}},
            },
        ),
        (
            TrainingWorkload,
            {
                "environment": NAVIGATION,
                "algorithm": {"hidden": [64], "precision": "float64", "values": FIT},
                "training": {"updates": 1, "samples": 500},
                "consensus": {"budget": {"activations": 12}},
            },
        ),
        (
            TrainingWorkload,
            {
                "environment": TREASURE | {"episode_length": 20},
                "algorithm": {"hidden": [32, 32], "values": FIT},
                "training": {"updates": 1, "samples": 200},
                "consensus": {"budget": {"activations": 8}},
            },
        ),
        (
            TrainingWorkload,
            {
                "environment": NAVIGATION,
                "algorithm": {"name": "mappo"},
                "training": {"updates": 1, "samples": 500},
            },
        ),
        (
            TrainingWorkload,
            {
                "environment": NAVIGATION,
                "algorithm": {"name": "fdmarl"},
                "training": {"updates": 1, "samples": 500},
            },
        ),
    ],
    ids=["three agents", "six agents in float64", "eight agents", "mappo", "fdmarl"],
)
def test_the_tensors_of_a_trial_are_about_as_large_as_was_said(model, settings):
    trial = model.model_validate(settings)
    said = on_gpu(trial, trial.agents) - memory.WORKSPACE
    with LiveTensors() as counted:
        workloads.run(trial, seed=0, graph=topologies.make("ring", trial.agents))
    assert said / 2 < counted.peak < said * 2


def test_the_tensors_that_are_alive_are_counted():
    with LiveTensors() as counted:
        first = torch.zeros(1000)
        for _ in range(5):
            second = first + 1
            second.add_(second[:10].sum())
        del first, second
        torch.zeros(10)
    assert counted.peak == 3 * 4 * 1000  # `first`, the next `second` and the one that it replaces


def test_peaks_measured_on_a_gpu_are_about_what_is_said():
    """One update of 10,000 samples on an H200; see the page beside the table."""
    measured = pd.read_csv(TABLE).query("device == 'cuda'")
    assert set(measured["agents"]) == set(TASKS)
    for agents, way, peak in measured[["agents", "way", "peak_memory_mib"]].itertuples(index=False):
        precision = "bfloat16-matmul" if "bfloat16" in way else "float32"
        trial = TrainingWorkload.model_validate(
            {
                "environment": TASKS[agents],
                "algorithm": {"precision": precision},
                "training": {"samples": 10_000},
            }
        )
        assert 0.9 < on_gpu(trial, agents) / 2**20 / peak < 1.1, (agents, way)


def test_trials_without_a_gpu_take_none_of_its_memory():
    assert memory.peak_on_gpu(TrainingWorkload(), links=3) == 0
    assert memory.peak_on_gpu(ProblemWorkload(), links=3) == 0
