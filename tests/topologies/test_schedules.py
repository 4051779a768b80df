"""The one-peer exponential graph: who hears whom, and that log2(n) rounds average exactly."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies import TopologyError, make
from topologies.schedules import averaging_weights, one_peer_exponential


@given(nodes=st.integers(2, 40))
def test_in_every_round_everyone_sends_once_and_hears_once_along_links_of_the_static_graph(
    nodes: int,
) -> None:
    static = make("exponential", nodes)
    for links in islice(one_peer_exponential(nodes), 8):
        assert sorted(source for source, _ in links) == list(range(nodes))
        assert [destination for _, destination in links] == list(range(nodes))
        assert all(static.has_edge(*link) for link in links)


def test_the_rounds_of_five_nodes_are_these_and_come_again() -> None:
    rounds = list(islice(one_peer_exponential(5), 4))
    assert rounds[0] == ((1, 0), (2, 1), (3, 2), (4, 3), (0, 4))
    assert rounds[1] == ((2, 0), (3, 1), (4, 2), (0, 3), (1, 4))
    assert rounds[2] == ((4, 0), (0, 1), (1, 2), (2, 3), (3, 4))
    assert rounds[3] == rounds[0]


def product(nodes: int, rounds: int, first: int = 0) -> np.ndarray:
    result = np.eye(nodes)
    for links in islice(one_peer_exponential(nodes), first, first + rounds):
        result = averaging_weights(nodes, links) @ result
    return result


@pytest.mark.parametrize("exponent", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_log2_n_rounds_in_a_row_average_exactly_when_n_is_a_power_of_two(exponent: int, first: int) -> None:
    nodes = 2**exponent
    np.testing.assert_array_equal(product(nodes, exponent, first), np.full((nodes, nodes), 1 / nodes))


@pytest.mark.parametrize("nodes", [3, 5, 6, 12])
def test_other_numbers_of_nodes_do_not_average_exactly_but_keep_the_mean(nodes: int) -> None:
    averaged = product(nodes, (nodes - 1).bit_length())
    np.testing.assert_allclose(averaged.sum(axis=0), 1)
    np.testing.assert_allclose(averaged.sum(axis=1), 1)
    assert np.abs(averaged - 1 / nodes).max() > 0.01


def test_averaging_weights_are_the_plain_mean_of_oneself_and_what_one_hears() -> None:
    np.testing.assert_allclose(
        averaging_weights(3, [(1, 0), (2, 0), (0, 1)]), [[1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0], [0, 0, 1]]
    )


@pytest.mark.parametrize("nodes", [1, 2.5, "4"])
def test_a_schedule_for_no_network_is_refused_at_once(nodes) -> None:
    with pytest.raises(TopologyError, match=r"nodes: .* is not a whole number of at least 2"):
        one_peer_exponential(nodes)
