"""Mean consensus of 10,000 agents to one part in a million: seconds and memory.

Run with `make bench`. A random 4-regular graph, links of 5 ms, the best penalty of such graphs.
"""

import resource
import sys
import time
from typing import Any

import numpy as np
import pytest

import topologies
from testbed.consensus.problems.mean import MeanSettings
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams

AGENTS = 10_000
CASES: dict[str, dict[str, Any]] = {
    "relaxed ADMM, synchronous": {"algorithm": "relaxed_admm", "curve_every": 4, "rounds": 200},
    "relaxed ADMM, asynchronous": {
        "algorithm": "relaxed_admm",
        "activation": "asynchronous",
        "curve_every": AGENTS,
        "rounds": 400,
    },
    "edge-ADMM, every link by its own clock": {
        "algorithm": "edge_admm",
        "activation": "poisson",
        "activation_rate": 1.0,
        "curve_every": 2 * AGENTS,
        "rounds": 400,
    },
}


@pytest.mark.parametrize("case", CASES)
def test_ten_thousand_agents_agree_to_a_millionth(case: str) -> None:
    graph = topologies.make("random_regular", AGENTS, d=4)
    streams = Streams(0)
    posed = MeanSettings(agents=AGENTS, dimension=10).make(streams)
    chosen = dict(CASES[case])
    # The second largest eigenvalue of a random regular graph is near 2 sqrt(d - 1) / d (Friedman 2008).
    w2 = 2 * np.sqrt(3) / 4
    chosen |= {
        "penalty": 1 / (4 * np.sqrt(1 - w2**2)),
        "budget": {"activations": chosen.pop("rounds") * AGENTS, "tolerance": 1e-6},
    }
    started = time.process_time()
    network = Network(graph, NetworkSettings(link=LinkSettings(delay=0.005)), streams)
    settings = ConsensusSettings.model_validate(chosen)
    result = make_consensus(network, settings, streams).agree(posed.local)
    seconds = time.process_time() - started
    error = np.linalg.norm(np.stack(result.signals) - posed.optimum) / np.sqrt(AGENTS)
    messages = network.ledger.sent
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"\n{case}: {seconds:.0f} s of processor time for {messages:,} messages"
        f" ({messages / seconds:,.0f} per second),"
        f" {result.counts.activations:,} activations, {result.seconds:.1f} simulated seconds;"
        f" error {error:.1e}, most memory so far {memory / 1024:,.0f} MiB",
        file=sys.stderr,
    )
    assert result.measured["relative_disagreement"] <= 1e-6
    assert error <= 1e-5
