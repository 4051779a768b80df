"""Token accounts: their functions as in the paper, their books, and no more messages than rings."""

import numpy as np
import pytest

import topologies
from testbed.consensus.problems.mean import mean_problem
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.consensus.token_account import TokenAccount
from testbed.network import LinkSettings, Network, NetworkSettings, Streams, Trace, first_difference

RING = topologies.make("ring", 6)
START = np.random.default_rng(0).standard_normal((6, 4))


def run(trace=None, loss=0.0, **settings):
    """The agents' vectors [n, m] at the end, and the result."""
    streams = Streams(0)
    link = LinkSettings(delay=0.005, loss=loss)
    network = Network(RING, NetworkSettings(link=link), streams, trace=trace)
    chosen = {"algorithm": "relaxed_admm", "activation": "gossip", "penalty": 0.5, "curve_every": 1000}
    budget = {"budget": {"activations": 600}}
    consensus = ConsensusSettings.model_validate(chosen | budget | settings)
    result = make_consensus(network, consensus, streams).agree(mean_problem(START).local)
    network.ledger.check()
    return np.stack(result.signals), result


def test_the_functions_are_those_of_the_paper():
    simple = TokenAccount(capacity=3)
    assert [simple.proactive(a) for a in range(5)] == [0, 0, 0, 1, 1]
    assert [simple.reactive(a, 0.0) for a in range(4)] == [0, 1, 1, 1]
    generalized = TokenAccount(strategy="generalized", capacity=6, spend=2)
    assert [generalized.proactive(a) for a in range(8)] == [0, 0, 0, 0, 0, 0, 1, 1]
    assert [generalized.reactive(a, 0.0) for a in range(6)] == [0, 1, 1, 2, 2, 3]
    randomized = TokenAccount(strategy="randomized", capacity=5, spend=3)
    assert [randomized.proactive(a) for a in range(7)] == [0, 0, 0, 1 / 4, 2 / 4, 1, 1]
    assert [randomized.reactive(a, 0.5) for a in range(6)] == [0, 0, 1, 1, 1, 2]
    mean = np.mean([randomized.reactive(4, u) for u in np.linspace(0, 1, 3000, endpoint=False)])
    assert mean == pytest.approx(4 / 3, abs=1e-3)


@pytest.mark.parametrize("strategy", ["simple", "generalized", "randomized"])
@pytest.mark.parametrize("algorithm", ["relaxed_admm", "metropolis", "push_sum", "robust_push_sum"])
def test_no_more_messages_are_sent_than_clocks_ring(algorithm, strategy):
    chosen = {"strategy": strategy, "capacity": 4, "spend": 2}
    trace = Trace()
    _, result = run(trace, algorithm=algorithm, tokens=chosen, loss=0.1)
    sent = sum(event.row()["event"] == "sent" for event in trace.events)
    counts = result.counts
    assert sent <= counts.activations - counts.held_back + counts.tokens_spent <= 600
    assert 0 < counts.tokens_spent <= counts.held_back
    # Accounts hold no more than their capacity.
    assert counts.held_back - counts.tokens_spent <= 4 * len(RING)
    again = Trace()
    run(again, algorithm=algorithm, tokens=chosen, loss=0.1)
    assert first_difference(trace, again) is None


def test_with_no_capacity_every_byte_is_as_without():
    plain, saving = Trace(), Trace()
    signals, result = run(plain)
    same, other = run(saving, tokens={"capacity": 0})
    assert signals.tobytes() == same.tobytes()
    assert str(result.flat()) == str(other.flat())
    assert first_difference(plain, saving) is None


def test_relaxed_admm_with_tokens_reaches_the_mean():
    signals, _ = run(tokens={"capacity": 5}, budget={"activations": 6000})
    assert np.abs(signals - START.mean(axis=0)).max() < 1e-3


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"activation": "asynchronous", "tokens": {"capacity": 1}}, "only algorithms with one-way messages"),
        ({"algorithm": "edge_admm", "tokens": {"capacity": 1}}, "tokens with edge_admm"),
        ({"tokens": {"strategy": "randomized", "capacity": 2, "spend": 3}}, "spend 3 must be at most"),
        ({"tokens": {"capacity": -1}}, "greater than or equal to 0"),
    ],
)
def test_what_does_not_fit_is_one_line(chosen, said):
    with pytest.raises(ValueError, match="1 validation error") as caught:
        ConsensusSettings.model_validate({"algorithm": "relaxed_admm", "activation": "gossip"} | chosen)
    assert said in str(caught.value)
