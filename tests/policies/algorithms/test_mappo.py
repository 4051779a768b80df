"""MAPPO against a slow reference, which trains every network apart by what torch itself offers."""

import numpy as np
import pytest
import torch
from no_network import Nobody
from torch.distributions import Categorical, kl_divergence

from policies.algorithms.learner import Spaces, experience_bytes
from policies.algorithms.mappo import MappoSettings
from policies.algorithms.mappo.learner import clipped_surrogate, value_losses
from policies.batch import Batch
from policies.nn.adam import StackedAdam, clip_gradients
from policies.nn.precision import Precision

STEPS, EPISODES, ACTIONS = 12, 5, 4
SIZES = (6, 4, 5)
SPACES = Spaces(3, SIZES[0], ACTIONS, SIZES)


def made_up(seed=0, *, masked=False):
    """Three agents; the task of row 2 ends at step 5, those of all rows are cut at the last step."""
    generator = np.random.default_rng(seed)
    shape = (STEPS, EPISODES, 3)
    observations = generator.standard_normal((*shape, SIZES[0])).astype(np.float32)
    for agent, size in enumerate(SIZES):
        observations[:, :, agent, size:] = 0
    masks = generator.random((*shape, ACTIONS)) < 0.7
    masks[..., 0] = True
    actions = (generator.random((*shape, ACTIONS)) * (masks if masked else 1)).argmax(-1)
    boundaries, terminations = np.zeros((2, *shape), dtype=bool)
    boundaries[-1] = boundaries[5, 2] = terminations[5, 2] = True
    rewards = 20 * generator.standard_normal(shape) + 30 * (actions == 1)
    following = np.roll(observations, -1, axis=0)
    return Batch(
        observations, following, actions, rewards, terminations, boundaries, masks if masked else None
    )


def learner(seed=1, **settings):
    usual = {"hidden": (16, 16), "precision": "float64", "activation": "tanh"}
    return MappoSettings(**usual | settings).make(SPACES, np.random.default_rng(seed))


# --- the whole, against a reference --------------------------------------------------------------------


def perceptron(network, theta):
    """A torch module with the parameters ``theta`` [D] of a network."""
    layers = []
    for weight, bias in network.layers(theta):
        linear = torch.nn.Linear(*weight.T.shape, dtype=torch.float64)
        linear.weight.data, linear.bias.data = weight.clone(), bias.clone()
        layers += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


def flat(module):
    return torch.nn.utils.parameters_to_vector(module.parameters()).detach()


class Reference:
    """As in the paper's Appendix A, sample by sample where torch has nothing."""

    def __init__(self, one):
        self.settings = one.settings
        self.actors = [perceptron(one.policy.network, theta) for theta in one.policies.theta.detach()]
        self.critic = perceptron(one.value_network, one.values.theta.detach()[0])
        options = {"lr": self.settings.learning_rate, "eps": self.settings.adam_epsilon}
        self.actor_optimisers = [torch.optim.Adam(each.parameters(), **options) for each in self.actors]
        options["lr"] = self.settings.value_learning_rate
        self.critic_optimiser = torch.optim.Adam(self.critic.parameters(), **options)
        self.moments = []

    def scale(self):
        """Mean and deviation of all returns, weighted by how long ago they were."""
        if not self.moments:
            return 0.0, 0.1
        weights = self.settings.normaliser_beta ** np.arange(len(self.moments))[::-1]
        mean, square = np.average(self.moments, axis=0, weights=weights)
        return mean, max(square - mean**2, 0.01) ** 0.5

    def heads(self, batch, agent):
        """The agent's distributions over its actions, as its actor has them now."""
        own = torch.from_numpy(batch.observations[:, :, agent].reshape(-1, SIZES[0])).double()
        actor = self.actors[0 if self.settings.share_policy else agent]
        if self.settings.share_policy:
            own = torch.cat([own, torch.eye(3)[agent].double().expand(len(own), 3)], dim=1)
        logits = actor(own)
        if batch.masks is not None:
            available = torch.from_numpy(batch.masks[:, :, agent].reshape(-1, ACTIONS))
            logits = torch.where(available, logits, -1e9)
        return Categorical(logits=logits)

    def learn(self, batch, generator):
        settings = self.settings
        joint = torch.from_numpy(batch.observations.reshape(STEPS, EPISODES, -1)).double()
        following = torch.from_numpy(batch.next_observations.reshape(STEPS, EPISODES, -1)).double()
        mean, deviation = self.scale() if settings.normalise_values else (0.0, 1.0)
        with torch.no_grad():
            outputs = self.critic(joint).squeeze(-1)
            values = (outputs * deviation + mean).numpy()
            next_values = (self.critic(following).squeeze(-1) * deviation + mean).numpy()
        advantages = np.zeros((STEPS, EPISODES))
        for row in range(EPISODES):
            for t in range(STEPS):
                for k in range(t, STEPS):  # sum of (gamma lam)^(k - t) delta_k to the end of the episode
                    future = 0.0 if batch.terminations[k, row].all() else next_values[k, row]
                    delta = batch.rewards[k, row].sum() + settings.gamma * future - values[k, row]
                    advantages[t, row] += (settings.gamma * settings.lam) ** (k - t) * delta
                    if batch.boundaries[k, row].all():
                        break
        returns = torch.from_numpy(advantages + values).flatten()
        advantages = torch.from_numpy((advantages - advantages.mean()) / (advantages.std() + 1e-5)).flatten()
        actions = torch.from_numpy(batch.actions).reshape(-1, 3)
        joint, outputs = joint.flatten(0, 1), outputs.flatten()
        with torch.no_grad():
            before = [self.heads(batch, agent) for agent in range(3)]
            old = [head.log_prob(actions[:, agent]) for agent, head in enumerate(before)]
        self.value_errors = []
        for _ in range(settings.epochs):
            order = generator.permutation(STEPS * EPISODES)
            for part in np.array_split(order, settings.minibatches):
                self.descend_values(joint[part], returns[part], outputs[part])
                self.descend_policies(batch, actions, advantages, old, part)
        with torch.no_grad():
            after = [self.heads(batch, agent) for agent in range(3)]
            pairs = zip(before, after, strict=True)
            self.divergences = [float(kl_divergence(*pair).mean()) for pair in pairs]
            self.entropy = float(torch.stack([head.entropy().mean() for head in after]).mean())

    def descend_values(self, joint, returns, old):
        settings = self.settings
        if settings.normalise_values:
            self.moments.append((float(returns.mean()), float(returns.square().mean())))
            mean, deviation = self.scale()
            returns = (returns - mean) / deviation
        outputs = self.critic(joint).squeeze(-1)
        self.value_errors.append((outputs.detach() - returns).square())
        losses = []
        for now, then, wanted in zip(outputs, old, returns, strict=True):
            candidates = [now]
            if settings.clip_values:
                candidates.append(torch.clamp(now, then - settings.clip, then + settings.clip))
            losses.append(max(huber(each - wanted, settings.huber_delta) for each in candidates))
        self.critic_optimiser.zero_grad()
        torch.stack(losses).mean().backward()
        torch.nn.utils.clip_grad_norm_(self.critic.parameters(), settings.max_gradient_norm)
        self.critic_optimiser.step()

    def descend_policies(self, batch, actions, advantages, old, part):
        settings, losses = self.settings, []
        for agent in range(3):
            head = self.heads(batch, agent)
            ratios = torch.exp(head.log_prob(actions[:, agent]) - old[agent])[part]
            gains = [
                min(ratio * advantage, ratio.clamp(1 - settings.clip, 1 + settings.clip) * advantage)
                for ratio, advantage in zip(ratios, advantages[part], strict=True)
            ]
            bonus = settings.entropy_coefficient * head.entropy()[part].mean()
            losses.append(-torch.stack(gains).mean() - bonus)
        for optimiser in self.actor_optimisers:
            optimiser.zero_grad()
        if settings.share_policy:
            losses = [sum(losses) / 3]
        for actor, loss, optimiser in zip(self.actors, losses, self.actor_optimisers, strict=True):
            loss.backward()
            torch.nn.utils.clip_grad_norm_(actor.parameters(), settings.max_gradient_norm)
            optimiser.step()


def huber(error, delta):
    size = abs(error)
    return error**2 / 2 if size <= delta else delta * (size - delta / 2)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("share_policy", [False, True])
@pytest.mark.parametrize(
    "values",
    [
        {"huber_delta": 0.5, "normaliser_beta": 0.8},
        {"normalise_values": False, "clip_values": False, "max_gradient_norm": 0.05},
    ],
)
def test_it_learns_what_the_reference_learns(masked, share_policy, values):
    """Two batches, some epochs of some minibatches each, large steps: all parameters, in float64."""
    one = learner(
        share_policy=share_policy,
        **values,
        epochs=3,
        minibatches=2,
        learning_rate=0.02,
        value_learning_rate=0.01,
        gamma=0.9,
        average_over="all",  # with masks, some have a single action; see test_acting
    )
    reference = Reference(one)
    for seed in (3, 4):
        batch = made_up(seed, masked=masked)
        row = one.learn(batch, Nobody(), np.random.default_rng(seed))
        reference.learn(batch, np.random.default_rng(seed))
    actors = torch.stack([flat(actor) for actor in reference.actors])
    assert torch.allclose(one.policies.theta, actors, rtol=1e-6, atol=1e-9)
    assert torch.allclose(one.values.theta[0], flat(reference.critic), rtol=1e-6, atol=1e-9)
    assert row["kl"] == pytest.approx(np.mean(reference.divergences), rel=1e-6)
    assert row["kl_max"] == pytest.approx(max(reference.divergences), rel=1e-6)
    assert row["entropy"] == pytest.approx(reference.entropy, rel=1e-6)
    assert row["value_loss"] == pytest.approx(float(torch.cat(reference.value_errors[-2:]).mean()), rel=1e-6)
    assert row["kl"] > 1e-3  # far enough for ratios to have been clipped
    assert 0 < row["clip_fraction"] < 1


# --- its parts -----------------------------------------------------------------------------------------


def test_ratios_beyond_the_clip_have_no_gradient_where_they_would_gain_by_it():
    ratios = torch.tensor([0.5, 0.5, 0.9, 0.9, 1.1, 1.1, 1.5, 1.5], dtype=torch.float64, requires_grad=True)
    advantages = torch.tensor([2.0, -2.0] * 4, dtype=torch.float64)
    gains = clipped_surrogate(ratios, advantages, 0.2)
    assert torch.allclose(gains, torch.tensor([1.0, -1.6, 1.8, -1.8, 2.2, -2.2, 2.4, -3.0]).double())
    gains.sum().backward()
    assert ratios.grad.tolist() == [2.0, 0.0, 2.0, -2.0, 2.0, -2.0, 0.0, -2.0]


def test_values_lose_by_the_worse_of_what_they_are_and_what_they_are_held_to():
    outputs = torch.tensor([0.1, 1.0, 1.0, -30.0, 30.0])
    targets = torch.tensor([0.0, 2.0, -1.0, 0.0, 0.0])
    held = torch.tensor([0.1, 0.2, 0.2, -0.2, 0.2])  # old outputs are 0
    worst = torch.tensor([0.005, 1.8**2 / 2, 2.0, 10 * 25.0, 10 * 25.0])
    assert torch.allclose(value_losses(outputs, torch.zeros(5), targets, clip=0.2, delta=10.0), worst)
    squares = [(each - targets).square() / 2 for each in (outputs, held)]
    found = value_losses(outputs, torch.zeros(5), targets, clip=0.2, delta=1e9)
    assert torch.allclose(found, torch.maximum(*squares))
    unclipped = value_losses(outputs, torch.zeros(5), targets, clip=float("inf"), delta=1e9)
    assert torch.allclose(unclipped, squares[0])


@pytest.mark.parametrize("share_policy", [False, True])
def test_the_first_step_is_along_the_policy_gradient(share_policy):
    """Of the mean of A log pi, by torch's distributions; Adam's first step goes by its sign."""
    one = learner(share_policy=share_policy, epochs=1, entropy_coefficient=0.0, max_gradient_norm=1e9)
    reference, batch = Reference(one), made_up()
    before, advantages = one.policies.theta.detach().clone(), one.estimate_advantages(batch)[0]
    one.learn(batch, Nobody(), np.random.default_rng(2))
    actions = torch.from_numpy(batch.actions).reshape(-1, 3)
    gain = sum((advantages * reference.heads(batch, q).log_prob(actions[:, q])).mean() for q in range(3))
    (gain / 3 if share_policy else gain).backward()
    gradient = torch.stack([torch.cat([p.grad.flatten() for p in a.parameters()]) for a in reference.actors])
    settings = one.settings
    step = settings.learning_rate * gradient / (gradient.abs() + settings.adam_epsilon)
    assert torch.allclose(one.policies.theta - before, step, rtol=1e-6, atol=1e-12)


def test_gradients_are_clipped_by_network_as_torch_does():
    gradients = torch.randn(3, 7, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [[0.1], [1], [9]]
    )
    expected = []
    for row in gradients:
        parameter = torch.nn.Parameter(torch.zeros(7))
        parameter.grad = row.clone()
        norm = torch.nn.utils.clip_grad_norm_([parameter], 2.0)
        expected.append((norm, parameter.grad))
    norms = clip_gradients(gradients, 2.0)
    assert torch.allclose(norms, torch.stack([norm for norm, _ in expected]))
    assert torch.allclose(gradients, torch.stack([gradient for _, gradient in expected]))


# --- as a learner --------------------------------------------------------------------------------------


@pytest.mark.parametrize("share_policy", [False, True])
def test_what_is_played_is_what_is_learnt_from(share_policy):
    """The chosen actions' frequencies against the probabilities that the reference gives."""
    one = learner(share_policy=share_policy)
    with torch.no_grad():
        theta = one.policies.theta
        theta += 0.3 * torch.randn(theta.shape, generator=torch.Generator().manual_seed(0))
    batch = made_up(masked=True)
    observations = np.repeat(batch.observations[0, :1], 20_000, axis=0)
    masks = np.repeat(batch.masks[0, :1], 20_000, axis=0)
    actions = one.act(observations, masks, np.random.default_rng(5))
    assert actions.shape == (20_000, 3)
    greedy = one.act(observations[:1], masks[:1], None)
    for agent in range(3):
        p = Reference(one).heads(batch, agent).probs[0].detach().numpy()
        shares = np.bincount(actions[:, agent], minlength=ACTIONS) / 20_000
        assert np.allclose(shares, p, atol=0.015)
        assert p[~masks[0, agent]].sum() == 0
        assert greedy[0, agent] == p.argmax()


@pytest.mark.parametrize("share_policy", [False, True])
def test_a_centre_is_sent_the_experience_and_answers_with_policies(share_policy):
    one, batch, network = learner(share_policy=share_policy), made_up(masked=True), Nobody()
    one.learn(batch, network, np.random.default_rng(2))
    width = SIZES[0] + 3 * share_policy
    parameters = 16 * (width + 1) + 16 * 17 + ACTIONS * 17
    assert network.charged == (experience_bytes(SPACES, batch), [4 * parameters] * 3)


def test_a_restored_learner_goes_on_exactly():
    first, second = learner(minibatches=2), learner(seed=7, minibatches=2)
    first.learn(made_up(0), Nobody(), np.random.default_rng(5))
    second.load_state_dict(first.state_dict())
    rows = [each.learn(made_up(1), Nobody(), np.random.default_rng(6)) for each in (first, second)]
    assert rows[0] == rows[1]
    assert torch.equal(first.policies.theta, second.policies.theta)
    assert torch.equal(first.values.theta, second.values.theta)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"share_policy": False}, "policies"),
        ({"hidden": (8,)}, "policies"),
        ({"normalise_values": False}, "normaliser"),
    ],
)
def test_models_of_other_settings_are_refused_and_change_nothing(other, named):
    one = learner()
    before = one.policies.theta.detach().clone()
    with pytest.raises(ValueError, match=f"^{named}: the stored models"):
        one.load_state_dict(learner(seed=2, **other).state_dict())
    with pytest.raises(ValueError, match=r"^policies: the stored models do not fit \(1, 500\)"):
        one.load_state_dict({"theta": before})
    assert torch.equal(one.policies.theta, before)


def test_networks_of_another_shape_are_refused():
    options = {"learning_rate": 0.1, "epsilon": 1e-5, "max_gradient_norm": 1.0}
    two, three = (StackedAdam(np.zeros((n, 4)), Precision.of("cpu", "float64"), **options) for n in (2, 3))
    with pytest.raises(ValueError, match=r"theta: the stored models do not fit \(3, 4\)"):
        three.load_state_dict(two.state_dict())


def test_more_minibatches_than_samples_are_refused():
    with pytest.raises(ValueError, match="minibatches: 61, must be at most the 60 samples"):
        learner(minibatches=61).learn(made_up(), Nobody(), np.random.default_rng(0))
