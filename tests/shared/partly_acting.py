"""Agents that cannot act at some samples, and learners of every kind for them."""

import numpy as np
import torch
from no_network import Nobody

from policies.algorithms.ctrpo import CtrpoSettings
from policies.algorithms.fdmarl import FdmarlSettings
from policies.algorithms.itrpo import ItrpoSettings
from policies.algorithms.learner import Spaces
from policies.algorithms.mappo import MappoSettings
from policies.algorithms.matrpo import MatrpoSettings
from policies.batch import Batch

STEPS, EPISODES, AGENTS, ACTIONS, WIDTH = 9, 4, 3, 3, 3
SPACES = Spaces(AGENTS, WIDTH, ACTIONS)
SOLVER = {"tolerance": 1e-10, "iterations": 80, "recycle": 80}
TRUST_REGIONS = (MatrpoSettings, ItrpoSettings, CtrpoSettings)
ALL = (*TRUST_REGIONS, MappoSettings, FdmarlSettings)


def made_up(seed=0, *, dead=0.5, masked=False):
    """The dead see zeros and go on being paid; with masks, the living have two actions or more."""
    generator = np.random.default_rng(seed)
    shape = (STEPS, EPISODES, AGENTS)
    active = generator.random(shape) >= dead
    observations = generator.standard_normal((*shape, WIDTH)).astype(np.float32) * active[..., None]
    masks = generator.random((*shape, ACTIONS)) < 0.5
    masks[..., 1:] = True
    if not masked:
        masks[:] = True
    actions = (generator.random((*shape, ACTIONS)) * masks).argmax(-1)
    over = np.zeros(shape, dtype=bool)
    over[-1] = True
    return Batch(
        observations,
        np.roll(observations, -1, axis=0),
        actions,
        generator.standard_normal(shape) + observations[..., 0] * (actions == 1),
        np.zeros(shape, dtype=bool),
        over,
        masks if masked else None,
        active,
    )


def learner(kind, **options):
    options = {"hidden": (4,), "precision": "float64", **options}
    if kind in TRUST_REGIONS:
        options = {"solver": SOLVER, **options}
    one = kind(**options).make(SPACES, np.random.default_rng(1))
    if kind in TRUST_REGIONS:  # else their output layer, and so most of the Fisher matrix, is next to nothing
        noise = torch.randn(one.theta.shape, generator=torch.Generator().manual_seed(0))
        one.theta = one.theta + 0.3 * noise.to(one.theta)
    return one


def parameters(one):
    return one.policies.theta.detach() if hasattr(one, "policies") else one.theta.detach()


def update(one, batch):
    row = one.learn(batch, Nobody(), np.random.default_rng(2))
    return parameters(one).clone(), row
