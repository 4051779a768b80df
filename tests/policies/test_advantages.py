"""Generalised advantage estimation against its definition."""

import numpy as np
import pytest

from policies.advantages import explained_variance, gae, moments, normalised, returns_vary


def test_gae_equals_the_discounted_sum_of_errors_up_to_the_boundary():
    generator = np.random.default_rng(0)
    shape = (30, 4)
    rewards, values, following = generator.standard_normal((3, *shape))
    terminations = generator.random(shape) < 0.1
    boundaries = terminations | (generator.random(shape) < 0.1)
    gamma, lam = 0.97, 0.9
    result = gae(rewards, values, following, terminations, boundaries, gamma=gamma, lam=lam)
    for b in range(4):
        for t in range(30):
            expected, weight = 0.0, 1.0
            for k in range(t, 30):
                bootstrap = 0.0 if terminations[k, b] else following[k, b]
                expected += weight * (rewards[k, b] + gamma * bootstrap - values[k, b])
                weight *= gamma * lam
                if boundaries[k, b]:
                    break
            assert result[t, b] == pytest.approx(expected, abs=1e-12)


def test_a_time_limit_bootstraps_and_a_termination_does_not():
    """With reward 1 for ever and the true values, a time limit surprises nobody; a termination does."""
    gamma = 0.9
    values = np.full((5, 1), 1 / (1 - gamma))
    rewards, boundaries = np.ones((5, 1)), np.zeros((5, 1), dtype=bool)
    boundaries[2] = True
    limit = gae(rewards, values, values, np.zeros_like(boundaries), boundaries, gamma=gamma, lam=0.95)
    np.testing.assert_allclose(limit, 0, atol=1e-12)
    ended = gae(rewards, values, values, boundaries, boundaries, gamma=gamma, lam=0.95)
    assert ended[2, 0] == pytest.approx(-gamma / (1 - gamma))


def test_lambda_one_gives_returns_minus_values():
    generator = np.random.default_rng(1)
    rewards, values = generator.standard_normal((2, 6, 1))
    following = np.vstack([values[1:], [[0.0]]])
    ended = np.zeros((6, 1), dtype=bool)
    ended[-1] = True
    result = gae(rewards, values, following, ended, ended, gamma=0.8, lam=1.0)
    returns = [sum(0.8 ** (k - t) * rewards[k, 0] for k in range(t, 6)) for t in range(6)]
    np.testing.assert_allclose(result[:, 0], np.array(returns) - values[:, 0])


def test_explained_variance_is_one_for_the_truth_zero_for_a_constant_and_nan_without_variance():
    targets = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    np.testing.assert_allclose(explained_variance(targets, targets), [1, np.nan])
    np.testing.assert_allclose(explained_variance(targets, np.zeros_like(targets)), [0, np.nan])


def test_returns_vary_where_rewards_do_or_where_how_long_they_last_counts():
    rewards, terminations = np.zeros((4, 2, 5)), np.zeros((4, 2, 5), dtype=bool)
    rewards[2, 1, 1] = 1.0  # one reward is enough
    rewards[..., 2:4] = -1.0  # a price per step, which matters if a task can end
    terminations[3, 0, 3] = terminations[3, 0, 4] = True
    assert returns_vary(rewards, terminations).tolist() == [False, True, False, True, False]


def test_moments_and_what_is_made_of_them_are_those_of_the_entries_asked_for():
    generator = np.random.default_rng(0)
    values, where = generator.standard_normal((50, 3)), generator.random((50, 3)) < 0.4
    where[:, 2] = False
    kept = [values[where[:, n], n] for n in range(2)]
    mean, variance = moments(values, 0, where)
    np.testing.assert_allclose(mean, [*(each.mean() for each in kept), 0])
    np.testing.assert_allclose(variance, [*(each.var() for each in kept), 0])
    guess = values + generator.standard_normal(values.shape)
    expected = [1 - (values - guess)[where[:, n], n].var() / kept[n].var() for n in range(2)]
    np.testing.assert_allclose(explained_variance(values, guess, where), [*expected, np.nan])
    centred = np.concatenate([each - each.mean() for each in kept])
    found = normalised(values, where, centre="per_agent", shared=True)
    np.testing.assert_allclose(
        np.concatenate([found[where[:, n], n] for n in range(2)]), centred / centred.std()
    )
    plain = normalised(values, None, centre="none", shared=False)
    np.testing.assert_allclose(plain, values / values.std(axis=0))
    everything = np.concatenate(kept)
    found = normalised(values, where, centre="shared", shared=True)
    np.testing.assert_allclose(found, (values - everything.mean()) / everything.std())
