"""Accuracy and speed of the natural gradient at the paper's settings for three agents.

    pytest tests/benchmarks/test_policy_update.py --override-ini addopts= --benchmark-only -s

The table of whole updates beside other ways is made by policy_update.py in this folder.
"""

import numpy as np
import pytest
import torch

from policies.algorithms.learner import Spaces
from policies.algorithms.matrpo import Matrpo, MatrpoSettings
from policies.natural_gradient.conjugate_gradients import ConjugateGradients
from testbed import environments
from testbed.training.rollout import Collector

AGENTS = 3


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def first_problem(**settings):
    generator = np.random.default_rng(0)
    world = environments.make("navigation", agents=AGENTS, batch=100)
    learner = Matrpo(
        MatrpoSettings(**settings),
        Spaces(AGENTS, world.observation_size, 5),
        generator,
    )
    batch, _ = Collector(world, seed=0).collect(learner, 100, generator)
    advantages, _, _ = learner.estimate_advantages(batch)
    problem = learner.build_subproblems(batch, advantages, np.random.default_rng(1))[0]
    weights = problem.advantages.expand(-1, AGENTS).contiguous()
    return problem, weights, problem.at.vjp(weights) / problem.at.samples


@pytest.mark.parametrize("damping", [0.1, 0.01])
def test_solve_accuracy(benchmark, damping):
    """Relative error |u - u*| / |u*| of H u = V after k iterations, against a long run, in float64."""
    problem, _, b = first_problem(precision="float64", solver={"damping": damping})
    at, kfac = problem.at, problem.solver.precondition
    exact = ConjugateGradients(at, precondition=kfac, iterations=200, tolerance=1e-10, recycle=200).solve(b)
    print(f"\ndamping {damping}: long run {exact.iterations} iterations, residual {exact.residual:.1e}")

    def error(**options):
        found = ConjugateGradients(at, recycle=64, **options).solve(b)
        return float((found.u - exact.u).norm() / exact.u.norm())

    for k in (1, 2, 3, 5):
        print(f"  K-FAC  {k:2d} iterations: {error(precondition=kfac, iterations=k):8.3%}")
    for k in (3, 10, 40):
        print(f"  plain  {k:2d} iterations: {error(iterations=k):8.3%}")
    assert error(precondition=kfac, iterations=3) < 0.02
    benchmark.pedantic(error, (), {"precondition": kfac, "iterations": 3}, rounds=3)


@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16-matmul"])
@pytest.mark.parametrize("product", ["J^T w", "H x"])
def test_products(benchmark, product, precision):
    problem, weights, b = first_problem(precision=precision)
    if product == "H x":
        benchmark(problem.at.fisher, b)
    else:
        benchmark(problem.at.vjp, weights)


@pytest.mark.parametrize("stacked", [False, True], ids=["apart", "stacked"])
@pytest.mark.parametrize(("samples", "width"), [(500, 16), (2000, 32), (10_000, 128)])
def test_fisher_products_of_two_agents(benchmark, samples, width, stacked):
    """Whether solving the two ends of an exchange as one stacked system would pay."""
    from policies.natural_gradient.linearisation import JointPolicy, Linearisation
    from policies.nn.categorical import CategoricalHead

    policy = JointPolicy.build(14, (width, width), 3, CategoricalHead(5))
    generator = np.random.default_rng(0)
    theta = torch.from_numpy(np.stack([policy.network.initial(generator) for _ in range(2)])).float()
    observations = torch.randn(2, samples, 14)
    both = Linearisation(policy, theta, observations, torch.randint(0, 5, (samples, 3)))
    x = torch.randn_like(theta)
    if stacked:
        benchmark(both.fisher, x)
    else:
        parts = both.agent(0), both.agent(1)
        benchmark(lambda: [part.fisher(x[q]) for q, part in enumerate(parts)])
