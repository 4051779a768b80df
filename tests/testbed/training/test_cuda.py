"""Learning on a GPU: it is what is learnt on the processor, and can be had again to the last digit."""

import json
from functools import partial

import pytest
import torch

import topologies
from testbed import workloads
from testbed.training.learners import LEARNERS
from testbed.workloads import TrainingWorkload

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

ENVIRONMENTS = {
    "navigation": {"name": "navigation", "agents": 3, "episode_length": 20},
    "skirmish": {"name": "skirmish", "map": "2s3z", "episode_length": 40},  # where actions are masked
}
ALGORITHMS = {
    **{name: {"name": name} for name in LEARNERS.builtin()},
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
    """Of the training's curve."""
    result = workloads.run(trial, seed=1, graph=topologies.make("ring", trial.agents), **options)
    return result.curves["training"]


@pytest.fixture
def close(without_wall):
    """A function: whether rows are the same in float64, where roundings do not change what is sampled."""

    def check(there, here):
        for one, other in zip(*(json.loads(without_wall(rows)) for rows in (there, here)), strict=True):
            assert one == pytest.approx(other, rel=1e-6, abs=1e-9, nan_ok=True)

    return check


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_learns_what_it_learns_on_the_processor(close, algorithm, environment):
    close(*(rows(workload(device, environment, algorithm)) for device in ("cuda", "cpu")))


@pytest.mark.parametrize("messages", MESSAGES)
def test_messages_are_those_of_the_processor(close, messages):
    options = MESSAGES[messages]
    close(*(rows(workload(device, "navigation", "matrpo", **options)) for device in ("cuda", "cpu")))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_same_again_and_after_an_interruption(without_wall, killed, algorithm, environment, tmp_path):
    trial = workload("cuda", environment, algorithm, precision="float32")
    straight, path = without_wall(rows(trial)), tmp_path / "checkpoint.pt"
    killed(partial(rows, trial), checkpoint=path)
    assert without_wall(rows(trial, checkpoint=path)) == straight
    assert without_wall(rows(trial)) == straight
