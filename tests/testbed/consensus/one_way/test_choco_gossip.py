"""CHOCO-gossip against a dense reference and its theorem, and error feedback against plain messages."""

import numpy as np
import pytest

import topologies
from testbed.consensus.codecs.top_k import TopKCodec
from testbed.consensus.coding import Coding
from testbed.consensus.payloads import Codecs
from testbed.consensus.problems.mean import mean_problem
from testbed.consensus.registry import make_consensus
from testbed.consensus.result import Counts
from testbed.consensus.settings import ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams

RING, DIMENSION = topologies.make("ring", 6), 12
START = np.random.default_rng(0).standard_normal((6, DIMENSION))
TOP = {"name": "top_k", "share": 0.25, "format": "float64"}
WEIGHTS = topologies.spectrum.metropolis_weights(RING)


def rounds_of(rounds, start=START, graph=RING, link=None, **settings):
    """The vectors of all agents after each synchronous round [rounds + 1, n, m], and the result."""
    streams = Streams(0)
    network = Network(graph, NetworkSettings(link=link or LinkSettings(delay=0.005)), streams)
    chosen = {"budget": {"activations": rounds * len(graph)}} | settings
    history = []
    result = make_consensus(network, ConsensusSettings.model_validate(chosen), streams).agree(
        mean_problem(start).local, measure=lambda signals: history.append(np.stack(signals)) or {}
    )
    network.ledger.check()
    return np.stack(history), result


def dense(rounds, step, start=START, weights=WEIGHTS):
    """x of Algorithm 1 before each of its rounds, and the copies x_hat after it."""
    codec, x, hat, found = TopKCodec(**TOP), start, np.zeros_like(start), []
    for _ in range(rounds):
        hat = hat + [codec.decode(codec.encode(row, None), DIMENSION) for row in x - hat]
        found.append((x, hat))
        x = x + step * (weights @ hat - hat)
    return found


def test_on_a_perfect_network_it_is_algorithm_1():
    history, result = rounds_of(40, algorithm="choco_gossip", codec=TOP, gossip_step=0.3)
    for k, (x, _) in enumerate(dense(40, 0.3), start=1):
        np.testing.assert_allclose(history[k], x, atol=1e-12)
    # A header of 16, a stamp of 16, 3 indices of 4 bits, 3 float64; and an acknowledgement of 16 + 8.
    assert result.bytes == 40 * 12 * (16 + 16 + 2 + 24) + 40 * 12 * 24


def test_with_top_k_it_converges_linearly_to_the_mean_where_averaging_stalls():
    history, _ = rounds_of(300, algorithm="choco_gossip", codec=TOP, gossip_step=0.3, curve_every=6)
    error = np.linalg.norm(history - START.mean(axis=0), axis=(1, 2))
    np.testing.assert_allclose(history.mean(axis=1) - START.mean(axis=0), 0, atol=1e-12)
    # A straight line in the logarithm: every 50 rounds the error falls by about the same factor.
    factors = error[50::50] / error[:-50:50]
    assert (factors < 0.2).all()
    assert error[-1] < 1e-6 * error[0]
    stalled, _ = rounds_of(300, algorithm="metropolis", codec=TOP)
    apart = np.linalg.norm(stalled - START.mean(axis=0), axis=(1, 2))
    assert apart[-1] > 0.1 * apart[0]


def test_it_is_as_fast_as_its_theorem_says():
    """Theorem 2: e_t <= (1 - rho^2 delta / 82)^t e_0, e the sum of |x_i - mean|^2 and |x_i - x_hat_i|^2."""
    eigenvalues = np.sort(np.linalg.eigvalsh(WEIGHTS))
    rho, delta = 1 - max(eigenvalues[-2], -eigenvalues[0]), 0.25
    beta = np.max(np.abs(1 - eigenvalues))
    step = rho**2 * delta / (16 * rho + rho**2 + 4 * beta**2 + 2 * rho * beta**2 - 8 * rho * delta)
    mean = START.mean(axis=0)
    history, _ = rounds_of(100, algorithm="choco_gossip", codec=TOP, gossip_step=step)
    errors = [
        np.sum((x - mean) ** 2) + np.sum((x - hat) ** 2)
        for x, (_, hat) in zip(history[1:], dense(100, step), strict=True)
    ]
    assert (np.array(errors) <= (1 - rho**2 * delta / 82) ** np.arange(100) * errors[0]).all()
    assert errors[-1] < 0.9 * errors[0]


@pytest.mark.parametrize("codec", [None, "float16", "int8", {"name": "qsgd", "bits": 3}], ids=str)
def test_it_takes_every_codec(codec):
    history, _ = rounds_of(200, algorithm="choco_gossip", codec=codec, gossip_step=0.3, curve_every=6)
    assert np.abs(history[-1] - START.mean(axis=0)).max() < 1e-3


def test_agents_agree_though_messages_are_lost_and_the_mean_moves():
    lossy = LinkSettings(delay=0.005, loss=0.3)
    history, _ = rounds_of(500, link=lossy, algorithm="choco_gossip", codec=TOP, gossip_step=0.3)
    assert np.ptp(history[-1], axis=0).max() < 1e-6
    assert np.abs(history[-1] - START.mean(axis=0)).max() > 1e-3


def test_error_feedback_takes_the_bias_out_of_messages():
    """T messages C(x + e) add up to T x but for e, which is bounded; without e, but for T (x - C(x))."""
    settings, streams = ConsensusSettings.model_validate({"codec": TOP}), Streams(0)
    network = Network(topologies.make("path", 2), NetworkSettings(), streams)
    signal, errors = START[0], {}
    for memory in (None, "error_feedback"):
        coding, total, errors[memory] = Coding(Codecs(settings, streams), memory, network, Counts()), 0.0, []
        for sent in range(1, 201):
            total = total + coding.encode(signal, 0, 1).values
            errors[memory].append(np.linalg.norm(total / sent - signal))
    left = errors[None][0]
    np.testing.assert_allclose(errors[None], left)
    delta = 0.25
    # Karimireddy et al., Lemma 3: |e|^2 <= 4 (1 - delta) |x|^2 / delta^2.
    bound = 2 * np.sqrt(1 - delta) / delta * np.linalg.norm(signal)
    assert (np.array(errors["error_feedback"]) <= bound / np.arange(1, 201)).all()
    assert errors["error_feedback"][-1] < 0.05 * left


def test_error_feedback_lowers_the_floor_of_relaxed_admm():
    """A small relaxation averages messages over time, and their mean is right with error feedback."""
    chosen = {"algorithm": "relaxed_admm", "codec": TOP, "penalty": 0.5, "relaxation": 0.05}
    floors = {}
    for memory in (None, "error_feedback"):
        history, _ = rounds_of(500, codec_memory=memory, curve_every=1000, **chosen)
        floors[memory] = np.abs(history[-1] - START.mean(axis=0)).max()
    assert floors["error_feedback"] < 0.25 * floors[None]
