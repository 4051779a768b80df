"""One policy update against dense matrices and autograd, for each setting that changes it."""

import numpy as np
import pytest
import torch
from dense_update import Choices, DenseAgent, advantages_of, edge_admm, normalised

import topologies
from policies.algorithms.learner import Spaces
from policies.algorithms.matrpo import Matrpo, MatrpoSettings
from policies.batch import Batch
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Network, NetworkSettings, Streams
from testbed.training.communication import NetworkCommunication

STEPS, EPISODES, AGENTS, WIDTH, ACTIONS, HIDDEN = 12, 3, 3, 3, 3, 4
EXCHANGES = 9
EXACT = {"iterations": 300, "recycle": 300, "tolerance": 1e-13}
PLAIN = {"preconditioner": "none", "iterations": 10, "tolerance": 0, "warm_start": False}


def batch_of(seed, space="Discrete"):
    generator = np.random.default_rng(seed)
    shape = (STEPS, EPISODES, AGENTS)
    observations = generator.standard_normal((*shape, WIDTH)).astype(np.float32)
    actions = generator.integers(ACTIONS, size=shape)
    over = np.zeros(shape, dtype=bool)
    over[-1] = over[4, 1] = True
    rewards = generator.standard_normal(shape) + observations[..., 0] * (actions == 1) + 3 * np.arange(AGENTS)
    if space == "Box":
        actions = generator.standard_normal((*shape, ACTIONS)).astype(np.float32)
        rewards = rewards - np.square(actions[..., 0] - observations[..., 0])
    return Batch(
        observations, np.roll(observations, -1, axis=0), actions, rewards, np.zeros(shape, dtype=bool), over
    )


def learner_of(choices):
    solver = PLAIN if choices.plain_iterations else EXACT
    settings = MatrpoSettings.model_validate(
        {
            "delta_per_agent": choices.delta,
            "hidden": (HIDDEN,),
            "precision": "float64",
            "solver": solver | {"damping": choices.damping, "every": choices.every},
            "kl_safeguard": choices.safeguard,
            **{
                name: getattr(choices, name)
                for name in (
                    *("step", "curvature", "fisher", "radius", "advantage_mean", "advantage_scale"),
                    "entropy_coefficient",
                )
            },
        }
    )
    learner = Matrpo(
        settings, Spaces(AGENTS, WIDTH, ACTIONS, action_space=choices.space), np.random.default_rng(1)
    )
    draws = np.random.default_rng(2).standard_normal(learner.theta.shape)
    learner.theta += 0.4 * torch.from_numpy(draws)  # no longer nearly uniform, and all different
    return learner


def learnt(learner, batch, choices):
    """What the library measures, and the order of its exchanges."""
    consensus = ConsensusSettings.model_validate(
        {
            "activation": "round_robin",
            "penalty": choices.beta,
            "coupling": choices.coupling,
            "initial_dual": choices.initial_dual,
            "budget": {"activations": EXCHANGES},
        }
    )
    streams = Streams(0)
    network = Network(topologies.make("ring", AGENTS), NetworkSettings(), streams)
    communication = NetworkCommunication(make_consensus(network, consensus, streams))
    return learner.learn(batch, communication, np.random.default_rng(5))


def expected(learner, batch, choices):
    """The dense agents after the same exchanges."""
    ours = learner.settings
    flat = [array.reshape(-1, AGENTS, WIDTH) for array in (batch.observations, batch.next_observations)]
    values = [learner.critics.values(torch.from_numpy(each).swapaxes(0, 1).double()) for each in flat]
    shape = (STEPS, EPISODES, AGENTS)
    raw = advantages_of(  # type: ignore[call-arg]
        torch.from_numpy(batch.rewards),
        *(each.double().T.reshape(shape) for each in values),
        torch.from_numpy(batch.boundaries),
        ours.gamma,
        ours.lam,
    )
    advantages = normalised(raw.reshape(-1, AGENTS).T, choices)
    places = [t * EPISODES + b for b in range(EPISODES) for t in range(STEPS)]
    some = torch.tensor(sorted(places[:: choices.every]))
    agents = [
        DenseAgent(
            learner.theta[q].clone(),
            torch.from_numpy(flat[0][:, q]).double(),
            torch.from_numpy(batch.flat_actions),
            advantages[q],
            some,
            (WIDTH, HIDDEN, AGENTS * ACTIONS),
            choices,
            q,
        )
        for q in range(AGENTS)
    ]
    links = [(0, 1), (0, 2), (1, 2)]
    edge_admm(agents, [links[k % 3] for k in range(EXCHANGES)], choices)
    return agents


AUTHORS = {
    "step": "line_search",
    "curvature": "solve",
    "damping": 0.01,
    "every": 5,
    "plain_iterations": 10,
    "initial_dual": 1.0,
    "advantage_mean": "shared",
}
CASES = [
    {},
    {"beta": 50.0},
    {"step": "boundary"},
    {"step": "boundary", "curvature": "solve"},
    {"step": "line_search"},
    {"step": "line_search", "delta": 0.5},
    {"step": "line_search", "delta": 1.0, "beta": 5000.0},
    {"fisher": "empirical"},
    {"fisher": "empirical", "step": "boundary", "every": 5},
    {"fisher": "empirical", "step": "line_search", "coupling": 0.3},
    {"coupling": 0.1},
    {"coupling": 5.0, "beta": 20.0, "initial_dual": 1.0},
    {"initial_dual": 1.0},
    {"initial_dual": 1.0, "step": "line_search"},
    {"advantage_mean": "shared"},
    {"advantage_mean": "none", "advantage_scale": "per_agent"},
    {"every": 5, "beta": 20.0},
    {"plain_iterations": 10, "damping": 0.01},
    {"delta": 2.0, "step": "boundary", "damping": 0.01},
    {"delta": 2.0, "step": "boundary", "damping": 0.01, "safeguard": False},
    {"radius": "played"},
    {"radius": "played", "beta": 200.0, "fisher": "empirical"},
    {"radius": "played", "step": "boundary", "coupling": 0.3},
    {"radius": "own"},
    {"radius": "own", "beta": 200.0, "fisher": "empirical", "coupling": 0.3},
    {"entropy_coefficient": 0.5},
    {"entropy_coefficient": 0.5, "fisher": "empirical", "every": 5, "coupling": 0.3},
    {"entropy_coefficient": 0.5, "step": "line_search"},
    AUTHORS,
    AUTHORS | {"coupling": 1.0},
    AUTHORS | {"delta": 0.3},
    {"space": "Box"},
    {"space": "Box", "beta": 50.0, "every": 5},
    {"space": "Box", "fisher": "empirical"},
    {"space": "Box", "delta": 2.0, "step": "boundary", "damping": 0.01},
    {"space": "Box", "radius": "played"},
    {"space": "Box", "radius": "own"},
    {"space": "Box", "entropy_coefficient": 0.5},
    AUTHORS | {"space": "Box", "delta": 0.1},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_update_is_that_of_dense_matrices(case):
    choices = Choices(**case)
    batch = batch_of(3, choices.space)
    learner = learner_of(choices)
    agents = expected(learner, batch, choices)
    before = learner.theta.clone()
    row = learnt(learner, batch, choices)
    factors = learner.by_agent.get("step_factor", np.ones(AGENTS))
    assert row.get("step_factor", 1.0) == pytest.approx(factors.mean())
    found = torch.stack([agent.apply_steps(c) for agent, c in zip(agents, factors, strict=True)])
    by_agent = [float(agents[q].divergences(found[q])[q]) for q in range(AGENTS)]
    played = sum(by_agent)
    assert row["kl_played"] == pytest.approx(played, rel=1e-7)
    if choices.radius == "own":
        assert by_agent == pytest.approx([choices.delta] * AGENTS, rel=0.01)
        assert np.ptp(factors) > 0.01
    if choices.radius == "played":
        assert played == pytest.approx(AGENTS * choices.delta, rel=0.01)
    assert float((found - before).norm(dim=1).min()) > 1e-3 or case.get("step") == "line_search"
    torch.testing.assert_close(learner.theta, found, rtol=0, atol=1e-9)


def test_the_cases_halve_steps_refuse_them_and_are_bound():
    rows = [
        learnt(learner_of(choices), batch_of(3), choices)
        for choices in (Choices(**case) for case in CASES if "space" not in case)
    ]
    searches = [row for row in rows if "search_halvings" in row]
    assert any(row["searches_failed"] for row in searches)
    assert any(row["search_halvings"] and not row["searches_failed"] for row in searches)
    assert any(row["kl_halvings"] for row in rows)
    assert any(row["binding"] == 1 for row in rows)
    assert any(row["binding"] == 0 for row in rows)


def test_the_augmented_lagrangian_in_z_and_y_is_that_in_pull_and_penalty_but_for_a_constant():
    generator = torch.Generator().manual_seed(0)
    choices = Choices(beta=0.7)
    agent = expected(learner_of(choices), batch_of(3), choices)[0]
    links = [
        (sign, *torch.randn(2, agent.samples * AGENTS, generator=generator, dtype=torch.float64))
        for sign in (1.0, -1.0, -1.0)
    ]
    pull = sum(sign * (choices.beta * z - y) for sign, z, y in links)
    found = []
    for size in (0.0, 0.1, 1.0):
        x = size * torch.randn(len(agent.theta), generator=generator, dtype=torch.float64)
        s = agent.log_ratios(agent.theta + x)
        own = -float((agent.advantages * s.sum(-1).exp()).mean())
        s = s.flatten()
        rest = float(choices.beta * len(links) / 2 * s @ s - pull @ s) / agent.samples
        found.append(agent.lagrangian(x, links) - own - rest)
    np.testing.assert_allclose(found, found[0], atol=1e-12)
