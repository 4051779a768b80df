"""Joint connectivity of rounds, against NetworkX on every window."""

from __future__ import annotations

import json
import math
from itertools import islice

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies import TopologyError
from topologies.schedules import JointConnectivity, one_peer_exponential

LINKS = st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda link: link[0] != link[1])


@given(rounds=st.lists(st.lists(LINKS, max_size=5, unique=True), max_size=12), window=st.integers(1, 5))
def test_it_counts_the_windows_whose_union_is_strongly_connected(
    rounds: list[list[tuple[int, int]]], window: int
) -> None:
    seen = JointConnectivity(range(4), window)
    for links in rounds:
        seen.add(links)
    expected = []
    for first in range(len(rounds) - window + 1):
        graph: nx.DiGraph[int] = nx.DiGraph()
        graph.add_nodes_from(range(4))
        for links in rounds[first : first + window]:
            graph.add_edges_from(links)
        expected.append(nx.is_strongly_connected(graph))
    assert (seen.windows, seen.connected) == (len(expected), sum(expected))
    if expected:
        assert seen.share == sum(expected) / len(expected)
    else:
        assert math.isnan(seen.share)


@given(
    rounds=st.lists(st.lists(LINKS, max_size=5, unique=True), min_size=1, max_size=12),
    window=st.integers(1, 5),
    cut=st.integers(0, 11),
)
def test_it_can_be_saved_between_rounds(rounds: list[list[tuple[int, int]]], window: int, cut: int) -> None:
    seen = JointConnectivity(range(4), window)
    for links in rounds[:cut]:
        seen.add(links)
    again = JointConnectivity(range(4), window)
    again.load_state_dict(json.loads(json.dumps(seen.state_dict())))
    for links in rounds[cut:]:
        seen.add(links)
        again.add(links)
    assert again.state_dict() == seen.state_dict()


def test_the_one_peer_exponential_graph_is_connected_over_every_cycle_and_not_over_less() -> None:
    cycle, less = JointConnectivity(range(8), 3), JointConnectivity(range(8), 1)
    for links in islice(one_peer_exponential(8), 12):
        cycle.add(links)
        less.add(links)
    assert cycle.share == 1.0
    # The first round of each cycle is a ring, connected by itself; hops of 2 and 4 are not.
    assert less.share == pytest.approx(1 / 3)


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(TopologyError, match="window: 0 is not a whole number of at least 1"):
        JointConnectivity(range(3), 0)
