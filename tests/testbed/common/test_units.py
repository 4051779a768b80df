import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from testbed.common.settings import Settings
from testbed.common.units import (
    DURATIONS,
    LONGEST,
    RATES,
    BytesPerSecond,
    Seconds,
    parse_duration,
    parse_rate,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5ms", 0.005),
        ("0.1ms", 0.0001),
        ("10us", 0.00001),
        ("3 µs", 0.000003),
        ("7ns", 0.000000007),
        ("1.5s", 1.5),
        (" 2min ", 120.0),
        ("1h", 3600.0),
        ("1E2 MS", 0.1),
        ("1e-3", 0.001),
        (".5s", 0.5),
        ("0s", 0.0),
        (0, 0.0),
        (3, 3.0),
        (0.25, 0.25),
    ],
)
def test_durations_read_as_the_float_one_would_have_written(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "bytes_per_second"),
    [
        ("8bit", 1.0),
        ("10mbit", 1_250_000.0),
        ("10Mbit", 1_250_000.0),
        ("1mbps", 1_000_000.0),
        ("1kbps", 1000.0),
        ("1gbit", 125_000_000.0),
        ("8kibit", 1024.0),
        ("1mibps", 1_048_576.0),
        ("100", 100.0),
        (56, 56.0),
    ],
)
def test_rates_read_as_tc_reads_them(text: object, bytes_per_second: float) -> None:
    assert parse_rate(text) == bytes_per_second


@pytest.mark.parametrize(
    "value", ["5 parsecs", "ms", "", "-5ms", -1, "5ms5", True, None, [1], float("nan"), "1e999s"]
)
def test_what_is_not_a_duration_is_refused_with_the_value_quoted(value: object) -> None:
    with pytest.raises(ValueError, match="is not a duration") as caught:
        parse_duration(value)
    assert repr(value) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["10mph", "-1mbit", 0, "0mbit", False, "fast", float("inf")])
def test_what_is_not_a_rate_is_refused_with_the_value_quoted(value: object) -> None:
    with pytest.raises(ValueError, match="is not a rate") as caught:
        parse_rate(value)
    assert repr(value) in str(caught.value)


def test_an_unknown_unit_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unit 'sec' is not one of ns, us, µs, ms, s, min, h"):
        parse_duration("5sec")


class Example(Settings):
    wait: Seconds = 0.0
    speed: BytesPerSecond | None = None


def test_settings_take_text_and_give_back_plain_numbers() -> None:
    example = Example.model_validate({"wait": "20ms", "speed": "8kbit"})
    assert (example.wait, example.speed) == (0.02, 1000.0)
    assert Example.model_validate(example.model_dump()) == example
    assert Example.model_validate({"speed": None}).speed is None
    with pytest.raises(ValidationError, match="'-1s' is not a duration"):
        Example.model_validate({"wait": "-1s"})


@given(st.floats(min_value=0, max_value=LONGEST))
def test_numbers_and_their_text_mean_the_same(number: float) -> None:
    assert parse_duration(number) == parse_duration(repr(number)) == parse_duration(f"{number!r}s") == number


@pytest.mark.parametrize("value", [1.1e9, "1e300s", "1e9h"])
def test_durations_beyond_all_computing_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="too long: must be at most 1e\\+09 s"):
        parse_duration(value)


@pytest.mark.parametrize("value", [1e-7, "1e-300mbit"])
def test_rates_that_send_nothing_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="too slow: must be at least 1e-06 bytes per second, or null"):
        parse_rate(value)


def test_every_unit_is_a_positive_multiple() -> None:
    for units in (DURATIONS, RATES):
        assert all(factor > 0 for factor in units.values())
