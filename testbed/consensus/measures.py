"""How far from agreement the agents are.

Numbers may be as large as numbers get: their squares are infinite then, which is no reason for a warning.
"""

import math
from collections.abc import Sequence

import numpy as np

from testbed.consensus.edge_admm.agent import EdgeAgent, Link
from testbed.consensus.problems.base import Signal

_unwarned = np.errstate(over="ignore", invalid="ignore")


@_unwarned
def mean_square(signal: Signal) -> float:
    """Mean of the squared entries."""
    return float((signal * signal).mean())


@_unwarned
def disagreement(signals: Sequence[Signal], links: Sequence[Link]) -> float:
    """Root mean square of s_i - s_j over links and coordinates; zero without links."""
    if not links:
        return 0.0
    return math.sqrt(sum(mean_square(signals[i] - signals[j]) for i, j in links) / len(links))


@_unwarned
def magnitude(signals: Sequence[Signal]) -> float:
    """Root mean square of s over agents and coordinates."""
    return math.sqrt(sum(mean_square(s) for s in signals) / len(signals))


@_unwarned
def primal_residual(agents: Sequence[EdgeAgent]) -> float:
    """Root mean square of C_qe s_q - z_qe over link ends and coordinates; zero without links."""
    gaps = [mean_square(agent.sign[e] * agent.s - agent.z[e]) for agent in agents for e in agent.links]
    return math.sqrt(sum(gaps) / len(gaps)) if gaps else 0.0
