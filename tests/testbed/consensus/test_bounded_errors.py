"""What few bits cost is bounded, however long agents exchange, and whatever is lost or doubled."""

from functools import cache

import numpy as np
import pytest
from pydantic import ValidationError

import topologies
from testbed.consensus.one_way.push_sum import PushSumAgent
from testbed.consensus.payloads import Codecs
from testbed.consensus.problems.mean import MeanProblem, MeanSettings
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.consensus.traits import ALGORITHMS
from testbed.network import Network, NetworkSettings, Streams

REACHED = {None: 1e-12, "float64": 1e-12, "float32": 1e-6, "float16": 5e-3, "int8": 5e-2}
"""How far a codec may move what is agreed on, over its size."""

FREE = ("float32", "float16", "int8")
PAIRS = [
    (algorithm, codec)
    for algorithm in ALGORITHMS.builtin()
    for codec in FREE
    if algorithm != "robust_push_sum"
]


def settings(algorithm, codec, activations, **chosen):
    budget = {"budget": {"activations": activations}, "curve_every": 40}
    return ConsensusSettings.model_validate({"algorithm": algorithm, "codec": codec} | budget | chosen)


@cache
def distances(algorithm, codec, activations, loss=0.0, duplicate=0.0, dtype="float64", **chosen):
    """Root mean square distance from the optimum over its size after each tenth round of four agents."""
    streams = Streams(1)
    posed = MeanSettings(agents=4, dimension=2).make(streams)
    link = {"delay": 0.005, "loss": loss, "duplicate": duplicate}
    network = Network(topologies.make("ring", 4), NetworkSettings.model_validate({"link": link}), streams)
    consensus = make_consensus(network, settings(algorithm, codec, activations, **chosen), streams)

    def measure(signals):
        apart = [np.linalg.norm(signal - posed.optimum) for signal in signals]
        return {"error": float(np.sqrt(np.mean(np.square(apart))) / np.linalg.norm(posed.optimum))}

    local = [MeanProblem(each.a.astype(dtype)) for each in posed.local]  # type: ignore[attr-defined]
    return [row["error"] for row in consensus.agree(local, measure=measure).curve]


@pytest.mark.parametrize("loss", [0.0, 0.4])
@pytest.mark.parametrize(("algorithm", "codec"), PAIRS)
def test_the_error_of_few_bits_does_not_grow(algorithm, codec, loss):
    errors = np.array(distances(algorithm, codec, 1200, loss))
    exact = np.array(distances(algorithm, None, 1200, loss))
    excess = np.abs(errors - exact)[len(errors) // 4 :]
    third = len(excess) // 3
    assert excess.max() <= REACHED[codec]
    # Where messages are lost these two wander, as roundings stay in their sums: see the last tests here.
    if (algorithm, loss) not in (("push_sum", 0.4), ("gradient_tracking", 0.4)):
        assert excess[-third:].max() <= 2 * excess[:third].max() + REACHED[codec] / 20


@pytest.mark.parametrize("codec", ["float16", "int8"])
@pytest.mark.parametrize("algorithm", ["edge_admm", "relaxed_admm", "metropolis"])
def test_nor_does_that_of_subsets(algorithm, codec):
    errors = distances(algorithm, codec, 600, subset=0.5)
    exact = distances(algorithm, None, 600, subset=0.5)
    assert abs(errors[-1] - exact[-1]) <= REACHED[codec]


@pytest.mark.parametrize("codec", [None, "float64"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_running_sums_are_right_at_any_loss_whatever_the_vectors_are_in(codec, dtype):
    errors = distances("robust_push_sum", codec, 1600, 0.6, dtype=dtype)
    rounding = np.finfo(dtype).eps  # of the vectors that are given, not of the sums
    assert max(errors[len(errors) // 2 :]) < 2 * rounding + 1e-12
    assert abs(errors[-1] - errors[len(errors) // 2]) < 1e-12


@pytest.mark.parametrize("codec", FREE)
def test_running_sums_in_fewer_bits_are_refused(codec):
    """Their error after 400, 1,600 and 6,400 activations of eight agents in int8: 0.1, 0.5 and 1.9."""
    with pytest.raises(
        ValidationError, match=rf"codec '{codec}' with robust_push_sum: must be null or float64"
    ):
        settings("robust_push_sum", codec, 100)


@pytest.mark.parametrize("copies", [0, 2])
@pytest.mark.parametrize(
    ("codec", "dtype"),
    [
        (None, "float64"),
        (None, "float32"),
        ("float32", "float64"),
        ("float16", "float64"),
        ("int8", "float64"),
    ],
)
def test_push_sum_stays_near_when_its_weights_leave_the_range_of_numbers(copies, codec, dtype):
    """Two agents; of each message none or two arrive, or one: weights go below 1e-308 or above 1e308."""
    starts = [np.array([1.0, -3.0], dtype), np.array([2.0, 0.5], dtype)]
    agents = [PushSumAgent(q, start, [1 - q]) for q, start in enumerate(starts)]
    written, luck = Codecs(settings("push_sum", codec, 1), Streams(0)), np.random.default_rng(0)
    seen = {}
    for turn in range(1, 4001):
        sent = []
        for q, agent in enumerate(agents):
            agent.solve([1 - q])
            payload = written.payload(agent.offer(1 - q), q, 1 - q)
            sent.append((1 - q, q, payload, agent.sent(1 - q, payload)))
        for receiver, *message in sent:
            for _ in range(copies if luck.random() < 0.8 else 1):
                agents[receiver].receive(*message)
        seen[turn] = np.array([agent.s for agent in agents])
    assert np.isfinite(seen[4000]).all()
    # Few bits let it wander, as messages that are lost or doubled take roundings with them or bring them.
    wander = {"float16": 0.05, "int8": 0.3}.get(codec, 1e-3 if "float32" in (codec, dtype) else 1e-9)
    assert np.abs(seen[4000] - seen[100]).max() < wander


def test_gradient_tracking_wanders_with_few_bits_where_messages_are_lost():
    errors = np.array(distances("gradient_tracking", "int8", 6000, 0.4))
    exact = np.array(distances("gradient_tracking", None, 6000, 0.4))
    excess = np.abs(errors - exact)
    sixth = len(excess) // 6
    assert excess[-sixth:].max() > 2 * excess[:sixth].max()
    kept = np.array(distances("gradient_tracking", "float32", 6000, 0.4))
    assert np.abs(kept - exact).max() < 1e-5
