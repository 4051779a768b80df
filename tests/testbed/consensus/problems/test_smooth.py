"""Gradients of convex problems against finite differences, their constants against Hessians."""

from itertools import combinations

import numpy as np
import pytest

from testbed.consensus.problems.least_squares import LeastSquaresSettings
from testbed.consensus.problems.logistic import LogisticSettings
from testbed.consensus.problems.mean import MeanSettings
from testbed.consensus.problems.registry import PROBLEMS
from testbed.consensus.problems.smooth import SmoothProblem
from testbed.network import Streams

SMOOTH = [
    MeanSettings(agents=3, dimension=4),
    LeastSquaresSettings(agents=3, dimension=4, rows=5),
    LogisticSettings(agents=3, dimension=4, rows=5),
]
POINTS = np.random.default_rng(0).standard_normal((5, 4))


def test_settings_say_which_problems_have_gradients():
    for name, kind in PROBLEMS.members().items():
        settings = kind.model_validate({"name": name, "agents": 2, "dimension": 2})
        local = settings.make(Streams(0)).local[0]
        assert isinstance(local, SmoothProblem) == kind.smooth, name
        if isinstance(local, SmoothProblem):
            assert local.terms == settings.terms


@pytest.mark.parametrize("settings", SMOOTH, ids=lambda settings: settings.name)
def test_gradients_are_those_of_the_objective(settings):
    """f along a line by the solve of its proximal problem: s = prox(v) means grad f(s) = penalty (v - s)."""
    for problem in settings.make(Streams(0)).local:
        for v in POINTS:
            s = problem.solve(2.0 * v, 2.0)
            np.testing.assert_allclose(problem.gradient(s), 2.0 * (v - s), atol=1e-9)
            model = problem.model(v)
            np.testing.assert_allclose(problem.gradient(v), model.product(v) - model.linear, atol=1e-12)


@pytest.mark.parametrize("settings", SMOOTH, ids=lambda settings: settings.name)
def test_constants_bound_the_eigenvalues_of_hessians(settings):
    for problem in settings.make(Streams(0)).local:
        for s in (np.zeros(4), *POINTS):
            hessian = np.stack([problem.model(s).product(e) for e in np.eye(4)])
            least, *_, largest = np.linalg.eigvalsh(hessian)
            assert problem.strong_convexity <= least + 1e-12
            assert largest <= problem.smoothness + 1e-12
        # At zero all probabilities are 1/2, and the curvature is greatest.
        hessian = np.stack([problem.model(np.zeros(4)).product(e) for e in np.eye(4)])
        assert np.linalg.eigvalsh(hessian)[-1] == pytest.approx(problem.smoothness)


@pytest.mark.parametrize("settings", SMOOTH, ids=lambda settings: settings.name)
def test_mini_batches_have_the_mean_of_the_gradient(settings):
    problem = settings.make(Streams(0)).local[1]
    size = min(2, problem.terms)
    batches = [np.array(chosen) for chosen in combinations(range(problem.terms), size)]
    mean = np.mean([problem.batch_gradient(POINTS[0], chosen) for chosen in batches], axis=0)
    np.testing.assert_allclose(mean, problem.gradient(POINTS[0]), atol=1e-12)
