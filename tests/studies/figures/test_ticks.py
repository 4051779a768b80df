"""Axes that can be read: at least three labelled ticks, or the ends of what there is."""

import math
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from studies.figures.ticks import labels, linear, logarithmic, readable

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def _read(label):
    """A label as a number."""
    found = re.fullmatch(r"(−?)(?:([\d.]+)×)?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", label)
    if found:
        sign, mantissa, power = found.groups()
        power = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
        return float(f"{'-' if sign else ''}{mantissa or 1}e{power}")
    plain = label.replace("−", "-").replace(",", "")
    for suffix, exponent in (("k", 3), ("M", 6), ("G", 9), ("T", 12)):
        plain = plain.replace(suffix, f"e{exponent}")
    return float(plain)


def _check(found, low, high, most):
    assert found == sorted(set(found))
    assert all(low <= tick <= high for tick in found)
    assert len(found) <= max(most, 6)
    written = labels(found)
    assert len(set(written)) == len(found)
    assert [_read(label) for label in written] == found


@settings(max_examples=60, deadline=None)
@given(FLOATS, FLOATS, st.integers(3, 8))
def test_any_range_has_three_ticks_with_exact_labels(one, other, most):
    low, high = sorted((one, other))
    assume(high - low > 8 * math.ulp(max(abs(low), abs(high))))  # floats between which there are others
    found = linear(low, high, most)
    _check(found, low, high, most)
    assert len(found) >= 3


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300), st.integers(3, 8))
def test_any_range_of_a_logarithmic_axis_too(one, other, most):
    low, high = sorted((one, other))
    assume(high / low > 1 + 1e-14)
    found = logarithmic(low, high, most)
    _check(found, low, high, most)
    assert len(found) >= 3


def test_whole_numbers_have_whole_ticks_and_few_of_them_all():
    assert linear(0.9, 2.1, whole=True) == [1, 2]
    assert linear(0.5, 100.5, whole=True) == [20, 40, 60, 80, 100]


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "values",
    [
        [1.0, 1.001],
        [0.8, 0.9],
        [5.0],
        [7.0, 7.0, 7.0],
        [1e300, 2e300],
        [1e-12, 1.0],
        [1e-200, 1e200],
        [120280.0, 120320.0],
        [179e6, 181e6],
        [0.0, 0.0],
        [-3.0, 2.0],
        [-5e-7],
    ],
    ids=str,
)
def test_every_axis_of_a_figure_can_be_read(values, log):
    if log and min(values) <= 0:
        pytest.skip("no place on a logarithmic axis")
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot(values, values, "o")
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    readable(axes, "x")
    readable(axes, "y")
    figure.canvas.draw()
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        shown = [
            tick.label1.get_text()
            for tick in axis.get_major_ticks()
            if low <= tick.get_loc() <= high and tick.label1.get_visible()
        ]
        assert len([label for label in shown if label]) >= 3
        boxes = [tick.label1.get_window_extent() for tick in axis.get_major_ticks() if tick.label1.get_text()]
        if axis is axes.xaxis:
            edges = np.array([(box.x0, box.x1) for box in boxes])
            assert (edges[1:, 0] >= edges[:-1, 1]).all()  # beside each other, not over each other
    plt.close(figure)
