"""Messages held back by an event trigger: none at threshold 0, and a bounded error at any other."""

import numpy as np
import pytest

import topologies
from testbed.consensus.problems.mean import mean_problem
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams, Trace, first_difference

RING = topologies.make("ring", 6)
WAYS = [(i, j) for i in RING for j in RING[i]]
START = np.random.default_rng(0).standard_normal((6, 4))
MEAN = START.mean(axis=0)
RHO, ALPHA = 0.5, 0.5


def run(rounds=60, loss=0.0, trace=None, **settings):
    """The agents' vectors [n, m] at the end, and the result."""
    streams = Streams(0)
    link = LinkSettings(delay=0.005, loss=loss)
    network = Network(RING, NetworkSettings(link=link), streams, trace=trace)
    chosen = {"algorithm": "relaxed_admm", "penalty": RHO, "relaxation": ALPHA, "curve_every": 1000}
    budget = {"budget": {"activations": rounds * len(RING)}}
    consensus = ConsensusSettings.model_validate(chosen | budget | settings)
    result = make_consensus(network, consensus, streams).agree(mean_problem(START).local)
    network.ledger.check()
    return np.stack(result.signals), result


@pytest.mark.parametrize("activation", ["synchronous", "asynchronous"])
@pytest.mark.parametrize("loss", [0.0, 0.3])
@pytest.mark.parametrize("algorithm", ["relaxed_admm", "choco_gossip"])
def test_at_threshold_0_every_byte_is_as_without(algorithm, loss, activation):
    found, chosen = [], {"algorithm": algorithm, "activation": activation}
    for trigger in (None, {"threshold": 0}):
        trace = Trace()
        signals, result = run(20, loss, trace, trigger=trigger, **chosen)
        found.append((signals.tobytes(), str(result.flat()), trace))
        assert result.counts.held_back == 0
    assert found[0][:2] == found[1][:2]
    assert first_difference(found[0][2], found[1][2]) is None


def step_of_relaxed_admm():
    """T and M: in one round z - z* becomes T (z - z*), and s - s* is M (z - z*); z in the order of WAYS.

    z_ij is held by i; s_i = (a_i + sum_j z_ij) / (1 + rho d_i), and z_ji <- (1 - alpha) z_ji + alpha q_ij
    with q_ij = 2 rho s_i - z_ij.
    """
    place = {way: k for k, way in enumerate(WAYS)}
    solve = np.zeros((len(RING), len(WAYS)))
    for (i, _), k in place.items():
        solve[i, k] = 1 / (1 + RHO * RING.degree[i])
    step = (1 - ALPHA) * np.eye(len(WAYS))
    for (i, j), k in place.items():
        step[place[j, i]] += ALPHA * 2 * RHO * solve[i]
        step[place[j, i], k] -= ALPHA
    return step, solve


@pytest.mark.parametrize("threshold", [0.3, 0.03, 0.003])
def test_the_error_of_relaxed_admm_is_bounded_by_the_threshold(threshold):
    """A perturbed linear iteration: z <- T z + t + alpha e with |e_ij| < threshold in 2 |E| directions.

    So |s_K - s*| <= |M T^(K-1) (z_0 - z*)| + alpha threshold sqrt(2 |E|) sum over k of |M T^k| (Polyak 1987,
    "Introduction to optimization", section 2.2, for linear iterations with bounded errors).
    """
    rounds = 80
    signals, result = run(rounds, trigger={"threshold": threshold})
    exact, without = run(rounds)
    step, solve = step_of_relaxed_admm()
    gain = sum(np.linalg.norm(solve @ np.linalg.matrix_power(step, k), 2) for k in range(rounds))
    bound = ALPHA * threshold * np.sqrt(len(WAYS)) * gain
    assert gain < 10, "the bound says something"
    assert np.linalg.norm(signals - exact) <= bound
    assert np.linalg.norm(signals - MEAN) <= bound + np.linalg.norm(exact - MEAN)
    assert np.linalg.norm(signals - exact) > 1e-6 * threshold, "it does hold some back"
    sent = result.counts.completed + result.late
    assert sent + result.counts.held_back == without.counts.completed == 2 * 6 * rounds
    assert result.counts.held_back > 0
    assert result.bytes < without.bytes


def test_the_linear_iteration_of_the_bound_is_that_of_the_algorithm():
    step, solve = step_of_relaxed_admm()
    a, z = START / (1 + RHO * 2), np.zeros((len(WAYS), 4))
    drive = np.zeros_like(z)
    for i, j in WAYS:
        drive[WAYS.index((j, i))] = ALPHA * 2 * RHO * a[i]
    for _ in range(9):
        z = step @ z + drive
    np.testing.assert_allclose(run(10)[0], solve @ z + a, atol=1e-12)


@pytest.mark.parametrize("algorithm", ["relaxed_admm", "choco_gossip"])
def test_a_threshold_that_decays_saves_messages_and_costs_no_accuracy(algorithm):
    chosen = {"algorithm": algorithm, "gossip_step": 0.8}
    signals, result = run(150, trigger={"threshold": 0.5, "decay": 0.9}, **chosen)
    assert np.abs(signals - MEAN).max() < 1e-5
    assert result.counts.held_back > 150 * 12 * 0.1


def test_averaging_keeps_the_mean_and_stays_near_it():
    """With copies h = x + e and |e_i| < threshold, x - mean <- W (x - mean) + (W - I) e: bounded as above."""
    threshold, weights = 0.05, topologies.spectrum.metropolis_weights(RING)
    signals, result = run(200, algorithm="choco_gossip", gossip_step=1.0, trigger={"threshold": threshold})
    np.testing.assert_allclose(signals.mean(axis=0), MEAN, atol=1e-12)
    apart, moved = weights - 1 / len(RING), weights - np.eye(len(RING))
    gain = sum(np.linalg.norm(np.linalg.matrix_power(apart, k) @ moved, 2) for k in range(200))
    assert gain < 5, "the bound says something"
    assert 0 < np.linalg.norm(signals - MEAN) <= threshold * np.sqrt(len(RING)) * gain
    assert result.counts.held_back > 0.4 * 200 * 12


@pytest.mark.parametrize("activation", ["synchronous", "asynchronous", "gossip"])
def test_no_more_messages_are_sent_than_without(activation):
    sent = []
    for trigger in (None, {"threshold": 0.02}, {"threshold": 0.2}):
        _, result = run(100, activation=activation, trigger=trigger)
        sent.append(result.bytes)
    assert sent[0] > sent[1] > sent[2] > 0


def test_nobody_is_silent_for_longer_than_allowed_which_puts_losses_right():
    often = {"threshold": 0.01, "longest_silence": 3}
    _, result = run(100, trigger=often)
    assert result.counts.completed >= 100 * 12 / 4
    errors = {}
    for name, trigger in (("never", {"threshold": 0.01}), ("often", often)):
        signals, _ = run(200, loss=0.4, trigger=trigger)
        errors[name] = np.abs(signals - MEAN).max()
    assert errors["often"] < 0.5 * errors["never"]


@pytest.mark.parametrize("codec", ["int8", {"name": "top_k", "share": 0.5}], ids=str)
def test_changes_are_measured_from_what_the_receiver_has_read(codec):
    memory = {"codec": codec, "codec_memory": "difference", "trigger": {"threshold": 0.02}}
    signals, result = run(150, **memory)
    assert np.abs(signals - MEAN).max() < 0.05
    assert result.counts.held_back > 0


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (
            {"algorithm": "metropolis", "trigger": {"threshold": 1}},
            "only choco_gossip and relaxed_admm have it",
        ),
        ({"algorithm": "edge_admm", "trigger": {"threshold": 1}}, "must be null"),
        ({"trigger": {"threshold": -1}}, "greater than or equal to 0"),
        ({"trigger": {"threshold": 1, "decay": 1.1}}, "less than or equal to 1"),
        ({"trigger": {"threshold": 1}, "subset": 0.5}, "subset 0.5 with trigger: must be 1"),
    ],
)
def test_what_does_not_fit_is_one_line(chosen, said):
    with pytest.raises(ValueError, match="1 validation error") as caught:
        ConsensusSettings.model_validate({"algorithm": "relaxed_admm"} | chosen)
    assert said in str(caught.value)
