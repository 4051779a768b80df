"""J x, J^T w, H x and the preconditioner for heads of several numbers, against torch.func in float64."""

import pytest
import torch
from torch.func import grad, jacrev, vjp

from policies.acting import mean_over_acting, root_weights
from policies.natural_gradient.conjugate_gradients import ConjugateGradients
from policies.natural_gradient.kfac import Kfac
from policies.natural_gradient.linearisation import Linearisation
from policies.nn.categorical import CategoricalHead
from policies.nn.gaussian import GaussianHead
from policies.nn.multi_categorical import MultiCategoricalHead

TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}
HEADS = [GaussianHead(3, -0.3), MultiCategoricalHead((2, 3))]
KINDS = [head.space for head in HEADS]


def rows(case, theta):
    return case.policy.distribution(theta, case.observations, case.masks)


def log_probs(case, theta):
    return case.policy.head.log_prob(rows(case, theta), case.actions)


def dense(matrix, at):
    """H without damping, column by column."""
    eye = torch.eye(at.theta.shape[-1], dtype=torch.float64)
    return torch.stack([matrix(each) for each in eye], dim=-1) - at.damping * eye


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("head", HEADS, ids=KINDS)
class TestAgainstTorchFunc:
    def test_products_with_j(self, make_case, head, masked):
        case = make_case(head=head, masked=masked)
        x, w = torch.randn_like(case.theta), torch.randn(40, 2, dtype=torch.float64)
        jacobian = jacrev(lambda t: log_probs(case, t))(case.theta)
        torch.testing.assert_close(case.at.jvp(x), jacobian @ x, **TOLERANCE)
        _, pullback = vjp(lambda t: log_probs(case, t), case.theta)
        torch.testing.assert_close(case.at.vjp(w), pullback(w)[0], **TOLERANCE)

    def test_fisher_is_the_hessian_of_the_kl(self, make_case, head, masked):
        """Also averaged over each head's own samples."""
        case = make_case(head=head, masked=masked)
        generator = torch.Generator().manual_seed(6)
        for acting in (None, torch.rand(40, 2, generator=generator) < 0.7):
            at = Linearisation(
                *(case.policy, case.theta, case.observations, case.actions, case.masks, 0.01), acting=acting
            )
            old = rows(case, case.theta).detach()

            def divergence(theta, old=old, acting=acting):
                by_head = case.policy.head.kl(old, rows(case, theta))
                return mean_over_acting(by_head, acting, dim=-2).sum()

            x = torch.randn_like(case.theta)
            hessian = jacrev(grad(divergence))(case.theta)
            product, ratio = at.fisher(x)
            torch.testing.assert_close(product, hessian @ x + 0.01 * x, **TOLERANCE)
            torch.testing.assert_close(ratio, at.jvp(x), **TOLERANCE)

    def test_the_empirical_matrix_is_the_mean_outer_product_of_scores(self, make_case, head, masked):
        case = make_case(head=head, masked=masked)
        acting = torch.rand(40, 2, generator=torch.Generator().manual_seed(6)) < 0.7
        at = Linearisation(
            *(case.policy, case.theta, case.observations, case.actions, case.masks, 0.01),
            acting=acting,
            fisher="empirical",
        )
        scores = jacrev(lambda t: log_probs(case, t))(case.theta)
        scores = scores * root_weights(acting, torch.float64).unsqueeze(-1)
        x = torch.randn_like(case.theta)
        wanted = torch.einsum("mnd,mne,e->d", scores, scores, x) / 40
        torch.testing.assert_close(at.fisher(x)[0], wanted + 0.01 * x, **TOLERANCE)

    def test_an_agent_s_part_and_some_samples_are_as_if_alone(self, make_case, head, masked):
        case = make_case(head=head, masked=masked, lead=(2,))
        some = torch.tensor([1, 5, 6, 30])
        x, w = torch.randn_like(case.theta), torch.randn(2, 4, 2, dtype=torch.float64)
        thinned = case.at.thinned(some)
        draws = torch.rand(2, 4, case.policy.draws, dtype=torch.float64)
        factors = Kfac(thinned, draws)
        for q in range(2):
            masks = None if case.masks is None else case.masks[q, some]
            alone = Linearisation(
                *(case.policy, case.theta[q], case.observations[q, some], case.actions[q, some], masks, 0.01)
            )
            part = thinned.agent(q)
            assert torch.equal(part.actions, alone.actions)
            for found in (thinned.fisher(x)[0][q], part.fisher(x[q])[0]):
                torch.testing.assert_close(found, alone.fisher(x[q])[0], **TOLERANCE)
            for found in (thinned.vjp(w)[q], part.vjp(w[q])):
                torch.testing.assert_close(found, alone.vjp(w[q]), **TOLERANCE)
            torch.testing.assert_close(part.jvp(x[q]), alone.jvp(x[q]), **TOLERANCE)
            own = Kfac(alone, draws[q])
            torch.testing.assert_close(factors.agent(q)(x[q]), own(x[q]), **TOLERANCE)

    @pytest.mark.parametrize("fisher", ["expected", "empirical"])
    def test_the_preconditioned_solver_solves_the_dense_system(self, make_case, head, masked, fisher):
        case = make_case(head=head, masked=masked, hidden=(4,))
        at = Linearisation(
            *(case.policy, case.theta, case.observations, case.actions, case.masks, 0.05), fisher=fisher
        )
        matrix = dense(lambda x: at.fisher(x)[0], at)
        b = torch.randn_like(case.theta)
        kfac = Kfac(at, torch.rand(40, case.policy.draws, dtype=torch.float64))
        solver = ConjugateGradients(at, precondition=kfac, iterations=200, tolerance=1e-13, recycle=200)
        wanted = torch.linalg.solve(matrix + 0.05 * torch.eye(len(b), dtype=torch.float64), b)
        torch.testing.assert_close(solver.solve(b).u, wanted, **TOLERANCE)


def test_the_fisher_matrix_of_a_gaussian_is_its_closed_form(make_case):
    """1 / std^2 for each mean and 2 for each log standard deviation, through the Jacobian of the means."""
    case = make_case(head=HEADS[0], hidden=(4,))
    network, constants = case.policy.split(case.theta)
    means = jacrev(lambda t: case.policy.network(t, case.observations))(network)  # [M, N K, D']
    of_means = torch.einsum("mkd,k,mke->de", means, torch.exp(-2 * constants.flatten()), means) / 40
    wanted = torch.block_diag(of_means, 2 * torch.eye(constants.numel(), dtype=torch.float64))
    found = dense(lambda x: case.at.fisher(x)[0], case.at)
    torch.testing.assert_close(found, wanted, **TOLERANCE)


@pytest.mark.parametrize("fisher", ["expected", "empirical"])
def test_the_block_of_log_standard_deviations_is_inverted_by_its_diagonal(make_case, fisher):
    case = make_case(head=HEADS[0])
    acting = torch.rand(40, 2, generator=torch.Generator().manual_seed(2)) < 0.6
    at = Linearisation(
        *(case.policy, case.theta, case.observations, case.actions, None, 0.05), acting=acting, fisher=fisher
    )
    own = case.policy.head.constants * 2
    diagonal = torch.stack(
        [at.fisher(each)[0][-own:] for each in torch.eye(len(case.theta), dtype=torch.float64)[-own:]]
    ).diagonal()
    v = torch.randn_like(case.theta)
    kfac = Kfac(at, torch.rand(40, case.policy.draws, dtype=torch.float64))
    torch.testing.assert_close(kfac(v)[-own:], v[-own:] / diagonal, **TOLERANCE)


def test_drawn_gradients_of_a_gaussian_have_the_moments_of_its_fisher_matrix(make_case):
    case = make_case(head=HEADS[0], samples=200)
    level = torch.rand(100, 200, case.policy.draws, dtype=torch.float64)
    level = level.reshape(-1, 200, 2, 3).permute(0, 2, 3, 1)
    drawn = torch.stack([case.at.scores.drawn(each[None])[0] for each in level])  # [100, N, K, M]
    moments = torch.einsum("snkm,sojm->nkoj", drawn, drawn) / (100 * 200)
    inverse = torch.exp(-case.policy.split(case.theta)[1])
    assert float((moments.reshape(6, 6) - torch.diag(inverse.flatten() ** 2)).abs().max()) < 0.06


def test_one_component_has_the_products_of_a_discrete_head(make_case):
    one, several = make_case(), make_case(head=MultiCategoricalHead((3,)))
    assert isinstance(one.policy.head, CategoricalHead)
    at = Linearisation(several.policy, one.theta, one.observations, one.actions.unsqueeze(-1), None, 0.01)
    x, w = torch.randn_like(one.theta), torch.randn(40, 2, dtype=torch.float64)
    assert torch.equal(at.vjp(w), one.at.vjp(w))
    assert torch.equal(at.fisher(x)[0], one.at.fisher(x)[0])
    assert torch.equal(at.jvp(x), one.at.jvp(x))
    draws = torch.rand(40, 2, dtype=torch.float64)
    assert torch.equal(Kfac(at, draws)(x), Kfac(one.at, draws)(x))
