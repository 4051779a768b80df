"""Worlds in which agents drop out: what environments say of it, and what learners make of that."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch

from policies.nn.categorical import kl
from testbed import environments, workloads
from testbed.training.rollout import Collector
from testbed.training.trainer import Trainer
from testbed.workloads import TrainingWorkload, UpdateWorkload

STEPS = 25  # of an episode of early death


@pytest.fixture(autouse=True)
def _worlds(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent / "environments" / "doubles" / "worlds")


def early_death(how="terminated"):
    return {"pettingzoo": "early_death:EarlyDeath", "kwargs": {"how": how}, "episode_length": STEPS}


def trainer(algorithm, environment, **loop):
    trial = TrainingWorkload.model_validate(
        {"environment": environment, "algorithm": {"hidden": [8], **algorithm}, "training": loop}
    )
    return workloads.make_trainer(trial, seed=0, graph=nx.complete_graph(trial.agents))


def kept(one: Trainer):
    """The batches that a trainer's learner is given from now on."""
    batches, learn = [], one.learner.learn
    one.learner.learn = lambda batch, *rest: batches.append(batch) or learn(batch, *rest)
    return batches


class Random:
    """Plays whatever is available."""

    def act(self, observations, masks, generator):
        if masks is None:
            return generator.integers(2, size=observations.shape[:2])
        return (masks * generator.random(masks.shape)).argmax(-1)


@pytest.mark.parametrize("how", ["terminated", "truncated"])
def test_an_agent_that_is_over_before_the_others_is_not_active(how):
    world = environments.make("pettingzoo", batch=4, **early_death(how))
    batch, _ = Collector(world, 0).collect(Random(), 2 * STEPS, np.random.default_rng(0))
    expected = np.ones((2 * STEPS, 4, 2), dtype=bool)
    expected[np.arange(2 * STEPS) % STEPS >= 2, :, 0] = False
    assert np.array_equal(batch.active, expected)
    assert np.array_equal(batch.acting, expected.reshape(-1, 2))
    # What comes after it is over has nothing to do with it; for all others the episode ends at its end.
    over = np.arange(2 * STEPS) % STEPS
    assert np.array_equal(batch.boundaries[:, 0, 0], over >= 1)
    assert np.array_equal(batch.boundaries[:, 0, 1], over == STEPS - 1)


@pytest.mark.parametrize("unavailable", ["mask", "random"])
def test_the_dead_of_a_skirmish_are_not_active_whatever_the_masks_say(unavailable):
    options = {"map": "2s3z", "unavailable": unavailable}
    world = environments.make("skirmish", batch=8, **options)
    masked = environments.make("skirmish", batch=8, map="2s3z")
    generator = np.random.default_rng(0)
    collector = Collector(world, 0)
    batch, _ = collector.collect(Random(), 60, generator)
    assert 0 < batch.acting_share < 1
    dead = ~batch.active
    assert not batch.observations[dead].any()
    assert batch.observations[~dead].any(-1).all()
    if unavailable == "mask":
        assert np.array_equal(batch.masks[..., 0], dead)
    # The same after a resumption.
    again = Collector(environments.make("skirmish", batch=8, **options), 1)
    again.load_state_dict(collector.state_dict())
    assert np.array_equal(again.active, collector.active)
    masked.reset(0)
    masked.state = world.state
    assert np.array_equal(again.active, ~masked.masks()["action_masks"][..., 0])


@pytest.mark.parametrize("name", ["navigation", "treasure"])
def test_who_can_always_act_is_not_spoken_of(name):
    world = environments.make(name, batch=2)
    batch, _ = Collector(world, 0).collect(Random(), 3, np.random.default_rng(0))
    assert batch.active is None
    assert batch.acting is None
    assert batch.acting_shares.tolist() == [1.0] * world.agents


@pytest.mark.parametrize("how", ["terminated", "truncated"])
@pytest.mark.parametrize("name", ["itrpo", "matrpo", "ctrpo"])
def test_an_agent_that_dies_early_moves_by_its_radius_where_it_lives(name, how):
    one = trainer({"name": name, "precision": "float64"}, early_death(how), updates=1, samples=20 * STEPS)
    batches, before = kept(one), one.learner.theta.clone()
    row = one.advance()
    batch = batches[0]
    masks = batch.masks.reshape(-1, 2, 3)
    after, one.learner.theta = one.learner.theta, before
    old = one.learner.own_distributions(batch.observations, masks)
    one.learner.theta = after
    apart = kl(old, one.learner.own_distributions(batch.observations, masks)).numpy()  # [N, M]
    own = [apart[n][batch.acting[:, n]].mean() for n in range(2)]
    assert row["acting_share"] == pytest.approx((2 / STEPS + 1) / 2)
    shares = [agent["acting_share"] for agent in one.agent_rows]
    assert shares == pytest.approx(batch.acting.mean(axis=0))
    assert sorted(shares) == pytest.approx([2 / STEPS, 1])
    assert row["kl_played"] == pytest.approx(sum(own), rel=1e-9)
    if name == "itrpo":
        assert row["kl"] == pytest.approx(np.mean(own), rel=1e-9)
        assert own == pytest.approx([0.003, 0.003], rel=0.1)
    limit = 1.5 * one.learner.delta
    assert max(own) <= limit


def test_a_policy_that_diverges_is_an_error_that_names_algorithm_update_and_agent():
    one = trainer(
        {"name": "matrpo", "values": {"learning_rate": 1e30}}, {"name": "navigation"}, updates=3, samples=50
    )
    with pytest.raises(
        FloatingPointError, match=r"^matrpo, update [12]: agent 0: its critic has numbers that are not finite"
    ):
        one.train()
    update = UpdateWorkload.model_validate(
        {"algorithm": {"hidden": [8], "values": {"learning_rate": 1e30}}, "update": {"samples": 50}}
    )
    with pytest.raises(
        FloatingPointError, match=r"^matrpo, update 1: agent 0: its critic has numbers that are not finite"
    ):
        workloads.run(update, seed=0, graph=nx.complete_graph(update.agents))
    far = {"name": "itrpo", "delta_per_agent": 1e300, "kl_safeguard": False}
    one = trainer(far, {"name": "navigation"}, updates=1, samples=50)
    with pytest.raises(FloatingPointError, match=r"^itrpo, update 1: agent 0: .*its policy step is"):
        one.train()


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")  # on its way there
def test_online_learners_that_diverge_while_playing_are_named_too():
    one = trainer(
        {"name": "fdmarl", "form": "online", "critic_rate": 1e30},
        {"name": "navigation"},
        updates=3,
        samples=50,
    )
    with pytest.raises(FloatingPointError, match=r"^fdmarl, update [123]: "):
        one.train()


def test_explained_variance_of_combat_is_that_of_the_agent_that_is_paid():
    one = trainer({"name": "itrpo"}, {"name": "skirmish", "map": "2s3z"}, updates=1, samples=600)
    batches = kept(one)
    state = one.learner.critics.state_dict()
    row = one.advance()
    batch = batches[0]
    assert batch.rewards[..., 0].any()
    assert not batch.rewards[..., 1:].any()
    after = one.learner.critics.state_dict()
    one.learner.critics.load_state_dict(state)
    assert row["explained_variance"] == one.learner.estimate_advantages(batch)[2]
    # Other critics may say what they like.
    state["mean"][1:] += torch.randn(state["mean"][1:].shape)
    one.learner.critics.load_state_dict(state)
    assert row["explained_variance"] == one.learner.estimate_advantages(batch)[2]
    one.learner.critics.load_state_dict(after)
