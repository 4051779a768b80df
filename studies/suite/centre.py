"""The anchor above all methods: the exact optimum of a convex problem, charged for its bytes.

The agent with the fewest links to all others, summed, is the centre, as for C-TRPO and MAPPO
(:mod:`testbed.training.communication`). Every agent sends it all data once, and gets the answer: 8 bytes for
each number and link on the way. The data of an agent are its vector, or its rows with their targets. Nothing
of it is simulated: it is the least that a reliable network would carry.
"""

from __future__ import annotations

import networkx as nx

from studies.spec.study import TrialSpec
from testbed.workloads import ProblemWorkload

BYTES = 8
"""Of one number."""


def charge(trial: TrialSpec) -> tuple[float, float]:
    """Bytes, and simulated seconds until the last agent has the answer.

    The seconds are twice the delay of the longest way, and one local solve.

    Args:
        trial: of a convex problem, over a connected graph.

    Raises:
        TypeError: the trial has another workload.
    """
    workload = trial.settings
    if not isinstance(workload, ProblemWorkload):
        raise TypeError(f"{trial.title}: {workload.workload} has no exact optimum")
    problem, graph = workload.problem, trial.graph()
    data = problem.dimension if problem.terms == 1 else problem.terms * (problem.dimension + 1)
    centre = nx.barycenter(graph)[0]
    hops = nx.single_source_shortest_path_length(graph, centre)
    delay = workload.network.link.delay
    sent = BYTES * sum(far * (data + problem.dimension) for far in hops.values())
    return float(sent), 2 * max(hops.values()) * delay + workload.consensus.compute
