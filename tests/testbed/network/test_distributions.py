from math import sqrt

import numpy as np
import pytest
from scipy import stats

from testbed.network import LinkSettings, Streams
from testbed.network.distributions import minimum_delay, sampler

COUNT = 100_000
DELAY, JITTER = 0.020, 0.004
SHAPE = 3.0
PARETO_SCALE = JITTER / (sqrt(SHAPE / (SHAPE - 2)) / (SHAPE - 1))
VARIANCE = np.log1p((JITTER / DELAY) ** 2)

LAWS = {
    "uniform": stats.uniform(DELAY - JITTER, 2 * JITTER),
    "normal": stats.norm(DELAY, JITTER),
    "lognormal": stats.lognorm(sqrt(VARIANCE), scale=DELAY * np.exp(-VARIANCE / 2)),
    "exponential": stats.expon(DELAY - JITTER, JITTER),
    "pareto": stats.pareto(SHAPE, loc=DELAY - 1.5 * PARETO_SCALE, scale=PARETO_SCALE),
}


def _sample(link: LinkSettings, count: int = COUNT) -> np.ndarray:
    draw = sampler(link)
    assert draw is not None
    return draw(Streams(0).generator(link.distribution), count)


@pytest.mark.parametrize("name", LAWS)
def test_each_law_is_the_one_its_name_says(name: str) -> None:
    link = LinkSettings.model_validate({"delay": DELAY, "jitter": JITTER, "distribution": name})
    sample = _sample(link)
    assert stats.kstest(sample, LAWS[name].cdf).pvalue > 1e-3
    assert sample.min() >= minimum_delay(link)


@pytest.mark.parametrize("name", LAWS)
def test_delay_is_the_mean_and_jitter_the_standard_deviation(name: str) -> None:
    # Of uniform jitter is half the width, as in netem.
    deviation = JITTER / sqrt(3) if name == "uniform" else JITTER
    assert LAWS[name].mean() == pytest.approx(DELAY, rel=1e-12)
    assert LAWS[name].std() == pytest.approx(deviation, rel=1e-12)
    link = LinkSettings.model_validate({"delay": DELAY, "jitter": JITTER, "distribution": name})
    sample = _sample(link)
    assert sample.mean() == pytest.approx(DELAY, abs=5 * deviation / sqrt(COUNT))
    # A Pareto law of shape 3 has no fourth moment: its sample deviation settles slowly.
    assert sample.std() == pytest.approx(deviation, rel=0.1 if name == "pareto" else 0.02)


@pytest.mark.parametrize("name", ["uniform", "normal", "exponential", "pareto"])
def test_negative_samples_are_clipped_at_zero(name: str) -> None:
    link = LinkSettings.model_validate({"delay": 0.001, "jitter": 0.01, "distribution": name})
    sample = _sample(link)
    assert sample.min() == 0 == minimum_delay(link)
    assert (sample == 0).mean() > 0.1


@pytest.mark.parametrize("name", ["constant", *LAWS])
def test_without_jitter_every_law_is_constant(name: str) -> None:
    link = LinkSettings.model_validate({"delay": 0.02, "distribution": name})
    assert sampler(link) is None
    assert minimum_delay(link) == 0.02


@pytest.mark.parametrize("name", ["uniform", "normal", "exponential", "pareto"])
def test_other_parameters_see_the_same_luck(name: str) -> None:
    few, many = (
        _sample(LinkSettings.model_validate({"delay": delay, "jitter": jitter, "distribution": name}), 100)
        for delay, jitter in ((1.0, 0.01), (5.0, 0.1))
    )
    np.testing.assert_allclose((few - 1.0) / 0.01, (many - 5.0) / 0.1, rtol=1e-9)
