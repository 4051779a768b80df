from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from testbed.network import LinkSettings, Streams
from testbed.network.impairments import delay
from testbed.network.impairments.delay import minimum_delay, sampler
from testbed.network.streams import values

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
    "gamma": stats.gamma((DELAY / JITTER) ** 2, scale=JITTER**2 / DELAY),
    "pareto": stats.pareto(SHAPE, loc=DELAY - 1.5 * PARETO_SCALE, scale=PARETO_SCALE),
}


def _sample(link: LinkSettings, count: int = COUNT) -> np.ndarray:
    draw = sampler(link)
    assert draw is not None
    return draw(Streams(0).generator(link.distribution), count)


def test_there_is_a_reference_for_each_law() -> None:
    assert {"constant", *LAWS, "empirical"} == set(delay.LAWS)


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


@pytest.mark.parametrize("jitter", [0.002, 0.02, 0.05])
def test_gamma_and_lognormal_keep_their_first_four_moments_at_any_spread(jitter: float) -> None:
    for name, law in (
        ("gamma", stats.gamma((DELAY / jitter) ** 2, scale=jitter**2 / DELAY)),
        (
            "lognormal",
            stats.lognorm(s := sqrt(np.log1p((jitter / DELAY) ** 2)), scale=DELAY * np.exp(-(s**2) / 2)),
        ),
    ):
        assert (law.mean(), law.std()) == pytest.approx((DELAY, jitter), rel=1e-9)
        sample = _sample(
            LinkSettings.model_validate({"delay": DELAY, "jitter": jitter, "distribution": name})
        )
        assert stats.kstest(sample, law.cdf).pvalue > 1e-3


def test_empirical_delays_are_halves_of_the_measured_round_trips(tmp_path: Path) -> None:
    file = tmp_path / "rtt.csv"
    file.write_text("rtt_ms\n10\n20\n20\n70\n")
    link = LinkSettings.model_validate({"distribution": "empirical", "round_trips": file})
    sample = _sample(link)
    found, counts = np.unique(sample, return_counts=True)
    np.testing.assert_allclose(found, [0.005, 0.010, 0.035])
    assert stats.chisquare(counts, COUNT * np.array([1, 2, 1]) / 4).pvalue > 1e-3
    assert minimum_delay(link) == 0.005
    assert (link.mean_delay, link.spread) == pytest.approx((0.015, np.std([5e-3, 1e-2, 1e-2, 35e-3])))
    assert link.nominal_latency(10**6) == link.mean_delay


@pytest.mark.parametrize("name", ["normal", "exponential", "gamma"])
@pytest.mark.parametrize("correlation", [0.25, 0.9])
def test_correlated_jitter_keeps_its_law_and_forgets_geometrically(name: str, correlation: float) -> None:
    link = LinkSettings.model_validate({"delay": DELAY, "jitter": JITTER, "distribution": name})
    law = sampler(link)
    assert law is not None
    source = values(law, correlation, "delay", Streams(1).generator)
    sample = np.array([source.next() for _ in range(40_000)])
    # The effective number of independent values: n (1 - c) / (1 + c).
    error = sqrt((1 + correlation) / (1 - correlation) / len(sample))
    assert sample.mean() == pytest.approx(DELAY, abs=5 * JITTER * error)
    assert sample.std() == pytest.approx(JITTER, rel=8 * error)
    for lag in (1, 2, 5):
        assert np.corrcoef(sample[lag:], sample[:-lag])[0, 1] == pytest.approx(
            correlation**lag, abs=6 * error
        )


def test_a_correlation_uses_up_the_same_luck() -> None:
    link = LinkSettings.model_validate({"delay": DELAY, "jitter": JITTER, "distribution": "normal"})
    law = sampler(link)
    assert law is not None
    plain, sticky = (values(law, c, "delay", Streams(1).fresh) for c in (0.0, 0.7))
    pairs = [(plain.next(), sticky.next()) for _ in range(500)]
    same = [a == b for a, b in pairs]
    # Where it does not repeat, it is the value that would have come without correlation.
    assert sum(same) == pytest.approx(150, abs=50)
    assert all(b == pairs[n - 1][1] for n, (a, b) in enumerate(pairs) if a != b)
