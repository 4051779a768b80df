"""Masked categorical heads against torch.distributions."""

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from policies.nn import categorical


@pytest.fixture
def heads():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(50, 2, 4, generator=generator, dtype=torch.float64)
    masks = torch.rand(50, 2, 4, generator=generator) < 0.5
    masks[..., 1] = True
    return logits, masks


def test_log_probabilities_entropy_and_kl_agree_with_torch(heads):
    logits, masks = heads
    other = logits.flip(0)
    for mask in (None, masks):
        old, new = (categorical.log_probabilities(x, mask) for x in (logits, other))
        # torch knows no minus infinity: a very low logit stands in for it.
        low = [x if mask is None else x.masked_fill(~mask, -700.0) for x in (logits, other)]
        theirs, others = (Categorical(logits=x) for x in low)
        actions = old.argmax(-1)
        torch.testing.assert_close(categorical.chosen(old, actions), theirs.log_prob(actions))
        torch.testing.assert_close(categorical.entropy(old), theirs.entropy())
        torch.testing.assert_close(categorical.kl(old, new), kl_divergence(theirs, others))


def test_unavailable_actions_are_never_drawn_and_the_others_as_often_as_they_should(heads):
    logits, masks = heads
    log_p = categorical.log_probabilities(logits[0], masks[0])
    uniforms = torch.rand(200_000, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn = categorical.sample(log_p.expand(200_000, 2, 4), uniforms)
    for head in range(2):
        shares = torch.bincount(drawn[:, head], minlength=4) / 200_000
        p = log_p[head].exp()
        assert bool((shares[p == 0] == 0).all())
        assert bool(((shares - p).abs() <= 4 * (p * (1 - p) / 200_000).sqrt()).all())


def test_the_largest_uniform_still_draws_an_available_action():
    log_p = categorical.log_probabilities(torch.zeros(3), torch.tensor([True, True, False]))
    below_one = torch.tensor(1 - 2**-53, dtype=torch.float64)
    assert int(categorical.sample(log_p.double(), below_one)) == 1
