"""Every algorithm learns in every environment: two updates of small networks, over a lossy ring."""

import math
import shutil
from typing import Any

import numpy as np
import pytest

import topologies
from testbed import workloads
from testbed.training.learners import LEARNERS
from testbed.workloads import TrainingWorkload

ENVIRONMENTS = {
    # The paper's eight tasks: navigation, treasure with 8 and with 12 agents, and battles.
    "navigation-3": {"name": "navigation", "agents": 3},
    "navigation-6": {"name": "navigation", "agents": 6},
    "treasure-8": {"name": "treasure", "hunters": 6, "banks": 2},
    "treasure-12": {"name": "treasure", "hunters": 9, "banks": 3},
    "2s3z": {"name": "skirmish", "map": "2s3z"},
    "3s5z": {"name": "skirmish", "map": "3s5z"},
    "10m_vs_11m": {"name": "skirmish", "map": "10m_vs_11m"},
    "MMM2": {"name": "skirmish", "map": "MMM2"},
    # And what else there is.
    "treasure-5": {"name": "treasure", "hunters": 3, "banks": 2},
    "without masks": {"name": "skirmish", "map": "2s3z", "unavailable": "random"},
    "pettingzoo": {"name": "pettingzoo", "pettingzoo": "mpe2.simple_spread_v3", "kwargs": {"N": 3}},
}
LENGTHS = {"2s3z": 40, "without masks": 16, "3s5z": 16, "10m_vs_11m": 16, "MMM2": 16}
"""Steps after which episodes are cut; 20 elsewhere. Some battles should be decided before that."""
ROWS = 3


OPTIONS = {
    "fdmarl": {"actor_rate": 0.03},
    "fdmarl online": {"name": "fdmarl", "form": "online", "optimiser": "adam", "actor_rate": 0.03},
}
"""FDMARL takes few steps in so few samples: they have to be long to be seen in a battle."""


def workload(algorithm: str, environment: str) -> TrainingWorkload:
    """From plain data, as a study file would give it; FDMARL gets its own consensus from the defaults."""
    data = ENVIRONMENTS[environment]
    length = LENGTHS.get(environment, 20)
    return TrainingWorkload.model_validate(
        {
            "environment": {"episode_length": length, **data},
            "algorithm": {"name": algorithm, "hidden": [8, 8], **OPTIONS.get(algorithm, {})},
            "network": {"link": {"delay": "5ms", "loss": 0.1}},
            "consensus": {"budget": {"activations": 10}},
            "training": {
                "updates": 2,
                "samples": ROWS * length,
                "evaluation": {"every": 1, "episodes": 2},
            },
        }
    )


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("algorithm", [*LEARNERS.builtin(), "fdmarl online"])
def test_it_learns_the_same_after_an_interruption(without_wall, algorithm, environment, tmp_path):
    trial = workload(algorithm, environment)
    graph = topologies.make("ring", trial.agents)

    path, left = tmp_path / "checkpoint.pt", tmp_path / "left.pt"

    def leave(phase, done, total, row):
        """Keeps what would be there, had the run been killed after its first update."""
        if done == 1:
            shutil.copy(path, left)

    straight = workloads.run(trial, seed=1, graph=graph, checkpoint=path, progress=leave)
    resumed = workloads.run(trial, seed=1, graph=graph, checkpoint=left)
    assert without_wall(resumed.curves["training"]) == without_wall(straight.curves["training"])
    first, second = straight.curves["training"]
    for row in (first, second):  # battles may be decided before their time
        assert row["episodes"] >= ROWS if trial.environment.name == "skirmish" else row["episodes"] == ROWS
    assert first["return"] != second["return"]
    for row in (first, second):
        assert all(math.isfinite(value) for value in row.values())
        assert row["kl_max"] > 0
        returns = {name for name in row if name.startswith("return")}
        assert {name for name in row if name.startswith("evaluation")} == {f"evaluation_{r}" for r in returns}


def test_padding_of_observations_is_not_learnt_from():
    trial = workload("matrpo", "treasure-5")
    trainer = workloads.make_trainer(trial, seed=0, graph=topologies.make("ring", trial.agents))
    sizes = trainer.collector.environment.observation_sizes
    assert sizes == (2 + max(sizes[3:]),) * 3 + (max(sizes[3:]),) * 2

    def first_weights():
        learner: Any = trainer.learner
        weight, _ = learner.policy.network.layers(learner.theta)[0]
        return weight.numpy().copy()  # [agent, unit, input]

    before = first_weights()
    trainer.advance()
    change = np.abs(first_weights() - before).max(axis=1)
    for agent, size in enumerate(sizes):
        assert change[agent, size:].max(initial=0.0) < 1e-6 * change[agent, :size].max()
        assert change[agent, :4].min() > 0.0
