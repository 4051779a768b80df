"""The named families: the graphs NetworkX and textbooks know, and refusals one can act on."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import topologies
from topologies import FAMILIES, TopologyError, make, random_graphs
from topologies.families import DRAWS, _is_hopeless

ALL = [
    "ring",
    "path",
    "star",
    "complete",
    "grid",
    "torus",
    "hypercube",
    "balanced_tree",
    "barbell",
    "random_regular",
    "erdos_renyi",
    "watts_strogatz",
    "barabasi_albert",
    "random_geometric",
    "exponential",
]
FIXED = [name for name in FAMILIES if not FAMILIES[name].random]
RANDOM = [name for name in FAMILIES if FAMILIES[name].random]


def links(graph: nx.Graph[int]) -> list[tuple[int, int]]:
    return list(graph.edges)


def test_every_family_of_the_list_is_there_under_its_name() -> None:
    assert sorted(FAMILIES) == sorted(ALL)
    assert all(name == family.name and family.summary for name, family in FAMILIES.items())


@pytest.mark.parametrize(
    ("name", "nodes", "parameters", "reference"),
    [
        ("ring", 7, {}, nx.cycle_graph(7)),
        ("path", 2, {}, nx.path_graph(2)),
        ("path", 9, {}, nx.path_graph(9)),
        ("star", 6, {}, nx.star_graph(5)),
        ("star", 6, {"center": 5}, nx.star_graph(5)),
        ("complete", 5, {}, nx.complete_graph(5)),
        ("grid", 12, {}, nx.grid_2d_graph(3, 4)),
        ("grid", 12, {"rows": 2}, nx.grid_2d_graph(2, 6)),
        ("grid", 12, {"columns": 3}, nx.grid_2d_graph(4, 3)),
        ("grid", 7, {"rows": 1}, nx.path_graph(7)),
        ("torus", 12, {}, nx.grid_2d_graph(3, 4, periodic=True)),
        ("torus", 24, {"rows": 3, "columns": 8}, nx.grid_2d_graph(3, 8, periodic=True)),
        ("hypercube", 2, {}, nx.hypercube_graph(1)),
        ("hypercube", 16, {}, nx.hypercube_graph(4)),
        ("balanced_tree", 15, {}, nx.balanced_tree(2, 3)),
        ("balanced_tree", 13, {"r": 3}, nx.balanced_tree(3, 2)),
        ("balanced_tree", 4, {"r": 1}, nx.path_graph(4)),
        ("barbell", 6, {}, nx.barbell_graph(3, 0)),
        ("barbell", 9, {}, nx.barbell_graph(4, 1)),
        ("barbell", 12, {"m2": 4}, nx.barbell_graph(4, 4)),
        ("barbell", 12, {"m1": 3}, nx.barbell_graph(3, 6)),
        ("barabasi_albert", 5, {"m": 4}, nx.star_graph(4)),
        ("erdos_renyi", 6, {"p": 1}, nx.complete_graph(6)),
        ("watts_strogatz", 8, {"p": 0}, nx.circulant_graph(8, [1, 2])),
        ("random_geometric", 6, {"radius": 1.5}, nx.complete_graph(6)),
        ("random_regular", 8, {"d": 7}, nx.complete_graph(8)),
        ("exponential", 7, {}, nx.complete_graph(7)),
        ("exponential", 8, {}, nx.circulant_graph(8, [1, 2, 4])),
        ("exponential", 12, {}, nx.circulant_graph(12, [1, 2, 4, 8])),
    ],
)
def test_a_family_is_the_graph_that_networkx_knows(name, nodes, parameters, reference) -> None:
    graph = make(name, nodes, **parameters)
    assert nx.is_isomorphic(graph, reference)
    assert graph.graph["family"] == name
    assert set(graph.graph["parameters"]) == set(FAMILIES[name].parameters)


def test_a_lattice_is_numbered_row_by_row_and_says_its_sides() -> None:
    grid = make("grid", 6)
    assert links(grid) == [(0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (4, 5)]
    assert grid.graph["parameters"] == {"rows": 2, "columns": 3}


def test_the_center_of_a_star_is_the_node_that_is_asked_for() -> None:
    assert links(make("star", 4)) == [(0, 1), (0, 2), (0, 3)]
    assert links(make("star", 4, center=2)) == [(0, 2), (1, 2), (2, 3)]
    for wrong, why in (
        (4, "center: 4 is not a node, must be from 0 to 3"),
        (-1, "center: -1"),
        ("hub", "center"),
    ):
        with pytest.raises(TopologyError, match=why):
            make("star", 4, center=wrong)


def test_hypercube_links_differ_in_one_binary_digit() -> None:
    assert all((u ^ v).bit_count() == 1 for u, v in make("hypercube", 32).edges)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_graph_is_connected_simple_in_order_and_the_same_again(name: str, data: st.DataObject) -> None:
    if name == "hypercube":
        nodes = 2 ** data.draw(st.integers(1, 6))
    elif name == "balanced_tree":
        nodes = 2 ** data.draw(st.integers(2, 6)) - 1
    elif name in ("grid", "torus"):
        nodes = data.draw(st.integers(3, 8)) * data.draw(st.integers(3, 8))
    elif name == "random_regular":
        nodes = 2 * data.draw(st.integers(2, 25))
    else:
        nodes = data.draw(st.integers(6, 50))
    seed = data.draw(st.integers(0, 2**40))
    graph = make(name, nodes, seed=seed)
    assert type(graph) is nx.Graph
    assert list(graph) == list(range(nodes))
    assert all(type(node) is int for node in graph)
    assert nx.is_connected(graph)
    assert nx.number_of_selfloops(graph) == 0
    assert links(graph) == sorted((min(edge), max(edge)) for edge in graph.edges)
    again = make(name, nodes, seed=seed)
    assert nx.utils.graphs_equal(graph, again)
    assert links(graph) == links(again)


@pytest.mark.parametrize("name", RANDOM)
def test_another_seed_gives_another_graph_and_the_global_generators_play_no_part(name: str) -> None:
    first = make(name, 20, seed=1)
    assert links(first) != links(make(name, 20, seed=2))
    np.random.seed(5)  # noqa: NPY002 - the point is that it changes nothing
    assert links(first) == links(make(name, 20, seed=1))


@pytest.mark.parametrize("name", FIXED)
def test_a_family_without_chance_does_not_look_at_the_seed(name: str) -> None:
    nodes = 15 if name == "balanced_tree" else 16
    assert links(make(name, nodes, seed=1)) == links(make(name, nodes, seed=2))


@settings(max_examples=20, deadline=None)
@given(nodes=st.integers(5, 30), degree=st.integers(2, 4), seed=st.integers(0, 1000))
def test_random_regular_has_one_degree(nodes: int, degree: int, seed: int) -> None:
    if nodes * degree % 2:
        nodes += 1
    graph = make("random_regular", nodes, d=degree, seed=seed)
    assert {d for _, d in graph.degree()} == {degree}


def test_erdos_renyi_links_as_many_pairs_as_its_probability_says() -> None:
    share = np.mean([make("erdos_renyi", 30, seed=s).number_of_edges() / 435 for s in range(40)])
    assert share == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / (435 * 40)))


def test_random_geometric_links_exactly_the_near_ones() -> None:
    graph = make("random_geometric", 30, radius=0.3, seed=3)
    place = nx.get_node_attributes(graph, "pos")
    near = [(u, v) for u in graph for v in graph if u < v and math.dist(place[u], place[v]) <= 0.3]
    assert links(graph) == near
    assert all(0 <= x < 1 and 0 <= y < 1 for x, y in place.values())


def test_a_sparse_random_graph_is_redrawn_until_connected_and_the_first_draw_can_be_had() -> None:
    first = make("erdos_renyi", 12, p=0.15, seed=4, allow_disconnected=True)
    assert not nx.is_connected(first)
    assert nx.is_connected(make("erdos_renyi", 12, p=0.15, seed=4))


@pytest.mark.parametrize(
    ("name", "nodes", "parameters", "message"),
    [
        ("rnig", 8, {}, "name: 'rnig' is not a topology (did you mean 'ring'?); one of ring, path"),
        ("Hypercube", 8, {}, "did you mean 'hypercube'?"),
        (3, 8, {}, "name: 3 is not a topology; one of ring"),
        ("ring", 2, {}, "nodes: 2 is too few for a ring, which needs at least 3"),
        ("path", 1, {}, "nodes: 1 is not a whole number of at least 2"),
        ("ring", 8.0, {}, "nodes: 8.0 is not a whole number"),
        ("ring", True, {}, "nodes: True is not a whole number"),
        ("ring", "8", {}, "nodes: '8' is not a whole number"),
        ("ring", 8, {"seed": -1}, "seed: -1 is not a whole number of at least 0"),
        ("ring", 8, {"d": 3}, "d: not a parameter of ring, which takes no parameters"),
        (
            "random_geometric",
            8,
            {"radus": 0.3},
            "radus: not a parameter of random_geometric (did you mean 'radius'?), which takes radius",
        ),
        (
            "grid",
            13,
            {},
            "nodes: 13 cannot form a grid with both sides at least 2; the nearest that can are 12 and 14",
        ),
        ("grid", 13, {}, "or set rows: 1 for a single line"),
        ("grid", 2, {}, "the nearest that can is 4"),
        ("grid", 12, {"rows": 5}, "nodes: 12 cannot form a grid with rows 5; rows * columns must be nodes"),
        ("grid", 12, {"columns": 50}, "nodes: 12 cannot form a grid with columns 50"),
        ("grid", 12, {"rows": 3, "columns": 3}, "nodes: 12 cannot form a grid with rows 3 and columns 3"),
        (
            "torus",
            10,
            {},
            "nodes: 10 cannot form a torus with both sides at least 3; the nearest that can are 9 and 12",
        ),
        ("torus", 12, {"rows": 2}, "rows: 2 is not a whole number of at least 3"),
        ("torus", 12, {"rows": 6}, "nodes: 12 cannot form a torus with rows 6"),
        (
            "hypercube",
            12,
            {},
            "nodes: 12 is not a power of two, as a hypercube needs; the nearest are 8 and 16",
        ),
        ("balanced_tree", 16, {}, "nodes: 16 cannot form a balanced tree with r 2; 15 and 31 can"),
        ("balanced_tree", 2, {}, "nodes: 2 cannot form a balanced tree with r 2; 3 can"),
        ("balanced_tree", 7, {"r": 0}, "r: 0 is not a whole number of at least 1"),
        ("barbell", 5, {}, "nodes: 5 is too few for a barbell, which needs at least 6"),
        (
            "barbell",
            10,
            {"m2": 3},
            "nodes: 10 cannot form a barbell with m2 3; 2 * m1 + m2 must be nodes",
        ),
        ("barbell", 10, {"m1": 6}, "nodes: 10 cannot form a barbell with m1 6"),
        ("barbell", 10, {"m1": 3, "m2": 1}, "nodes: 10 cannot form a barbell with m1 3 and m2 1"),
        ("random_regular", 7, {}, "d: 3 times 7 nodes is odd, so no such graph exists; d 2 or 4"),
        ("random_regular", 4, {"d": 4}, "d: 4 is not below the number of nodes, 4"),
        ("erdos_renyi", 7, {"p": 1.5}, "p: 1.5 is not a number from 0 to 1"),
        ("erdos_renyi", 7, {"p": math.nan}, "p: nan is not a number from 0 to 1"),
        (
            "watts_strogatz",
            7,
            {"k": 3},
            "k: 3 is not an even number below the number of nodes, 7",
        ),
        ("watts_strogatz", 4, {}, "k: 4 is not an even number below the number of nodes, 4"),
        ("watts_strogatz", 7, {"p": "often"}, "p: 'often' is not a number from 0 to 1"),
        ("barabasi_albert", 3, {"m": 3}, "m: 3 is not below the number of nodes, 3"),
        ("random_geometric", 7, {"radius": 0}, "radius: 0 is not a finite number above 0"),
        ("random_geometric", 7, {"radius": math.inf}, "radius: inf is not a finite number above 0"),
        (
            "erdos_renyi",
            8,
            {"p": 0.0},
            f"erdos_renyi: none of {DRAWS} graphs with 8 nodes and p 0.0 was connected (they have 8 parts",
        ),
        ("random_regular", 8, {"d": 1}, "d: 1 only links nodes in pairs: must be at least 2"),
        ("complete", 50_000, {}, "nodes: about 1,249,975,000 links are more than the 5,000,000 that a graph"),
        ("barbell", 50_000, {}, "nodes: about 624,975,001 links are more than"),
        ("random_regular", 100_000, {"d": 200}, "nodes: about 10,000,000 links are more than"),
        ("erdos_renyi", 10_000, {"p": 0.5}, "nodes: about 24,997,500 links are more than"),
        ("watts_strogatz", 10_000, {"k": 2000}, "nodes: about 10,000,000 links are more than"),
        ("barabasi_albert", 10_000, {"m": 5000}, "nodes: about 25,000,000 links are more than"),
        ("random_geometric", 100_000, {"radius": 0.4}, "links are more than"),
        (
            "watts_strogatz",
            2000,
            {"k": 1998, "p": 1},
            "k: 1998 of 1999 other nodes leaves too few targets to rewire links to with p 1; k or p must be",
        ),
        ([], 8, {}, "name: [] is not a topology"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line_that_helps(name, nodes, parameters, message) -> None:
    with pytest.raises(TopologyError) as caught:
        make(name, nodes, **parameters)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "nodes", "parameters"),
    [
        ("erdos_renyi", 1000, {"p": 1e-6}),
        ("erdos_renyi", 1000, {"p": 0.003}),
        ("random_geometric", 1000, {"radius": 0.01}),
        ("random_geometric", 60, {"radius": 0.05}),
    ],
)
def test_a_hopeless_graph_is_given_up_after_few_draws(name, nodes, parameters, monkeypatch) -> None:
    built = []
    build = FAMILIES[name].build
    family = dataclasses.replace(
        FAMILIES[name], build=lambda *args, **kwargs: built.append(1) or build(*args, **kwargs)
    )
    monkeypatch.setitem(FAMILIES, name, family)
    with pytest.raises(TopologyError, match="none of"):
        make(name, nodes, **parameters)
    assert len(built) < 40


def test_hopeless_is_said_only_of_what_a_thousand_draws_would_not_find() -> None:
    """Where a few in a thousand graphs are connected, all thousand are drawn."""
    mean = math.log(500)  # isolated parts, if one graph in 500 has none
    draws = np.random.default_rng(0).poisson(mean, (200, DRAWS))
    assert not any(
        _is_hopeless(int(total), k + 1) for row in draws.cumsum(axis=1) for k, total in enumerate(row)
    )


@pytest.mark.parametrize(("nodes", "degree"), [(64, 57), (64, 60), (64, 62), (130, 120), (41, 38), (12, 11)])
def test_a_nearly_complete_regular_graph_is_drawn_at_once(nodes: int, degree: int) -> None:
    graphs = [make("random_regular", nodes, d=degree, seed=seed) for seed in (1, 1, 2)]
    assert {d for graph in graphs for _, d in graph.degree()} == {degree}
    assert links(graphs[0]) == links(graphs[1])
    if degree < nodes - 1:
        assert links(graphs[0]) != links(graphs[2])


@pytest.mark.parametrize(("nodes", "degree"), [(20, 3), (20, 10), (20, 16), (16, 14), (64, 44)])
def test_elsewhere_regular_graphs_are_those_of_networkx(nodes: int, degree: int) -> None:
    for seed in (1, 2):
        drawn = random_graphs.random_regular(nodes, np.random.default_rng(seed), d=degree)
        number = int(np.random.default_rng(seed).integers(2**32))
        assert nx.utils.graphs_equal(drawn, nx.random_regular_graph(degree, nodes, seed=number))


def test_watts_strogatz_graphs_are_those_of_networkx() -> None:
    for k, p in ((4, 0.2), (18, 1)):
        drawn = random_graphs.watts_strogatz(20, np.random.default_rng(3), k=k, p=p)
        number = int(np.random.default_rng(3).integers(2**32))
        assert nx.utils.graphs_equal(drawn, nx.watts_strogatz_graph(20, k, p, seed=number))


@pytest.mark.parametrize("radius", [0.05, 0.3, 2.0])
def test_a_geometric_graph_does_not_depend_on_how_its_pairs_are_gone_through(radius, monkeypatch) -> None:
    at_once = random_graphs.random_geometric(150, np.random.default_rng(1), radius=radius)
    monkeypatch.setattr(random_graphs, "_PAIRS", 1500)
    assert nx.utils.graphs_equal(
        at_once, random_graphs.random_geometric(150, np.random.default_rng(1), radius=radius)
    )


def test_numbers_from_numpy_are_numbers() -> None:
    graph = make("random_geometric", np.int64(9), seed=np.uint32(1), radius=np.float32(0.9))
    assert all(type(node) is int for node in graph)


def test_everything_works_the_same_where_scipy_and_pandas_are_not_installed() -> None:
    script = """
import sys
if sys.argv[1] == "without":
    sys.modules.update({name: None for name in ("scipy", "pandas", "lxml")})
import topologies
from topologies.drawing import layout
from topologies.schedules import one_peer_exponential
next(one_peer_exponential(8))
for name, family in topologies.FAMILIES.items():
    graph = topologies.make(name, 15 if name == "balanced_tree" else 16, seed=3)
    print(name, list(graph.edges), topologies.spectrum.summary(graph))
    topologies.spectrum.metropolis_weights(graph)
    layout(graph)
"""
    with_scipy, without = (
        subprocess.run([sys.executable, "-c", script, how], capture_output=True, text=True, check=True).stdout
        for how in ("with", "without")
    )
    assert with_scipy == without
    assert len(without.splitlines()) == len(FAMILIES)


def test_the_package_exports_what_it_promises() -> None:
    assert set(topologies.__all__) >= {"FAMILIES", "TopologyError", "make", "read", "spectrum"}
    assert issubclass(TopologyError, ValueError)
