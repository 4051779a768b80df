"""Devices and precisions, against float64 on the processor."""

import numpy as np
import pytest
import torch

from policies.algorithms.learner import Spaces
from policies.algorithms.matrpo import Matrpo, MatrpoSettings
from policies.batch import Batch
from policies.nn.precision import Precision

SAMPLES, AGENTS = 400, 2


def batch():
    generator = np.random.default_rng(3)
    shape = (SAMPLES // 4, 4, AGENTS)
    observations = generator.standard_normal((*shape, 5)).astype(np.float32)
    over = np.zeros(shape, dtype=bool)
    over[-1] = True
    return Batch(
        observations,
        np.roll(observations, -1, axis=0),
        generator.integers(3, size=shape),
        generator.standard_normal(shape) - 3 * observations[..., 0],
        np.zeros(shape, dtype=bool),
        over,
    )


def update(**settings):
    """One update of two solves an agent: how far the models moved, and what was measured."""
    learner = Matrpo(
        MatrpoSettings(hidden=(24, 24), solver={"tolerance": 1e-4, "audit": True}, **settings),
        Spaces(AGENTS, 5, 3),
        np.random.default_rng(1),
    )
    start = learner.theta.clone()

    class TwoSolves:
        def agree(self, problems):
            x = problems[0].x
            pull = torch.linspace(-1, 1, SAMPLES * AGENTS, dtype=x.dtype, device=x.device)
            for problem in problems:
                problem.solve(problem.zeros(), 2.0)
                problem.solve(pull, 2.0)
            return {}

    measured = learner.learn(batch(), TwoSolves(), np.random.default_rng(2))
    return (learner.theta - start).double().cpu(), measured


def relative(one, other):
    return float((one - other).norm() / other.norm())


@pytest.fixture(scope="module")
def exact():
    return update(precision="float64")


def test_float32_gives_the_step_of_float64(exact):
    step, measured = update(precision="float32")
    assert relative(step, exact[0]) < 1e-3
    assert measured["solve_error"] < 1e-3
    assert exact[1]["solve_error"] < 1e-3


def test_products_in_bfloat16_give_nearly_the_step_of_float64(exact):
    """The audit measures against float64, so that it sees what bfloat16 does to the solve."""
    step, measured = update(precision="bfloat16-matmul")
    assert 1e-4 < relative(step, exact[0]) < 0.03
    assert 1e-4 < measured["solve_error"] < 0.03
    assert measured["kl"] == pytest.approx(exact[1]["kl"], rel=0.03)


def test_a_coarser_solve_has_a_larger_error_and_says_so():
    errors = []
    for tolerance in (1e-5, 0.01, 0.3):
        settings = {"tolerance": tolerance, "audit": True}
        learner = Matrpo(
            MatrpoSettings(hidden=(24, 24), precision="float64", solver=settings),
            Spaces(AGENTS, 5, 3),
            np.random.default_rng(1),
        )
        problems = learner.build_subproblems(
            batch(), torch.randn(AGENTS, SAMPLES).double(), np.random.default_rng(2)
        )
        for problem in problems:
            problem.solve(problem.zeros(), 2.0)
        measured = learner.apply_steps(problems)
        assert measured["solve_residual_max"] <= tolerance
        assert measured["solves_capped"] == 0
        errors.append(measured["solve_error"])
    assert errors[0] < errors[1] < errors[2]
    assert errors[0] < 1e-4


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device 'cuda': torch finds no CUDA device"):
        Precision.of("cuda", "float32")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16-matmul"])
def test_cuda_gives_the_step_of_the_processor(exact, precision):
    step, _ = update(device="cuda", precision=precision)
    assert relative(step, exact[0]) < {"float64": 1e-9, "float32": 1e-3, "bfloat16-matmul": 0.03}[precision]
