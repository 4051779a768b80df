"""Numbers for people: a value lies within its printed interval, whatever the numbers are."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studies.formatting import equal, interval_text, last_line, quantity, with_interval

UNITS = ("", "bytes", "seconds", "count")
ONE = {"": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
ONE |= {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60, "h": 3600}

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NEAR = st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e-3), st.floats(0, 1)).map(
    lambda drawn: sorted((drawn[0], drawn[0] + drawn[1], drawn[0] + drawn[1] * drawn[2]))
)


def _read(text):
    return Fraction(Decimal(text.replace(",", "")))


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.lists(FLOATS, min_size=3, max_size=3).map(sorted), NEAR), st.sampled_from(UNITS))
def test_a_value_is_printed_within_its_interval_whose_ends_differ(numbers, unit):
    low, value, high = numbers
    *texts, name = with_interval(value, low, high, unit)
    a, b, c = map(_read, texts)
    assert b <= a <= c
    assert (b < c) == (low < high)
    exact, scale = [Fraction(number) for number in (value, low, high)], Fraction(repr(ONE[name]))
    width = exact[2] - exact[1]
    for number, printed in zip(exact, (a, b, c), strict=True):
        error = abs(printed * scale - number)
        assert error <= abs(number) * Fraction("0.00501")
        assert not width or error <= width / 4 or error <= abs(number) * Fraction("1e-15")


@settings(max_examples=60, deadline=None)
@given(FLOATS, st.sampled_from(UNITS))
def test_a_number_alone_is_read_back_to_four_digits(number, unit):
    text, _, name = quantity(number, unit).partition(" ")
    error = abs(_read(text) * Fraction(repr(ONE[name])) - Fraction(number))
    assert error <= abs(Fraction(number)) * Fraction("0.000501")


@pytest.mark.parametrize(
    ("numbers", "unit", "shown"),
    [
        ((120300, 120280, 120320.4), "", "120,300 (120,280, 120,320)"),
        ((120300.4, 120300.2, 120300.6), "", "120,300.4 (120,300.2, 120,300.6)"),
        ((1.79e8, 1.75e8, 1.83e8), "bytes", "179 (175, 183) MB"),
        ((20, 19.98, 20.03), "", "20.00 (19.98, 20.03)"),
        ((20, 18, 22), "", "20 (18, 22)"),
        ((0.01, 1e-4, 1), "", "0.0100 (0.000100, 1.00)"),
        ((1e-6, 1e-9, 1e-2), "", "1.00e-06 (1.00e-09, 1.00e-02)"),
        ((0, -1.5, 1.5), "", "0 (-1.50, 1.50)"),
        ((0.00425, 0.004, 0.0045), "seconds", "4.25 (4.00, 4.50) ms"),
        ((90, 80.5, 119), "seconds", "90.0 (80.5, 119) s"),
        ((150, 90, 300), "seconds", "2.50 (1.50, 5.00) min"),
        ((12345678, 12345670, 12345690), "count", "12,345,678 (12,345,670, 12,345,690)"),
    ],
)
def test_intervals_as_people_read_them(numbers, unit, shown):
    assert interval_text(*numbers, unit) == shown  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("number", "unit", "shown"),
    [
        (0, "", "0"),
        (0.3, "", "0.3"),
        (-180.2345, "", "-180.2"),
        (12345.7, "", "12,346"),
        (123456789, "", "1.235e+08"),
        (123456789, "count", "123,456,789"),
        (0.00001, "", "1e-05"),
        (1.79e8, "bytes", "179 MB"),
        (0, "bytes", "0 B"),
        (532, "bytes", "532 B"),
        (0.0000005, "seconds", "500 ns"),
        (36000, "seconds", "10 h"),
        (math.nan, "", "-"),
        (-math.inf, "bytes", "-inf"),
    ],
)
def test_numbers_as_people_read_them(number, unit, shown):
    assert quantity(number, unit) == shown


def test_what_sums_of_equal_numbers_leave_over_is_no_difference():
    assert equal([0.1, (0.1 + 0.1 + 0.1) / 3])
    assert equal([0.0, 0.0])
    assert not equal([1.0, 1.0001])
    assert not equal([-1e-30, 1e-30])


@pytest.mark.parametrize(
    ("trace", "line"),
    [
        ("Traceback\n  File\ntestbed.errors.WorldError: it fell: over\n", "WorldError: it fell: over"),
        ("ValueError: x\n", "ValueError: x"),
        ("a.b.Silent\n\n", "Silent"),
        ("the process of this trial ended by itself, exit code 3\n", None),
        ("v1.2 is gone: sorry", None),
        ("", "no reason is known"),
    ],
)
def test_a_reason_is_the_last_line_of_a_traceback(trace, line):
    assert last_line(trace) == (line or trace.strip())
