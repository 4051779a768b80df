"""How far agents are from agreement, also where numbers are as large as they get."""

import math

import numpy as np
import pytest
import torch

from testbed.consensus import measures


@pytest.mark.parametrize("made", [np.array, lambda values: torch.tensor(values, dtype=torch.float64)])
def test_numbers_too_large_to_be_squared_are_infinitely_far_apart_without_a_warning(made) -> None:
    signals = [made([1e300, 1.0]), made([-1.7e308, 1.0]), made([1.7e308, math.inf])]
    assert measures.magnitude(signals) == math.inf
    assert measures.disagreement(signals[:2], [(0, 1)]) == math.inf
    assert measures.disagreement(signals, [(1, 2)]) == math.inf
    assert math.isnan(measures.disagreement([signals[2], signals[2]], [(0, 1)]))


def test_numbers_of_usual_size_are_root_mean_squares() -> None:
    signals = [np.array([3.0, 0.0]), np.array([0.0, 4.0])]
    assert measures.disagreement(signals, [(0, 1)]) == pytest.approx(math.sqrt(12.5))
    assert measures.disagreement(signals, []) == 0.0
    assert measures.magnitude(signals) == pytest.approx(2.5)


@pytest.mark.parametrize("agents", [2, 5, 28])
@pytest.mark.parametrize("length", [1, 7, 8, 129, 1000, 5000])
@pytest.mark.parametrize("made", [np.asarray, torch.from_numpy])
def test_signals_measured_together_give_the_bits_of_each_alone(agents, length, made) -> None:
    generator = np.random.default_rng(length)
    signals = [made(generator.standard_normal(length)) for _ in range(agents)]
    links = [(i, (3 * i + 1) % agents) for i in range(agents)]
    alone = [measures.mean_square(signal) for signal in signals]
    assert measures.mean_squares(signals) == alone
    assert measures.magnitude(signals) == math.sqrt(sum(alone) / agents)
    apart = [measures.mean_square(signals[i] - signals[j]) for i, j in links]
    assert measures.disagreement(signals, links) == math.sqrt(sum(apart) / agents)
