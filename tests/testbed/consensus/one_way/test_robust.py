"""Robust averaging against known bounds: hulls, the contraction of clipping, and (2F + 1)-robust graphs."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import topologies
from testbed.consensus.one_way.metropolis import MetropolisAgent, RobustMetropolisAgent
from testbed.consensus.payloads import Payload
from testbed.consensus.problems.mean import mean_problem
from testbed.consensus.registry import make_consensus
from testbed.consensus.robust_rule import RULES, RobustRule
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Network, NetworkSettings, Streams

NUMBERS = st.floats(-1e3, 1e3, width=32)


def _rule(given: Any) -> RobustRule:
    found = ConsensusSettings.model_validate({"algorithm": "metropolis", "robust": given}).robust
    assert found is not None
    return found


def _agreed(
    graph: "nx.Graph[int]",
    start: np.ndarray,
    rounds: int,
    *,
    liars: dict[int, float] | None = None,
    robust: Any = None,
    activation: str = "synchronous",
    **network: Any,
) -> np.ndarray:
    """The agents' vectors [n, m] after some rounds in which each liar sends one number only."""
    faults = [
        {"fault": "byzantine", "agent": q, "behaviour": {"name": "collude", "target": to}, "down": 0.0}
        for q, to in (liars or {}).items()
    ]
    streams = Streams(0)
    chosen = {"algorithm": "metropolis", "robust": robust, "activation": activation}
    settings = ConsensusSettings.model_validate(
        chosen | {"budget": {"activations": rounds * len(graph)}, "curve_every": 1000}
    )
    simulated = Network(graph, NetworkSettings.model_validate({"faults": faults} | network), streams)
    return np.stack(make_consensus(simulated, settings, streams).agree(mean_problem(start).local).signals)


# --- one step ------------------------------------------------------------------------------------------


@st.composite
def _neighbourhoods(draw: st.DrawFn) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """f, one's own vector, f + 1 honest neighbours and f lying ones: 2f + 1 in all."""
    f, m = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    own = draw(arrays(np.float64, m, elements=NUMBERS))
    honest = draw(arrays(np.float64, (f + 1, m), elements=NUMBERS))
    lies = draw(arrays(np.float64, (f, m), elements=st.floats(-1e9, 1e9)))
    return f, own, honest, lies


@given(_neighbourhoods(), st.randoms(use_true_random=False))
@pytest.mark.parametrize("name", ["trimmed_mean", "w_msr", "median"])
def test_f_liars_among_2f_plus_1_neighbours_never_lead_out_of_the_honest_range(
    name: str, drawn: tuple[int, np.ndarray, np.ndarray, np.ndarray], order: Any
) -> None:
    f, own, honest, lies = drawn
    rule = _rule(name if name == "median" else {"name": name, "liars": f})
    places = list(range(2 * f + 1))
    order.shuffle(places)
    received = np.concatenate([honest, lies])[places]
    found = rule.combine(own, received, np.full(2 * f + 1, 1 / (2 * f + 2)))
    everyone = np.vstack([own, honest])
    slack = 1e-9 * (1 + np.abs(everyone).max())
    assert (found >= everyone.min(axis=0) - slack).all()
    assert (found <= everyone.max(axis=0) + slack).all()


@pytest.mark.parametrize("f", [1, 2, 3])
@pytest.mark.parametrize("name", ["trimmed_mean", "w_msr"])
def test_f_plus_1_liars_do_lead_out_of_it(name: str, f: int) -> None:
    received = np.vstack([np.zeros((f, 1)), np.full((f + 1, 1), 100.0)])
    rule = _rule({"name": name, "liars": f})
    assert rule.combine(np.zeros(1), received, np.full(2 * f + 1, 0.1)) > 10


def test_a_majority_of_liars_decides_the_median() -> None:
    received = np.array([[0.0], [0.0], [7.0], [7.0], [7.0], [7.0]])
    assert _rule("median").combine(np.zeros(1), received, np.full(6, 0.1)) == 7
    assert _rule("median").combine(np.zeros(1), received[:-1], np.full(5, 0.1)) == 3.5


def test_trimmed_means_and_w_msr_by_hand() -> None:
    received = np.array([[1.0], [2.0], [3.0], [10.0], [20.0]])
    weights = np.full(5, 1 / 6)
    own = np.array([0.0])
    assert _rule({"name": "trimmed_mean", "liars": 1}).combine(own, received, weights) == 15 / 4
    # All are above one's own: none is left out below.
    assert _rule({"name": "w_msr", "liars": 1}).combine(own, received, weights) == 16 / 5
    # With at most 2f neighbours nothing is left to average.
    assert _rule({"name": "trimmed_mean", "liars": 3}).combine(own, received, weights) == 0
    assert _rule({"name": "w_msr", "liars": 5}).combine(own, received, weights) == 0


@st.composite
def _complete_graphs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the honest agents [h, m], and of the liars to each of them [h, b, m]; b < h / 3."""
    h, m = draw(st.integers(4, 8)), draw(st.integers(1, 3))
    b = draw(st.integers(1, (h - 1) // 3))
    honest = draw(arrays(np.float64, (h, m), elements=NUMBERS))
    return honest, draw(arrays(np.float64, (h, b, m), elements=st.floats(-1e6, 1e6)))


@given(_complete_graphs())
def test_clipping_contracts_as_in_the_paper_on_a_complete_graph(
    drawn: tuple[np.ndarray, np.ndarray],
) -> None:
    """He, Karimireddy & Jaggi 2022: the variance shrinks by (1 - gamma + c sqrt(delta))^2 at least.

    With weights 1/n, and b of n agents lying, delta = b/n, and gossip among the honest alone, which keep the
    weights of the liars, contracts by 1 - gamma = delta. Clipping adds an error to each honest agent of at
    most 2 sqrt(delta sum_j W_ij |s_j - s_i|^2) with the paper's radius. The mean of these sums is 2 h/n times
    the variance, which gives c = 2 sqrt(2 h/n).
    """
    honest, lies = drawn
    (h, _), b = honest.shape, lies.shape[1]
    n = h + b
    delta, weights = b / n, np.full(n - 1, 1 / n)
    after = np.empty_like(honest)
    for i in range(h):
        others = np.delete(honest, i, axis=0)
        radius = np.sqrt((np.square(others - honest[i]).sum() / n) / delta)
        if radius == 0:
            after[i] = honest[i]
            continue
        received = np.vstack([others, lies[i]])
        after[i] = _rule({"name": "clipping", "radius": radius}).combine(honest[i], received, weights)
        gossip = honest[i] + (others - honest[i]).sum(axis=0) / n
        assert np.linalg.norm(after[i] - gossip) <= 2 * delta * radius * (1 + 1e-9) + 1e-9
    middle = honest.mean(axis=0)
    before = np.square(honest - middle).sum(axis=1).mean()
    bound = (delta + 2 * np.sqrt(2 * h / n) * np.sqrt(delta)) ** 2 * before
    assert np.square(after - middle).sum(axis=1).mean() <= bound * (1 + 1e-9) + 1e-6


@given(st.integers(1, 3), st.integers(1, 5), st.data())
def test_the_radius_from_the_number_of_liars_is_the_papers_if_the_furthest_lie(
    f: int, honest: int, data: st.DataObject
) -> None:
    near = data.draw(arrays(np.float64, (honest, 2), elements=st.floats(-1, 1)))
    far = data.draw(arrays(np.float64, (f, 2), elements=st.floats(10, 1000)))
    weights = data.draw(arrays(np.float64, honest + f, elements=st.floats(0.01, 0.1)))
    own, received = np.zeros(2), np.vstack([near, far])
    expected = np.sqrt((weights[:honest] * np.square(near).sum(axis=1)).sum() / weights[honest:].sum())
    found = _rule({"name": "clipping", "liars": f}).combine(own, received, weights)
    if expected > 1e-12:
        fixed = _rule({"name": "clipping", "radius": expected}).combine(own, received, weights)
        np.testing.assert_allclose(found, fixed, rtol=1e-9, atol=1e-12)
    assert np.linalg.norm(found) <= expected * weights.sum() * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("name", RULES.builtin())
def test_agents_that_agree_stay_where_they_are_and_types_are_kept(name: str) -> None:
    rule = _rule({"name": name, "radius": 1.0} if name == "clipping" else name)
    for dtype in (np.float32, np.float64):
        own = np.array([1.5, -2.5], dtype=dtype)
        found = rule.combine(own, np.tile(own, (5, 1)), np.full(5, 1 / 6))
        np.testing.assert_allclose(found, own, rtol=1e-6)
        assert found.dtype == dtype
        assert not np.shares_memory(found, own)


def test_clipping_with_a_large_radius_is_the_weighted_mean() -> None:
    weights = {j: 0.1 + 0.05 * j for j in range(1, 5)}
    start = np.random.default_rng(0).standard_normal((5, 3))
    plain = MetropolisAgent(0, start[0], weights)
    robust = RobustMetropolisAgent(0, start[0], weights, _rule({"name": "clipping", "radius": 1e9}))
    for agent in (plain, robust):
        agent.start_round()
        for j in (3, 1, 4, 2, 1):
            agent.receive(j, Payload(start[j], None, 24, True, None), 0.0)
    np.testing.assert_allclose(robust.s, plain.s, rtol=1e-12)


# --- agreement on graphs ---------------------------------------------------------------------------------


def _subsets(nodes: list[int]) -> Iterator[set[int]]:
    for size in range(1, len(nodes)):
        yield from map(set, combinations(nodes, size))


def _is_robust(graph: "nx.Graph[int]", r: int) -> bool:
    """r-robust (LeBlanc et al. 2013): of any two disjoint sets, one has a node with r neighbours outside."""

    def reaches(group: set[int]) -> bool:
        return any(len(set(graph[node]) - group) >= r for node in group)

    stuck = [group for group in _subsets(sorted(graph)) if not reaches(group)]
    return not any(one.isdisjoint(other) for one, other in combinations(stuck, 2))


def _grown(nodes: int, r: int) -> "nx.Graph[int]":
    """An r-robust graph: complete on 2r - 1 nodes, and each further node joined with r (their Theorem 5)."""
    graph = nx.complete_graph(2 * r - 1)
    for node in range(2 * r - 1, nodes):
        graph.add_edges_from((node, old) for old in sorted(graph, key=lambda q: (graph.degree[q], q))[:r])
    return graph


TWO_CLIQUES = nx.convert_node_labels_to_integers(
    nx.cartesian_product(nx.complete_graph(2), nx.complete_graph(4))
)
"""Two complete graphs of four nodes, each node joined with its twin: 4-connected, but not 2-robust."""


@pytest.mark.parametrize(
    "graph", [nx.complete_graph(6), _grown(9, 3)], ids=["complete", "grown by preferential attachment"]
)
@pytest.mark.parametrize("target", [-50.0, 1e6])
def test_w_msr_agrees_on_3_robust_graphs_whatever_one_agent_sends(
    graph: "nx.Graph[int]", target: float
) -> None:
    assert _is_robust(graph, 3)
    start = np.random.default_rng(1).standard_normal((len(graph), 2))
    agreed = _agreed(graph, start, 300, liars={0: target}, robust={"name": "w_msr", "liars": 1})[1:]
    assert np.ptp(agreed, axis=0).max() < 1e-6
    honest = start[1:]
    assert (agreed >= honest.min(axis=0) - 1e-9).all()
    assert (agreed <= honest.max(axis=0) + 1e-9).all()


def test_w_msr_never_agrees_on_two_cliques_joined_twin_to_twin() -> None:
    assert nx.node_connectivity(TWO_CLIQUES) == 4
    assert not _is_robust(TWO_CLIQUES, 2)
    start = np.repeat([[0.0], [1.0]], 4, axis=0)
    # Nobody lies, and yet each agent leaves out the only neighbour from the other clique.
    agreed = _agreed(TWO_CLIQUES, start, 200, robust={"name": "w_msr", "liars": 1})
    np.testing.assert_array_equal(agreed, start)
    plain = _agreed(TWO_CLIQUES, start, 200)
    np.testing.assert_allclose(plain, 0.5, atol=1e-9)


@pytest.mark.parametrize("target", [-3.0, 40.0, 1e8])
def test_without_robustness_one_liar_moves_plain_averaging_anywhere(target: float) -> None:
    graph = topologies.make("ring", 6)
    start = np.random.default_rng(2).standard_normal((6, 2))
    np.testing.assert_allclose(_agreed(graph, start, 600, liars={0: target})[1:], target, rtol=1e-4)


@pytest.mark.parametrize("activation", ["synchronous", "asynchronous", "gossip"])
@pytest.mark.parametrize("robust", ["median", "trimmed_mean", "w_msr"])
def test_rules_hold_the_honest_range_over_a_bad_network_by_any_activation(
    robust: Any, activation: str
) -> None:
    graph = nx.complete_graph(7)
    start = np.random.default_rng(3).standard_normal((7, 2))
    link = {"delay": 0.005, "loss": 0.2, "duplicate": 0.2, "jitter": 0.002}
    found = _agreed(
        graph, start, 150, liars={0: 1e6}, robust=robust, activation=activation, link=link, audit=True
    )
    if robust == "median" and activation != "synchronous":
        # With one neighbour heard, the median is the middle between the two.
        assert np.abs(found[1:]).max() > 10
        return
    if robust == "median":
        found = found[1:]
    assert (found >= start.min(axis=0) - 1e-9).all()
    assert (found <= start.max(axis=0) + 1e-9).all()
