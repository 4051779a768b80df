"""The age of what agents know of each other, against ages worked out by hand."""

import networkx as nx
import numpy as np
import pytest

from testbed.consensus.edge_admm.algorithm import EdgeADMM
from testbed.consensus.message_age import MessageAges
from testbed.consensus.problems.mean import mean_problem
from testbed.consensus.settings import ConsensusSettings
from testbed.network import LinkSettings, Network, NetworkSettings, Streams


def test_ages_grow_by_a_second_a_second_until_a_message_is_applied() -> None:
    ages = MessageAges([(0, 1)], now=10.0)
    assert ages.row(10.0) == {"message_age": 0.0, "message_age_max": 0.0}
    assert ages.row(12.0) == {"message_age": 2.0, "message_age_max": 2.0}
    ages.applied(0, 1, sent_at=11.0, now=14.0)
    assert ages.row(14.0) == {"message_age": 3.5, "message_age_max": 4.0}
    # 0 -> 1 has been 0 to 4 for four seconds and 3 to 5 for two, 1 -> 0 has been 0 to 6: 8 + 8 + 18.
    assert ages.average(16.0) == pytest.approx(34 / 2 / 6)


def test_what_overtakes_and_what_is_overtaken_count_as_they_are_applied() -> None:
    ages = MessageAges([(0, 1)], now=0.0)
    ages.applied(0, 1, sent_at=3.0, now=4.0)
    ages.applied(0, 1, sent_at=2.0, now=4.0)  # an older message takes the place of a younger one
    assert ages.row(4.0)["message_age"] == pytest.approx((2.0 + 4.0) / 2)


def test_the_average_is_the_mean_of_the_ages_at_many_moments() -> None:
    generator = np.random.default_rng(0)
    links = [(0, 1), (1, 2), (0, 2)]
    ages, moments = MessageAges(links, 0.0), []
    ways = [way for i, j in links for way in ((i, j), (j, i))]
    now = 0.0
    for _ in range(60):
        steps = 200
        wait = float(generator.exponential())
        moments += [(wait / steps, ages.row(now + wait * (k + 0.5) / steps)) for k in range(steps)]
        now += wait
        ages.applied(*ways[generator.integers(len(ways))], sent_at=now - float(generator.random()), now=now)
    sampled = sum(weight * row["message_age"] for weight, row in moments) / now
    assert ages.average(now) == pytest.approx(sampled, rel=1e-10)


def test_without_links_nothing_has_an_age() -> None:
    ages = MessageAges([], 0.0)
    assert ages.row(5.0) == {"message_age": 0.0, "message_age_max": 0.0}
    assert ages.average(5.0) == 0.0


def _agree(activations: int, **link: float) -> "tuple[dict[str, float], list[dict[str, float]]]":
    network = Network(nx.path_graph(2), NetworkSettings(link=LinkSettings(**link)), Streams(0))
    settings = ConsensusSettings.model_validate(
        {"activation": "round_robin", "compute": "10ms", "budget": {"activations": activations}}
    )
    result = EdgeADMM(network, settings, Streams(0)).agree(mean_problem(np.array([[0.0], [1.0]])).local)
    return result.flat(), result.curve


def test_the_ages_of_an_exchange_are_its_latencies() -> None:
    """Every 30 ms: a solve, 5 ms there, a solve, 5 ms back."""
    final, curve = _agree(1000, delay=0.005)
    for row in curve[1:]:
        # The request was sent 20 ms before the end of the exchange, the response 5 ms.
        assert (row["message_age"], row["message_age_max"]) == pytest.approx((0.0125, 0.02))
    # Between applied messages the request's age goes from 15 to 45 ms, the response's from 5 to 35 ms.
    assert final["message_age_average"] == pytest.approx(0.025, rel=2e-3)


def test_lost_messages_make_nothing_younger() -> None:
    final, _ = _agree(10, delay=0.005, loss=1.0)
    assert final["message_age"] == final["message_age_max"] == final["consensus_seconds"] > 0
    assert final["message_age_average"] == pytest.approx(final["consensus_seconds"] / 2)
