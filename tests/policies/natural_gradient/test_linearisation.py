"""J x, J^T w and H x against torch.func in float64."""

import numpy as np
import pytest
import torch
from torch.func import grad, jacrev, vjp

from policies.natural_gradient.linearisation import JointPolicy, Linearisation
from policies.nn.categorical import CategoricalHead, chosen, kl

TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


def ratios(case, theta):
    log_p = case.policy.distribution(theta, case.observations, case.masks)
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
        old = case.at.distribution

        def divergence(theta):
            new = case.policy.distribution(theta, case.observations, case.masks)
            return kl(old, new).sum(-1).mean()

        x = torch.randn_like(case.theta)
        hessian = jacrev(grad(divergence))(case.theta)
        product, ratio = case.at.fisher(x)
        torch.testing.assert_close(product, hessian @ x + 0.01 * x, **TOLERANCE)
        torch.testing.assert_close(ratio, case.at.jvp(x), **TOLERANCE)


def test_stacked_networks_give_the_same_products_as_each_alone(make_case):
    case = make_case(lead=(3,), masked=True)
    x = torch.randn_like(case.theta)
    product, _ = case.at.fisher(x)
    s, back = case.at.jvp(x), case.at.vjp(torch.ones(3, 40, 2, dtype=torch.float64))
    for q in range(3):
        alone = Linearisation(
            case.policy, case.theta[q], case.observations[q], case.actions[q], case.masks[q], 0.01
        )
        part = case.at.agent(q)
        torch.testing.assert_close(part.jvp(x[q]), alone.jvp(x[q]), **TOLERANCE)
        torch.testing.assert_close(part.fisher(x[q])[0], alone.fisher(x[q])[0], **TOLERANCE)
        assert torch.equal(part.actions, alone.actions)
        torch.testing.assert_close(product[q], alone.fisher(x[q])[0], **TOLERANCE)
        torch.testing.assert_close(s[q], alone.jvp(x[q]), **TOLERANCE)
        torch.testing.assert_close(back[q], alone.vjp(torch.ones(40, 2, dtype=torch.float64)), **TOLERANCE)


def test_fisher_is_the_expected_outer_product_of_scores(make_case):
    """A second definition: the mean over samples and actions of p grad log pi grad log pi^T."""
    case = make_case(samples=6)

    def all_log_p(theta):
        return case.policy.distribution(theta, case.observations)

    scores = jacrev(all_log_p)(case.theta)  # [M, N, A, D]
    dense = torch.einsum("mna,mnad,mnae->de", case.at.distribution.exp(), scores, scores) / 6
    x = torch.randn_like(case.theta)
    torch.testing.assert_close(case.at.fisher(x)[0], dense @ x + 0.01 * x, **TOLERANCE)


@pytest.mark.parametrize("masked", [False, True])
def test_the_empirical_fisher_matrix_is_the_mean_outer_product_of_the_scores_of_the_actions_taken(
    make_case, masked
):
    case = make_case(masked=masked)
    acting = torch.rand(40, 2, generator=torch.Generator().manual_seed(6)) < 0.8
    for who in (None, acting):
        at = Linearisation(
            *(case.policy, case.theta, case.observations, case.actions, case.masks, 0.01),
            acting=who,
            fisher="empirical",
        )
        jacobian = jacrev(lambda t: ratios(case, t))(case.theta)
        if who is not None:
            jacobian = jacobian * (who / who.double().mean(0).sqrt()).unsqueeze(-1)
        dense = torch.einsum("mnd,mne->de", jacobian, jacobian) / 40
        x = torch.randn_like(case.theta)
        product, ratio = at.fisher(x)
        torch.testing.assert_close(product, dense @ x + 0.01 * x, **TOLERANCE)
        torch.testing.assert_close(ratio, jacobian @ x, **TOLERANCE)


def test_results_are_not_overwritten_by_the_next_product(make_case):
    case = make_case()
    x, w = torch.randn_like(case.theta), torch.randn(40, 2, dtype=torch.float64)
    first = (*case.at.fisher(x), case.at.jvp(x), case.at.vjp(w))
    kept = [each.clone() for each in first]
    case.at.fisher(-x), case.at.jvp(-x), case.at.vjp(-w)
    assert all(torch.equal(one, other) for one, other in zip(first, kept, strict=True))


def test_padding_of_observations_and_actions_changes_nothing(make_case):
    """Agents that see less and can do less: zeros behind what they see, masks on what they cannot do."""
    wide = make_case()
    seen, able = 3, 2  # of 4 numbers and 3 actions
    observations = wide.observations.clone()
    observations[:, seen:] = 0
    masks = torch.ones(2, 3, dtype=torch.bool)
    masks[:, able:] = False
    padded = Linearisation(wide.policy, wide.theta, observations, wide.actions, masks, 0.01)

    narrow_policy = JointPolicy.build(seen, (7, 6), agents=2, head=CategoricalHead(able))

    def narrowed(vector):
        (w0, b0), (w1, b1), (w2, b2) = wide.policy.network.layers(vector)
        keep = [n * 3 + a for n in range(2) for a in range(able)]
        parts = (w0[:, :seen], b0, w1, b1, w2[keep], b2[keep])
        return torch.cat([part.flatten() for part in parts])

    narrow = Linearisation(
        narrow_policy, narrowed(wide.theta), observations[:, :seen], wide.actions, None, 0.01
    )
    w = torch.from_numpy(np.random.default_rng(3).standard_normal((40, 2)))
    pulled = padded.vjp(w)
    torch.testing.assert_close(narrowed(pulled), narrow.vjp(w), **TOLERANCE)
    # Nothing pulls at what is only padding, so no step will move it.
    assert int((pulled != 0).sum()) == int((narrow.vjp(w) != 0).sum())
    torch.testing.assert_close(padded.jvp(pulled), narrow.jvp(narrowed(pulled)), **TOLERANCE)
    torch.testing.assert_close(
        narrowed(padded.fisher(pulled)[0]), narrow.fisher(narrowed(pulled))[0], **TOLERANCE
    )


def test_products_in_bfloat16_are_right_to_its_precision(make_case):
    case = make_case(samples=500, hidden=(24, 24))
    at = Linearisation(
        case.policy,
        case.theta.float(),
        case.observations.float(),
        case.actions,
        None,
        0.01,
        products=torch.bfloat16,
    )
    x, w = torch.randn_like(case.theta), torch.randn(500, 2, dtype=torch.float64)
    for coarse, fine in (
        (at.jvp(x.float()), case.at.jvp(x)),
        (at.vjp(w.float()), case.at.vjp(w)),
        (at.fisher(x.float())[0], case.at.fisher(x)[0]),
    ):
        assert coarse.dtype == torch.float32
        assert 1e-5 < float((coarse - fine).norm() / fine.norm()) < 0.02
