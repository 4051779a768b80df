"""Links that follow a trace: which row applies when, that it takes the place of settings, and bad files."""

import json
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from testbed.common import measurements
from testbed.network import LinkSettings, Message, Network, NetworkSettings, Streams
from testbed.network.impairments.chain import chain
from testbed.network.impairments.following import FollowingTransmission
from testbed.network.impairments.link_trace import LinkTrace, TracePosition, TraceRows
from testbed.network.impairments.rule import Fate

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str | bytes, name: str = "trace.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def _arrivals(link: LinkSettings, times: list[float], size: int = 1, seed: int = 0) -> dict[int, float]:
    """When packets sent at some times arrive, by their number; those that are lost do not."""
    network = Network(nx.path_graph(2), NetworkSettings(link=link, audit=True), Streams(seed))
    arrived: dict[int, float] = {}
    network.attach(1, lambda message: arrived.__setitem__(message.payload, network.clock.now))
    for number, time in enumerate(times):
        network.clock.schedule(time, lambda number=number: network.send(0, 1, number, size, "x"))
    network.clock.run()
    return arrived


def test_a_row_applies_from_its_time_until_the_next(write: Write) -> None:
    link = LinkSettings(trace=write("time,delay_ms\n5,100\n6,200\n8,50\n"))  # times count from the first row
    times = [0.0, 0.5, 1.0, 1.5, 2.9, 3.0, 4.9, 5.0, 5.5, 6.0]
    arrived = _arrivals(link, times)
    taken = [round(arrived[number] - time, 9) for number, time in enumerate(times)]
    # The last row lasts as long as the one before it: the trace repeats after 5 s.
    assert taken == [0.1, 0.1, 0.2, 0.2, 0.2, 0.05, 0.05, 0.1, 0.1, 0.2]
    assert link.mean_delay == pytest.approx((0.1 + 2 * 0.2 + 2 * 0.05) / 5)


def test_without_repeating_the_last_row_lasts_for_ever_and_an_offset_begins_later(write: Write) -> None:
    file = write("time,delay\n0,1\n1,2\n2,3\n")
    for offset, delays in ((0, [1, 2, 3, 3]), ("1s", [2, 3, 3, 3]), (50.0, [3, 3, 3, 3])):
        link = LinkSettings(trace={"file": file, "repeat": False, "offset": offset})
        arrived = _arrivals(link, [0.5, 1.5, 2.5, 60.5])
        assert [arrived[0] - 0.5, arrived[1] - 1.5, arrived[2] - 2.5, arrived[3] - 60.5] == delays


def test_random_offsets_differ_between_links_and_are_those_of_both_ways(write: Write) -> None:
    file = write("time,delay\n" + "".join(f"{number},{number + 1}\n" for number in range(1000)))
    link = LinkSettings(trace={"file": file, "offset": "random"})

    def delays(seed: int) -> dict[tuple[int, int], float]:
        network = Network(nx.cycle_graph(5), NetworkSettings(link=link), Streams(seed))
        found: dict[tuple[int, int], float] = {}
        for node in range(5):
            network.attach(node, lambda m: found.__setitem__((m.source, m.destination), network.clock.now))
        for u, v in network.graph.edges:
            network.send(u, v, None, 1, "x")
            network.send(v, u, None, 1, "x")
        network.clock.run()
        return found

    first = delays(0)
    assert all(first[u, v] == first[v, u] for u, v in first)
    assert len(set(first.values())) == 5
    assert delays(0) == first != delays(1)


@pytest.mark.parametrize(
    "fixed",
    [
        {"delay": 0.05},
        {"delay": 0.05, "loss": 0.3, "jitter": 0.02, "distribution": "normal", "jitter_correlation": 0.5},
        {
            "delay": 0.05,
            "jitter": 0.04,
            "distribution": "pareto",
            "reorder": 0.3,
            "duplicate": 0.2,
            "loss": 0.1,
        },
        {"delay": 0.05, "rate": 1000.0, "limit": 2, "loss": 0.2, "fifo": True},
        {"delay": 0.02, "jitter": 0.01, "distribution": "lognormal"},
    ],
)
def test_a_trace_whose_rows_are_equal_is_the_link_with_fixed_settings(
    write: Write, fixed: dict[str, Any]
) -> None:
    given = {name: fixed[name] for name in ("delay", "jitter", "loss", "rate") if name in fixed}
    rows = "".join(f"{time},{','.join(map(str, given.values()))}\n" for time in (0, 0.05, 0.3, 1.5))
    rest = {name: value for name, value in fixed.items() if name not in given}
    follows = LinkSettings(**rest, trace=write(f"time,{','.join(given)}\n{rows}"))
    link = LinkSettings(**fixed)
    times = np.sort(np.random.default_rng(0).random(300) * 20).tolist()
    assert _arrivals(follows, times, 40) == pytest.approx(_arrivals(link, times, 40), rel=1e-12)
    for size in (0, 1000):
        assert follows.nominal_latency(size) == pytest.approx(link.nominal_latency(size))
    assert follows.spread == pytest.approx(link.spread)


def test_losses_follow_the_rows_with_the_random_numbers_of_a_fixed_loss(write: Write) -> None:
    times = [number / 10 for number in range(2000)]
    follows = LinkSettings(trace=write("time,loss\n0,0\n50,0.5\n100,1\n150,0.1\n"))
    arrived = _arrivals(follows, times)
    for span, loss in enumerate((0, 0.5, 1, 0.1)):
        here = range(500 * span, 500 * (span + 1))
        fixed = _arrivals(LinkSettings(loss=loss), times)
        assert [number in arrived for number in here] == [number in fixed for number in here]


@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0, 0, 1, 7, 100])), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from([0, 1, 8, 333])), min_size=1, max_size=12),
    st.booleans(),
    st.sampled_from([0.0, 0.7, 3.0, 1234.5]),
)
@settings(deadline=None)
def test_every_byte_takes_the_rate_of_its_time(
    rows: list[tuple[int, int]], sends: list[tuple[int, int]], repeat: bool, offset: float
) -> None:
    """Against a transmitter that goes from one row to the next, one after the other."""
    rates = [float(rate) for _, rate in rows]
    if not any(rates) or (rates[-1] == 0 and not repeat):
        rates[-1] = 3.0
    starts = np.cumsum([0.0, *(span / 10 for span, _ in rows)])
    period = float(starts[-1]) if len(rates) > 1 else np.inf
    trace = LinkTrace.model_construct(file=Path("none"), repeat=repeat, offset=offset)
    trace.__dict__["rows"] = TraceRows(array("d", starts[:-1]), period, {"rate": array("d", rates)})
    rule = FollowingTransmission(TracePosition(trace, offset), None)

    def row(time: float) -> tuple[float, float]:
        """The rate at a time, and when the next row begins."""
        if period == np.inf:
            return rates[0], np.inf
        cycle = int((time + offset) // period) if repeat else 0
        seconds = time + offset - cycle * period
        number = min(int(np.searchsorted(starts, seconds + 1e-9, "right")) - 1, len(rates))
        if number >= len(rates):  # rounding: the next cycle has begun
            return (rates[0], time + float(starts[1])) if repeat else (rates[-1], np.inf)
        last = number == len(rates) - 1 and not repeat
        return rates[number], np.inf if last else time + float(starts[number + 1]) - seconds

    free = 0.0
    for time, size in sorted((tick / 10, size) for tick, size in sends):
        now, left = max(free, time), float(size)
        while left > 0:
            rate, until = row(now)
            if rate and now + left / rate <= until:
                now, left = now + left / rate, 0.0
            else:
                now, left = until, left - rate * (until - now)
                left = 0.0 if left < 1e-9 else left
        fate = Fate(time)
        rule.decide(Message(0, 1, "x", None, size, time, 0), fate)
        free = now
        assert fate.time == pytest.approx(now, rel=1e-9, abs=1e-7)


@given(
    st.lists(st.sampled_from([0.1, 0.3, 1.0, 1e-9]), min_size=1, max_size=8),
    st.booleans(),
    st.sampled_from([0.0, 0.1, 7.3, 1e6]),
    st.lists(st.integers(0, 10**4).map(lambda tick: tick / 10) | st.floats(0, 1e9), max_size=30),
)
def test_the_row_of_a_time_does_not_depend_on_the_times_before(
    spans: list[float], repeat: bool, offset: float, times: list[float]
) -> None:
    starts = np.cumsum([0.0, *spans])[:-1]
    trace = LinkTrace.model_construct(file=Path("none"), repeat=repeat, offset=offset)
    period = float(starts[-1] + spans[-1]) if len(spans) > 1 else np.inf
    trace.__dict__["rows"] = TraceRows(array("d", starts), period, {})
    walked = TracePosition(trace, offset)
    for time in times:
        if not walked.low <= time < walked.high:
            walked.seek(time)
        fresh = TracePosition(trace, offset)
        fresh.seek(time)
        assert (walked.row, walked.low, walked.high) == (fresh.row, fresh.low, fresh.high)
        assert fresh.low <= time < fresh.high


@pytest.mark.parametrize("name", ["trace.csv", "trace.parquet"])
def test_csv_and_parquet_units_and_spellings_mean_the_same(tmp_path: Path, name: str) -> None:
    table = pd.DataFrame({"time_ms": [0, 500], "Delay_us": [3000, 7000], "rate_kbit": [8, 16]})
    if name == "trace.csv":
        text = table.to_csv(index=False).replace("\n", "\r\n").replace(",", " ,")
        (tmp_path / name).write_text("\ufeff" + text + "\r\n", newline="")
    else:
        table.to_parquet(tmp_path / name)
    rows = LinkSettings(trace=tmp_path / name).trace.rows
    assert (rows.starts.tolist(), rows.period) == ([0, 0.5], 1.0)
    assert rows.columns["delay"].tolist() == [0.003, 0.007]
    assert rows.columns["rate"].tolist() == [1000, 2000]


BAD: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", " is empty"),
    "no rows": ("time,delay\n", " has no rows"),
    "unknown column": (
        "time,latency\n0,1\n",
        ": unknown column 'latency' (allowed: time, delay, jitter, loss,",
    ),
    "no time": ("delay\n1\n", " has no column time"),
    "only times": ("time\n0\n1\n", " has only times: give it at least one of delay, jitter, loss, rate"),
    "doubled": ("time,delay,delay_ms\n0,1,1\n", ": columns 'delay' and 'delay_ms' both give the delay"),
    "backwards": (
        "time,delay\n0,1\n2,1\n\n1,1\n",
        ", line 5, column time: 1 s is out of order: the row before has 2",
    ),
    "twice": ("time,delay\n0,1\n0,1\n", ", line 3, column time: 0 s is out of order: the row before has 0"),
    "negative time": ("time,delay\n-1,1\n0,1\n", ", line 2, column time: -1 must be from 0 to 1e+10"),
    "negative": (
        "time,delay_ms\n0,1\n1,-3\n",
        ", line 3, column delay_ms: -3 must be from 0 to 1e+09 in plain",
    ),
    "missing": ("time,delay,loss\n0,1,0\n1,,0\n", ", line 3, column delay: is empty"),
    "NaN": ("time,delay\n0,nan\n", ", line 2, column delay: nan is not a finite number"),
    "infinite": ("time,rate\n0,1\n1,inf\n", ", line 3, column rate: inf is not a finite number"),
    "huge": ("time,delay\n0,1e300\n", ", line 2, column delay: 1e+300 must be from 0 to 1e+09"),
    "loss": ("time,loss\n0,1.5\n", ", line 2, column loss: 1.5 must be from 0 to 1"),
    "slow": ("time,rate\n0,1e-9\n", ", line 2, column rate: 1e-09 must be 0 or at least 1e-06 bytes/s"),
    "stalls": (
        "time,rate\n0,0\n1,0\n",
        ", line 2, column rate: all rates are 0, so packets would wait",
    ),
    "unit": (
        "time,delay\n0,20ms\n",
        ", line 2, column delay: '20ms' is not a finite number: a unit belongs to",
    ),
    "text": ("time,loss\n0,often\n", ", line 2, column loss: 'often' is not a finite number"),
    "ragged": ("time,delay\n0,1\n1,1,7\n", ", line 3: has 3 cells, the header has 2"),
    "short": ("time,delay\n0,1\n1\n", ", line 3: has 1 cells, the header has 2"),
    "not UTF-8": (b"time,delay\n0,1\n1,\xff\n", ", line 3: is not UTF-8 text"),
    "Parquet": (b"PAR1 and no more", " cannot be read as Parquet"),
    "deliveries": ("1\n5\n3\n", ", line 3, column milliseconds: 3 ms is out of order: the row before has 5"),
    "no end": ("0\n0\n", ", line 2, column milliseconds: the last opportunity must come after 0"),
    "half": ("1\n2.5\n", ", line 2, column milliseconds: 2.5 must be a whole number"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_traces_are_one_line_with_file_line_and_column(write: Write, kind: str) -> None:
    text, message = BAD[kind]
    file = write(text)
    with pytest.raises(ValidationError) as caught:
        LinkSettings(trace=file)
    (error,) = caught.value.errors()
    said = str(error["ctx"]["error"])
    assert "\n" not in said
    assert said.startswith(f"trace {str(file)!r}{message}")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"time": [0, 1], "delay": [0.1, None]}, ", row 2, column delay: is empty"),
        ({"time": [0, 1], "delay": ["a", "b"]}, ", column delay: holds "),
        ({"time": [0.0, np.nan], "delay": [1, 1]}, ", row 2, column time: "),
        ({"time": [], "delay": []}, " has no rows"),
        (
            {"time": [1, 0], "delay": [1, 1]},
            ", row 2, column time: 0 s is out of order: the row before has 1",
        ),
    ],
)
def test_bad_parquet_is_one_line_with_file_row_and_column(
    tmp_path: Path, table: dict[str, Any], message: str
) -> None:
    file = tmp_path / "trace.parquet"
    pd.DataFrame(table).to_parquet(file)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        LinkTrace(file=file)
    assert f"trace {str(file)!r}{message}" in str(caught.value)


def test_what_is_too_large_is_not_read(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write("time,delay\n0,1\n1,1\n")
    monkeypatch.setattr(measurements, "MOST_ROWS", 1)
    with pytest.raises(ValueError, match=r"trace.csv' has 2 rows: must be at most 1"):
        LinkTrace(file=file)
    monkeypatch.setattr(measurements, "LARGEST", 3)
    with pytest.raises(ValueError, match=r"trace.csv' has 0 MiB: must be at most 0 MiB"):
        LinkTrace(file=write("time,delay\n0,1\n1,22\n"))
    with pytest.raises(ValueError, match=r"is not a regular file"):
        LinkTrace(file=file.parent)
    with pytest.raises(ValueError, match=r"cannot be read \(No such file"):
        LinkTrace(file=file.parent / "gone.csv")


@pytest.mark.parametrize(
    ("link", "header", "row", "message"),
    [
        (
            {"loss": {"gemodel": {"p": 0.1, "r": 0.1}}},
            "loss",
            "0",
            "a loss model with a trace that has a column",
        ),
        (
            {"distribution": "gamma", "delay": 1},
            "jitter",
            "1",
            "distribution gamma with jitter and a trace of jit",
        ),
        (
            {"distribution": "lognormal", "jitter": 1},
            "delay",
            "0",
            "row 1 of the trace has delay 0 with jitter",
        ),
        (
            {"distribution": "constant"},
            "jitter",
            "1",
            "distribution constant with jitter and a trace of jitter",
        ),
        ({"reorder": 0.5}, "delay", "0", "reorder with delay 0"),
    ],
)
def test_settings_that_cannot_be_with_a_trace_are_refused(
    write: Write, link: dict[str, Any], header: str, row: str, message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        LinkSettings(**link, trace=write(f"time,{header}\n0,{row}\n"))
    with pytest.raises(ValidationError, match="the last rate is 0, so with repeat false packets would wait"):
        LinkSettings(trace={"file": write("time,rate\n0,1\n1,0\n", "slow.csv"), "repeat": False})


def test_links_have_traces_of_their_own_and_no_override_is_hidden(write: Write) -> None:
    slow, fast = write("time,delay\n0,1\n", "slow.csv"), write("time,delay\n0,0.1\n", "fast.csv")
    graph = nx.path_graph(4)
    links = {"0-1": {"trace": fast}, "2>3": {"trace": None, "delay": 2}}
    table = NetworkSettings(link={"trace": slow}, links=links).by_direction(graph)
    delays = [table[way].mean_delay for way in ((0, 1), (1, 0), (1, 2), (2, 3), (3, 2))]
    assert delays == [0.1, 0.1, 1, 2, 1]
    with pytest.raises(
        ValueError, match=r"delay 3\.0 has no effect: trace '.*slow\.csv' has a column delay; add"
    ):
        NetworkSettings(link={"trace": slow}, links={"0-1": {"delay": 3}}).check(graph)


def test_a_network_that_follows_a_trace_is_saved_exactly(write: Write) -> None:
    file = write("time,delay,jitter,loss,rate\n0,0.1,0.05,0.2,500\n0.3,0.2,0,0.5,0\n0.7,0.05,0.01,0,90\n")
    link = {"trace": {"file": file, "offset": "random"}, "limit": 4, "duplicate": 0.2}
    fields = NetworkSettings.model_validate({"link": link, "audit": True})

    def made() -> tuple[Network, list[tuple[float, int]]]:
        network = Network(nx.cycle_graph(3), fields, Streams(3))
        seen: list[tuple[float, int]] = []
        for node in range(3):
            network.attach(node, lambda m: seen.append((network.clock.now, m.payload)))
        network.measure_traffic()
        return network, seen

    def play(network: Network, numbers: range) -> None:
        for number in numbers:
            when = number / 50 - network.clock.now
            network.clock.schedule(
                when, lambda number=number: network.send(number % 3, (number + 1) % 3, number, 9, "x")
            )
        network.clock.run(numbers.stop / 50)

    whole, all_seen = made()
    play(whole, range(200))
    whole.flush()
    state = json.loads(json.dumps(whole.state_dict()))
    resumed, rest = made()
    resumed.load_state_dict(state)
    before = len(all_seen)
    for each in (whole, resumed):
        play(each, range(200, 500))
    assert rest == all_seen[before:]
    assert len(rest) > 50
    assert all(0 < load.transmitting <= whole.clock.now for load in whole.traffic.loads() if load.bytes)


def test_opportunities_of_mahimahi_are_rates(write: Write) -> None:
    file = write("0\n2\n2\n3\n7\n10\n", "cell.up")
    rows = LinkSettings(trace=file).trace.rows
    once = 1504 * 1000.0
    assert (np.array(rows.starts) * 1000).tolist() == [0, 1, 2, 3, 6, 7, 9]
    assert rows.columns["rate"].tolist() == [0, 2 * once, once, 0, once, 0, 2 * once]
    assert (rows.period, rows.sent[-1]) == (0.01, pytest.approx(6 * 1504))
    # Packets of one opportunity each that wait leave by the end of its millisecond, again and again.
    arrived = _arrivals(LinkSettings(trace=file), [0.0] * 12, 1504)
    expected = [1.5, 2, 3, 7, 9.5, 10, 11.5, 12, 13, 17, 19.5, 20]
    assert [1000 * arrived[number] for number in range(12)] == pytest.approx(expected)


def test_a_chain_without_a_network_begins_at_the_beginning(write: Write) -> None:
    rules = chain(LinkSettings(trace=write("time,delay\n0,1\n1,2\n")), Streams(0).fresh)
    fate = Fate(0.5)
    rules["delay"].decide(Message(0, 1, "x", None, 1, 0.5, 0), fate)
    assert fate.time == 1.5
