"""Conjugate gradients that keep their directions, against dense linear algebra and a textbook."""

import pytest
import torch

from policies.natural_gradient.conjugate_gradients import ConjugateGradients
from policies.natural_gradient.kfac import Kfac
from policies.natural_gradient.linearisation import Linearisation


def dense(at):
    """H as a matrix [D, D]."""
    return torch.stack([at.fisher(column)[0] for column in torch.eye(len(at.theta), dtype=torch.float64)])


def kfac_of(at):
    generator = torch.Generator().manual_seed(0)
    shape = (*at.lead, at.samples, at.policy.agents)
    return Kfac(at, torch.rand(shape, generator=generator, dtype=torch.float64))


def drifting(b, count, size=0.05):
    """Right-hand sides that move a little at a time, as those of an agreement do."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        b = b + size * b.norm() * torch.nn.functional.normalize(
            torch.randn(b.shape, generator=generator, dtype=b.dtype), dim=0
        )
        yield b


@pytest.fixture
def case(make_case):
    return make_case(samples=300)


@pytest.mark.parametrize("preconditioned", [False, True])
def test_conjugate_gradients_reach_the_dense_solution(case, preconditioned):
    b = torch.randn_like(case.theta)
    options = {"precondition": kfac_of(case.at)} if preconditioned else {}
    solver = ConjugateGradients(case.at, iterations=400, tolerance=1e-12, recycle=400, **options)
    solution = solver.solve(b)
    matrix = dense(case.at)
    torch.testing.assert_close(solution.u, torch.linalg.solve(matrix, b), rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(solution.product, matrix @ solution.u, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(solution.ratio, case.at.jvp(solution.u), rtol=1e-8, atol=1e-8)
    assert solution.converged
    assert solution.residual < 1e-11


@pytest.mark.parametrize("preconditioned", [False, True])
def test_from_nothing_they_are_the_textbook_s(case, preconditioned):
    """Hestenes & Stiefel's recurrences, preconditioned as in Nocedal & Wright, Algorithm 5.3."""
    b, matrix = torch.randn_like(case.theta), dense(case.at)
    precondition = kfac_of(case.at) if preconditioned else torch.clone
    u, r = torch.zeros_like(b), b.clone()
    z = precondition(r)
    p = z.clone()
    for k in range(1, 9):
        step = (r @ z) / (p @ matrix @ p)
        u, following = u + step * p, r - step * (matrix @ p)
        after = precondition(following)
        p = after + (following @ after) / (r @ z) * p
        r, z = following, after
        solution = ConjugateGradients(case.at, precondition=precondition, iterations=k).solve(b)
        assert solution.iterations == k
        torch.testing.assert_close(solution.u, u, rtol=1e-8, atol=1e-10)


def test_kfac_brings_a_policy_gradient_closer_than_plain_iterations(make_case):
    case = make_case(samples=2000, hidden=(24, 24), output_gain=0.01)
    b = case.at.vjp(torch.randn(2000, 1, dtype=torch.float64).expand(-1, 2)) / 2000
    plain = ConjugateGradients(case.at, iterations=5).solve(b)
    kfac = ConjugateGradients(case.at, iterations=5, precondition=kfac_of(case.at)).solve(b)
    exact = torch.linalg.solve(dense(case.at), b)
    errors = [float((s.u - exact).norm()) for s in (kfac, plain)]
    assert errors[0] < errors[1] / 2


def test_a_multiple_of_what_was_solved_before_costs_no_product(case):
    b = torch.randn_like(case.theta)
    solver = ConjugateGradients(case.at, iterations=400, tolerance=1e-10, recycle=400)
    first = solver.solve(b)
    again = solver.solve(3 * b)
    assert again.iterations == 0
    torch.testing.assert_close(again.u, 3 * first.u, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(again.ratio, 3 * first.ratio, rtol=1e-8, atol=1e-8)


def test_the_first_guess_is_the_best_in_the_span_of_the_directions_kept(case):
    """Galerkin: its error is H-orthogonal to the span, so nothing in the span has less energy."""
    solver = ConjugateGradients(case.at, iterations=6, recycle=40)
    for b in drifting(torch.randn_like(case.theta), 5):
        solver.solve(b)
    b = torch.randn_like(case.theta)
    solver.iterations = 0
    guess = solver.solve(b)
    matrix = dense(case.at)
    kept = solver.directions[0, : solver.kept]
    gap = b - matrix @ guess.u
    assert solver.kept == 30
    assert float((kept @ gap).abs().max()) < 1e-9 * float(b.norm())


def test_directions_kept_are_orthonormal_in_h_and_come_with_their_products(case):
    solver = ConjugateGradients(case.at, precondition=kfac_of(case.at), iterations=3, recycle=8)
    for b in drifting(torch.randn_like(case.theta), 30):
        solver.solve(b)
    assert solver.kept == 8
    kept, matrix = solver.directions[0], dense(case.at)
    identity = torch.eye(8, dtype=torch.float64)
    torch.testing.assert_close(kept @ matrix @ kept.T, identity, rtol=0, atol=1e-9)
    torch.testing.assert_close(solver.products[0], kept @ matrix, rtol=1e-8, atol=1e-10)
    ratios = torch.stack([case.at.jvp(w).flatten() for w in kept])
    torch.testing.assert_close(solver.ratios[0], ratios, rtol=1e-8, atol=1e-10)


def test_running_out_of_room_loses_nothing_of_the_present_solution(case):
    """A small store needs more products, but ends as exact; a repeated question still costs none."""
    b = torch.randn_like(case.theta)
    small = ConjugateGradients(
        case.at, precondition=kfac_of(case.at), iterations=200, tolerance=1e-9, recycle=3
    )
    solution = small.solve(b)
    assert solution.converged
    assert solution.iterations > 3
    torch.testing.assert_close(solution.u, torch.linalg.solve(dense(case.at), b), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(solution.product, dense(case.at) @ solution.u, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(solution.ratio, case.at.jvp(solution.u), rtol=1e-8, atol=1e-8)
    small.tolerance = 1e-8
    assert small.solve(b).iterations == 0


def test_questions_that_drift_cost_fewer_products_than_solving_each_anew(case):
    def products(keep):
        solver = ConjugateGradients(
            case.at, precondition=kfac_of(case.at), iterations=100, tolerance=0.02, recycle=100
        )
        spent = 0
        for b in drifting(torch.randn(case.theta.shape, dtype=torch.float64), 20, size=0.02):
            if not keep:
                solver.forget()
            solution = solver.solve(b)
            assert solution.residual <= 0.02
            spent += solution.iterations
        return spent

    assert products(keep=True) < products(keep=False) / 3


def test_the_reported_residual_is_the_true_one(case):
    precondition = kfac_of(case.at)
    solver = ConjugateGradients(case.at, precondition=precondition, iterations=2, recycle=4)
    for b in drifting(torch.randn_like(case.theta), 4):
        solution = solver.solve(b)
        gap = b - case.at.fisher(solution.u)[0]
        true = (gap @ precondition(gap)).sqrt() / (b @ precondition(b)).sqrt()
        assert solution.residual == pytest.approx(float(true), rel=1e-9)
        assert not solution.converged


def test_nothing_to_solve_needs_no_product(case):
    solution = ConjugateGradients(case.at).solve(torch.zeros_like(case.theta))
    assert (solution.iterations, solution.residual, solution.converged) == (0, 0.0, True)
    assert not solution.u.any()


def test_stacked_systems_are_solved_as_if_alone(make_case):
    case = make_case(lead=(2,), samples=60)
    b = torch.randn_like(case.theta)
    precondition = kfac_of(case.at)
    together = ConjugateGradients(case.at, precondition=precondition, iterations=8).solve(b)
    for q in range(2):
        alone = Linearisation(case.policy, case.theta[q], case.observations[q], case.actions[q], None, 0.01)
        solver = ConjugateGradients(alone, precondition=precondition.agent(q), iterations=8)
        torch.testing.assert_close(together.u[q], solver.solve(b[q]).u, rtol=1e-8, atol=1e-8)


def test_too_small_a_store_is_refused(case):
    with pytest.raises(ValueError, match="recycle: 1 directions, must be at least 2"):
        ConjugateGradients(case.at, recycle=1)
