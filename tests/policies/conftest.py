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


@pytest.fixture
def make_case():
    """Builds cases; ``masked`` forbids some actions, ``lead`` stacks networks."""

    def make(
        *, activation="selu", masked=False, lead=(), samples=40, hidden=(7, 6), damping=0.01, output_gain=1.0
    ) -> Case:
        generator = np.random.default_rng(5)
        policy = JointPolicy.build(4, hidden, agents=2, head=CategoricalHead(3), activation=activation)
        count = int(np.prod(lead))
        vectors = [policy.network.initial(generator, output_gain) for _ in range(count)]
        theta = torch.from_numpy(np.stack(vectors)).reshape(*lead, -1)
        observations = torch.from_numpy(generator.standard_normal((*lead, samples, 4)))
        actions = torch.from_numpy(generator.integers(0, 2, (*lead, samples, 2)))
        masks = None
        if masked:
            masks = torch.from_numpy(generator.random((*lead, samples, 2, 3)) < 0.6)
            masks.scatter_(-1, actions.unsqueeze(-1), True)
        at = Linearisation(policy, theta, observations, actions, masks, damping)
        return Case(policy, theta, observations, actions, masks, at)

    return make
