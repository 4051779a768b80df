"""The trust-region subproblem against its optimality conditions and random feasible points."""

import itertools
import math

import numpy as np
import pytest
import torch

from policies.algorithms.subproblem import PolicyProblem
from policies.natural_gradient.conjugate_gradients import ConjugateGradients
from policies.natural_gradient.linearisation import JointPolicy, Linearisation
from policies.nn.categorical import CategoricalHead

DELTA = 0.01


@pytest.fixture
def at():
    """A uniform policy where every observation meets every joint action once: then J^T J = M H exactly."""
    generator = np.random.default_rng(2)
    policy = JointPolicy.build(3, (4,), agents=2, head=CategoricalHead(3))
    theta = torch.from_numpy(policy.network.initial(generator, output_gain=0.0))
    combinations = list(itertools.product(range(3), repeat=2))
    observations = np.repeat(generator.standard_normal((12, 3)), len(combinations), axis=0)
    actions = np.tile(np.array(combinations), (12, 1))
    return Linearisation(
        policy, theta, torch.from_numpy(observations), torch.from_numpy(actions), None, 1e-10
    )


def pose(at, **options):
    generator = torch.Generator().manual_seed(4)
    advantages = torch.randn(at.samples, generator=generator, dtype=torch.float64)
    pull = torch.randn(at.samples * 2, generator=generator, dtype=torch.float64)
    solver = ConjugateGradients(at, iterations=100, tolerance=1e-13, recycle=100)
    return PolicyProblem(at, advantages, delta=DELTA, solver=solver, **options), pull


@pytest.mark.parametrize("penalty", [0.1, 1.0, 100.0])
def test_the_optimal_step_minimises_the_subproblem(at, penalty):
    problem, pull = pose(at)
    s = problem.solve(pull, penalty)
    x = problem.x
    torch.testing.assert_close(at.jvp(x).flatten(), s, rtol=1e-7, atol=1e-9)
    weights = problem.advantages.expand(-1, 2).flatten()

    def objective(signal):
        return float(-(weights + pull) @ signal + penalty / 2 * signal @ signal)

    def divergence(step):
        return float(step @ at.fisher(step)[0]) / 2

    best = objective(s)
    assert divergence(x) <= DELTA * (1 + 1e-6)
    generator = torch.Generator().manual_seed(7)
    for scale in (1.0, 0.1, 0.01):
        for _ in range(300):
            other = x + scale * torch.randn(len(x), generator=generator, dtype=torch.float64)
            other = other * min(1.0, math.sqrt(DELTA / divergence(other)))
            assert objective(at.jvp(other).flatten()) >= best - 1e-9
    # Stationarity: V = (lambda + penalty) H x with lambda >= 0, and lambda > 0 only on the boundary.
    v = at.vjp((weights + pull).view(-1, 2)) / at.samples
    hx = at.fisher(x)[0]
    multiplier = float(v @ hx / (hx @ hx))
    torch.testing.assert_close(v, multiplier * hx, rtol=1e-5, atol=1e-8)
    assert multiplier >= penalty * (1 - 1e-6)
    assert problem.binding == (multiplier > penalty * (1 + 1e-6))
    assert (penalty < 50) == problem.binding


def test_the_boundary_step_is_equation_22(at):
    problem, pull = pose(at, step="boundary")
    problem.solve(pull, 100.0)
    v = at.vjp(problem.advantages + pull.view(-1, 2)) / at.samples
    matrix = torch.stack([at.fisher(e)[0] for e in torch.eye(len(v), dtype=torch.float64)])
    u = torch.linalg.lstsq(matrix, v, driver="gelsd").solution
    expected = math.sqrt(2 * DELTA / float(v @ u)) * u
    torch.testing.assert_close(at.jvp(problem.x), at.jvp(expected), rtol=1e-6, atol=1e-8)
    assert not problem.binding


def test_the_two_steps_agree_where_the_boundary_binds(at):
    optimal, pull = pose(at)
    boundary, _ = pose(at, step="boundary")
    assert torch.equal(optimal.solve(pull, 0.1), boundary.solve(pull, 0.1))
    assert optimal.binding


def test_nothing_to_gain_means_no_step(at):
    problem = PolicyProblem(at, torch.zeros(at.samples, dtype=torch.float64), delta=DELTA)
    assert not problem.solve(problem.zeros(), 1.0).any()


@pytest.fixture
def sharpened():
    """A policy sharpened by hand until it is nearly deterministic, at actions that others chose."""

    def linearised(fisher):
        generator = np.random.default_rng(8)
        policy = JointPolicy.build(3, (6,), agents=2, head=CategoricalHead(3))
        theta = 40 * torch.from_numpy(policy.network.initial(generator, output_gain=1.0))
        observations = torch.from_numpy(generator.standard_normal((60, 3)))
        actions = torch.from_numpy(generator.integers(3, size=(60, 2)))
        return Linearisation(policy, theta, observations, actions, None, 1e-3, fisher=fisher)

    return linearised


def expansion(at, *, delta, penalty=3.0):
    """The most by which a solve moves two pulls apart, times the penalty; and how often it is bound."""
    generator = torch.Generator().manual_seed(5)
    sizes = torch.logspace(-2, 1, 20, dtype=torch.float64).unsqueeze(-1)
    pulls = sizes * torch.randn(20, 2 * at.samples, generator=generator, dtype=torch.float64)
    solver = ConjugateGradients(at, iterations=400, tolerance=1e-13, recycle=400)
    problem = PolicyProblem(at, torch.zeros(at.samples, dtype=torch.float64), delta=delta, solver=solver)
    found, bound = [], 0
    for pull in pulls:
        found.append(penalty * problem.solve(pull, penalty))
        bound += problem.binding
    pairs = itertools.combinations(zip(found, pulls, strict=True), 2)
    return max(float((s - t).norm() / (b - c).norm()) for (s, b), (t, c) in pairs), bound


def test_with_the_penalty_s_own_matrix_a_solve_is_a_projection_and_not_expansive(sharpened):
    """|s(b) - s(b')| <= |b - b'| / penalty: what keeps ADMM's signals from growing without end."""
    free, bound = expansion(sharpened("empirical"), delta=1e9)
    assert 0.5 < free <= 1 + 1e-9
    assert bound == 0
    within, bound = expansion(sharpened("empirical"), delta=0.01)
    assert within <= 1 + 1e-9
    assert 0 < bound < 20
    assert expansion(sharpened("expected"), delta=1e9)[0] > 2
