"""Faults that are planned by policy update, in a training run."""

import json

import pytest

import topologies
from policies.algorithms.matrpo import MatrpoSettings
from testbed import workloads
from testbed.consensus.settings import Budget, ConsensusSettings
from testbed.network import NetworkSettings, Trace
from testbed.training.trainer import LoopSettings
from testbed.workloads import TrainingWorkload, WorkloadResult

NETWORK = NetworkSettings.model_validate(
    {
        "link": {"delay": 0.005},
        "faults": [
            {"link": "all", "down": {"update": 2}, "up": {"update": 3}},
            {
                "fault": "crash",
                "agent": 0,
                "state": "lost",
                "down": {"update": 3},
                "up": {"lasting": "500ms"},
            },
            {"fault": "straggler", "agent": 1, "factor": 3, "down": {"update": 9}},
        ],
    }
)


def _run(updates: int, **options: object) -> WorkloadResult:
    trial = TrainingWorkload(
        algorithm=MatrpoSettings(hidden=(8,)),
        network=NETWORK,
        consensus=ConsensusSettings(budget=Budget(activations=12)),
        training=LoopSettings(updates=updates, samples=200),
    )
    return workloads.run(trial, seed=0, graph=topologies.make("ring", 3), **options)


def test_faults_begin_and_end_with_their_updates_and_a_resumed_run_goes_on_exactly(tmp_path):
    trace = Trace()
    whole = _run(3, trace=trace)
    exchanges = [row["exchanges"] for row in whole.curves["training"]]
    assert exchanges[0] == 12
    assert exchanges[1] == 0
    assert 0 < exchanges[2] <= 12
    ends = [0.0, *(row["seconds"] for row in whole.curves["training"])]
    rows = [event.row() for event in trace.events if event.event in ("fault_begun", "fault_lifted")]
    assert {row["time"] for row in rows if "all links" in row["fault"]} == {ends[1], ends[2]}
    assert (whole.metrics["faults"], whole.metrics["faults_untouched"]) == (3, 1)

    # Stopped while the links are down, which is where the second update leaves them.
    class Stop(Exception):
        pass

    def stop(phase, done, total, row):
        if done == 2:
            raise Stop

    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(Stop):
        _run(3, checkpoint=checkpoint, progress=stop)
    resumed = _run(3, checkpoint=checkpoint)
    apart = [name for name in whole.metrics if not name.startswith("wall_")]
    assert json.dumps({name: resumed.metrics[name] for name in apart}) == json.dumps(
        {name: whole.metrics[name] for name in apart}
    )
