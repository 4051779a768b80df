"""Settings so large or small that arithmetic ends: updates end, with finite numbers or one clear line."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from partly_acting import ALL, SPACES, TRUST_REGIONS, learner, made_up, parameters, update

from policies.algorithms.adoption import HALVINGS
from policies.algorithms.fdmarl import FdmarlSettings
from policies.algorithms.itrpo import ItrpoSettings
from policies.algorithms.learner import check_finite
from policies.algorithms.mappo import MappoSettings

LEAST, MOST = 1e-30, 1e30
SINGLE = {"precision": "float32"}
OF_TRUST_REGIONS = [
    {"delta_per_agent": LEAST},
    {"delta_per_agent": MOST},
    {"delta_per_agent": MOST, "kl_safeguard": False},
    {"solver": {"damping": LEAST}},
    {"solver": {"damping": MOST}},
    {"solver": {"damping": MOST, "preconditioner": "none"}},
    {"solver": {"tolerance": 0.0}},
    {"values": {"learning_rate": LEAST}},
    {"values": {"learning_rate": MOST}},
]
OF_MAPPO = [
    {name: size}
    for name in ("clip", "learning_rate", "value_learning_rate", "entropy_coefficient", "max_gradient_norm")
    for size in (LEAST, MOST)
] + [{"adam_epsilon": LEAST}, {"adam_epsilon": MOST}, {"huber_delta": LEAST}, {"huber_delta": MOST}]
OF_FDMARL = [
    {"optimiser": optimiser, name: size}
    for optimiser in ("adam", "sgd")
    for name in ("critic_rate", "actor_rate")
    for size in (LEAST, MOST)
]
CASES = [
    *((kind, options) for kind in TRUST_REGIONS for options in OF_TRUST_REGIONS),
    *((MappoSettings, options) for options in OF_MAPPO),
    *((FdmarlSettings, options) for options in OF_FDMARL),
]


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_an_update_ends_with_finite_numbers_or_says_whose_are_not(kind, options):
    one, said = learner(kind, **SINGLE, **options), None
    try:
        for _ in range(2):
            _, row = update(one, made_up(dead=0.0))
            check_finite(one.state_dict(), row, SPACES.agents)
    except FloatingPointError as error:
        said = str(error)
    if said is None:
        assert bool(torch.isfinite(parameters(one)).all())
    else:
        assert str(MOST) in str(options) or "damping" in str(options)
        assert re.match(r"(agent \d: |the common |value_|policy_|surrogate_).*$", said)


@pytest.mark.parametrize("kind", TRUST_REGIONS)
def test_a_radius_below_rounding_errors_means_no_step_and_is_counted(kind):
    total = 0
    for delta in (LEAST, 1e-10):
        one = learner(kind, **SINGLE, delta_per_agent=delta)
        before = one.theta.clone()
        theta, row = update(one, made_up())
        refused = int(row["steps_refused"])
        stayed = [torch.equal(*pair) for pair in zip(before, theta, strict=True)]
        assert refused <= sum(stayed)
        assert row["kl_halvings"] >= refused * HALVINGS
        assert row["kl_max"] <= 1.5 * one.delta
        total += refused
    # What else is so short here that theta does not change moves by no more than rounding errors.
    assert total > 0 or kind is not ItrpoSettings


def test_steps_are_not_refused_where_a_few_halvings_do():
    one = learner(ItrpoSettings, solver={"damping": 1e-6, "iterations": 80}, delta_per_agent=1.0)
    theta, row = update(one, made_up())
    assert row["kl_halvings"] > 0
    assert row["steps_refused"] == 0
    assert 0 < row["kl_max"] <= 1.5
    assert (theta != learner(ItrpoSettings).theta).any(-1).all()


@pytest.mark.parametrize("kind", ALL)
def test_what_is_not_finite_is_named_by_agent_and_part(kind):
    one = learner(kind)
    _, row = update(one, made_up())
    sound = one.state_dict()
    check_finite(sound, row, SPACES.agents)
    with torch.no_grad():
        parameters(one)[-1, 3] = math.nan
    whose = "the common policy" if len(parameters(one)) == 1 else "agent 2: its policy"
    with pytest.raises(FloatingPointError, match=rf"^{whose} has numbers that are not finite$"):
        check_finite(one.state_dict(), row, SPACES.agents)
    with pytest.raises(FloatingPointError, match=r"probabilities are not numbers$"):
        one.act(made_up(dead=0.0).observations[0], None, np.random.default_rng(0))
    with pytest.raises(FloatingPointError, match=r"^value_loss became inf$"):
        check_finite(sound, row | {"value_loss": math.inf}, SPACES.agents)
    with pytest.raises(FloatingPointError, match=r"^kl_played became nan$"):
        check_finite(sound, row | {"kl_played": math.nan}, SPACES.agents)


@pytest.mark.parametrize("kind", ALL)
def test_critics_are_measured_by_those_whose_returns_can_differ(kind):
    batch = made_up()
    paid = replace(batch, rewards=batch.rewards * [1, 0, 0])
    _, row = update(learner(kind), paid)
    assert np.isfinite(row["value_loss"])
    if kind in (ItrpoSettings, *TRUST_REGIONS[:1]):
        one = learner(kind)
        quality = one.estimate_advantages(paid)[2]
        assert row["explained_variance"] == quality
        only = replace(batch, rewards=batch.rewards * [0, 1, 0])
        assert quality != one.estimate_advantages(only)[2]
        # As if the agent paid were the only one that is measured at all.
        rewards = np.stack([paid.rewards[..., 0]] * 3, axis=-1)
        alike = learner(kind)
        alike.critics.theta.data[1:] = alike.critics.theta.data[0]
        for q in (1, 2):
            paid.observations[:, :, q] = paid.observations[:, :, 0]
            paid.next_observations[:, :, q] = paid.next_observations[:, :, 0]
        same = replace(paid, rewards=rewards, active=np.repeat(paid.active[..., :1], 3, axis=-1))
        lonely = replace(same, rewards=rewards * [1, 0, 0])
        assert alike.estimate_advantages(same)[2] == pytest.approx(alike.estimate_advantages(lonely)[2])
    _, row = update(learner(kind), replace(batch, rewards=np.zeros_like(batch.rewards)))
    if kind is not FdmarlSettings:
        assert math.isnan(row["explained_variance"])
    if kind in TRUST_REGIONS:
        assert math.isnan(row["value_loss"])
        assert row["kl"] >= 0
