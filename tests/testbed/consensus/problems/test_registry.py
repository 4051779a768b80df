"""Convex problems: local solutions and common optima against SciPy and the optimality conditions."""

from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

import topologies
from testbed.consensus.problems.lasso import LassoProblem, LassoSettings
from testbed.consensus.problems.logistic import LogisticProblem, LogisticSettings
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams


def scipy_lasso(rows, right, l1, pull, penalty):
    """The lasso with s = u - v and u, v >= 0, a smooth problem with bounds."""
    m = rows.shape[1]

    def value(uv):
        s = uv[:m] - uv[m:]
        slope = rows.T @ (rows @ s - right) - pull + penalty * s
        cost = np.sum((rows @ s - right) ** 2) / 2 + l1 * uv.sum() - pull @ s + penalty * (s @ s) / 2
        return cost, np.concatenate([slope + l1, l1 - slope])

    found = scipy.optimize.minimize(
        value, np.zeros(2 * m), jac=True, bounds=[(0, None)] * (2 * m), method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000, "maxfun": 100_000},
    )  # fmt: skip
    return found.x[:m] - found.x[m:]


def scipy_logistic(rows, labels, ridge, pull, penalty):
    def value(s):
        margins = labels * (rows @ s)
        slope = -rows.T @ (labels / (1 + np.exp(margins))) + (ridge + penalty) * s - pull
        return np.logaddexp(0, -margins).sum() + (ridge + penalty) * (s @ s) / 2 - pull @ s, slope

    return scipy.optimize.minimize(
        value, np.zeros(rows.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-9}
    ).x


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 12), penalty=st.floats(0.05, 20))
def test_a_lasso_agent_finds_the_minimum_that_scipy_finds(seed, rows, penalty):
    generator = np.random.default_rng(seed)
    data, right = generator.standard_normal((rows, 6)), 2 * generator.standard_normal(rows)
    problem = LassoProblem(data, right, 1.5)
    for _ in range(3):  # each solve starts from the last
        pull = 3 * generator.standard_normal(6)
        s = problem.solve(pull, penalty)
        np.testing.assert_allclose(s, scipy_lasso(data, right, 1.5, pull, penalty), atol=2e-4)
        slope = pull - penalty * s - data.T @ (data @ s - right)
        np.testing.assert_allclose(slope[s != 0], 1.5 * np.sign(s[s != 0]), atol=1e-10)
        assert (np.abs(slope[s == 0]) <= 1.5 + 1e-10).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 12), penalty=st.floats(0.05, 20))
def test_a_logistic_agent_finds_the_minimum_that_scipy_finds(seed, rows, penalty):
    generator = np.random.default_rng(seed)
    data, labels = generator.standard_normal((rows, 6)), generator.choice([-1.0, 1.0], rows)
    problem = LogisticProblem(data, labels, 0.3)
    for _ in range(3):
        pull = 3 * generator.standard_normal(6)
        s = problem.solve(pull, penalty)
        np.testing.assert_allclose(s, scipy_logistic(data, labels, 0.3, pull, penalty), atol=1e-5)
        slope = data.T @ (labels / (1 + np.exp(labels * (data @ s)))) + pull - (0.3 + penalty) * s
        np.testing.assert_allclose(slope, 0, atol=1e-9)


def test_the_common_lasso_is_that_of_all_rows_and_most_of_it_is_zero():
    posed = LassoSettings(agents=5).make(Streams(1))
    local: list[Any] = list(posed.local)
    gram, linear = sum(p.gram for p in local), sum(p.linear for p in local)
    l1 = sum(p.l1 for p in posed.local)
    slope = linear - gram @ posed.optimum
    zero = posed.optimum == 0
    assert 5 <= zero.sum() < 10
    np.testing.assert_allclose(slope[~zero], l1 * np.sign(posed.optimum[~zero]), rtol=1e-10)
    assert (np.abs(slope[zero]) < l1).all()


def test_the_common_logistic_regression_is_that_of_all_samples():
    posed = LogisticSettings(agents=5).make(Streams(1))
    signed = np.concatenate([p.signed for p in posed.local])  # type: ignore[attr-defined]
    expected = scipy_logistic(signed, np.ones(len(signed)), 1.0, np.zeros(10), 0.0)
    np.testing.assert_allclose(posed.optimum, expected, atol=1e-6)


@pytest.mark.parametrize("algorithm", ["edge_admm", "relaxed_admm"])
@pytest.mark.parametrize(
    ("problem", "penalty"), [(LassoSettings(agents=6), 30.0), (LogisticSettings(agents=6), 2.0)]
)
def test_agents_agree_on_the_optimum_although_messages_are_lost(problem, penalty, algorithm):
    streams = Streams(0)
    posed = problem.make(streams)
    network = Network(topologies.make("ring", 6), NetworkSettings(link=LinkSettings(loss=0.2)), streams)
    chosen = ConsensusSettings.model_validate(
        {"algorithm": algorithm, "penalty": penalty, "curve_every": 500}
        | {"budget": {"activations": 2500 if algorithm == "edge_admm" else 2400}}
    )
    result = make_consensus(network, chosen, streams).agree(posed.local)
    np.testing.assert_allclose(np.stack(result.signals), np.tile(posed.optimum, (6, 1)), atol=1e-4)


def test_what_has_no_minimiser_is_said_so():
    with pytest.raises(ArithmeticError, match="no minimiser"):
        # All labels alike and no ridge: ever larger weights are ever better.
        LogisticProblem(np.ones((3, 2)), np.ones(3), 0.0).solve(np.zeros(2), 0.0)


@pytest.mark.parametrize(
    "build",
    [
        lambda rows, right: LassoProblem(rows, right, 0.5),
        lambda rows, right: LogisticProblem(rows, np.sign(right), 0.1),
    ],
)
def test_what_has_forgotten_solves_as_if_new(build):
    generator = np.random.default_rng(0)
    rows, right, pull = generator.standard_normal((8, 3)), generator.standard_normal(8), np.ones(3)
    used, new = build(rows, right), build(rows, right)
    used.solve(-5 * pull, 0.3)
    assert used.previous.any()
    used.forget()
    assert not used.previous.any()
    assert used.solve(pull, 0.7).tobytes() == new.solve(pull, 0.7).tobytes()
