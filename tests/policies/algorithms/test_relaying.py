"""An agent whose model stands back where it cannot act, against dense matrices."""

import numpy as np
import pytest
import torch
from partly_acting import AGENTS, learner, made_up
from pydantic import ValidationError
from reference_consensus import edge_admm

from policies.acting import root_weights
from policies.algorithms.matrpo import MatrpoSettings

DAMPING = 0.01
EXACT = {"fisher": "empirical", "solver": {"tolerance": 1e-11, "iterations": 80, "damping": DAMPING}}


def posed(batch, where="relayed", **options):
    one = learner(MatrpoSettings, where_inactive=where, **{**EXACT, **options})
    generator = torch.Generator().manual_seed(4)
    advantages = torch.randn(AGENTS, batch.samples, generator=generator, dtype=torch.float64)
    return one, advantages, one.build_subproblems(batch, advantages, np.random.default_rng(2))


def pulls(count, length, seed=5):
    return torch.randn(count, length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense_rows(one, batch, q):
    """J of all samples [M, N, D] by autograd, weighted, without the samples at which agent q cannot act."""
    observations = torch.from_numpy(batch.observations.reshape(-1, AGENTS, 3)[:, q]).double()
    actions = torch.from_numpy(batch.actions.reshape(-1, AGENTS))
    acting = torch.from_numpy(batch.active.reshape(-1, AGENTS))

    def taken(theta):
        log_p = one.policy.distribution(theta, observations)
        return log_p.gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    jacobian = torch.autograd.functional.jacobian(taken, one.theta[q])
    root = root_weights(acting, torch.float64)
    return jacobian * (root * acting[:, q : q + 1]).unsqueeze(-1), root, acting


@pytest.mark.parametrize(("penalty", "binding"), [(0.05, True), (50.0, False)])
def test_a_solve_is_that_of_a_model_where_it_acts_and_of_free_numbers_elsewhere(penalty, binding):
    batch = made_up()
    one, advantages, problems = posed(batch)
    for q, problem in enumerate(problems):
        pull = pulls(1, problem.dimension)[0]
        s = problem.solve(pull, penalty)
        rows, root, acting = dense_rows(one, batch, q)
        samples = batch.samples
        anybody = acting.any(-1).double().mean()
        here = acting & acting[:, q : q + 1]
        linear = torch.where(here, advantages[q].unsqueeze(-1) / root, 0) / anybody
        linear = linear + pull.view(samples, AGENTS)
        j = rows.flatten(0, 1)
        own = int(acting[:, q].sum())
        matrix = j.T @ j / own + DAMPING * torch.eye(j.shape[1], dtype=torch.float64)
        direction = j @ torch.linalg.solve(matrix, j.T @ linear.flatten() / own)
        free = (acting & ~acting[:, q : q + 1]).flatten()
        direction = torch.where(free, linear.flatten(), direction)
        boundary = float((2 * 0.003 / (direction.square().sum() / samples)).sqrt())
        expected = min(boundary, 1 / penalty) * direction
        torch.testing.assert_close(s, expected, rtol=1e-5, atol=1e-7)
        assert problem.binding == binding


def test_where_all_can_act_it_is_the_subproblem_of_always():
    batch = made_up(dead=0.0)
    _, _, relaying = posed(batch)
    _, _, modelling = posed(batch, "modelled")
    for one, other in zip(relaying, modelling, strict=True):
        pull = pulls(1, one.dimension)[0]
        torch.testing.assert_close(one.solve(pull, 1.0), other.solve(pull, 1.0), rtol=1e-7, atol=1e-10)


def test_the_dead_choose_nothing_and_what_they_would_have_chosen_stays_zero():
    batch = made_up()
    _, _, problems = posed(batch)
    acting = torch.from_numpy(batch.active.reshape(-1, AGENTS))
    for problem in problems:
        s = problem.solve(pulls(1, problem.dimension)[0], 1.0).view(-1, AGENTS)
        assert not s[~acting].any()
        assert s[acting].all()


@pytest.mark.parametrize("penalty", [0.01, 1.0, 30.0])
def test_a_solve_is_not_expansive(penalty):
    _, _, problems = posed(made_up())
    some = torch.logspace(-2, 1, 12, dtype=torch.float64).unsqueeze(-1) * pulls(12, problems[0].dimension)
    for problem in problems:
        found = torch.stack([penalty * problem.solve(pull, penalty) for pull in some])
        moved, asked = torch.cdist(found, found), torch.cdist(some, some)
        assert bool((moved <= asked * (1 + 1e-6)).all())


def test_the_living_agree_past_the_dead_who_stand_between_them():
    """On a path whose middle is often dead: a model of zeros keeps them from agreeing, a relay does not."""
    batch = made_up()
    alive = torch.from_numpy(batch.active.reshape(-1, AGENTS))
    between = alive[:, 0] & ~alive[:, 1] & alive[:, 2]
    apart = {}
    for where in ("modelled", "relayed"):
        _, _, problems = posed(batch, where)
        *_, signals = edge_admm(problems, [(0, 1), (1, 2)], [(0, 1), (1, 2)] * 60, 1.0)
        left, middle, right = (s.view(-1, AGENTS)[between] for s in signals)
        apart[where] = [float((end - middle).norm() / end.norm()) for end in (left, right)]
    assert max(apart["relayed"]) < 0.8 * min(apart["modelled"])


def test_who_can_never_act_keeps_its_model():
    batch = made_up()
    batch.active[..., 1] = False
    one, _, problems = posed(batch)
    assert bool(problems[1].own.all())
    assert bool(torch.isfinite(problems[1].solve(pulls(1, problems[1].dimension)[0], 1.0)).all())
    row = one.apply_steps(problems)
    assert np.isfinite(row["kl_played"])


@pytest.mark.parametrize("radius", ["joint", "played"])
@pytest.mark.parametrize("audit", [False, True])
def test_an_update_takes_place_within_the_radius(radius, audit):
    class Ring:
        def agree(self, problems):
            list(edge_admm(problems, [(0, 1), (0, 2), (1, 2)], [(0, 1), (1, 2), (0, 2)] * 4, 1.0))
            return {}

    one = learner(MatrpoSettings, where_inactive="relayed", radius=radius, solver={"audit": audit})
    before = one.theta.clone()
    row = one.learn(made_up(masked=True), Ring(), np.random.default_rng(2))
    assert not torch.equal(one.theta, before)
    if radius == "played":
        assert row["kl_played"] == pytest.approx(3 * 0.003, rel=0.02)
    else:
        assert 0 < row["kl_played"] < 0.03
    assert ("solve_error" in row) == audit


def test_it_needs_to_know_who_acts():
    with pytest.raises(ValidationError, match=r"where_inactive 'relayed' with average_over 'all': must be"):
        MatrpoSettings(where_inactive="relayed", average_over="all")
