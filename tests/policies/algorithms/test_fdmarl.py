"""FDMARL against Algorithm 1 written out slowly, enumeration, and a differential Q-function's equations."""

import numpy as np
import pytest
import torch

from policies.algorithms.fdmarl import FdmarlSettings
from policies.algorithms.fdmarl.minibatch import Fdmarl
from policies.algorithms.fdmarl.online import OnlineFdmarl
from policies.algorithms.fdmarl.options import FORMS, RATES
from policies.algorithms.learner import OnlineLearner, Spaces
from policies.batch import Batch
from policies.critics.joint_critic import JointCritic
from policies.nn.categorical import chosen

STEPS, EPISODES, AGENTS, ACTIONS, WIDTH = 8, 5, 3, 4, 6


class Mixing:
    """Averages with fixed weights [N, N], in the place of a network."""

    def __init__(self, weights):
        self.weights, self.rounds = torch.as_tensor(weights, dtype=torch.float64), 0

    def average(self, vectors):
        self.rounds += 1
        return self.weights.to(vectors) @ vectors, {"exchanges": 6.0, "relative_disagreement": self.rounds}


MEAN = np.full((AGENTS, AGENTS), 1 / AGENTS)
UNEVEN = np.array([[0.5, 0.3, 0.2], [0.1, 0.9, 0.0], [0.0, 0.4, 0.6]])


def made_up(seed=0, *, masked=False, steps=STEPS):
    generator = np.random.default_rng(seed)
    shape = (steps, EPISODES, AGENTS)
    observations = generator.standard_normal((*shape, WIDTH)).astype(np.float32)
    masks = generator.random((*shape, ACTIONS)) < 0.7
    masks[..., 0] = True
    actions = (generator.random((*shape, ACTIONS)) * masks).argmax(-1)
    over = np.zeros(shape, dtype=bool)
    over[-1] = over[steps // 2, 2] = True
    return Batch(
        observations,
        generator.standard_normal((*shape, WIDTH)).astype(np.float32),  # never looked at
        actions,
        generator.standard_normal(shape) + 1.0,
        np.zeros(shape, dtype=bool),
        over,
        masks if masked else None,
    )


def steps_of(batch):
    """The batch's steps as they are heard, [1, B, N] each."""
    for t in range(len(batch.rewards)):
        yield Batch(**{k: None if v is None else v[t : t + 1] for k, v in vars(batch).items()})


def learner(seed=1, **options):
    settings = FdmarlSettings.model_validate({"hidden": (9, 7), "precision": "float64"} | options)
    return settings.make(Spaces(AGENTS, WIDTH, ACTIONS), np.random.default_rng(seed))


def roughen(one, seed=0):
    """Parameters that differ between agents and matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for leaf in (one.theta, one.omega):
            leaf.add_(0.3 * torch.randn(leaf.shape, generator=generator, dtype=leaf.dtype))
        one.mu.copy_(torch.arange(AGENTS, dtype=one.mu.dtype))
    return one


# --- one step against Algorithm 1, agent by agent, sample by sample ---------------------------------------


def slow_q(network, omega, observations, actions):
    """Q(s, a) for one agent's omega [D], observations [N, d] and a list of N actions."""
    hot = [float(a == b) for a in actions for b in range(ACTIONS)]
    seen = torch.tensor([*observations.ravel().tolist(), *hot], dtype=omega.dtype)
    return network(omega, seen[None]).squeeze()


def slow_step(one, now, following, weights):
    """theta, omega and mu after Algorithm 1's step from the transitions between two moments [1, B, N]."""
    theta, omega = [], []
    rewards = torch.as_tensor(now.rewards[0])
    for i in range(AGENTS):
        mine, critic = one.theta[i].detach(), one.omega[i].detach().clone().requires_grad_(True)
        critic_step, actor_step = torch.zeros_like(critic), torch.zeros_like(mine)
        for b in range(EPISODES):
            here, taken = now.observations[0, b], now.actions[0, b].tolist()
            value = slow_q(one.critic.network, critic, here, taken)
            with torch.no_grad():
                later = slow_q(
                    one.critic.network, critic, following.observations[0, b], following.actions[0, b].tolist()
                )
                error = rewards[b, i] - one.mu[i] + later - value
            critic_step += error * torch.autograd.grad(value, critic)[0]

            free = mine.clone().requires_grad_(True)
            logits = one.policy.network(free, torch.as_tensor(here[i : i + 1], dtype=free.dtype))[0]
            if now.masks is not None:
                logits = torch.where(torch.as_tensor(now.masks[0, b, i]), logits, -torch.inf)
            p = torch.softmax(logits, 0)
            with torch.no_grad():
                baseline = sum(
                    p[c]
                    * slow_q(
                        one.critic.network, critic, here, [c if j == i else taken[j] for j in range(AGENTS)]
                    )
                    for c in range(ACTIONS)
                )
            score = torch.autograd.grad(torch.log(p[taken[i]]), free)[0]
            actor_step += (value.detach() - baseline) * score
        omega.append(critic.detach() + one.settings.critic_rate * critic_step / EPISODES)
        theta.append(mine + one.settings.actor_rate * actor_step / EPISODES)
    mu = (1 - one.settings.average_rate) * one.mu + one.settings.average_rate * rewards.mean(0)
    return torch.stack(theta), torch.as_tensor(weights) @ torch.stack(omega), mu


@pytest.mark.parametrize("masked", [False, True])
def test_a_step_of_the_online_form_is_algorithm_1(masked):
    one = roughen(learner(form="online", actor_rate=0.3, critic_rate=0.2, average_rate=0.1))
    now, following, last = steps_of(made_up(masked=masked, steps=3))
    network = Mixing(UNEVEN)
    before = one.theta.detach().clone()
    one.observe(now, network)
    assert network.rounds == 0  # nobody knows yet what the first step leads to
    assert torch.equal(one.theta, before)
    for earlier, later in ((now, following), (following, last)):
        theta, omega, mu = slow_step(one, earlier, later, UNEVEN)
        one.observe(later, network)
        for name, expected in (("theta", theta), ("omega", omega), ("mu", mu)):
            torch.testing.assert_close(getattr(one, name).detach(), expected, rtol=1e-10, atol=1e-12)
    assert network.rounds == 2
    assert not torch.allclose(one.theta, before)


def test_the_critics_step_of_a_minibatch_is_adams_along_the_same_direction():
    """Adam's first step has the size of its rate wherever its gradient is not nothing, and the same sign."""
    one = roughen(learner(minibatch=1000, critic_rate=1e-3, actor_rate=0))
    now, following = steps_of(made_up(steps=2))
    _, omega, mu = slow_step(one, now, following, np.eye(AGENTS))
    before, theta = one.omega.detach().clone(), one.theta.detach().clone()
    one.learn(made_up(steps=2), Mixing(np.eye(AGENTS)), np.random.default_rng(0))
    sizeable = (omega - before).abs() > 1e-6
    assert sizeable.double().mean() > 0.8
    expected = 1e-3 * torch.sign(omega - before)
    torch.testing.assert_close((one.omega.detach() - before)[sizeable], expected[sizeable], rtol=0.02, atol=0)
    torch.testing.assert_close(one.mu, mu)
    assert torch.equal(one.theta, theta)


@pytest.mark.parametrize("hidden", [(), (9,), (9, 7)])
def test_alternatives_are_what_enumeration_finds(hidden):
    critic = JointCritic.build(AGENTS, WIDTH, hidden, ACTIONS)
    generator = np.random.default_rng(3)
    omega = torch.from_numpy(generator.standard_normal((AGENTS, critic.network.parameters)))
    observations = torch.from_numpy(generator.standard_normal((7, AGENTS, WIDTH)))
    actions = torch.from_numpy(generator.integers(ACTIONS, size=(7, AGENTS)))
    found = critic.alternatives(omega, critic.inputs(observations, actions), actions)
    assert found.shape == (AGENTS, 7, ACTIONS)
    for i in range(AGENTS):
        for b in range(ACTIONS):
            other = actions.clone()
            other[:, i] = b
            expected = critic.values(omega, critic.inputs(observations, other))[i]
            torch.testing.assert_close(found[i, :, b], expected)


@pytest.mark.parametrize("masked", [False, True])
def test_the_local_advantage_has_no_mean_under_the_agents_own_policy(masked):
    one, batch = roughen(learner()), made_up(masked=masked)
    observations, actions = batch.observations.reshape(-1, AGENTS, WIDTH), batch.actions.reshape(-1, AGENTS)
    masks = batch.masks.reshape(-1, AGENTS, ACTIONS) if masked else None
    log_p = one.log_probs(one.theta, observations, masks).detach()
    mean = torch.zeros(AGENTS, len(actions), dtype=log_p.dtype)
    for b in range(ACTIONS):
        for i in range(AGENTS):
            taken = torch.from_numpy(actions.copy())
            taken[:, i] = b
            inputs = one.critic.inputs(torch.from_numpy(observations).double(), taken)
            advantages = one.estimate_advantages(log_p, inputs, taken)[i].detach()
            assert torch.isfinite(advantages).all()
            mean[i] += chosen(log_p, torch.full_like(taken.mT, b)).exp()[i] * advantages
    assert mean.abs().max() < 1e-12


# --- the chain -------------------------------------------------------------------------------------------


def test_a_transition_leads_to_the_next_step_whether_or_not_an_episode_ended():
    one, batch = learner(), made_up(masked=True)
    known = one.transitions(batch)
    assert len(known["rewards"]) == (STEPS - 1) * EPISODES
    assert np.array_equal(known["next_observations"], batch.observations[1:].reshape(-1, AGENTS, WIDTH))
    assert np.array_equal(known["next_actions"], batch.actions[1:].reshape(-1, AGENTS))
    again = made_up(1, masked=True)
    known = one.transitions(again)
    assert len(known["rewards"]) == STEPS * EPISODES
    for name in ("observations", "actions", "rewards", "masks"):
        assert np.array_equal(known[name][:EPISODES], getattr(batch, name)[-1])
        assert np.array_equal(
            known[name][EPISODES:], getattr(again, name)[:-1].reshape(known[name][EPISODES:].shape)
        )
    assert np.array_equal(known["next_actions"][:EPISODES], again.actions[0])


def test_a_batch_must_be_as_wide_as_the_last_and_hold_a_transition():
    one = learner()
    with pytest.raises(ValueError, match=r"^batch: has one step, must have at least two"):
        one.learn(made_up(steps=1), Mixing(MEAN), np.random.default_rng(0))
    narrow = Batch(**{k: None if v is None else v[:, :2] for k, v in vars(made_up()).items()})
    with pytest.raises(ValueError, match=r"^batch: 2 parallel episodes, must have 5 as before$"):
        one.learn(narrow, Mixing(MEAN), np.random.default_rng(0))


def test_the_online_form_learns_from_what_it_heard_only():
    one = learner(form="online")
    assert isinstance(one, OnlineLearner)
    assert not isinstance(learner(), OnlineLearner)
    with pytest.raises(
        ValueError, match=r"^batch: only 0 of its 40 samples were observed while it was played$"
    ):
        one.learn(made_up(), Mixing(MEAN), np.random.default_rng(0))  # type: ignore[attr-defined]


# --- the differential Q-function ---------------------------------------------------------------------------
#
# Two states, two agents with two actions; each agent is told only how much it likes the state and its own
# action, and the state moves by both. Rewards and chances are sums over state and actions, so Q is too.

LIKES = np.array(
    [[[1.0, 3.0], [0.0, 2.0]], [[-2.0, 4.0], [1.0, -1.0]]]
)  # [agent, state or own action, which]
MOVES = 0.1 + np.array([[0.0, 0.3], [0.05, 0.25], [0.3, 0.0]])  # [state, first or second action, which]


def tables():
    """Rewards [agent, s, a1, a2] and the chance [s, a1, a2] to be in state 1 next."""
    s, a1, a2 = np.indices((2, 2, 2))
    own = (a1, a2)
    rewards = np.stack([LIKES[i, 0][s] + LIKES[i, 1][own[i]] for i in range(2)])
    return rewards, MOVES[0][s] + MOVES[1][a1] + MOVES[2][a2]


def differential_q(rewards, chance, policies):
    """Q [s, a1, a2] of rewards [s, a1, a2], up to a constant, from its linear equations.

    Q(s, a) = r(s, a) - J + sum over s', a' of P(s' | s, a) pi(a' | s') Q(s', a'); policies [agent, s, a].
    """
    p = np.einsum("sa,sb->sab", *policies)
    to = np.stack([1 - chance, chance], axis=-1).reshape(8, 2)
    chain = np.einsum("xs,sab->xsab", to, p).reshape(8, 8)
    everywhere = np.linalg.matrix_power(chain, 200)[0]
    r = rewards.ravel()
    q = np.linalg.lstsq(np.eye(8) - chain, r - everywhere @ r, rcond=None)[0]
    return (q - everywhere @ q).reshape(2, 2, 2), float(everywhere @ r)


def evaluate(one, network, *, steps=500, episodes=1000):
    """Let two-state chains be heard while the policies stay as they are."""
    generator = np.random.default_rng(7)
    rewards, chance = tables()
    state = np.zeros(episodes, dtype=np.int64)
    nothing = np.zeros((1, episodes, 2), dtype=bool)
    for k in range(steps):
        for group in one.critic_optimiser.param_groups:
            group["lr"] = 0.3 / (1 + max(0, k - steps / 2) / 20)
        seen = np.repeat(np.eye(2, dtype=np.float32)[state][:, None], 2, axis=1)
        actions = one.act(seen, None, generator)
        where = (state, actions[:, 0], actions[:, 1])
        step = Batch(seen[None], seen[None], actions[None], rewards[:, *where].T[None], nothing, nothing)
        one.observe(step, network)
        state = (generator.random(episodes) < chance[where]).astype(np.int64)


def two_state(seed=0):
    """The learner with policies that are not uniform, linear as in the paper's theorems."""
    settings = FdmarlSettings.model_validate(
        {"form": "online", "hidden": (), "precision": "float64", "actor_rate": 0, "average_rate": 0.02}
    )
    one = OnlineFdmarl(settings, Spaces(2, 2, 2), np.random.default_rng(seed))
    with torch.no_grad():
        one.theta.add_(torch.randn(one.theta.shape, generator=torch.Generator().manual_seed(3)).double())
    return one


def learnt_q(one):
    """[agent, s, a1, a2]."""
    s, a1, a2 = (torch.from_numpy(each.ravel().copy()) for each in np.indices((2, 2, 2)))
    seen = torch.eye(2, dtype=torch.float64)[s].unsqueeze(1).expand(-1, 2, -1)
    inputs = one.critic.inputs(seen, torch.stack([a1, a2], dim=1))
    return one.critic.values(one.omega.detach(), inputs).reshape(2, 2, 2, 2).numpy()


def distance(found, exact):
    """Largest difference once the constant, which means nothing, is out."""
    gap = found - exact
    return float(np.abs(gap - gap.mean()).max())


def test_critics_that_are_averaged_approach_the_differential_q_of_the_mean_reward():
    rewards, chance = tables()
    one = two_state()
    policies = one.log_probs(one.theta, np.repeat(np.eye(2)[:, None], 2, axis=1), None).detach().exp().numpy()
    exact, average = differential_q(rewards.mean(0), chance, policies)
    assert np.ptp(exact) > 3
    evaluate(one, Mixing(np.full((2, 2), 0.5)))
    for found in learnt_q(one):
        assert distance(found, exact) < 0.05 * np.ptp(exact)
    assert float(one.mu.mean()) == pytest.approx(average, abs=0.1)

    alone = two_state()
    evaluate(alone, Mixing(np.eye(2)))
    for i, found in enumerate(learnt_q(alone)):
        private, _ = differential_q(rewards[i], chance, policies)
        assert distance(found, private) < 0.05 * np.ptp(private)
        assert distance(found, exact) > 0.2 * np.ptp(exact)


# --- books -----------------------------------------------------------------------------------------------


def test_rates_that_are_not_given_are_those_of_the_form():
    assert FdmarlSettings() == FdmarlSettings(form="minibatch", **FORMS["minibatch"], **RATES["adam"])
    online = FdmarlSettings.model_validate({"form": "online", "actor_rate": 0.5})
    assert (online.optimiser, online.average_rate) == ("sgd", FORMS["online"]["average_rate"])
    assert (online.critic_rate, online.actor_rate) == (RATES["sgd"]["critic_rate"], 0.5)
    assert FdmarlSettings.model_validate(online.model_dump()) == online
    with pytest.raises(ValueError, match="'minibatch' or 'online'"):
        FdmarlSettings.model_validate({"form": "offline"})


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("form", ["minibatch", "online"])
def test_what_was_saved_goes_on_exactly(form, masked):
    def update(one, seed):
        batch, network = made_up(seed, masked=masked), Mixing(UNEVEN)
        if form == "online":
            for step in steps_of(batch):
                one.observe(step, network)
        return one.learn(batch, network, np.random.default_rng(seed))

    straight, resumed = learner(form=form, minibatch=10), learner(seed=2, form=form, minibatch=10)
    first = update(straight, 1)
    assert first["consensus_rounds"] == (STEPS - 1 if form == "online" else 4)
    assert first["exchanges"] == 6 * first["consensus_rounds"]
    assert first["relative_disagreement"] == first["consensus_rounds"]  # the last one
    assert first["kl_max"] >= first["kl"] > 0
    saved = straight.state_dict()
    resumed.load_state_dict(saved)
    rows = [[update(one, seed) for seed in (2, 3)] for one in (straight, resumed)]
    assert rows[0] == rows[1]
    assert torch.equal(straight.theta, resumed.theta)
    assert torch.equal(straight.omega, resumed.omega)
    spaces = Spaces(AGENTS, WIDTH, ACTIONS)
    other = FdmarlSettings(hidden=(5,)).make(spaces, np.random.default_rng(1))
    with pytest.raises(ValueError, match=r"^theta: the stored models do not fit"):
        other.load_state_dict(saved)


def test_what_is_played_is_what_is_learnt_from():
    """The chosen actions' frequencies against the policies' probabilities; what is masked is never played."""
    one, batch = roughen(learner()), made_up(masked=True)
    observations = np.repeat(batch.observations[0, :1], 20_000, axis=0)
    masks = np.repeat(batch.masks[0, :1], 20_000, axis=0)
    actions = one.act(observations, masks, np.random.default_rng(5))
    p = one.log_probs(one.theta, observations[:1], masks[:1]).detach().exp()[:, 0].numpy()
    for agent in range(AGENTS):
        shares = np.bincount(actions[:, agent], minlength=ACTIONS) / 20_000
        assert np.allclose(shares, p[agent], atol=0.015)
        assert p[agent][~masks[0, agent]].sum() == 0
    assert np.array_equal(one.act(observations[:1], masks[:1], None)[0], p.argmax(-1))


def test_all_critics_start_alike_and_policies_do_not():
    one = learner()
    assert isinstance(one, Fdmarl)
    assert torch.equal(one.omega[0], one.omega[1])
    assert not torch.equal(one.theta[0], one.theta[1])
