"""Value networks: private, and invariant to their own normalisation."""

import numpy as np
import pytest
import torch
from value_fits import fit_by_autograd

from policies.critics.value_critics import Critics
from policies.nn.precision import Precision

FLOAT64 = Precision.of("cpu", "float64")


def data(agents=2, samples=256):
    generator = np.random.default_rng(0)
    observations = torch.from_numpy(generator.standard_normal((agents, samples, 3)))
    targets = 40 * observations[..., 0] - 100 + 5 * torch.arange(agents).unsqueeze(-1)
    return observations, targets


def critics(agents=2):
    return Critics(agents, 3, (16,), np.random.default_rng(1), learning_rate=3e-3, precision=FLOAT64)


def test_they_learn_large_returns_within_a_few_fits():
    observations, targets = data()
    fitted, generator = critics(), np.random.default_rng(2)
    for _ in range(60):
        fitted.fit(observations, targets, generator)
    error = (fitted.values(observations) - targets).square().mean().sqrt()
    assert float(error) < 0.1 * float(targets.std())


def test_fitting_together_equals_fitting_apart():
    observations, targets = data()
    together = critics()
    alone = critics()
    changed = targets.clone()
    changed[1] = 7.0  # the other agent's returns must not matter to the first
    together.fit(observations, targets, np.random.default_rng(3))
    alone.fit(observations, changed, np.random.default_rng(3))
    assert torch.equal(together.theta[0], alone.theta[0])
    assert not torch.equal(together.theta[1], alone.theta[1])


def test_renormalising_preserves_predictions():
    observations, targets = data()
    fitted = critics()
    fitted.fit(observations, targets, np.random.default_rng(4))
    before = fitted.values(observations)
    fitted.normalise(10 * targets + 3)
    torch.testing.assert_close(fitted.values(observations), before, rtol=1e-10, atol=1e-9)


def test_a_restored_critic_goes_on_exactly():
    observations, targets = data()
    first = critics()
    first.fit(observations, targets, np.random.default_rng(5))
    second = critics()
    second.load_state_dict(first.state_dict())
    for each in (first, second):
        each.fit(observations, targets, np.random.default_rng(6))
    assert torch.equal(first.theta, second.theta)


@pytest.mark.parametrize("activation", ["selu", "tanh", "relu"])
def test_a_fit_is_that_by_autograd(activation):
    observations, targets = data(agents=3, samples=250)  # the last batch of an epoch is a short one
    targets = targets + 20 * observations[..., 1] * observations[..., 2]
    measured = np.array([True, False, True])
    losses, fitted = [], []
    for fit in (fit_by_autograd, Critics.fit):
        each = Critics(3, 3, (16, 8), np.random.default_rng(1), activation=activation, precision=FLOAT64)
        losses.append(fit(each, observations, targets, np.random.default_rng(2), epochs=5, measured=measured))
        fitted.append(each)
    torch.testing.assert_close(fitted[1].theta, fitted[0].theta, rtol=1e-10, atol=1e-10)
    assert losses[1] == pytest.approx(losses[0], rel=1e-10)


def test_the_states_of_earlier_versions_go_on_likewise():
    observations, targets = data()
    first = critics()
    first.fit(observations, targets, np.random.default_rng(5))
    state = first.state_dict()
    state["optimiser"]["param_groups"][0]["fused"] = None
    second = critics()
    second.load_state_dict(state)
    for each in (first, second):
        each.fit(observations, targets, np.random.default_rng(6))
    assert torch.equal(first.theta, second.theta)
