"""Spectra against closed forms, NetworkX, SciPy, and the ADMM recursion carried out message by message."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies import TopologyError, make
from topologies.admm_rate import adjacency, best_penalty, factor, modes
from topologies.spectrum import metropolis_weights, summary


def relaxed_admm_errors(graph, penalty: float, relaxation: float, rounds: int) -> np.ndarray:
    """Largest error of any node after each synchronous round, with one z per node and neighbour."""
    value = np.random.default_rng(0).normal(size=len(graph))
    z = {(i, j): 0.0 for i in graph for j in graph[i]}
    errors = []
    for _ in range(rounds):
        s = {i: (value[i] + sum(z[i, j] for j in graph[i])) / (1 + penalty * graph.degree(i)) for i in graph}
        errors.append(max(abs(s[i] - value.mean()) for i in graph))
        z = {(j, i): (1 - relaxation) * z[j, i] + relaxation * (2 * penalty * s[i] - z[i, j]) for i, j in z}
    return np.array(errors)


def fitted_factor(errors: np.ndarray, first: int, last: int) -> float:
    return float(np.exp(np.polyfit(np.arange(first, last), np.log(errors[first:last]), 1)[0]))


def message_map(graph, penalty: float, relaxation: float) -> np.ndarray:
    """The same recursion's linear part on all z at once, [2 links, 2 links]."""
    places = {pair: k for k, pair in enumerate((i, j) for i in graph for j in graph[i])}
    matrix = np.zeros((len(places), len(places)))
    for (i, j), k in places.items():
        matrix[places[j, i], places[j, i]] += 1 - relaxation
        matrix[places[j, i], k] -= relaxation
        for other in graph[i]:
            matrix[places[j, i], places[i, other]] += (
                2 * relaxation * penalty / (1 + penalty * graph.degree(i))
            )
    return matrix


@pytest.mark.parametrize("nodes", [3, 4, 7, 16, 25])
def test_ring_has_the_textbook_spectrum(nodes: int) -> None:
    ring = summary(make("ring", nodes))
    assert ring.w2 == pytest.approx(math.cos(2 * math.pi / nodes), abs=1e-12)
    assert ring.algebraic_connectivity == pytest.approx(2 - 2 * math.cos(2 * math.pi / nodes))
    assert (ring.edges, ring.degree_min, ring.degree_max, ring.diameter) == (nodes, 2, 2, nodes // 2)


@pytest.mark.parametrize("nodes", [2, 3, 8, 16])
def test_path_has_the_textbook_spectrum(nodes: int) -> None:
    path = summary(make("path", nodes))
    assert path.algebraic_connectivity == pytest.approx(2 * (1 - math.cos(math.pi / nodes)))
    assert path.w2 == pytest.approx(math.cos(math.pi / (nodes - 1)), abs=1e-12)
    assert path.diameter == nodes - 1


@pytest.mark.parametrize("dimension", [1, 2, 3, 5])
def test_hypercube_has_the_textbook_spectrum(dimension: int) -> None:
    cube = summary(make("hypercube", 2**dimension))
    assert cube.algebraic_connectivity == pytest.approx(2)
    assert cube.w2 == pytest.approx(1 - 2 / dimension)
    assert (cube.degree_min, cube.degree_max, cube.diameter) == (dimension, dimension, dimension)


@pytest.mark.parametrize("nodes", [3, 8, 16])
def test_complete_and_star_have_the_textbook_spectra(nodes: int) -> None:
    complete, star = summary(make("complete", nodes)), summary(make("star", nodes))
    assert (complete.algebraic_connectivity, star.algebraic_connectivity) == (
        pytest.approx(nodes),
        pytest.approx(1),
    )
    assert complete.w2 == pytest.approx(-1 / (nodes - 1))
    assert star.w2 == pytest.approx(0, abs=1e-12)
    assert (complete.diameter, star.diameter) == (1, 2)


@pytest.mark.parametrize("name", ["grid", "barbell", "erdos_renyi", "barabasi_albert", "random_geometric"])
@pytest.mark.parametrize("seed", [0, 1])
def test_summary_agrees_with_networkx_and_scipy(name: str, seed: int) -> None:
    graph = make(name, 18, seed=seed)
    found = summary(graph)
    links = nx.adjacency_matrix(graph, nodelist=range(18), weight=None).toarray().astype(float)
    degrees = np.array([graph.degree(node) for node in range(18)])
    laplacian = nx.laplacian_matrix(graph, nodelist=range(18), weight=None).toarray()
    # The random walk itself, D^-1 A, not its symmetric form.
    walk = np.sort(scipy.linalg.eigvals(links / degrees[:, None]).real)
    assert found.algebraic_connectivity == pytest.approx(scipy.linalg.eigvalsh(laplacian)[1])
    assert found.w2 == pytest.approx(walk[-2])
    assert found.diameter == nx.diameter(graph)
    assert (found.nodes, found.edges) == (18, graph.number_of_edges())
    assert (found.degree_min, found.degree_max) == (degrees.min(), degrees.max())


@pytest.mark.parametrize(
    ("name", "penalty", "rate"),
    [
        ("ring", 1.307, 0.834),
        ("torus", 0.289, 0.634),
        ("hypercube", 0.289, 0.634),
        ("complete", 1 / 15, 0.50),
    ],
)
def test_the_best_penalty_on_regular_graphs_of_16_is_the_known_one(
    name: str, penalty: float, rate: float
) -> None:
    found = summary(make(name, 16))
    assert found.best_penalty == pytest.approx(penalty, abs=5e-4)
    assert found.best_factor == pytest.approx(rate, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "nodes"),
    [("ring", 16), ("ring", 7), ("torus", 12), ("complete", 5), ("path", 2), ("exponential", 16)],
)
def test_no_penalty_beats_the_closed_form_in_the_recursion(name: str, nodes: int) -> None:
    graph = make(name, nodes)
    found = summary(graph)
    assert factor(graph, found.best_penalty) == pytest.approx(found.best_factor, abs=2e-7)  # a double root
    assert all(
        factor(graph, found.best_penalty * scale) >= found.best_factor - 2e-7
        for scale in np.exp(np.linspace(-3, 3, 301))
    )


def test_star_and_path_of_16_agree_at_their_exact_best_penalty_and_read_higher_when_fitted() -> None:
    star, path = summary(make("star", 16)), summary(make("path", 16))
    # At penalty 1 the star's quadratic for its two symmetric modes is 32 r^2 (r^2 - 1) = 0: r is 0, twice.
    assert star.best_penalty == pytest.approx(1, abs=1e-6)
    assert star.best_factor == pytest.approx(0.5, abs=1e-4)
    assert path.best_factor == pytest.approx(0.9042, abs=1e-4)
    # A double root's error is k times factor^k, so a slope fitted to the first rounds reads 0.53 and 0.92.
    star_errors = relaxed_admm_errors(make("star", 16), star.best_penalty, 0.5, 30)
    path_errors = relaxed_admm_errors(make("path", 16), path.best_penalty, 0.5, 120)
    assert fitted_factor(star_errors, 5, 25) == pytest.approx(0.53, abs=0.01)
    assert fitted_factor(path_errors, 20, 100) == pytest.approx(0.92, abs=0.01)


@pytest.mark.parametrize(
    "graph",
    [
        make("grid", 12),
        make("barbell", 11),
        make("barabasi_albert", 20, seed=2),
        make("random_geometric", 14, seed=1),
        nx.lollipop_graph(8, 7),  # two valleys
        nx.lollipop_graph(12, 12),
    ],
    ids=["grid", "barbell", "barabasi_albert", "random_geometric", "lollipop 15", "lollipop 24"],
)
def test_no_penalty_of_a_fine_search_beats_the_best_on_irregular_graphs(graph) -> None:
    found = summary(graph)
    assert factor(graph, found.best_penalty) == pytest.approx(found.best_factor, abs=1e-12)
    fine = [factor(graph, found.best_penalty * scale) for scale in np.exp(np.linspace(-3, 3, 241))]
    assert min(fine) >= found.best_factor - 1e-6


@pytest.mark.parametrize(
    ("name", "penalty", "relaxation"),
    [("star", 0.4, 0.5), ("path", 0.5, 0.5), ("grid", 0.2, 0.3), ("barbell", 0.1, 0.8), ("ring", 0.3, 0.9)],
)
def test_the_factor_is_what_the_recursion_shows_message_by_message(
    name: str, penalty: float, relaxation: float
) -> None:
    graph = make(name, 9 if name != "ring" else 10)
    errors = relaxed_admm_errors(graph, penalty, relaxation, 240)
    errors = errors[errors > 1e-11]
    expected = factor(graph, penalty, relaxation)
    assert fitted_factor(errors, len(errors) // 2, len(errors)) == pytest.approx(expected, abs=3e-3)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), nodes=st.integers(3, 9), penalty=st.floats(0.02, 5))
def test_the_modes_are_eigenvalues_of_the_whole_message_map(seed: int, nodes: int, penalty: float) -> None:
    graph = make("erdos_renyi", nodes, p=0.4, seed=seed)
    whole = message_map(graph, penalty, 0.5)
    ours = 0.5 + 0.5 * modes(graph, penalty)
    assert len(ours) == 2 * nodes - (2 if nx.is_bipartite(graph) else 1)
    # Of a nearly multiple root only a root of rounding is known; that whole - one I is singular, to rounding.
    singular = [scipy.linalg.svdvals(whole - one * np.eye(len(whole)))[-1] for one in ours]
    assert max(singular) < 1e-12


@pytest.mark.parametrize(("name", "nodes"), [("ring", 9), ("torus", 12), ("complete", 6), ("hypercube", 8)])
def test_the_modes_of_a_regular_graph_are_the_roots_of_its_quadratics(name: str, nodes: int) -> None:
    graph = make(name, nodes)
    d = graph.degree(0)
    b = 0.3 * d / (1 + 0.3 * d)
    expected: list[complex] = []
    for w in np.linalg.eigvalsh(nx.to_numpy_array(graph) / d):
        if abs(w - 1) < 1e-9:
            expected.append(2 * b - 1)
        elif abs(w + 1) < 1e-9:
            expected.append(1 - 2 * b)
        else:
            root = np.emath.sqrt(b * b * w * w - 2 * b + 1)
            expected += [b * w + root, b * w - root]
    ours = modes(graph, 0.3)
    assert len(ours) == len(expected)
    # Each finds a partner of its own, whatever order rounding gives them.
    apart = np.abs(ours[:, None] - np.array(expected)[None])
    rows, columns = scipy.optimize.linear_sum_assignment(apart)
    assert apart[rows, columns].max() < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(
        ["erdos_renyi", "barabasi_albert", "random_geometric", "star", "path", "exponential"]
    ),
    nodes=st.integers(3, 30),
    seed=st.integers(0, 1000),
)
def test_metropolis_weights_are_symmetric_doubly_stochastic_and_only_on_links(
    name: str, nodes: int, seed: int
) -> None:
    graph = make(name, nodes, seed=seed)
    weights = metropolis_weights(graph)
    np.testing.assert_array_equal(weights, weights.T)
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-14)
    assert (np.diag(weights) > 0).all()
    np.testing.assert_array_equal(weights - np.diag(np.diag(weights)) > 0, adjacency(graph) > 0)
    assert np.sort(np.abs(np.linalg.eigvalsh(weights)))[-2] < 1


def test_metropolis_averaging_is_slow_on_a_star() -> None:
    weights = metropolis_weights(make("star", 16))
    assert np.sort(np.abs(np.linalg.eigvalsh(weights)))[-2] == pytest.approx(0.9375)
    assert metropolis_weights(make("path", 3)) == pytest.approx(
        np.array([[2 / 3, 1 / 3, 0], [1 / 3, 1 / 3, 1 / 3], [0, 1 / 3, 2 / 3]])
    )


def test_a_graph_in_pieces_says_that_it_never_agrees() -> None:
    found = summary(nx.Graph([(0, 1), (2, 3)]))
    assert (found.diameter, found.algebraic_connectivity, found.best_factor) == (math.inf, 0, 1)
    assert found.w2 == pytest.approx(1)
    assert math.isnan(found.best_penalty)
    lonely = nx.Graph([(0, 1)])
    lonely.add_node(2)
    assert summary(lonely).w2 == pytest.approx(1)
    assert summary(lonely).degree_min == 0
    np.testing.assert_allclose(metropolis_weights(lonely), [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]])


def test_weights_and_the_order_of_nodes_do_not_matter() -> None:
    plain = nx.path_graph(5)
    dressed = nx.Graph([(4, 3, {"weight": 9}), (2, 1), (3, 2, {"weight": 0.1}), (1, 0)])
    assert summary(dressed) == summary(plain)
    np.testing.assert_array_equal(metropolis_weights(dressed), metropolis_weights(plain))


@pytest.mark.parametrize(
    "graph", [nx.DiGraph([(0, 1)]), nx.MultiGraph([(0, 1), (0, 1)]), nx.Graph([(0, 0), (0, 1)])]
)
def test_graphs_that_are_not_simple_are_refused(graph) -> None:
    with pytest.raises(TopologyError, match="a simple undirected graph is needed"):
        summary(graph)
    with pytest.raises(TopologyError, match="a simple undirected graph is needed"):
        metropolis_weights(graph)


def test_a_lone_node_is_refused() -> None:
    with pytest.raises(TopologyError, match="graph: 1 nodes; at least 2 are needed"):
        summary(nx.empty_graph(1))


def test_best_penalty_is_the_closed_form_when_every_degree_is_the_same() -> None:
    w2 = math.cos(2 * math.pi / 10)
    assert best_penalty(nx.cycle_graph(10), w2)[0] == pytest.approx(1 / (2 * math.sqrt(1 - w2**2)))
