"""Learning real-valued actions, and actions of several categories, where the optimum is known."""

from dataclasses import replace

import numpy as np
import pytest
from one_step_lqr import GAIN, LEVELS, A, B, LqrSettings
from pydantic import ValidationError

import topologies
from policies.algorithms.ctrpo import CtrpoSettings
from policies.algorithms.fdmarl import FdmarlSettings
from policies.algorithms.itrpo import ItrpoSettings
from policies.algorithms.learner import Spaces
from policies.algorithms.mappo import MappoSettings
from policies.algorithms.matrpo import MatrpoSettings
from policies.batch import Batch, BatchError
from testbed.common.settings import SettingError
from testbed.consensus.settings import Budget, ConsensusSettings
from testbed.network import LinkSettings, NetworkSettings
from testbed.training.trainer import EvaluationSettings, LoopSettings, Trainer
from testbed.training.warm_start import check_batch
from testbed.workloads import TrainingWorkload

STATES = np.random.default_rng(9).uniform(-1, 1, (500, 2))
SMALL = {"hidden": (16,), "activation": "tanh"}
TRUST = {**SMALL, "delta_per_agent": 0.02, "values": {"learning_rate": 0.01, "batch_size": 256}}
LEARNERS = {
    "matrpo": MatrpoSettings.model_validate(TRUST),
    "itrpo": ItrpoSettings.model_validate(TRUST),
    "ctrpo": CtrpoSettings.model_validate(TRUST),
    "mappo": MappoSettings.model_validate(
        {**SMALL, "learning_rate": 0.01, "value_learning_rate": 0.01, "entropy_coefficient": 0}
    ),
    "mappo, one policy each": MappoSettings.model_validate({**SMALL, "share_policy": False}),
}


def trainer_of(algorithm, updates=25, samples=1000, **options):
    return Trainer(
        environment=LqrSettings(**options),
        algorithm=algorithm,
        network=NetworkSettings(link=LinkSettings(delay=0.005, loss=0.1)),
        consensus=ConsensusSettings(budget=Budget(activations=6)),
        loop=LoopSettings(updates=updates, samples=samples, evaluation=EvaluationSettings(every=100)),
        graph=topologies.make("complete", 2),
        seed=0,
    )


def played(trainer):
    """What the agents play in ``STATES`` by their most probable actions, [500, 2]."""
    seen = np.repeat(STATES[:, None], 2, axis=1).astype(np.float32)
    actions = trainer.learner.act(seen, None, None)
    return LEVELS[actions].mean(-1) if actions.dtype.kind == "i" else actions[..., 0]


def distance(trainer):
    """Root mean square distance from the optimal actions, relative to their own."""
    wanted = STATES @ GAIN.T
    return float(np.sqrt(np.square(played(trainer) - wanted).mean() / np.square(wanted).mean()))


@pytest.mark.parametrize("name", ["matrpo", "itrpo", "ctrpo", "mappo"])
def test_the_optimal_linear_policy_is_learnt(name):
    trainer = trainer_of(LEARNERS[name], updates=20)
    assert distance(trainer) > 0.8
    trainer.train()
    assert distance(trainer) < 0.15
    entropies = [row["entropy"] for row in trainer.rows]
    assert entropies[0] == pytest.approx(0.5 * np.log(2 * np.pi * np.e), abs=0.15)  # of a standard normal
    assert entropies[-1] < 0  # noise costs, so that the deviation has shrunk as well
    optimal = STATES @ GAIN.T
    cost = np.square(STATES @ A.T + optimal @ B.T).sum(-1) + np.square(optimal).sum(-1)
    assert trainer.rows[-1]["evaluation_return"] == pytest.approx(-cost.mean(), rel=0.3)


def test_actions_of_two_categories_each_are_learnt():
    trainer = trainer_of(LEARNERS["matrpo"], updates=15, categories=True)
    before = distance(trainer)
    trainer.train()
    # The levels, of which each agent plays the mean of two, do not reach the optimal actions everywhere.
    assert distance(trainer) < 0.45 < before


@pytest.mark.parametrize("categories", [False, True])
@pytest.mark.parametrize("name", LEARNERS)
def test_a_run_resumes_exactly(name, categories, without_wall):
    options = {"updates": 3, "samples": 60, "categories": categories}
    whole, first, second = (trainer_of(LEARNERS[name], **options) for _ in range(3))
    whole.train()
    first.advance()
    second.load_state_dict(first.state_dict())
    second.train()
    assert without_wall(second.rows) == without_wall(whole.rows)
    assert played(second).tobytes() == played(whole).tobytes()


def test_models_of_another_space_do_not_fit():
    of_reals, of_categories = (trainer_of(LEARNERS["matrpo"], categories=each) for each in (False, True))
    with pytest.raises(ValueError, match="theta: the stored models do not fit"):
        of_categories.learner.load_state_dict(of_reals.learner.state_dict())


def test_the_initial_deviation_is_a_setting():
    settings = MatrpoSettings(log_std_init=-1.5, hidden=(4,))
    learner = settings.make(Spaces(2, 2, 3, action_space="Box"), np.random.default_rng(0))
    assert learner.policy.split(learner.theta)[1].flatten().tolist() == [-1.5] * 12
    with pytest.raises(ValidationError, match="less than or equal to 10"):
        MatrpoSettings(log_std_init=11)


@pytest.mark.parametrize(("kind", "name"), [(False, "Box"), (True, "MultiDiscrete")])
def test_an_algorithm_that_does_not_know_the_actions_is_refused_in_one_line(kind, name):
    with pytest.raises(
        ValidationError, match=f"'fdmarl' cannot learn {name} actions, which .* only Discrete"
    ):
        TrainingWorkload(environment=LqrSettings(categories=kind), algorithm=FdmarlSettings())


def test_a_stored_batch_of_real_actions_is_loaded_and_checked(tmp_path):
    trainer = trainer_of(LEARNERS["matrpo"])
    batch, _ = trainer.collector.collect(trainer.learner, 3, np.random.default_rng(0))
    assert (batch.actions.dtype, batch.actions.shape[2:]) == (np.float32, (2, 1))
    path = tmp_path / "batch.npz"
    batch.save(path)
    loaded = Batch.load(path)
    assert loaded.actions.tobytes() == batch.actions.tobytes()
    check_batch(loaded, path, trainer.collector.environment)
    with pytest.raises(
        SettingError, match=r"has float32 actions of shape \(1,\), needs those of MultiDiscrete"
    ):
        check_batch(loaded, path, LqrSettings(categories=True).make(1))
    replace(batch, actions=np.full_like(batch.actions, np.nan)).save(path)
    with pytest.raises(BatchError, match="actions are not all finite"):
        Batch.load(path)
