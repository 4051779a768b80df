"""Training that goes on from models which another training trial has stored."""

import networkx as nx
import pytest
import torch

from policies.algorithms.itrpo import ItrpoSettings
from policies.algorithms.mappo import MappoSettings
from policies.algorithms.matrpo import MatrpoSettings
from testbed import workloads
from testbed.common import checkpoints
from testbed.common.settings import SettingError
from testbed.environments.navigation import NavigationSettings
from testbed.training.stored_models import TrainedTrial

SETTINGS = [MatrpoSettings(hidden=(8,)), MappoSettings(hidden=(8,)), ItrpoSettings(hidden=(8,))]
RING = nx.cycle_graph(3)


def trial(algorithm, updates=2, **training):
    return workloads.TrainingWorkload(
        environment=NavigationSettings(agents=3, episode_length=10),
        algorithm=algorithm,
        consensus={"budget": {"activations": 6}},
        training={"updates": updates, "samples": 60, **training},
    )


@pytest.fixture(scope="module", params=SETTINGS, ids=lambda algorithm: algorithm.name)
def trained(request, tmp_path_factory):
    """A learner with the file of its models after two updates."""
    file = tmp_path_factory.mktemp(request.param.name) / "models.pt"
    result = workloads.run(trial(request.param), seed=0, graph=RING)
    checkpoints.save(file, {"learner": result.models}, "a trial")
    return request.param, file


def flat(models, prefix=""):
    """The tensors in nested models, by path."""
    found = {}
    for name, value in models.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, torch.Tensor):
            found[prefix + str(name)] = value
    return found


def test_training_begins_with_the_stored_models_and_optimisers(trained):
    algorithm, file = trained
    stored = flat(checkpoints.load(file, None)["learner"])
    trainer = workloads.make_trainer(trial(algorithm, start_from=file), seed=3, graph=RING)
    begun = flat(trainer.learner.state_dict())
    assert begun.keys() == stored.keys()
    for name, tensor in stored.items():
        assert torch.equal(begun[name], tensor), name
    assert trainer.update == 0


def test_one_update_is_that_of_a_trainer_given_the_state_by_hand(trained):
    algorithm, file = trained
    by_hand = workloads.make_trainer(trial(algorithm, updates=1), seed=3, graph=RING)
    untrained = workloads.run(trial(algorithm, updates=1), seed=3, graph=RING)
    by_hand.learner.load_state_dict(checkpoints.load(file, None)["learner"])
    row = by_hand.advance()
    result = workloads.run(trial(algorithm, updates=1, start_from=file), seed=3, graph=RING)
    same = [name for name in row if not name.startswith("wall_") and row[name] == row[name]]
    assert {name: result.metrics[name] for name in same} == {name: row[name] for name in same}
    assert untrained.metrics["return"] != row["return"]
    for name, tensor in flat(by_hand.learner.state_dict()).items():
        assert torch.equal(flat(result.models)[name], tensor), name


def test_resumed_it_goes_on_from_its_checkpoint_and_not_from_its_start(trained, tmp_path):
    algorithm, file = trained
    whole = workloads.run(trial(algorithm, start_from=file), seed=3, graph=RING)
    checkpoint = tmp_path / "checkpoint"

    class Stop(Exception):
        """Ends the run after one update."""

    def stop(*_):
        raise Stop

    with pytest.raises(Stop):
        workloads.run(
            trial(algorithm, start_from=file), seed=3, graph=RING, checkpoint=checkpoint, progress=stop
        )
    resumed = workloads.run(trial(algorithm, start_from=file), seed=3, graph=RING, checkpoint=checkpoint)
    for name, tensor in flat(whole.models).items():
        assert torch.equal(flat(resumed.models)[name], tensor), name


@pytest.mark.parametrize(
    "other", [*SETTINGS, MatrpoSettings(hidden=(4,))], ids=lambda a: f"{a.name}{a.hidden}"
)
def test_models_of_another_algorithm_or_size_are_refused(trained, other):
    algorithm, file = trained
    if other == algorithm:
        return
    with pytest.raises(SettingError, match=r"^training\.start_from: [^\n]+$"):
        workloads.make_trainer(trial(other, start_from=file), seed=0, graph=RING)


def test_a_results_folder_must_be_searched_before(tmp_path):
    found = TrainedTrial(run=tmp_path)
    with pytest.raises(SettingError, match=r"needs the file itself, models\.pt"):
        workloads.make_trainer(trial(SETTINGS[0], start_from=found), seed=0, graph=RING)
