"""Accuracy and cost of the natural gradient, and of one whole MATRPO update at the paper's settings.

    pytest tests/benchmarks/test_policy_update.py --override-ini addopts= --benchmark-only -s

The comparison with autograd takes minutes; ACTIVATIONS=10 in the environment shortens it.
"""

import os
import time

import numpy as np
import pytest
import torch
from autograd_problem import AutogradProblem

import topologies
from policies.algorithms.matrpo import Matrpo, MatrpoSettings, SolverSettings
from policies.natural_gradient import Kfac, solve
from testbed import environments
from testbed.collection import Collector
from testbed.consensus.edge_admm import EdgeADMM
from testbed.consensus.settings import Budget, ConsensusSettings
from testbed.network import Network, NetworkSettings, Streams

AGENTS = 3
ACTIVATIONS = int(os.environ.get("ACTIVATIONS", "100"))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def learner_and_batch(precision, samples=10_000, **solver):
    generator = np.random.default_rng(0)
    world = environments.make("navigation", agents=AGENTS, batch=samples // 100)
    settings = MatrpoSettings(precision=precision, solver=SolverSettings(**solver))
    learner = Matrpo(
        settings, agents=AGENTS, observation_size=world.observation_size, actions=5, generator=generator
    )
    began = time.perf_counter()
    batch, _ = Collector(world, seed=0).collect(learner, 100, generator)
    return learner, batch, time.perf_counter() - began


@pytest.mark.parametrize("damping", [0.1, 0.01])
def test_solve_accuracy(benchmark, damping):
    """Relative error |u - u*| / |u*| of H u = V after k iterations, against a long run, in float64."""
    learner, batch, _ = learner_and_batch("float64", damping=damping)
    advantages, _, _ = learner._advantages(batch)
    problem = learner.pose(batch, advantages, np.random.default_rng(1))[0]
    at = problem.at
    b = at.vjp(problem.advantages.expand(-1, AGENTS)) / at.samples
    kfac = problem.precondition
    assert isinstance(kfac, Kfac)
    exact = solve(at, b, precondition=kfac, iterations=200, tolerance=1e-10)
    print(f"\ndamping {damping}: long run {exact.iterations} iterations, residual {exact.residual:.1e}")

    def error(**options):
        return float((solve(at, b, **options).u - exact.u).norm() / exact.u.norm())

    for k in (1, 2, 3, 5):
        print(f"  K-FAC  {k:2d} iterations: {error(precondition=kfac, iterations=k):8.3%}")
    for k in (3, 10, 40):
        print(f"  plain  {k:2d} iterations: {error(iterations=k):8.3%}")
    assert error(precondition=kfac, iterations=3) < 0.02
    benchmark.pedantic(solve, (at, b), {"precondition": kfac, "iterations": 3}, rounds=3)


@pytest.mark.parametrize("way", ["kfac warm", "plain CG cached", "plain CG autograd"])
def test_one_update(benchmark, way):
    """One update at the paper's settings for three agents: wall seconds by phase, one thread."""
    solver = (
        {}
        if way == "kfac warm"
        else {"preconditioner": "none", "iterations": 10, "tolerance": 0.0, "warm_start": False}
    )
    learner, batch, rollout = learner_and_batch("float32", **solver)
    if way == "plain CG autograd":
        pose = learner.pose

        def autograd_pose(*arguments):
            problems = pose(*arguments)
            for problem in problems:
                problem.__class__ = AutogradProblem
            return problems

        learner.pose = autograd_pose
    streams = Streams(0)
    network = Network(topologies.make("ring", AGENTS), NetworkSettings(), streams)
    consensus = EdgeADMM(
        network, ConsensusSettings(budget=Budget(activations=ACTIVATIONS), curve_every=1000), streams
    )
    laps, began = {}, time.perf_counter()

    def lap(name):
        laps[name] = time.perf_counter()

    def update():
        return learner.learn(
            batch, lambda problems: consensus.agree(problems).flat(), np.random.default_rng(0), lap
        )

    began = time.perf_counter()
    result = benchmark.pedantic(update, rounds=1)
    print(
        f"\n{way}: rollout {rollout:.2f} s, values {laps['values'] - began:.2f} s, "
        f"consensus {laps['consensus'] - laps['values']:.2f} s ({ACTIVATIONS} activations, "
        f"{result['fisher_products'] / result['solves']:.2f} Fisher products a solve), "
        f"adopt {laps['adopt'] - laps['consensus']:.2f} s; "
        f"relative disagreement {result['relative_disagreement']:.3f}"
    )
