"""A small joint policy and a batch for it, in float64."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from policies.natural_gradient.linearisation import JointPolicy, Linearisation
from policies.nn.categorical import CategoricalHead


@dataclass
class Case:
    """A policy, a point, and samples: observations [M, d], actions [M, N], masks [M, N, A] or None."""

    policy: JointPolicy
    theta: Tensor
    observations: Tensor
    actions: Tensor
    masks: Tensor | None
    at: Linearisation


def some_actions(head, shape, generator, masked):
    """Actions [..., M, N, k] for a head of several numbers, and masks of what is available."""
    masks = torch.from_numpy(generator.random((*shape, head.width)) < 0.6) if masked else None
    if head.space == "Box":
        return torch.from_numpy(generator.standard_normal((*shape, head.width)).astype(np.float32)), masks
    drawn = [torch.from_numpy(generator.integers(0, n, shape)) for n in head.categories]
    if masks is not None:
        for block, each in zip(head.blocks, drawn, strict=True):
            masks[..., block].scatter_(-1, each.unsqueeze(-1), True)
    return torch.stack(drawn, dim=-1), masks


@pytest.fixture
def make_case():
    """Builds cases; ``masked`` forbids some entries, ``lead`` stacks networks, ``head`` is of 3 actions."""

    def make(
        *,
        head=None,
        activation="selu",
        masked=False,
        lead=(),
        samples=40,
        hidden=(7, 6),
        damping=0.01,
        output_gain=1.0,
    ) -> Case:
        generator = np.random.default_rng(5)
        policy = JointPolicy.build(
            4, hidden, agents=2, head=head or CategoricalHead(3), activation=activation
        )
        count = int(np.prod(lead))
        theta = torch.from_numpy(policy.initial(count, generator, output_gain)).reshape(*lead, -1)
        if policy.head.constants:
            theta = theta + 0.1 * torch.from_numpy(generator.standard_normal(theta.shape))
        observations = torch.from_numpy(generator.standard_normal((*lead, samples, 4)))
        actions = torch.from_numpy(generator.integers(0, 2, (*lead, samples, 2)))
        masks = None
        if head is not None:
            actions, masks = some_actions(policy.head, (*lead, samples, 2), generator, masked)
        elif masked:
            masks = torch.from_numpy(generator.random((*lead, samples, 2, 3)) < 0.6)
            masks.scatter_(-1, actions.unsqueeze(-1), True)
        at = Linearisation(policy, theta, observations, actions, masks, damping)
        return Case(policy, theta, observations, actions, masks, at)

    return make
