"""Gaussian heads against torch.distributions and closed forms."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from policies.nn.gaussian import GaussianHead
from policies.nn.heads import HEADS

WIDTH = 3


@pytest.fixture
def rows():
    """Two distributions [50, 2, 2 WIDTH] with actions [50, 2, WIDTH] in float32."""
    generator = torch.Generator().manual_seed(0)
    outputs, log_std = torch.randn(2, 50, 2, WIDTH, generator=generator, dtype=torch.float64), []
    for scale in (0.5, 1.5):
        log_std.append(scale * torch.randn(2, WIDTH, generator=generator, dtype=torch.float64))
    head = GaussianHead(WIDTH)
    old, new = (head.distribution(mean, each, None) for mean, each in zip(outputs, log_std, strict=True))
    return head, old, new, 3 * torch.randn(50, 2, WIDTH, generator=generator)


def theirs(each):
    mean, log_std = each.chunk(2, dim=-1)
    return Independent(Normal(mean, log_std.exp()), 1)


def test_log_density_entropy_and_kl_are_those_of_torch(rows):
    head, old, new, actions = rows
    torch.testing.assert_close(head.log_prob(old, actions), theirs(old).log_prob(actions.double()))
    torch.testing.assert_close(head.entropy(old), theirs(old).entropy())
    torch.testing.assert_close(head.kl(old, new), kl_divergence(theirs(old), theirs(new)))


def test_closed_forms_of_one_standard_normal_and_its_double():
    head = GaussianHead(1)
    narrow, wide = (torch.tensor([0.0, log_std], dtype=torch.float64) for log_std in (0.0, math.log(2)))
    assert float(head.log_prob(narrow, torch.tensor([2.0]))) == pytest.approx(
        -2 - 0.5 * math.log(2 * math.pi)
    )
    assert float(head.entropy(wide)) == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 4))
    assert float(head.kl(narrow, wide)) == pytest.approx(math.log(2) - 0.375)
    assert float(head.kl(wide, narrow)) == pytest.approx(-math.log(2) + 1.5)


def test_a_number_that_an_agent_lacks_adds_nothing_and_is_zero(rows):
    head, old, new, actions = rows
    masks = torch.tensor([[True, False, True], [True, True, True]])
    part = GaussianHead(2)
    mean, log_std = old.chunk(2, dim=-1)
    new_mean, new_log_std = new.chunk(2, dim=-1)
    masked, other = (head.distribution(m, s[0], masks) for m, s in ((mean, log_std), (new_mean, new_log_std)))
    keep = [0, 2]
    left, right = (
        part.distribution(m[..., keep], s[0][..., keep], None)
        for m, s in ((mean, log_std), (new_mean, new_log_std))
    )
    found = head.log_prob(masked, actions), head.entropy(masked), head.kl(masked, other)
    wanted = part.log_prob(left, actions[..., keep]), part.entropy(left), part.kl(left, right)
    for ours, alone, whole in zip(
        found, wanted, (head.log_prob(old, actions), head.entropy(old), head.kl(old, new)), strict=True
    ):
        torch.testing.assert_close(ours[:, 0], alone[:, 0])
        torch.testing.assert_close(ours[:, 1], whole[:, 1])
    chosen = head.choose(masked.transpose(0, 1), np.random.default_rng(0))
    assert not chosen[:, 0, 1].any()
    assert chosen[:, 1].all()


def test_gradients_are_finite_where_an_agent_lacks_a_number():
    head = GaussianHead(2)
    mean = torch.randn(4, 1, 2, dtype=torch.float64, requires_grad=True)
    log_std = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    row = head.distribution(mean, log_std, torch.tensor([[True, False]]))
    (
        head.log_prob(row, torch.randn(4, 1, 2)).sum()
        + head.entropy(row).sum()
        + head.kl(row.detach(), row).sum()
    ).backward()
    for leaf in (mean, log_std):
        assert bool(torch.isfinite(leaf.grad).all())
        assert not leaf.grad[..., 1].any()
        assert leaf.grad[..., 0].any()


def test_kl_of_a_tiny_step_keeps_its_digits_in_float32():
    """KL of a change d of the log std is d^2 to leading order, which naive float32 loses."""
    head = GaussianHead(1)
    old = torch.tensor([0.3, 0.0])
    for d in (1e-2, 1e-3):
        assert float(head.kl(old, torch.tensor([0.3, d]))) == pytest.approx(d * d, rel=0.05)


def test_actions_are_the_mean_or_drawn_with_the_policy_s_deviation():
    head, count = GaussianHead(2, -1.0), 40_000
    mean = torch.tensor([0.5, -2.0]).expand(count, 1, 2)
    rows = head.distribution(mean, torch.from_numpy(head.initial()).float()[None], None).transpose(0, 1)
    assert np.array_equal(head.choose(rows, None)[0, 0], np.float32([0.5, -2.0]))
    drawn = head.choose(rows, np.random.default_rng(3))
    assert (drawn.shape, drawn.dtype) == ((count, 1, 2), np.float32)
    std = math.exp(-1)
    assert np.abs(drawn.mean(0)[0] - [0.5, -2.0]).max() < 4 * std / math.sqrt(count)
    assert np.abs(drawn.std(0) / std - 1).max() < 4 / math.sqrt(2 * count)
    again = head.choose(rows, np.random.default_rng(3))
    assert drawn.tobytes() == again.tobytes()


@pytest.mark.parametrize(("number", "message"), [(torch.nan, "are not numbers"), (1e39, "is not finite")])
def test_an_action_that_is_no_number_names_the_agent(number, message):
    rows = torch.zeros(2, 5, 4, dtype=torch.float64)
    rows[1, 3, 0] = number
    with pytest.raises(FloatingPointError, match=f"agent 1: .*{message}"):
        GaussianHead(2).choose(rows, None)


def test_every_kind_of_head_is_found_by_its_space():
    assert {name: head.of((3,), 0.5).width for name, head in HEADS.items()} == dict.fromkeys(HEADS, 3)
    assert list(HEADS) == ["Discrete", "MultiDiscrete", "Box"]
    assert HEADS["Box"].of((3,), 0.5).initial().tolist() == [0.5] * 3
