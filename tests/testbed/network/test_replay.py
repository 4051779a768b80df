"""A trace is the same in another process on another day, in which Python's hashes are others."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import hashlib
import topologies
from testbed.consensus.edge_admm.algorithm import EdgeADMM
from testbed.consensus.problems.mean import MeanSettings
from testbed.consensus.settings import Budget, ConsensusSettings
from testbed.network import Network, NetworkSettings, Streams, Trace

settings = NetworkSettings.model_validate({
    "link": {"delay": "5ms", "jitter": "4ms", "loss": 0.2, "duplicate": 0.1, "rate": "1mbit"},
    "transport": "reliable",
    "faults": [
        {"link": "all", "mtbf": "500ms", "mttr": "100ms"},
        {"fault": "partition", "groups": "halves", "mtbf": "1s", "mttr": "200ms"},
        {"fault": "crash", "agent": "all", "state": "lost", "mtbf": "2s", "mttr": "300ms"},
        {"fault": "hold", "link": "0-1", "down": {"kind": "response", "count": 3}, "up": {"lasting": "1s"}},
    ],
    "schedule": {"name": "random_waypoint", "range": 0.6, "speed": [0.1, 0.5], "period": "100ms"},
})
streams, trace = Streams(7), Trace()
network = Network(topologies.make("complete", 6), settings, streams, trace=trace)
consensus = ConsensusSettings(activation="poisson", budget=Budget(activations=300))
EdgeADMM(network, consensus, streams).agree(MeanSettings(agents=6).make(streams).local)
lines = "\\n".join(trace.lines())
print(len(trace.events), hashlib.sha256(lines.encode()).hexdigest())
"""


def _play(hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    return done.stdout


def test_the_same_seed_gives_the_same_trace_in_another_process() -> None:
    first = _play("1")
    events, digest = first.split()
    assert int(events) > 2000
    assert len(digest) == hashlib.sha256().digest_size * 2
    assert _play("2") == first
