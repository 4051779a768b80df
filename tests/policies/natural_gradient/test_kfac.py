"""The Kronecker-factored preconditioner against the Kronecker product written out."""

import torch

from policies.natural_gradient.kfac import Kfac
from policies.natural_gradient.linearisation import Linearisation


def test_kfac_inverts_the_damped_kronecker_product(make_case):
    """With the output-gradient moments in expectation."""
    case = make_case(samples=300)
    many = 4000 // 20
    at = Linearisation(
        case.policy,
        case.theta,
        case.observations.repeat(many, 1),
        case.actions.repeat(many, 1),
        None,
        0.01,
    )
    generator = torch.Generator().manual_seed(1)
    kfac = Kfac(at, torch.rand((at.samples, 2), generator=generator, dtype=torch.float64))
    # Last layer: its output gradient is that of the logits, so G is the mean of F_m exactly.
    p = at.distribution.exp()
    f = torch.diag_embed(p) - p.unsqueeze(-1) * p.unsqueeze(-2)
    g = torch.block_diag(*f.mean(0))
    h = torch.cat([at.entering[-1][0].T, torch.ones(at.samples, 1, dtype=torch.float64)], 1)
    a = h.T @ h / len(h)
    a_basis, g_basis, spectrum = (each[0] for each in kfac.blocks[-1])
    basis = torch.kron(g_basis, a_basis)
    approximate = basis * spectrum.flatten() @ basis.T
    exact = torch.kron(g, a) + 0.01 * torch.eye(len(approximate), dtype=torch.float64)
    assert float((approximate - exact).norm() / exact.norm()) < 0.03
    v = torch.randn_like(at.theta)
    (weight, bias) = at.policy.network.layers(v)[-1]
    expected = torch.linalg.solve(approximate, torch.cat([weight, bias.unsqueeze(-1)], 1).flatten())
    (weight, bias) = at.policy.network.layers(kfac(v))[-1]
    torch.testing.assert_close(torch.cat([weight, bias.unsqueeze(-1)], 1).flatten(), expected)


def test_kfac_of_the_empirical_matrix_leaves_out_what_two_heads_have_in_common(make_case):
    """With the moments of the logits' gradients at the actions taken, which are not drawn from the policy."""
    case = make_case(samples=300)
    many = 4000 // 20
    at = Linearisation(
        *(case.policy, case.theta, case.observations.repeat(many, 1), case.actions.repeat(many, 1)),
        damping=0.01,
        fisher="empirical",
    )
    generator = torch.Generator().manual_seed(1)
    kfac = Kfac(at, torch.rand((at.samples, 2), generator=generator, dtype=torch.float64))
    scores = torch.nn.functional.one_hot(at.actions, 3) - at.distribution.exp()
    g = torch.block_diag(*torch.einsum("mna,mnb->nab", scores, scores) / at.samples)
    _, g_basis, spectrum = (each[0] for each in kfac.blocks[-1])
    h = torch.cat([at.entering[-1][0].T, torch.ones(at.samples, 1, dtype=torch.float64)], 1)
    a_values = torch.linalg.eigvalsh(h.T @ h / len(h))
    g_values = (spectrum - 0.01)[:, -1] / a_values[-1]
    found = g_basis * g_values @ g_basis.T
    assert float((found - g).norm() / g.norm()) < 0.03
    together = scores.flatten(1)
    assert float((together.T @ together / len(h) - g).norm() / g.norm()) > 0.1


def test_one_agent_s_part_is_what_it_would_have_factorised_itself(make_case):
    case = make_case(lead=(2,), samples=50, masked=True)
    draws = torch.rand(2, 50, 2, dtype=torch.float64)
    stacked, v = Kfac(case.at, draws), torch.randn_like(case.theta)
    for q in range(2):
        alone = Kfac(case.at.agent(q), draws[q])
        torch.testing.assert_close(stacked.agent(q)(v[q]), alone(v[q]), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(stacked(v)[1], stacked.agent(1)(v[1]), rtol=1e-9, atol=1e-9)
