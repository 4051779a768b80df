"""Learning with every codec, stopped after an update and resumed, exactly."""

from functools import partial

import network_plans
import pytest

import topologies
from testbed import workloads
from testbed.workloads import TrainingWorkload


@pytest.mark.parametrize("codec", network_plans.EACH_CODEC, ids=str)
def test_a_run_stopped_between_updates_goes_on_exactly(codec, tmp_path, killed, without_wall):
    trial = TrainingWorkload.model_validate(
        {
            "environment": {"name": "navigation", "agents": 3, "episode_length": 2},
            "algorithm": {"name": "matrpo", "hidden": [4]},
            "network": {
                "link": {"delay": 0.005, "loss": 0.1, "slot": {"min_delay": 0.001, "max_delay": 0.01}}
            },
            "consensus": {"budget": {"activations": 24}, "codec": codec, "outlier_rejection": {"warm_up": 3}},
            "training": {"updates": 2, "samples": 4},
        }
    )
    run = partial(workloads.run, trial, seed=2, graph=topologies.make("ring", 3))
    killed(run, checkpoint=tmp_path / "checkpoint")
    resumed, through = run(checkpoint=tmp_path / "checkpoint"), run()
    for name, rows in through.curves.items():
        assert without_wall(resumed.curves[name]) == without_wall(rows), name
