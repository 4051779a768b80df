"""Wrong arguments of `workloads.run` and `make_trainer` are named in one line, before anything runs."""

import networkx as nx
import numpy as np
import pytest

from testbed import workloads
from testbed.workloads import ProblemWorkload, TrainingWorkload

PROBLEM = ProblemWorkload.model_validate(
    {"problem": {"name": "mean", "agents": 4}, "consensus": {"budget": {"activations": 5}}}
)
TRAINING = TrainingWorkload.model_validate({"environment": {"agents": 4}})
RING = nx.cycle_graph(4)


def _with_loop():
    graph = RING.copy()
    graph.add_edge(1, 1)
    return graph


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"graph": nx.relabel_nodes(RING, str)}, "topology: has the node '0', must have the agents 0 to 3"),
        ({"graph": nx.relabel_nodes(RING, float)}, "topology: has the node 0.0, must have"),
        ({"graph": nx.relabel_nodes(RING, lambda node: node + 1)}, "topology: has the node 4, must have"),
        ({"graph": nx.grid_2d_graph(2, 2)}, "topology: has the node (0, 0), must have"),
        ({"graph": nx.DiGraph(RING)}, "topology: got DiGraph, must be an undirected networkx.Graph"),
        ({"graph": nx.MultiGraph(RING)}, "topology: got MultiGraph, must be"),
        ({"graph": None}, "topology: got NoneType, must be"),
        ({"graph": "ring"}, "topology: got str, must be"),
        ({"graph": nx.Graph()}, "topology: has 0 nodes for 4 agents"),
        ({"graph": _with_loop()}, "topology: has a link from 1 to itself"),
        ({"seed": -1}, "seed: -1 is not a whole number of at least 0"),
        ({"seed": 1.5}, "seed: 1.5 is not"),
        ({"seed": None}, "seed: None is not"),
        ({"seed": True}, "seed: True is not"),
        ({"trial": {"workload": "problem"}}, "trial: got dict, must be a ProblemWorkload"),
        ({"trial": None}, "trial: got NoneType, must be"),
    ],
)
def test_wrong_arguments_are_named_in_one_line(changed, message):
    for take, trial in ((workloads.run, PROBLEM), (workloads.make_trainer, TRAINING)):
        given = {"trial": trial, "seed": 0, "graph": RING, **changed}
        with pytest.raises(ValueError, match=r"^(topology|seed|trial): ") as caught:
            take(given.pop("trial"), **given)
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)


def test_numbers_of_numpy_and_nodes_in_any_order_are_the_same_graph():
    wanted = workloads.run(PROBLEM, seed=3, graph=RING).metrics["error"]
    of_numpy = nx.relabel_nodes(RING, {node: np.int64(node) for node in RING})
    turned = nx.Graph([(3, 2), (2, 1), (1, 0), (0, 3)])
    assert workloads.run(PROBLEM, seed=np.int64(3), graph=of_numpy).metrics["error"] == wanted
    assert workloads.run(PROBLEM, seed=3, graph=turned).metrics["error"] == wanted
