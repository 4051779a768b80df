"""Correlated and bursty loss against its closed forms."""

from itertools import groupby
from math import exp, sqrt
from typing import Any

import networkx as nx
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from testbed.network import LinkSettings, Message, Network, NetworkSettings, Streams
from testbed.network.impairments.losses.gilbert_elliott import GilbertElliott, GilbertElliottLoss
from testbed.network.impairments.rule import Fate

COUNT = 40_000
NOTHING = Message(0, 1, "x", None, 1, 0.0, 0)


def _lost(loss: Any, count: int = COUNT, seed: int = 0) -> NDArray[np.bool_]:
    """Which of `count` packets are lost, sent one after the other over one link."""
    network = Network(nx.path_graph(2), NetworkSettings(link=LinkSettings(loss=loss)), Streams(seed))
    arrived: list[int] = []
    network.attach(1, lambda message: arrived.append(message.payload))
    for number in range(count):
        network.send(0, 1, number, 1, "x")
    network.clock.run()
    network.ledger.check()
    lost = np.ones(count, dtype=bool)
    lost[arrived] = False
    assert network.ledger.dropped["loss"] == lost.sum()
    return lost


def _states(model: GilbertElliott, times: NDArray[np.float64], seed: int = 0) -> NDArray[np.bool_]:
    rule = GilbertElliottLoss(model, Streams(seed).fresh)
    states = []
    for time in times.tolist():
        rule.decide(NOTHING, Fate(time))
        states.append(rule.bad)
    return np.array(states)


def _runs(series: NDArray[np.bool_], of: bool) -> list[int]:
    return [len(list(run)) for value, run in groupby(series.tolist()) if value is of]


@pytest.mark.parametrize(("probability", "correlation"), [(0.1, 0.25), (0.3, 0.8)])
def test_correlated_loss_keeps_its_mean_and_forgets_geometrically(
    probability: float, correlation: float
) -> None:
    lost = _lost({"random": probability, "correlation": correlation})
    error = sqrt((1 + correlation) / (1 - correlation) / COUNT)
    assert lost.mean() == pytest.approx(probability, abs=5 * error * sqrt(probability * (1 - probability)))
    for lag in (1, 2, 4):
        found = np.corrcoef(lost[lag:], lost[:-lag])[0, 1]
        assert found == pytest.approx(correlation**lag, abs=6 * error)
    # A run goes on with probability c + (1 - c) p.
    goes_on = correlation + (1 - correlation) * probability
    assert np.mean(_runs(lost, True)) == pytest.approx(1 / (1 - goes_on), rel=0.1)


def test_no_correlation_in_detail_is_plain_loss() -> None:
    np.testing.assert_array_equal(_lost(0.3, 2000), _lost({"random": 0.3, "correlation": 0.0}, 2000))


@pytest.mark.parametrize(
    ("p", "r", "bad", "good"),
    [(0.02, 0.2, 1.0, 0.0), (0.05, 0.1, 0.8, 0.01), (0.5, 0.9, 1.0, 0.1), (0.9, 0.8, 0.7, 0.0)],
)
def test_gilbert_elliott_loss_has_the_moments_of_its_chain(
    p: float, r: float, bad: float, good: float
) -> None:
    model = GilbertElliott.model_validate({"p": p, "r": r, "1-h": bad, "1-k": good})
    share, memory = p / (p + r), 1 - p - r
    mean = bad * share + good * (1 - share)
    assert (model.share_bad, model.mean_loss) == pytest.approx((share, mean))
    states = _states(model, np.zeros(COUNT))
    error = sqrt(max((1 + memory) / (1 - memory), 1.0) / COUNT)
    assert states.mean() == pytest.approx(share, abs=5 * error * sqrt(share * (1 - share)))
    assert np.mean(_runs(states, True)) == pytest.approx(1 / r, rel=0.08)
    assert np.mean(_runs(states, False)) == pytest.approx(1 / p, rel=0.08)
    lost = _lost({"gemodel": model})
    assert lost.mean() == pytest.approx(mean, abs=5 * error * sqrt(mean * (1 - mean)))
    # Covariance of losses k packets apart: (bad - good)^2 share (1 - share) memory^k.
    for lag in (1, 3):
        expected = (bad - good) ** 2 * share * (1 - share) * memory**lag
        found = np.cov(lost[lag:], lost[:-lag])[0, 1]
        assert found == pytest.approx(expected, abs=6 * error * mean * (1 - mean) + 1e-4)


def test_mean_bad_runs_are_the_bursts_of_lost_packets_where_bad_loses_all() -> None:
    lost = _lost({"gemodel": {"p": 0.01, "r": 0.1}})
    assert lost.mean() == pytest.approx(1 / 11, rel=0.15)
    assert np.mean(_runs(lost, True)) == pytest.approx(10, rel=0.15)


def test_the_state_starts_from_its_stationary_law() -> None:
    model = GilbertElliott(p=0.001, r=0.003)
    first = [_states(model, np.zeros(1), seed)[0] for seed in range(2000)]
    assert np.mean(first) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("gap", [0.05, 1.0, 20.0])
def test_per_second_the_state_moves_with_time_however_many_packets_are_sent(gap: float) -> None:
    model = GilbertElliott(p=0.2, r=0.6, per="second")
    count = 20_000
    states = _states(model, gap * np.arange(count))
    memory = exp(-(0.2 + 0.6) * gap)
    error = sqrt((1 + memory) / (1 - memory) / count)
    assert states.mean() == pytest.approx(0.25, abs=5 * error * 0.45)
    assert np.corrcoef(states[1:], states[:-1])[0, 1] == pytest.approx(memory, abs=6 / sqrt(count))


def test_per_second_a_mean_bad_time_lasts_one_over_r() -> None:
    step = 0.01
    states = _states(GilbertElliott(p=0.5, r=2.0, per="second"), step * np.arange(100_000))
    assert step * np.mean(_runs(states, True)) == pytest.approx(0.5, rel=0.15)
    # Packets sent at once meet one state.
    at_once = _states(GilbertElliott(p=5.0, r=5.0, per="second"), np.full(100, 3.0))
    assert at_once.all() or not at_once.any()


def test_each_direction_has_weather_of_its_own() -> None:
    network = Network(
        nx.path_graph(2),
        NetworkSettings(link=LinkSettings(loss={"gemodel": {"p": 0.05, "r": 0.05}})),
        Streams(0),
    )
    arrived: dict[int, list[int]] = {0: [], 1: []}
    for node in (0, 1):
        network.attach(node, lambda message: arrived[message.destination].append(message.payload))
    for number in range(5000):
        network.send(0, 1, number, 1, "x")
        network.send(1, 0, number, 1, "x")
    network.clock.run()
    there, back = (np.isin(np.arange(5000), arrived[node]) for node in (1, 0))
    assert abs(np.corrcoef(there, back)[0, 1]) < 0.2
    assert 0.3 < there.mean() < 0.7


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ({"gemodel": {"p": 0.0, "r": 0.0}}, "p and r are both 0"),
        (
            {"gemodel": {"p": 2.0, "r": 0.5}},
            "p 2.0 and r 0.5 are probabilities per packet: must be at most 1",
        ),
        ({"gemodel": {"p": 0.1}}, "Field required"),
        ({"gemodel": {"p": 0.1, "r": 0.1, "1-h": 1.5}}, "less than or equal to 1"),
        ({"random": 0.1, "correlation": 1.0}, "less than 1"),
        ({"random": 0.1, "corelation": 0.5}, "corelation"),
        ({}, "Field required"),
        ("often", "valid number"),
    ],
)
def test_losses_that_make_no_sense_are_refused(loss: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LinkSettings(loss=loss)
    assert message in str(caught.value)
