"""Conjugate gradients and K-FAC against dense linear algebra."""

import pytest
import torch

from policies.natural_gradient import Kfac, solve


def dense(at):
    """H as a matrix [D, D]."""
    return torch.stack([at.fisher(column)[0] for column in torch.eye(len(at.theta), dtype=torch.float64)])


def kfac_of(case):
    generator = torch.Generator().manual_seed(0)
    return Kfac(case.at, torch.rand(case.at.p.shape[:-1], generator=generator, dtype=torch.float64))


@pytest.fixture
def case(make_case):
    return make_case(samples=300)


@pytest.mark.parametrize("preconditioned", [False, True])
def test_conjugate_gradients_reach_the_dense_solution(case, preconditioned):
    b = torch.randn_like(case.theta)
    options = {"precondition": kfac_of(case)} if preconditioned else {}
    solution = solve(case.at, b, iterations=400, tolerance=1e-12, **options)
    matrix = dense(case.at)
    torch.testing.assert_close(solution.u, torch.linalg.solve(matrix, b), rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(solution.product, matrix @ solution.u, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(solution.tangent, case.at.tangent(solution.u), rtol=1e-8, atol=1e-8)
    assert solution.residual < 1e-8


def test_kfac_brings_a_policy_gradient_closer_than_plain_iterations(make_case):
    case = make_case(samples=2000, hidden=(24, 24), output_gain=0.01)
    b = case.at.vjp(torch.randn(2000, 1, dtype=torch.float64).expand(-1, 2)) / 2000
    plain = solve(case.at, b, iterations=5)
    kfac = solve(case.at, b, iterations=5, precondition=kfac_of(case))
    exact = torch.linalg.solve(dense(case.at), b)
    errors = [float((s.u - exact).norm()) for s in (kfac, plain)]
    assert errors[0] < errors[1] / 2


def test_a_warm_start_at_the_answer_leaves_nothing_to_do(case):
    b = torch.randn_like(case.theta)
    first = solve(case.at, b, iterations=400, tolerance=1e-12)
    again = solve(case.at, 3 * b, iterations=400, tolerance=1e-6, start=first)
    assert again.iterations == 1
    torch.testing.assert_close(again.u, 3 * first.u, rtol=1e-8, atol=1e-8)


def test_a_warm_start_is_never_worse_in_the_energy_norm_than_a_cold_one(case):
    """Both minimise u^T H u / 2 - b^T u along their directions; the warm one starts lower."""
    matrix = dense(case.at)
    b = torch.randn_like(case.theta)
    start = solve(case.at, b + 0.1 * torch.randn_like(b), iterations=20)

    def energy(u):
        return float(u @ matrix @ u / 2 - b @ u)

    assert energy(solve(case.at, b, iterations=1, start=start).u) < energy(solve(case.at, b, iterations=1).u)


def test_the_reported_residual_is_the_true_one(case):
    b = torch.randn_like(case.theta)
    solution = solve(case.at, b, iterations=5)
    true = (b - case.at.fisher(solution.u)[0]).norm() / b.norm()
    assert solution.residual == pytest.approx(float(true), rel=1e-9)


def test_kfac_inverts_the_damped_kronecker_product(case):
    """Against the Kronecker product written out, with the output-gradient moments in expectation."""
    at = case.at
    many = 4000
    stacked = type(at)(
        at.policy,
        at.theta,
        case.observations.repeat(many // 20, 1),
        case.actions.repeat(many // 20, 1),
        None,
        0.01,
    )
    generator = torch.Generator().manual_seed(1)
    kfac = Kfac(stacked, torch.rand(stacked.p.shape[:-1], generator=generator, dtype=torch.float64))
    # Last layer: its output gradient is that of the logits, so G is the mean of F_m exactly.
    f = torch.diag_embed(at.p) - at.p.unsqueeze(-1) * at.p.unsqueeze(-2)
    g = torch.block_diag(*f.mean(0))
    h = torch.cat([at.entering[-1], torch.ones(len(at.entering[-1]), 1, dtype=torch.float64)], 1)
    a = h.T @ h / len(h)
    a_basis, g_basis, spectrum = kfac.blocks[-1]
    approximate = torch.kron(g_basis, a_basis) * spectrum.flatten() @ torch.kron(g_basis, a_basis).T
    exact = torch.kron(g, a) + 0.01 * torch.eye(len(approximate), dtype=torch.float64)
    assert float((approximate - exact).norm() / exact.norm()) < 0.03
    v = torch.randn_like(at.theta)
    (weight, bias) = at.policy.network.layers(v)[-1]
    expected = torch.linalg.solve(approximate, torch.cat([weight, bias.unsqueeze(-1)], 1).flatten())
    (weight, bias) = at.policy.network.layers(kfac(v))[-1]
    torch.testing.assert_close(torch.cat([weight, bias.unsqueeze(-1)], 1).flatten(), expected)


def test_stacked_systems_are_solved_as_if_alone(make_case):
    case = make_case(lead=(2,), samples=60)
    b = torch.randn_like(case.theta)
    together = solve(case.at, b, iterations=8)
    for q in range(2):
        alone = type(case.at)(case.policy, case.theta[q], case.observations[q], case.actions[q], None, 0.01)
        torch.testing.assert_close(together.u[q], solve(alone, b[q], iterations=8).u, rtol=1e-8, atol=1e-8)
