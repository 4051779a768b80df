"""Heads of several categorical components against torch.distributions and the head of one."""

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from policies.nn.categorical import CategoricalHead
from policies.nn.multi_categorical import MultiCategoricalHead

NONE = torch.empty(2, 0)


@pytest.fixture
def head():
    return MultiCategoricalHead((2, 4, 3))


def rows_of(head, seed, masks=None):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(60, 2, head.width, generator=generator, dtype=torch.float64)
    return head.distribution(logits, NONE, masks)


def test_probability_entropy_and_kl_are_the_sums_over_components(head):
    old, new = rows_of(head, 0), rows_of(head, 1)
    actions = torch.stack([torch.randint(n, (60, 2)) for n in head.categories], dim=-1)
    parts = [[Categorical(logits=each[..., block]) for block in head.blocks] for each in (old, new)]
    log_prob = sum(part.log_prob(actions[..., c]) for c, part in enumerate(parts[0]))
    torch.testing.assert_close(head.log_prob(old, actions), log_prob)
    torch.testing.assert_close(head.entropy(old), sum(part.entropy() for part in parts[0]))
    torch.testing.assert_close(head.kl(old, new), sum(map(kl_divergence, *parts)))


def test_actions_are_drawn_as_often_as_they_should_and_never_if_unavailable(head):
    masks = torch.ones(2, head.width, dtype=torch.bool)
    masks[1, 3] = False
    row = rows_of(head, 2, masks)[:1]
    many = row.transpose(0, 1).expand(2, 50_000, head.width)
    drawn = head.choose(many, np.random.default_rng(0))
    assert drawn.shape == (50_000, 2, 3)
    for agent in range(2):
        for c, block in enumerate(head.blocks):
            p = row[0, agent, block].exp().numpy()
            shares = np.bincount(drawn[:, agent, c], minlength=len(p)) / 50_000
            assert (np.abs(shares - p) <= 4 * np.sqrt(p * (1 - p) / 50_000)).all()
    likeliest = head.choose(many[:, :1], None)[0]
    assert likeliest[1].tolist() == [int(row[0, 1, block].argmax()) for block in head.blocks]


def test_one_component_is_the_head_of_a_discrete_space():
    several, one = MultiCategoricalHead((5,)), CategoricalHead(5)
    old, new = rows_of(several, 0), rows_of(several, 1)
    torch.testing.assert_close(old, rows_of(one, 0), rtol=0, atol=0)
    actions = torch.randint(5, (60, 2))
    assert torch.equal(several.log_prob(old, actions[..., None]), one.log_prob(old, actions))
    assert torch.equal(several.kl(old, new), one.kl(old, new))
    drawn = [head.choose(old.transpose(0, 1), np.random.default_rng(4)) for head in (several, one)]
    assert np.array_equal(drawn[0][..., 0], drawn[1])
