"""MATRPO, I-TRPO and C-TRPO are one method with different views of the same batch."""

import math

import numpy as np
import pytest
import torch
from no_network import Nobody

from policies.algorithms.adoption import factor_to
from policies.algorithms.ctrpo import CtrpoSettings
from policies.algorithms.itrpo import ItrpoSettings
from policies.algorithms.learner import Spaces, experience_bytes
from policies.algorithms.matrpo import MatrpoSettings
from policies.algorithms.trust_region import solve_independently
from policies.batch import Batch

STEPS, EPISODES, ACTIONS = 12, 5, 4
SIZES = (6, 4, 5)
NETWORK = {"hidden": (16, 16), "precision": "float64", "solver": {"tolerance": 1e-8, "iterations": 60}}


def made_up(agents, seed=0, *, masked=False):
    generator = np.random.default_rng(seed)
    shape = (STEPS, EPISODES, agents)
    observations = generator.standard_normal((*shape, SIZES[0])).astype(np.float32)
    for agent, size in enumerate(SIZES[:agents]):
        observations[:, :, agent, size:] = 0
    masks = generator.random((*shape, ACTIONS)) < 0.7
    masks[..., 0] = True
    actions = (
        (generator.random((*shape, ACTIONS)) * masks).argmax(-1)
        if masked
        else generator.integers(ACTIONS, size=shape)
    )
    over = np.zeros(shape, dtype=bool)
    over[-1] = over[5, 2] = True
    return Batch(
        observations,
        np.roll(observations, -1, axis=0),
        actions,
        generator.standard_normal(shape) + observations[..., 0] * (actions == 1),
        np.zeros(shape, dtype=bool),
        over,
        masks if masked else None,
    )


def learner(settings, agents):
    spaces = Spaces(agents, SIZES[0], ACTIONS, SIZES[:agents])
    return settings(**NETWORK).make(spaces, np.random.default_rng(1))


@pytest.mark.parametrize("masked", [False, True])
def test_one_agent_takes_the_same_step_by_all_three(masked):
    batch = made_up(1, masked=masked)
    steps, rows = [], []
    for settings in (MatrpoSettings, ItrpoSettings, CtrpoSettings):
        one = learner(settings, 1)
        rows.append(one.learn(batch, Nobody(), np.random.default_rng(2)))
        steps.append(one.theta)
    assert torch.equal(steps[0], steps[1])
    assert torch.equal(steps[0], steps[2])
    assert rows[0] == rows[1] == rows[2]
    assert rows[0]["kl"] == pytest.approx(0.003, rel=0.2)


@pytest.mark.parametrize("masked", [False, True])
def test_an_agent_of_itrpo_learns_what_it_would_learn_if_the_others_were_not_there(masked):
    batch = made_up(3, masked=masked)
    together = learner(ItrpoSettings, 3)
    together.settings = together.settings.model_copy(update={"advantage_scale": "per_agent"})
    for q in range(3):
        only = {
            name: None if array is None else array[:, :, q : q + 1] for name, array in vars(batch).items()
        }
        single = learner(ItrpoSettings, 1)
        single.theta = together.theta[q : q + 1].clone()
        single.critics.load_state_dict(
            {
                name: value[q : q + 1]
                if isinstance(value, torch.Tensor)
                else single.critics.state_dict()[name]
                for name, value in together.critics.state_dict().items()
            }
        )
        advantages, _, _ = single.estimate_advantages(Batch(**only))
        problems = single.build_subproblems(Batch(**only), advantages, np.random.default_rng(3))
        solve_independently(problems)
        mine = together.build_subproblems(
            batch, together.estimate_advantages(batch)[0], np.random.default_rng(4)
        )[q]
        solve_independently([mine])
        assert torch.allclose(mine.x, problems[0].x, rtol=1e-4, atol=1e-7)


def test_ctrpo_is_trpo_of_one_agent_that_sees_all_and_has_every_action():
    """Against the KL of the joint policy and the surrogate of the summed reward, by autograd."""
    batch = made_up(3)
    one = learner(CtrpoSettings, 3)
    before = one.theta[0].clone()
    observations = torch.from_numpy(batch.observations.reshape(batch.samples, -1)).double()
    actions = torch.from_numpy(batch.actions.reshape(batch.samples, 3))
    advantages, targets, _ = one.estimate_advantages(batch)
    row = one.learn(batch, Nobody(), np.random.default_rng(2))

    def log_p(theta):
        return torch.log_softmax(one.policy.network(theta, observations).view(-1, 3, ACTIONS), -1)

    def divergence(theta):
        old = log_p(before)
        return (old.exp() * (old - log_p(theta))).sum((-1, -2)).mean()

    def surrogate(theta):
        taken = log_p(theta).gather(-1, actions.unsqueeze(-1)).sum((-1, -2))
        return (advantages[0] * taken).mean()

    gradient = torch.autograd.functional.jacobian(surrogate, before)
    fisher = torch.autograd.functional.hessian(divergence, before)
    damped = fisher + 0.1 * torch.eye(len(before), dtype=before.dtype)
    direction = torch.linalg.solve(damped, gradient)
    length = torch.sqrt(2 * 3 * 0.003 / (direction @ fisher @ direction))
    step = one.theta[0] - before
    assert torch.allclose(step, length * direction, rtol=1e-4, atol=1e-6)
    assert row["kl"] == pytest.approx(float(divergence(one.theta[0])))
    assert targets.shape == (1, batch.samples)


def test_ctrpo_is_paid_the_sum_and_sees_the_joint_observation():
    batch = made_up(3)
    one = learner(CtrpoSettings, 3)
    rewards, terminations, boundaries = one.rewarded(batch)
    assert np.array_equal(rewards[..., 0], batch.rewards.sum(-1))
    assert rewards.shape == terminations.shape == boundaries.shape == (STEPS, EPISODES, 1)
    flat = batch.observations.reshape(-1, 3, SIZES[0])
    assert np.array_equal(one.to_policy_inputs(flat)[0, 7], np.concatenate(flat[7]))


def test_a_centre_is_sent_what_it_does_not_know():
    batch, network = made_up(3, masked=True), Nobody()
    learner(CtrpoSettings, 3).learn(batch, network, np.random.default_rng(2))
    # 60 steps: float32 observations and reward, the action and 4 bits of mask in a byte each; 6 episode ends.
    expected = [60 * (4 * size + 4 + 1 + 1) + 6 * 4 * size for size in SIZES]
    assert network.charged == (expected, [60, 60, 60])
    unmasked = experience_bytes(Spaces(3, 6, ACTIONS), made_up(3))
    assert unmasked == [60 * (4 * 6 + 4 + 1) + 6 * 4 * 6] * 3


@pytest.mark.parametrize("settings", [MatrpoSettings, ItrpoSettings, CtrpoSettings])
def test_the_divergence_of_what_is_played_adds_up_over_the_heads_that_act(settings):
    batch = made_up(3, masked=True)
    one = learner(settings, 3)
    flat = batch.observations.reshape(-1, 3, SIZES[0]), batch.masks.reshape(-1, 3, ACTIONS)
    before = one.own_distributions(*flat).exp().numpy()
    row = one.learn(batch, Nobody(), np.random.default_rng(2))
    after = one.own_distributions(*flat).exp().numpy()
    terms = before * np.log(np.where(before > 0, before, 1) / np.where(before > 0, after, 1))
    choices = flat[1].sum(-1).T > 1  # with a single action there is none
    assert not choices.all()
    assert row["kl_played"] == pytest.approx((terms.sum((1, 2)) / choices.sum(1)).sum(), rel=1e-6)
    policies = {MatrpoSettings: 3, ItrpoSettings: 3, CtrpoSettings: 1}[settings]
    assert row["kl_played"] <= policies * row["kl"] * (1 + 1e-9)


@pytest.mark.parametrize("settings", [MatrpoSettings, ItrpoSettings, CtrpoSettings])
def test_what_is_played_is_what_is_learnt_from(settings):
    """The chosen actions' frequencies against the probabilities of the heads that act."""
    one = learner(settings, 3)
    one.theta = one.theta + 0.3 * torch.randn(one.theta.shape, generator=torch.Generator().manual_seed(0))
    batch = made_up(3, masked=True)
    observations = np.repeat(batch.observations[0, :1], 20_000, axis=0)
    masks = np.repeat(batch.masks[0, :1], 20_000, axis=0)
    actions = one.act(observations, masks, np.random.default_rng(5))
    assert actions.shape == (20_000, 3)
    p = one.own_distributions(observations[:1], masks[:1]).exp()[:, 0].numpy()
    for agent in range(3):
        shares = np.bincount(actions[:, agent], minlength=ACTIONS) / 20_000
        assert np.allclose(shares, p[agent], atol=0.015)
        assert p[agent][~masks[0, agent]].sum() == 0
    greedy = one.act(observations[:1], masks[:1], None)
    assert np.array_equal(greedy[0], p.argmax(-1))


class Neighbours(Nobody):
    """No network: every problem is solved under a pull and a penalty, as neighbours would have it."""

    def agree(self, problems):
        for q, problem in enumerate(problems):
            generator = torch.Generator().manual_seed(q)
            pull = torch.randn(problem.dimension, generator=generator, dtype=torch.float64)
            problem.solve(pull, self.penalty)
        return {}

    def __init__(self, penalty):
        self.penalty = penalty


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("penalty", [1e-3, 1.0, 1e4])
def test_with_the_radius_of_what_is_played_the_policy_that_acts_moves_by_delta(masked, penalty):
    """However short the steps that agents agreed on, and by one factor: directions stay as they are."""
    batch = made_up(3, masked=masked)
    thetas = {}
    for radius in ("joint", "played"):
        one = learner(MatrpoSettings, 3)
        one.settings, one.radius = one.settings.model_copy(update={"radius": radius}), radius
        before = one.theta.clone()
        row = one.learn(batch, Neighbours(penalty), np.random.default_rng(2))
        thetas[radius] = one.theta - before
    assert row["kl_played"] == pytest.approx(3 * 0.003, rel=0.011)
    if penalty == 1e4:  # the boundary binds neither, so that both solve the same
        assert torch.allclose(thetas["played"], row["step_factor"] * thetas["joint"], rtol=1e-9)
        assert row["step_factor"] > 10


@pytest.mark.parametrize("masked", [False, True])
def test_with_the_radius_of_ones_own_action_each_agent_moves_by_it(masked):
    batch = made_up(3, masked=masked)
    one = learner(MatrpoSettings, 3)
    one.radius = "own"
    row = one.learn(batch, Neighbours(1.0), np.random.default_rng(2))
    assert one.by_agent["kl_played"] == pytest.approx([0.003] * 3, rel=0.011)
    assert row["kl_played"] == pytest.approx(3 * 0.003, rel=0.011)
    assert row["step_factor"] == pytest.approx(one.by_agent["step_factor"].mean())


@pytest.mark.parametrize("radius", ["played", "own"])
def test_what_does_not_move_stays_where_it_is_whatever_the_radius(radius):
    class Silent(Nobody):
        def agree(self, problems):
            return {}

    one = learner(MatrpoSettings, 3)
    one.radius = radius
    before = one.theta.clone()
    row = one.learn(made_up(3), Silent(), np.random.default_rng(2))
    assert torch.equal(one.theta, before)
    assert (row["kl_played"], row["step_factor"]) == (pytest.approx(0, abs=1e-12), 1)


@pytest.mark.parametrize(
    "divergence",
    [lambda c: c * c, lambda c: 1e-9 * c**2, lambda c: 5e7 * c**2, lambda c: c**4, lambda c: max(0.0, c - 2)],
)
def test_the_factor_brings_the_divergence_to_the_radius(divergence):
    if divergence(1.0) == 0:
        assert factor_to(0.01, divergence) == 1
    else:
        assert divergence(factor_to(0.01, divergence)) == pytest.approx(0.01, rel=0.01)


def test_a_divergence_that_never_reaches_the_radius_gives_the_most_within_it():
    assert factor_to(0.01, lambda c: 0.001 * c / (1 + c)) > 1e3
    assert factor_to(0.01, lambda c: 0.001 if c < 5 else math.nan) == pytest.approx(5, rel=0.01)


@pytest.mark.parametrize(("radius", "share"), [("delta", 3), ("delta_per_agent", 1)])
def test_ctrpo_s_radius_is_all_agents_or_one_s(radius, share):
    spaces = Spaces(3, SIZES[0], ACTIONS, SIZES[:3])
    one = CtrpoSettings(**NETWORK, radius=radius).make(spaces, np.random.default_rng(1))
    assert one.delta == pytest.approx(share * 0.003)
    row = one.learn(made_up(3), Nobody(), np.random.default_rng(2))
    assert row["kl_played"] == pytest.approx(share * 0.003, rel=0.2)
