"""An agreement that is over keeps nothing of its problems: with policies they are most of the memory."""

import gc
import weakref

import pytest

import topologies
from testbed.consensus.problems.mean import MeanSettings
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams


@pytest.mark.parametrize(
    "settings",
    [
        {"activation": "sequential"},
        {"activation": "poisson"},
        {"algorithm": "relaxed_admm", "activation": "asynchronous"},
        {"algorithm": "relaxed_admm", "activation": "synchronous"},
        {"algorithm": "metropolis"},
    ],
    ids=lambda settings: "-".join(settings.values()),
)
def test_nothing_holds_a_problem_after_its_agreement(settings):
    streams = Streams(0)
    # Answers take longer than exchanges wait, so that the budget ends in the middle of everything.
    network = Network(
        topologies.make("ring", 4),
        NetworkSettings(link=LinkSettings(delay=0.5, loss=0.3), audit=True),
        streams,
    )
    chosen = {**settings, "budget": {"seconds": 5.25}}
    if settings.get("algorithm", "edge_admm") == "edge_admm":
        chosen["timeout"] = 0.7
    consensus = make_consensus(network, ConsensusSettings.model_validate(chosen), streams)
    problems = list(MeanSettings(agents=4).make(streams).local)
    held = [weakref.ref(problem) for problem in problems]
    result = consensus.agree(problems)
    assert len(result.signals) == 4
    del problems
    gc.collect()
    assert [ref() for ref in held] == [None] * 4
