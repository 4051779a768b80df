"""Agents that cannot act at some samples: whatever is averaged is averaged over the others."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from partly_acting import (
    ACTIONS,
    AGENTS,
    ALL,
    EPISODES,
    STEPS,
    TRUST_REGIONS,
    Nobody,
    learner,
    made_up,
    parameters,
    update,
)
from torch.distributions import Categorical, kl_divergence

from policies.acting import mean_over_acting, root_weights
from policies.algorithms.ctrpo import CtrpoSettings
from policies.algorithms.fdmarl import FdmarlSettings
from policies.algorithms.itrpo import ItrpoSettings
from policies.algorithms.mappo import MappoSettings
from policies.algorithms.matrpo import MatrpoSettings
from policies.algorithms.trust_region import solve_independently
from policies.batch import Batch
from policies.natural_gradient.kfac import Kfac

# --- what the batch says ---------------------------------------------------------------------------------


def test_an_agent_can_act_if_it_is_in_the_game_and_has_a_choice():
    batch = made_up(masked=True)
    masks = batch.masks.copy()
    masks[0, 0, 0] = [False, True, False]  # alive, but with one action
    batch = replace(batch, masks=masks, active=np.ones_like(batch.active))
    expected = np.ones((STEPS, EPISODES, AGENTS), dtype=bool)
    expected[0, 0, 0] = False
    assert np.array_equal(batch.acting, expected.reshape(-1, AGENTS))
    assert batch.acting_share == 1 - 1 / expected.size
    active = expected.copy()
    active[3, 2, 1] = False
    both = replace(batch, active=active)
    assert both.acting.sum() == expected.size - 2
    assert np.array_equal(replace(both, masks=None).acting, active.reshape(-1, AGENTS))


def test_where_all_always_can_nothing_is_said():
    batch = made_up(dead=0.0, masked=True)
    for each in (batch, replace(batch, masks=None), replace(batch, active=None)):
        assert each.acting is None
        assert each.acting_share == 1.0


def test_a_stored_batch_says_who_was_active_and_one_without_is_of_agents_that_all_were(tmp_path):
    batch = made_up()
    batch.save(tmp_path / "with.npz")
    replace(batch, active=None).save(tmp_path / "without.npz")
    assert np.array_equal(Batch.load(tmp_path / "with.npz").acting, batch.acting)
    assert Batch.load(tmp_path / "without.npz").acting is None


# --- means -----------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.integers(1, 3), st.integers(0, 2**16))
def test_means_and_weights_are_those_of_each_heads_own_samples(samples, heads, seed):
    generator = np.random.default_rng(seed)
    values, acting = generator.standard_normal((samples, heads)), generator.random((samples, heads)) < 0.4
    own = [values[acting[:, n], n].mean() if acting[:, n].any() else 0.0 for n in range(heads)]
    flags = torch.from_numpy(acting)
    found = mean_over_acting(torch.from_numpy(np.where(acting, values, np.nan)), flags, dim=0)
    assert np.allclose(found, own)
    weights = root_weights(flags, torch.float64).square()
    assert np.allclose((weights * torch.from_numpy(values)).mean(0), own)


# --- trust regions against autograd ----------------------------------------------------------------------


class Dense:
    """Policy q of a learner, on the samples at which it matters, head by head, by autograd in float64."""

    def __init__(self, one, batch, q):
        self.one, self.before = one, one.theta[q].clone()
        self.observations = one.policy_inputs(batch.observations)[q].double()
        heads = one.policy.agents
        where = slice(q, q + 1) if heads == 1 else slice(None)
        acting = batch.acting
        if acting is None:
            acting = np.ones((batch.samples, AGENTS), dtype=bool)
        self.acting = acting[:, where]
        self.actions = torch.from_numpy(batch.actions.reshape(-1, AGENTS)[:, where])
        self.masks = None if batch.masks is None else batch.flat_masks[:, where]
        self.anybody = self.acting.any(-1)

    def head(self, theta, n):
        at = np.flatnonzero(self.acting[:, n])
        shape = (len(self.acting), self.one.policy.agents, ACTIONS)
        logits = self.one.policy.network(theta, self.observations).view(shape)[at, n]
        if self.masks is not None:
            logits = torch.where(torch.from_numpy(self.masks[at, n]), logits, -1e9)
        return at, Categorical(logits=logits)

    def divergences(self, theta):
        """The KL of each head over the samples at which its agent acts."""
        pairs = [(self.head(self.before, n)[1], self.head(theta, n)[1]) for n in range(self.acting.shape[1])]
        return torch.stack([kl_divergence(*pair).mean() for pair in pairs])

    def gain(self, theta, advantages):
        """The mean of A (ratio - 1) over the samples at which a head acts."""
        log_ratio = torch.zeros(len(self.acting), dtype=theta.dtype)
        for n in range(self.acting.shape[1]):
            at, new = self.head(theta, n)
            old, taken = self.head(self.before, n)[1], self.actions[at, n]
            change = new.log_prob(taken) - old.log_prob(taken).detach()
            log_ratio = log_ratio.index_add(0, torch.from_numpy(at), change)
        return (advantages * (log_ratio.exp() - 1))[torch.from_numpy(self.anybody)].mean()

    def normalised(self, raw):
        """This policy's advantages, if it were scaled alone."""
        kept = raw[self.anybody]
        return (raw - kept.mean()) / kept.std()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", TRUST_REGIONS)
def test_an_update_is_that_of_dense_matrices_over_the_samples_at_which_agents_act(kind, masked):
    batch, one = made_up(masked=masked), learner(kind, advantage_scale="per_agent")
    dense = [Dense(one, batch, q) for q in range(one.learners)]
    raw = learner(kind, advantage_mean="none", advantage_scale="per_agent", average_over="all")
    with torch.no_grad():
        unscaled = raw.estimate_advantages(replace(batch, active=None, masks=None))[0].numpy()
        advantages = one.estimate_advantages(batch)[0]
    for q, each in enumerate(dense):
        # Whatever the scale before: moments are those of the samples that count.
        assert np.allclose(advantages[q][each.anybody], each.normalised(unscaled[q])[each.anybody])
    problems = one.build_subproblems(batch, advantages, np.random.default_rng(0))
    for each, problem, mine in zip(dense, problems, advantages, strict=True):
        fisher = torch.autograd.functional.hessian(lambda x: each.divergences(x).sum(), each.before)  # noqa: B023
        gradient = torch.autograd.functional.jacobian(lambda x: each.gain(x, mine), each.before)  # noqa: B023
        at = problem.at
        basis = torch.eye(len(each.before), dtype=torch.float64)
        found = torch.stack([at.fisher(v)[0] for v in basis])
        assert torch.allclose(found, fisher + at.damping * basis, rtol=1e-8, atol=1e-10)
        assert torch.allclose(at.vjp(problem.weighted.expand(-1, at.policy.agents)) / at.samples, gradient)
        # The signal is J x, and J^T its transpose: whatever is weighted, is weighted in both.
        jacobian = torch.stack([at.jvp(v).flatten() for v in basis], dim=1)
        w = torch.randn(at.samples, at.policy.agents, generator=torch.Generator().manual_seed(1)).double()
        assert torch.allclose(at.vjp(w), jacobian.T @ w.flatten())
        assert not jacobian[~torch.from_numpy(each.acting).flatten()].any()
        direction = torch.linalg.solve(fisher + at.damping * basis, gradient)
        length = torch.sqrt(2 * one.delta / (direction @ fisher @ direction))
        assert problem.dimension == at.samples * at.policy.agents
        solve_independently([problem])
        assert torch.allclose(problem.x, length * direction, rtol=1e-5, atol=1e-8)
    row = one.apply_steps(problems)
    own = torch.stack([each.divergences(one.theta[q]) for q, each in enumerate(dense)])  # [G, H]
    assert row["kl"] == pytest.approx(float(own.sum(-1).mean()))
    assert row["kl_max"] == pytest.approx(float(own.sum(-1).max()))
    acted = own.diagonal() if kind is MatrpoSettings else own
    assert row["kl_played"] == pytest.approx(float(acted.sum()))
    gains = [float(each.gain(one.theta[q], advantages[q])) for q, each in enumerate(dense)]
    assert row["surrogate_gain"] == pytest.approx(sum(gains))
    stay = torch.stack([each.before for each in dense])
    assert one.gain(batch, advantages, stay) == pytest.approx(sum(gains))
    assert one.played_gain(batch, advantages, stay) == pytest.approx(
        played_gain(kind, dense, one, advantages)
    )
    entropies = []
    for n in range(AGENTS):
        q = 0 if kind is CtrpoSettings else n
        head = dense[q].head(one.theta[q], 0 if kind is ItrpoSettings else n)[1]
        entropies.append(float(head.entropy().mean()))
    assert one.mean_entropy(batch) == pytest.approx(np.mean(entropies))


def played_gain(kind, dense, one, advantages):
    """The sum over policies of the mean of A (ratio - 1), sample by sample, all with the team's ratio."""
    ratio = torch.ones(len(dense[0].acting), dtype=torch.float64)
    for n in range(AGENTS):
        q, head = (0 if kind is CtrpoSettings else n), (0 if kind is ItrpoSettings else n)
        at, new = dense[q].head(one.theta[q], head)
        old, taken = dense[q].head(dense[q].before, head)[1], dense[q].actions[at, head]
        for place, m in enumerate(at):
            ratio[m] *= new.probs[place, taken[place]] / old.probs[place, taken[place]]
    means = [
        (mine * (ratio - 1))[torch.from_numpy(each.anybody)].mean()
        for each, mine in zip(dense, advantages, strict=True)
    ]
    return float(sum(means))


def test_kronecker_factors_are_those_of_the_samples_at_which_agents_act():
    """Of one head: as if the others were not in the batch, with the same damping."""
    batch, one = made_up(), learner(ItrpoSettings)
    draws = torch.rand(AGENTS, batch.samples, 1, generator=torch.Generator().manual_seed(0)).double()
    problems = one.build_subproblems(batch, one.estimate_advantages(batch)[0], np.random.default_rng(0))
    for q, problem in enumerate(problems):
        rows = np.flatnonzero(batch.acting[:, q])
        # One episode of the samples that count, of an agent that is always there.
        flat = {
            name: None if array is None else array.reshape(batch.samples, *array.shape[2:])[rows][:, None]
            for name, array in vars(batch).items()
        }
        fewer = Batch(**flat)
        alive = replace(fewer, active=None)
        at = one.build_subproblems(alive, one.estimate_advantages(alive)[0], np.random.default_rng(0))[q].at
        v = torch.randn(len(one.theta[q]), generator=torch.Generator().manual_seed(2)).double()
        whole, part = Kfac(problem.at, draws[q]), Kfac(at, draws[q][rows])
        assert torch.allclose(whole(v), part(v), rtol=1e-8, atol=1e-10)


# --- every algorithm -------------------------------------------------------------------------------------


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", ALL)
def test_where_everybody_acts_it_does_not_matter_that_somebody_says_so(kind, masked):
    batch = made_up(dead=0.0, masked=masked)
    told, row = update(learner(kind), batch)
    for other in (replace(batch, active=None), batch):
        for over in ("acting", "all"):
            theta, again = update(learner(kind, average_over=over), other)
            assert torch.equal(told, theta)
            assert row == again


@pytest.mark.parametrize("kind", [MatrpoSettings, ItrpoSettings, CtrpoSettings, MappoSettings])
def test_what_is_played_for_those_who_cannot_act_teaches_nothing(kind):
    batch = made_up()
    played = np.where(batch.active, batch.actions, (batch.actions + 1) % ACTIONS)
    assert (played != batch.actions).any()
    theta, row = update(learner(kind), batch)
    other, again = update(learner(kind), replace(batch, actions=played))
    assert torch.equal(theta, other)
    assert row == again
    assert row["acting_share"] == pytest.approx(batch.active.mean())


@pytest.mark.parametrize("kind", ALL)
def test_the_authors_way_is_the_mean_over_all_samples(kind):
    batch = made_up()
    theta, row = update(learner(kind, average_over="all"), batch)
    assert torch.equal(theta, update(learner(kind), replace(batch, active=None))[0])
    assert not torch.equal(theta, update(learner(kind), batch)[0])
    assert row["acting_share"] == pytest.approx(batch.active.mean())


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("kind", ALL)
def test_an_agent_that_never_acts_is_left_out_of_every_mean(kind, single):
    """Out of the game, or with one action only: it stays as it is, and nothing becomes nan."""
    batch = made_up(dead=0.3)
    active = batch.active.copy()
    active[:, :, 1] = False
    batch = replace(batch, active=active)
    if single:
        masks = np.ones((*active.shape, ACTIONS), dtype=bool)
        masks[~active] = np.arange(ACTIONS) == 0
        batch = replace(batch, active=None, masks=masks, actions=np.where(active, batch.actions, 0))
    one = learner(kind)
    before = parameters(one).clone()
    theta, row = update(one, batch)
    assert all(np.isfinite(value) for value in row.values())
    if len(theta) == AGENTS and kind is not MatrpoSettings:
        assert torch.equal(theta[1], before[1])
        assert not torch.equal(theta[0], before[0])
    if kind is ItrpoSettings:
        assert row["kl"] == pytest.approx(row["kl_played"] / 2)
        assert row["binding"] == 1.0


@pytest.mark.parametrize("kind", ALL)
def test_a_batch_in_which_nobody_acts_moves_no_policy(kind):
    batch = made_up(dead=1.0)
    one = learner(kind)
    before = parameters(one).clone()
    theta, row = update(one, batch)
    assert torch.equal(theta, before)
    assert row["acting_share"] == 0.0
    assert np.isnan(row["kl"])
    assert np.isnan(row["entropy"])
    assert row["kl_played"] == 0.0


@pytest.mark.parametrize("share_policy", [False, True])
def test_mappos_first_step_is_along_the_policy_gradient_of_those_who_act(share_policy):
    batch = made_up()
    one = learner(
        MappoSettings,
        share_policy=share_policy,
        epochs=1,
        entropy_coefficient=0.5,
        max_gradient_norm=1e9,
        activation="tanh",
    )
    theta = one.policies.theta.detach().clone().requires_grad_(True)
    observed = one.policy_inputs(batch.observations)
    log_p = torch.log_softmax(one.policy.network(theta, observed), -1)  # [N, M, A]
    acting = torch.from_numpy(batch.acting.T)
    raw = one.estimate_advantages(replace(batch, active=None))[0]  # affine in what it was
    rows = raw.expand(AGENTS, -1)[acting]
    advantages = (raw - rows.mean()) / rows.std(correction=0)
    assert torch.allclose(one.estimate_advantages(batch)[0], advantages, rtol=1e-4)
    taken = torch.from_numpy(batch.actions.reshape(-1, AGENTS).T.copy())
    chosen = log_p.gather(-1, taken.unsqueeze(-1)).squeeze(-1)
    terms = one.estimate_advantages(batch)[0] * chosen - 0.5 * (log_p.exp() * log_p).sum(-1)
    each = [terms[n][acting[n]] for n in range(AGENTS)]
    gain = torch.cat(each).mean() if share_policy else sum(mine.mean() for mine in each)
    (gradient,) = torch.autograd.grad(gain, theta)
    before = theta.detach().clone()
    one.learn(batch, Nobody(), np.random.default_rng(2))
    step = one.settings.learning_rate * gradient / (gradient.abs() + one.settings.adam_epsilon)
    assert torch.allclose(one.policies.theta - before, step, rtol=1e-5, atol=1e-11)


def test_fdmarls_policies_go_along_the_mean_over_those_who_act():
    batch = replace(made_up(), boundaries=np.zeros((STEPS, EPISODES, AGENTS), dtype=bool))
    one = learner(FdmarlSettings, minibatch=1000, optimiser="sgd", actor_rate=0.1, critic_rate=1e-9)
    before = one.theta.detach().clone().requires_grad_(True)
    steps = one.transitions(batch)
    one.held = {}
    observations, actions = steps["observations"], torch.from_numpy(steps["actions"])
    inputs = one.critic.inputs(torch.from_numpy(observations).double(), actions)
    log_p = one.log_probs(before, observations, None)
    with torch.no_grad():
        advantages = one.estimate_advantages(log_p, inputs, actions)
    gain, acting = torch.zeros((), dtype=torch.float64), batch.active[:-1].reshape(-1, AGENTS)
    for n in range(AGENTS):
        mine = advantages[n][acting[:, n]] / advantages[n][acting[:, n]].std(correction=0)
        gain = gain + (mine * log_p[n].gather(-1, actions[:, n : n + 1]).squeeze(-1)[acting[:, n]]).mean()
    (gradient,) = torch.autograd.grad(gain, before)
    one.learn(batch, Nobody(), np.random.default_rng(2))
    assert torch.allclose(one.theta - before, 0.1 * gradient, rtol=1e-8, atol=1e-12)
