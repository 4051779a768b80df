"""Updates that start from models which a training trial has stored."""

import networkx as nx
import pytest
import torch

from policies.algorithms.mappo import MappoSettings
from policies.algorithms.matrpo import MatrpoSettings
from studies.spec.document import StudyError
from studies.spec.loading import load
from testbed import workloads
from testbed.common import checkpoints
from testbed.common.settings import SettingError
from testbed.environments.navigation import NavigationSettings
from testbed.training import warm_start
from testbed.training.trainer import LoopSettings

ENVIRONMENT = NavigationSettings(agents=3, episode_length=10)
MATRPO = MatrpoSettings(hidden=(8,))


def stored(path, algorithm=MATRPO, seed=0):
    """The models of a short training run, in a file as a trial's folder has them."""
    trial = workloads.TrainingWorkload(
        environment=ENVIRONMENT,
        algorithm=algorithm,
        consensus={"budget": {"activations": 6}},
        training=LoopSettings(updates=2, samples=60),
    )
    result = workloads.run(trial, seed=seed, graph=nx.complete_graph(3))
    assert result.models is not None
    checkpoints.save(path, {"learner": result.models}, "a trial")
    return result.models


def start(models, algorithm=MATRPO, **options):
    options = {"samples": 60, "warmup": 0, "seed": 5} | options
    return warm_start.prepare(ENVIRONMENT, algorithm, models=models, **options)


def test_an_update_starts_where_training_ended_whatever_its_own_settings(tmp_path):
    trained = stored(tmp_path / "models.pt")
    for algorithm in (MATRPO, MATRPO.model_copy(update={"fisher": "empirical"})):
        learner = start(tmp_path / "models.pt", algorithm).learner
        assert torch.equal(learner.theta, torch.as_tensor(trained["theta"]))
    assert not torch.equal(learner.theta, start(None).learner.theta)


def test_a_warm_up_goes_on_from_the_models(tmp_path):
    trained = stored(tmp_path / "models.pt")
    learner = start(tmp_path / "models.pt", warmup=1).learner
    assert not torch.equal(learner.theta, torch.as_tensor(trained["theta"]))


def test_a_kept_start_is_that_of_the_same_models(tmp_path):
    thetas = []
    for seed in (0, 1):
        stored(tmp_path / f"{seed}.pt", seed=seed)
        thetas += [start(tmp_path / f"{seed}.pt", folder=tmp_path / "batches").learner.theta for _ in "ab"]
    assert torch.equal(thetas[0], thetas[1])
    assert torch.equal(thetas[2], thetas[3])
    assert not torch.equal(thetas[0], thetas[2])


def test_models_that_do_not_fit_are_one_line(tmp_path):
    stored(tmp_path / "mappo.pt", MappoSettings(hidden=(8,)))
    with pytest.raises(SettingError, match=r"^update.models: .*mappo.pt holds no models of this algorithm$"):
        start(tmp_path / "mappo.pt")
    stored(tmp_path / "other.pt", MatrpoSettings(hidden=(9,)))
    with pytest.raises(SettingError, match=r"^update.models: .*other.pt: theta: the stored models do not"):
        start(tmp_path / "other.pt")
    (tmp_path / "none.pt").write_bytes(b"nothing")
    with pytest.raises(SettingError, match=r"^update.models: .*none.pt"):
        start(tmp_path / "none.pt")


STUDY = """\
workload: update
environment: {name: navigation, agents: 3, episode_length: 10}
algorithm: {name: matrpo, hidden: [%s]}
topology: complete
consensus: {budget: {activations: 6}}
update: {samples: 60, models: %s}
"""


def test_a_study_names_models_by_their_content(tmp_path):
    stored(tmp_path / "models.pt")
    (tmp_path / "copy.pt").write_bytes((tmp_path / "models.pt").read_bytes())
    stored(tmp_path / "others.pt", seed=1)
    names = []
    for file in ("models.pt", "copy.pt", "others.pt"):
        (tmp_path / "study.yaml").write_text(STUDY % (8, file))
        (trial,) = load(str(tmp_path / "study.yaml")).trials
        names.append(trial.hash)
    assert names[0] == names[1] != names[2]
    (tmp_path / "study.yaml").write_text(STUDY % (9, "models.pt"))
    with pytest.raises(StudyError, match=r"study.yaml:6: update.models.*do not fit"):
        load(str(tmp_path / "study.yaml"))
