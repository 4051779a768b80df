"""The entropy bonus of trust-region learners: a gradient, and what it does to policies without rewards."""

import numpy as np
import pytest
import torch
from no_network import Nobody
from torch.distributions import Categorical

from policies.algorithms.ctrpo import CtrpoSettings
from policies.algorithms.itrpo import ItrpoSettings
from policies.algorithms.learner import Spaces
from policies.algorithms.matrpo import MatrpoSettings
from policies.batch import Batch

AGENTS, WIDTH, ACTIONS, COEFFICIENT = 2, 3, 3, 0.4
LEARNERS = [MatrpoSettings, ItrpoSettings, CtrpoSettings]


def sharpened(settings, **more):
    """Policies that prefer some actions."""
    given = {"hidden": (8,), "precision": "float64", "entropy_coefficient": COEFFICIENT} | more
    learner = settings.model_validate(given).make(Spaces(AGENTS, WIDTH, ACTIONS), np.random.default_rng(1))
    draws = np.random.default_rng(2).standard_normal(learner.theta.shape)
    learner.theta += 0.6 * torch.from_numpy(draws)
    return learner


def batch_of(observations, actions, masks=None, rewards=None):
    """One step of as many episodes as there are rows."""
    shape = (1, *observations.shape[:2])
    return Batch(
        observations[None],
        observations[None],
        actions[None],
        np.zeros(shape) if rewards is None else rewards,
        np.ones(shape, dtype=bool),
        np.ones(shape, dtype=bool),
        None if masks is None else masks[None],
    )


def every_action_of(observation, mask):
    """A batch with every combination of two agents' actions after one observation."""
    first, second = (grid.flatten() for grid in np.meshgrid(*[np.arange(ACTIONS)] * 2, indexing="ij"))
    actions = np.stack([first, second], axis=-1)
    rows = len(actions)
    observations = np.repeat(observation[None], rows, axis=0)
    masks = None if mask is None else np.repeat(mask[None], rows, axis=0)
    return batch_of(observations, actions, masks)


@pytest.mark.parametrize("mask", [None, np.array([[True, False, True], [True, True, True]])], ids=str)
@pytest.mark.parametrize("settings", LEARNERS)
def test_its_mean_is_the_gradient_of_the_entropy_of_the_actions_that_are_played(settings, mask):
    learner = sharpened(settings)
    observation = np.random.default_rng(3).standard_normal((AGENTS, WIDTH)).astype(np.float32)
    batch = every_action_of(observation, mask)
    theta = learner.theta.clone().requires_grad_()
    inputs = learner.policy_inputs(batch.observations)
    actions, masks = learner.heads(batch)

    def rows():
        return learner.policy.distribution(theta, inputs, masks)

    played = Categorical(logits=learner.own_heads(rows()))  # [N, M, A]
    (gradient,) = torch.autograd.grad(COEFFICIENT * played.entropy()[:, 0].sum(), theta)

    share = played.probs.detach()[torch.arange(AGENTS), 0][:, :].T  # [A, N]
    taken = torch.from_numpy(batch.flat_actions)
    often = share[taken[:, 0], 0] * share[taken[:, 1], 1]  # of each joint action
    possible = often > 0
    bonus = torch.where(possible.view(1, -1, 1), learner.entropy_bonus(batch), 0)
    log_prob = learner.policy.head.log_prob(rows(), actions)
    log_prob = torch.where(possible.view(1, -1, 1), log_prob, 0)
    (found,) = torch.autograd.grad((bonus * often.view(1, -1, 1) * log_prob).sum(), theta)
    assert float(gradient.abs().max()) > 0.01
    torch.testing.assert_close(found, gradient, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        (MatrpoSettings, {}),
        (MatrpoSettings, {"where_inactive": "relayed"}),
        (MatrpoSettings, {"step": "line_search", "fisher": "empirical"}),
        (MatrpoSettings, {"average_over": "all", "radius": "played"}),
        (ItrpoSettings, {}),
        (CtrpoSettings, {"solver": {"every": 2}}),
    ],
    ids=str,
)
def test_without_rewards_it_makes_policies_undecided(settings, more):
    generator = np.random.default_rng(4)
    observations = generator.standard_normal((400, AGENTS, WIDTH)).astype(np.float32)
    masks = np.ones((400, AGENTS, ACTIONS), dtype=bool)
    masks[:100, 1, 1:] = False  # agent 1 is dead, and has one action
    gains = []
    for coefficient in (0.0, 2.0):
        learner = sharpened(settings, entropy_coefficient=coefficient, **more)
        entropies = []
        for _ in range(8):
            batch = batch_of(observations, learner.act(observations, masks, generator), masks)
            entropies.append(learner.mean_entropy(batch))
            learner.learn(batch, Nobody(), np.random.default_rng(5))
        gains.append(entropies[-1] - entropies[0])
    assert abs(gains[0]) < 0.08  # advantages are those of critics without anything to learn, and random
    assert gains[1] > gains[0] + 0.1


def test_without_it_nothing_is_computed():
    batch = every_action_of(np.zeros((AGENTS, WIDTH), dtype=np.float32), None)
    assert sharpened(MatrpoSettings, entropy_coefficient=0.0).entropy_bonus(batch) is None
