"""The line search of MATRPO's public code, and Fisher products over a part of the samples."""

import itertools
import math

import numpy as np
import pytest
import torch

from policies.algorithms.line_search import LENGTHS, line_search
from policies.algorithms.subproblem import PolicyProblem
from policies.batch import Batch
from policies.natural_gradient.conjugate_gradients import ConjugateGradients
from policies.natural_gradient.linearisation import JointPolicy, Linearisation
from policies.nn.categorical import CategoricalHead

SAMPLES, HEADS = 60, 2


def linearised(*, partly=False, samples=slice(None)):
    generator = np.random.default_rng(3)
    policy = JointPolicy.build(3, (5,), HEADS, head=CategoricalHead(3))
    theta = torch.from_numpy(policy.network.initial(generator, output_gain=1.0))
    observations = torch.from_numpy(generator.standard_normal((SAMPLES, 3)))
    actions = torch.from_numpy(generator.integers(3, size=(SAMPLES, HEADS)))
    acting = torch.from_numpy(generator.random((SAMPLES, HEADS)) < 0.5)
    acting = acting[samples] if partly else None
    return Linearisation(policy, theta, observations[samples], actions[samples], None, 0.1, acting=acting)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("partly", [False, True])
def test_of_a_short_step_the_true_signal_is_nearly_the_linearised_one(partly):
    at, pull = linearised(partly=partly), 0.1 * random(SAMPLES * HEADS)
    signals = []
    for step in ("boundary", "line_search"):
        solver = ConjugateGradients(at, iterations=100, tolerance=1e-12, recycle=100)
        problem = PolicyProblem(at, random(SAMPLES, seed=1), delta=1e-8, step=step, solver=solver)
        signals.append(problem.solve(pull, 0.1))
        assert problem.statistics.halvings == 0
    assert float(signals[0].norm()) > 1e-3
    torch.testing.assert_close(*signals, rtol=1e-2, atol=1e-6)
    if partly:
        assert not signals[1].view(SAMPLES, HEADS)[~at.acting].any()


@pytest.mark.parametrize("partly", [False, True])
def test_the_step_is_the_first_that_meets_both_conditions(partly):
    """By explicit sums over samples and heads."""
    at, advantages = linearised(partly=partly), random(SAMPLES)
    pull, penalty, limit = random(SAMPLES, HEADS, seed=1), 4.0, 0.02
    acting = torch.ones(SAMPLES, HEADS, dtype=torch.bool) if at.acting is None else at.acting
    anybody = [m for m in range(SAMPLES) if acting[m].any()]

    def meets(x):
        new, old = (at.policy.distribution(theta, at.observations) for theta in (at.theta + x, at.theta))
        divergence = objective = 0.0
        for n in range(HEADS):
            own = [m for m in range(SAMPLES) if acting[m, n]]
            weight = math.sqrt(SAMPLES / len(own))
            for m in own:
                divergence += float((old[m, n].exp() * (old[m, n] - new[m, n])).sum()) / len(own)
                s = weight * float(new[m, n, at.actions[m, n]] - old[m, n, at.actions[m, n]])
                objective += (penalty / 2 * s**2 - float(pull[m, n]) * s) / SAMPLES
        for m in anybody:
            log_ratio = sum(
                float(new[m, n, at.actions[m, n]] - old[m, n, at.actions[m, n]])
                for n in range(HEADS)
                if acting[m, n]
            )
            objective -= float(advantages[m]) * (math.exp(log_ratio) - 1) / len(anybody)
        return divergence <= limit and objective <= 0

    counts = set()
    for seed in range(30):
        x = (0.1 + 0.2 * (seed % 3)) * random(len(at.theta), seed=seed)
        if seed % 2:  # downhill, for once
            x = 30 * at.vjp(advantages.unsqueeze(-1) + pull) / SAMPLES
        found = line_search(at, x, advantages, pull, penalty=penalty, limit=limit)
        wanted = next((k for k in range(LENGTHS) if meets(x / 2**k)), None)
        assert found.refused == (wanted is None)
        if wanted is None:
            assert not found.x.any()
            assert not found.signal.any()
        else:
            assert found.halvings == wanted
            assert torch.equal(found.x, x / 2**wanted)
        counts.add(wanted)
    assert None in counts
    assert len(counts) > 2


def test_a_step_that_is_not_finite_is_kept_for_adoption_to_report():
    at = linearised()
    problem = PolicyProblem(at, random(SAMPLES), delta=math.inf, step="line_search")
    problem.solve(problem.zeros(), 1.0)
    assert not problem.x.isfinite().all()


@pytest.mark.parametrize("partly", [False, True])
def test_a_linearisation_of_a_part_is_that_of_its_samples_alone(partly):
    some = torch.tensor([0, 7, 8, 31, 59])
    part, alone = linearised(partly=partly).thinned(some), linearised(partly=partly, samples=some)
    x = random(part.theta.shape[-1])
    for found, wanted in zip(part.fisher(x), alone.fisher(x), strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize(("steps", "episodes", "every"), [(7, 3, 5), (10, 5, 5), (4, 1, 3), (3, 2, 1)])
def test_every_nth_sample_is_counted_along_the_episodes(steps, episodes, every):
    nothing = np.zeros((steps, episodes, 1))
    seen = nothing[..., None]
    batch = Batch(seen, seen, nothing, nothing, nothing > 0, nothing > 0)
    order = [(t, b) for b, t in itertools.product(range(episodes), range(steps))][::every]
    assert batch.thinned(every).tolist() == sorted(t * episodes + b for t, b in order)
