"""The natural gradient on a batch that was really played, at the paper's network size."""

import numpy as np
import pytest

from policies.algorithms.learner import Spaces
from policies.algorithms.matrpo import Matrpo, MatrpoSettings
from policies.natural_gradient.conjugate_gradients import ConjugateGradients
from policies.natural_gradient.solver import SolverSettings
from testbed import environments
from testbed.training.rollout import Collector


@pytest.mark.parametrize("damping", [0.1, 0.01])
def test_kfac_is_within_two_per_cent_after_three_iterations(damping):
    generator = np.random.default_rng(0)
    world = environments.make("navigation", agents=3, batch=30)
    settings = MatrpoSettings(precision="float64", solver=SolverSettings(damping=damping))
    learner = Matrpo(settings, Spaces(3, 14, 5), generator)
    batch, _ = Collector(world, seed=0).collect(learner, 100, generator)
    problem = learner.build_subproblems(batch, learner.estimate_advantages(batch)[0], generator)[0]
    at, kfac = problem.at, problem.solver.precondition
    b = at.vjp(problem.advantages.expand(-1, 3)) / at.samples
    exact = ConjugateGradients(at, iterations=500, tolerance=1e-11, recycle=500).solve(b)
    quick = ConjugateGradients(at, precondition=kfac, iterations=3).solve(b)
    plain = ConjugateGradients(at, iterations=3).solve(b)
    assert exact.residual < 1e-9
    assert float((quick.u - exact.u).norm() / exact.u.norm()) < 0.02
    assert float((plain.u - exact.u).norm() / exact.u.norm()) > 0.2
