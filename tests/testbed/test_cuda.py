"""Learning on a GPU: it is what is learnt on the processor, and can be had again to the last digit."""

import json

import pytest
import torch

import topologies
from policies.algorithms import registry
from testbed import workloads
from testbed.workloads import TrainingWorkload

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

ENVIRONMENTS = {
    "navigation": {"name": "navigation", "agents": 3, "episode_length": 20},
    "skirmish": {"name": "skirmish", "map": "2s3z", "episode_length": 40},  # where actions are masked
}
ALGORITHMS = {
    **{name: {"name": name} for name in registry.NAMES},
    "matrpo, audited": {"name": "matrpo", "solver": {"audit": True}},
    "fdmarl online": {"name": "fdmarl", "form": "online", "optimiser": "adam"},
}
MESSAGES = {
    "one way": {"consensus": {"algorithm": "relaxed_admm"}},
    "float16": {"consensus": {"codec": "float16"}},
    "half of the samples, in int8": {"consensus": {"codec": "int8", "subset": 0.5}},
    "damaged": {"link": {"corrupt": {"random": 0.3, "detected": False, "noise": 0.1}}},
    "with flipped bits": {"link": {"corrupt": {"random": 0.3, "detected": False}}},
}


def workload(
    device: str, environment: str, algorithm: str, link=None, consensus=None, precision="float64"
) -> TrainingWorkload:
    """Two updates of small networks over a lossy ring, as a study file would give them."""
    length = ENVIRONMENTS[environment]["episode_length"]
    options = {"hidden": [8, 8], "precision": precision, "device": device}
    return TrainingWorkload.model_validate(
        {
            "environment": ENVIRONMENTS[environment],
            "algorithm": {**options, **ALGORITHMS[algorithm]},
            "network": {"link": {"delay": "5ms", "loss": 0.1, **(link or {})}},
            "consensus": {"budget": {"activations": 10}, **(consensus or {})},
            "training": {"updates": 2, "samples": 3 * length, "evaluation": {"every": 1, "episodes": 2}},
        }
    )


def rows(trial: TrainingWorkload, **options):
    """What must not depend on the machine."""
    result = workloads.run(trial, seed=1, graph=topologies.make("ring", trial.agents), **options)
    return [{k: v for k, v in row.items() if not k.startswith("wall_")} for row in result.curves["training"]]


def close(there, here):
    """In float64, where roundings are too small to change what is sampled."""
    for one, other in zip(there, here, strict=True):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_learns_what_it_learns_on_the_processor(algorithm, environment):
    close(*(rows(workload(device, environment, algorithm)) for device in ("cuda", "cpu")))


@pytest.mark.parametrize("messages", MESSAGES)
def test_messages_are_those_of_the_processor(messages):
    options = MESSAGES[messages]
    close(*(rows(workload(device, "navigation", "matrpo", **options)) for device in ("cuda", "cpu")))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_same_again_and_after_an_interruption(algorithm, environment, tmp_path):
    trial = workload("cuda", environment, algorithm, precision="float32")

    class Killed(Exception):
        pass

    def kill(phase, done, total, row):
        raise Killed

    straight, path = json.dumps(rows(trial)), tmp_path / "checkpoint.pt"
    with pytest.raises(Killed):
        rows(trial, progress=kill, checkpoint=path)
    assert json.dumps(rows(trial, checkpoint=path)) == straight
    assert json.dumps(rows(trial)) == straight
