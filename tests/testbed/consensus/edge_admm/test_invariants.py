"""The audit of a link's two ends, for every kind of array, number format, subset and activation."""

from itertools import cycle

import numpy as np
import pytest
import torch

import topologies
from testbed.consensus.edge_admm.agent import EdgeAgent
from testbed.consensus.edge_admm.algorithm import EdgeADMM
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Network, NetworkSettings, Streams

FAULTS = [
    {"fault": "crash", "agent": 1, "state": "lost", "down": 0.4, "up": 0.6},
    {"fault": "link_down", "link": "0-1", "down": 0.5, "up": 0.9},
]
KINDS = {
    "numpy float64": lambda values: np.array(values, np.float64),
    "numpy float32": lambda values: np.array(values, np.float32),
    "torch float64": lambda values: torch.tensor(values, dtype=torch.float64),
    "torch float32": lambda values: torch.tensor(values, dtype=torch.float32),
}


class Mean:
    """f(s) = |s - a|^2 / 2 on arrays of any kind."""

    width = 1

    def __init__(self, a):
        self.a = a
        self.dimension = len(a)

    def zeros(self):
        """Nothing yet."""
        return 0 * self.a

    def solve(self, pull, penalty):
        """(a + pull) / (1 + penalty)."""
        return (self.a + pull) / (1 + penalty)

    def forget(self):
        """Nothing to lose."""


def agree(kind, penalty=1.0, **chosen):
    streams = Streams(0)
    network = Network(
        topologies.make("ring", 4),
        NetworkSettings.model_validate(
            {"audit": True, "link": {"delay": 0.01, "loss": 0.3}, "faults": FAULTS}
        ),
        streams,
    )
    budget = {"activations": 80, "seconds": 20}
    consensus = ConsensusSettings.model_validate({"budget": budget, "penalty": penalty} | chosen)
    luck = np.random.default_rng(0)
    problems = [Mean(KINDS[kind](100 * luck.standard_normal(6))) for _ in range(4)]
    return EdgeADMM(network, consensus, streams).agree(problems)


@pytest.fixture
def a_wrong_coordinate(monkeypatch):
    """One end commits, now and then, a little more than was agreed, in one coordinate."""
    plain, turn = EdgeAgent.commit_payloads, cycle(range(5))

    def commit(self, e, own, other):
        plain(self, e, own, other)
        if self.index == e[0] and next(turn) == 4:
            wrong = 0 * self.z[e]
            wrong[3] = 0.01
            self.z[e] = self.z[e] + wrong

    monkeypatch.setattr(EdgeAgent, "commit_payloads", commit)


EVERY = pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"activation": "poisson", "timeout": 0.05},
        {"activation": "gossip", "codec": "int8"},
        {"subset": 0.5, "timeout": 0.05},
        {"subset": 0.2, "codec": "float16", "activation": "round_robin"},
        {"coupling": 0.3, "initial_dual": 1, "subset": 0.5, "timeout": 0.05},
        {"coupling": 20, "activation": "gossip", "codec": "int8"},
    ],
    ids=str,
)


@EVERY
@pytest.mark.parametrize("kind", KINDS)
def test_half_commits_losses_and_forgetting_are_no_alarm(kind, chosen):
    result = agree(kind, **chosen)
    assert result.counts.half_committed > 0
    assert result.counts.completed > 10
    assert type(result.signals[0]) is type(KINDS[kind]([0.0]))


@EVERY
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("a_wrong_coordinate")
def test_a_wrong_coordinate_is_found(kind, chosen):
    with pytest.raises(AssertionError, match=r"ends of link \d-\d differ, and no half-commit is pending"):
        agree(kind, **chosen)


@pytest.mark.parametrize("coupling", [None, 1e-3, 1e6])
@pytest.mark.parametrize("penalty", [1e-6, 1e6])
@pytest.mark.parametrize("kind", KINDS)
def test_rounding_is_no_alarm_at_any_penalty_and_coupling(kind, penalty, coupling):
    assert agree(kind, penalty=penalty, coupling=coupling, initial_dual=1).counts.completed > 10
