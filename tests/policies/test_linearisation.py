"""J x, J^T w and H x against torch.func in float64."""

import pytest
import torch
from torch.func import grad, jacrev, vjp

from policies.distributions import chosen, kl
from policies.linearisation import Linearisation

TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


def ratios(case, theta):
    log_p = case.policy.log_probabilities(theta, case.observations, case.masks)
    return chosen(log_p, case.actions)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("activation", ["selu", "tanh", "relu"])
class TestAgainstTorchFunc:
    def test_jvp(self, make_case, activation, masked):
        case = make_case(activation=activation, masked=masked)
        x = torch.randn_like(case.theta)
        jacobian = jacrev(lambda t: ratios(case, t))(case.theta)
        torch.testing.assert_close(case.at.jvp(x), jacobian @ x, **TOLERANCE)

    def test_vjp(self, make_case, activation, masked):
        case = make_case(activation=activation, masked=masked)
        w = torch.randn(40, 2, dtype=torch.float64)
        _, pullback = vjp(lambda t: ratios(case, t), case.theta)
        torch.testing.assert_close(case.at.vjp(w), pullback(w)[0], **TOLERANCE)

    def test_fisher(self, make_case, activation, masked):
        """H is the Hessian of the sample-average KL at theta_old, plus damping."""
        case = make_case(activation=activation, masked=masked)
        old = case.at.log_p

        def divergence(theta):
            new = case.policy.log_probabilities(theta, case.observations, case.masks)
            return kl(old, new).sum(-1).mean()

        x = torch.randn_like(case.theta)
        hessian = jacrev(grad(divergence))(case.theta)
        product, tangent = case.at.fisher(x)
        torch.testing.assert_close(product, hessian @ x + 0.01 * x, **TOLERANCE)
        torch.testing.assert_close(case.at.ratio(tangent), case.at.jvp(x), **TOLERANCE)


def test_stacked_networks_give_the_same_products_as_each_alone(make_case):
    case = make_case(lead=(3,), masked=True)
    x = torch.randn_like(case.theta)
    product, _ = case.at.fisher(x)
    s, back = case.at.jvp(x), case.at.vjp(torch.ones(3, 40, 2, dtype=torch.float64))
    for q in range(3):
        alone = Linearisation(
            case.policy, case.theta[q], case.observations[q], case.actions[q], case.masks[q], 0.01
        )
        torch.testing.assert_close(product[q], alone.fisher(x[q])[0], **TOLERANCE)
        torch.testing.assert_close(s[q], alone.jvp(x[q]), **TOLERANCE)
        torch.testing.assert_close(back[q], alone.vjp(torch.ones(40, 2, dtype=torch.float64)), **TOLERANCE)


def test_fisher_is_the_expected_outer_product_of_scores(make_case):
    """A second definition: the mean over samples and actions of p grad log pi grad log pi^T."""
    case = make_case(samples=6)

    def all_log_p(theta):
        return case.policy.log_probabilities(theta, case.observations)

    scores = jacrev(all_log_p)(case.theta)  # [M, N, A, D]
    dense = torch.einsum("mna,mnad,mnae->de", case.at.p, scores, scores) / 6
    x = torch.randn_like(case.theta)
    torch.testing.assert_close(case.at.fisher(x)[0], dense @ x + 0.01 * x, **TOLERANCE)
