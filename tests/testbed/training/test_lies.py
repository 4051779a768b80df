"""Learning with an agent that lies, stopped inside the fault's window and resumed, exactly."""

from functools import partial

import network_plans
import pytest

import topologies
from testbed import workloads
from testbed.workloads import TrainingWorkload


def _trial(behaviour, algorithm, consensus):
    when = {"down": {"update": 1}, "up": {"update": 3}}
    fault = {"fault": "byzantine", "agent": 1, "behaviour": behaviour, **when}
    return TrainingWorkload.model_validate(
        {
            "environment": {"name": "navigation", "agents": 3, "episode_length": 3},
            "algorithm": {"name": algorithm, "hidden": [4]},
            "network": {"audit": True, "link": {"delay": 0.005, "loss": 0.1}, "faults": [fault]},
            "consensus": {"budget": {"activations": 24}} | consensus,
            "training": {"updates": 3, "samples": 12},
        }
    )


def _run(trial, **options):
    return workloads.run(trial, seed=2, graph=topologies.make("ring", 3), **options)


@pytest.mark.parametrize(
    ("behaviour", "algorithm", "consensus"),
    [
        *((each, "matrpo", {}) for each in network_plans.LIES),
        ("stuck", "matrpo", {"subset": 0.5, "codec": "int8"}),
        ("random", "matrpo", {"algorithm": "relaxed_admm", "dual_limit": 0.1}),
        ("random", "fdmarl", {"algorithm": "metropolis", "robust": "median"}),
    ],
    ids=str,
)
def test_a_run_stopped_while_an_agent_lies_goes_on_exactly(
    behaviour, algorithm, consensus, tmp_path, killed, without_wall
):
    trial = _trial(behaviour, algorithm, consensus)
    checkpoint = tmp_path / "checkpoint"
    killed(partial(_run, trial), checkpoint=checkpoint)
    resumed, through = _run(trial, checkpoint=checkpoint), _run(trial)
    assert sorted(resumed.curves) == sorted(through.curves)
    for name, rows in through.curves.items():
        assert without_wall(resumed.curves[name]) == without_wall(rows), name
    lies = [row["falsified"] for row in through.curves["training"]]
    assert lies[0] > 0
    assert lies[1] > 0
    assert lies[2] == 0
    (report,) = through.curves["faults"]
    assert report["falsified"] == report["touched"] == sum(lies)
