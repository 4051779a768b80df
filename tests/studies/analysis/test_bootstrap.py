"""Statistics over seeds, beside SciPy and the formulas of rliable."""

import numpy as np
import pytest
from scipy import stats

from studies.analysis import bootstrap
from studies.analysis.bootstrap import RESAMPLES, along, interquartile_mean, mean, probability_of_improvement

RUNS = {n: np.sort(np.random.default_rng(n).normal(size=n)) for n in (2, 3, 4, 5, 8, 10, 11)}


def _scipy(samples, statistic):
    """SciPy's percentile bootstrap, from the same random numbers."""
    return stats.bootstrap(
        samples,
        statistic,
        method="percentile",
        n_resamples=RESAMPLES,
        vectorized=True,
        rng=np.random.default_rng(0),
    ).confidence_interval


@pytest.mark.parametrize("n", RUNS)
def test_the_interquartile_mean_and_its_interval_are_scipy_s(n):
    found = interquartile_mean(RUNS[n])
    assert found.value == pytest.approx(stats.trim_mean(RUNS[n], 0.25))
    wanted = _scipy((RUNS[n],), lambda x, axis: stats.trim_mean(x, 0.25, axis=axis))
    assert found[1:] == pytest.approx(tuple(wanted))


def test_the_interquartile_mean_leaves_outliers_out_and_of_three_runs_is_the_mean():
    assert interquartile_mean([3, -1e9, 1, 2, 1e9]).value == 2
    assert interquartile_mean([1, 2, 6]).value == 3
    assert interquartile_mean([0, 1, 2, 100]).value == 1.5


@pytest.mark.parametrize("n", RUNS)
def test_the_mean_and_its_interval_are_scipy_s(n):
    assert mean(RUNS[n])[1:] == pytest.approx(tuple(_scipy((RUNS[n],), np.mean)))


@pytest.mark.parametrize(("n", "m"), [(5, 5), (3, 10), (8, 4)])
def test_the_probability_of_improvement_is_mann_whitney_s_u_per_pair(n, m):
    x, y = np.round(RUNS[n], 1), np.round(RUNS[m] + 0.3, 1)  # rounded: some are equal
    found = probability_of_improvement([x], [y])
    assert found.value == stats.mannwhitneyu(x, y, alternative="greater").statistic / (n * m)


def test_over_conditions_the_probability_is_resampled_within_each_by_a_slow_loop():
    ours = [RUNS[5], RUNS[4]]
    theirs = [RUNS[3] - 0.5, RUNS[5] + 0.2]
    found = probability_of_improvement(ours, theirs)
    generator = np.random.default_rng(99)
    sample = []
    for _ in range(4000):
        condition = []
        for x, y in zip(ours, theirs, strict=True):
            a, b = generator.choice(x, len(x)), generator.choice(y, len(y))
            wins = sum((u > v) + (u == v) / 2 for u in a for v in b)
            condition.append(wins / (len(a) * len(b)))
        sample.append(sum(condition) / 2)
    low, high = np.percentile(sample, [2.5, 97.5])
    assert found.low == pytest.approx(low, abs=0.02)
    assert found.high == pytest.approx(high, abs=0.02)
    assert found.low < found.value < found.high


def test_who_always_wins_has_no_interval_to_speak_of_and_equals_meet_in_the_middle():
    assert probability_of_improvement([[3, 4]], [[1, 2]]) == (1, 1, 1)
    assert probability_of_improvement([[1, 2, 3]], [[3, 1, 2]]).value == 0.5


def test_one_run_has_no_interval():
    assert np.isnan(interquartile_mean([1.0])[1:]).all()
    assert np.isnan(mean([1.0])[1:]).all()
    assert np.isnan(probability_of_improvement([[1.0]], [[1.0, 2.0]])[1:]).all()


def test_what_the_resamples_are_made_of_does_not_change():
    assert interquartile_mean(RUNS[10]) == interquartile_mean(RUNS[10][::-1])
    bootstrap._trimmed_weights.cache_clear()
    assert interquartile_mean(RUNS[10]) == interquartile_mean(RUNS[10])


def test_rliable_finds_the_same():
    """Recorded from rliable 1.2.0 on arch 8.0.0, 50,000 resamples for the IQM and 5,000 for the probability.

    From ``library.get_interval_estimates`` with ``metrics.aggregate_iqm`` of one task at a time and
    ``metrics.probability_of_improvement`` of both, after ``np.random.seed(0)``; rliable's argument
    ``random_state``, which arch 8 no longer takes, was left out.
    """
    ours = [
        [10.0, 9.2, 8.6, 10.2, 8.5, 11.5, 10.3, 9.9, 6.0, 4.3],
        [10.9, 7.3, 7.0, 14.0, 8.1, 11.1, 7.2, 12.1, 8.6, 6.1],
    ]
    theirs = [[3.5, 5.2, 9.5, 1.4, 8.9, 4.4, 6.1, 12.2], [8.3, 9.8, 8.4, 7.4, 9.3, 7.6, 6.6, 6.6]]
    recorded = [(9.4, 7.51666667, 10.16666667), (8.86666667, 7.3, 11.08333333)]
    for runs, wanted in zip(ours, recorded, strict=True):
        found = interquartile_mean(runs)
        assert found.value == pytest.approx(wanted[0])
        assert found[1:] == pytest.approx(wanted[1:], abs=0.1)
    found = probability_of_improvement(ours, theirs)
    assert found.value == 0.65625
    assert found[1:] == pytest.approx((0.4625, 0.83125), abs=0.02)


@pytest.mark.parametrize("kind", ["iqm", "mean"])
@pytest.mark.parametrize("runs", [1, 2, 3, 5, 6, 9])  # of the last there are too many different resamples
def test_along_a_curve_every_place_has_the_same_estimate_as_alone(runs, kind):
    values = np.random.default_rng(runs).normal(size=(7, runs)).round(1)  # with ties
    found = np.stack(along(values, kind=kind), axis=1)
    wanted = [(interquartile_mean if kind == "iqm" else mean)(place) for place in values]
    np.testing.assert_allclose(found, np.array(wanted), rtol=1e-12, atol=1e-12)
