"""Each "as in netem" and "unlike netem" of the settings, with numbers; netem is Linux's `sch_netem.c`.

netem puts every packet into one queue sorted by the time at which it is due. With a rate that time is
max(due of the last one, now + delay) + size / rate; a reordered packet is due at once; a packet is dropped
when `limit` packets are in this queue.
"""

from functools import partial
from typing import Any

import networkx as nx
import numpy as np
import pytest

from testbed.common.units import parse_duration, parse_rate
from testbed.network import LinkSettings, Network, NetworkSettings, Streams, Trace
from testbed.network.impairments.delay import sampler
from testbed.network.trace.trace import PacketEvent


def _sent(
    times: list[float], size: int = 1, seed: int = 0, **link: Any
) -> tuple[list[tuple[float, int]], Network]:
    """Packets sent at these times from 0 to 1: (arrival, which of them) in the order of arrival."""
    network = Network(
        nx.path_graph(2), NetworkSettings(link=LinkSettings(**link)), Streams(seed), trace=Trace()
    )
    log: list[tuple[float, int]] = []
    network.attach(1, lambda message: log.append((network.clock.now, message.payload)))
    for number, time in enumerate(times):
        network.clock.schedule(time, partial(network.send, 0, 1, number, size, "x"))
    network.clock.run()
    return log, network


MANY = [number / 100 for number in range(200)]


def _in_order(log: list[tuple[float, int]]) -> bool:
    numbers = [number for _, number in log]
    return numbers == sorted(numbers)


def test_jitter_lets_packets_overtake_with_and_without_a_rate_unless_fifo() -> None:
    jittery: Any = {"delay": 0.1, "jitter": 0.1}
    assert not _in_order(_sent(MANY, **jittery)[0])  # as in netem
    assert not _in_order(_sent(MANY, **jittery, rate=1e6)[0])  # in netem: in order
    assert _in_order(_sent(MANY, **jittery, rate=1e6, fifo=True)[0])


def test_without_jitter_packets_arrive_when_netem_s_do() -> None:
    times, due = [0.0, 0.0, 1.5, 1.75, 9.0], 0.0
    expected = []
    for number, time in enumerate(times):
        due = max(due, time + 0.75) + 1.0
        expected.append((due, number))
    assert _sent(times, size=2, rate=2.0, delay=0.75)[0] == expected


def test_with_jitter_a_packet_that_is_delayed_long_does_not_hold_up_those_behind_it() -> None:
    jittery: Any = {"delay": 10.0, "jitter": 10.0}
    alone = [_sent([0.0, 0.0], size=0, seed=seed, **jittery)[0] for seed in range(20)]
    paced = [_sent([0.0, 0.0], size=1, seed=seed, **jittery, rate=4.0)[0] for seed in range(20)]
    for free, limited in zip(alone, paced, strict=True):
        expected = {number: time + 0.25 * (number + 1) for time, number in free}
        assert {number: time for time, number in limited} == pytest.approx(expected)


def test_a_reordered_packet_skips_the_delay_and_not_the_transmission() -> None:
    link: Any = {"delay": 5.0, "rate": 2.0, "reorder": {"random": 1.0, "gap": 2}}
    log, _ = _sent([0.0, 0.0], size=4, **link)
    assert log == [(4.0, 1), (7.0, 0)]  # in netem: 0 and 7


def test_every_gap_th_packet_is_reordered_at_probability_1() -> None:
    log, _ = _sent([0.0] * 10, delay=5.0, reorder={"random": 1.0, "gap": 5})
    assert [number for time, number in log if time == 0.0] == [4, 9]


def test_limit_counts_what_waits_or_is_transmitted_and_not_what_is_on_its_way() -> None:
    log, network = _sent([0.0] * 3, delay=5.0, limit=1)
    assert [time for time, _ in log] == [5.0] * 3  # in netem: the last two are dropped
    log, network = _sent([0.0, 0.0, 1.0], size=1, delay=5.0, rate=1.0, limit=1)
    assert [number for _, number in log] == [0, 2]
    assert network.ledger.dropped["queue_full"] == 1


def test_a_lost_packet_takes_its_place_in_the_queue_and_its_transmission_time() -> None:
    link: Any = {"rate": 1.0, "limit": 1, "loss": 1.0}
    _, network = _sent([0.0, 0.0], size=1, **link)
    assert network.ledger.dropped["loss"] == network.ledger.dropped["queue_full"] == 1  # in netem: both lost


def test_a_number_without_a_unit_is_seconds_or_bytes_per_second() -> None:
    assert parse_duration(5) == parse_duration("5") == parse_duration("5s")  # in tc: 5 us
    assert parse_rate(8) == parse_rate("8") == parse_rate("8bps") == parse_rate("64bit")  # in tc: 8bit
    assert parse_rate("1kibit") == 128.0
    assert parse_rate("1mbps") == 1e6


def test_correlation_keeps_the_probability_and_the_law() -> None:
    # netem's average of random numbers at correlation c has a variance of (1 - c) / (1 + c) times theirs.
    log, _ = _sent([n / 10 for n in range(6_000)], loss={"random": 0.1, "correlation": 0.5}, seed=1)
    assert 1 - len(log) / 6_000 == pytest.approx(0.1, abs=0.02)
    log, _ = _sent([float(n) for n in range(2_000)], delay=0.2, jitter=0.1, jitter_correlation=0.5, seed=1)
    delays = [time - number for time, number in log]
    assert np.std(delays) == pytest.approx(0.1 / 3**0.5, rel=0.05)


def test_gemodel_has_netem_s_order_and_meaning_and_starts_from_its_stationary_law() -> None:
    def losses(seed: int, **model: Any) -> list[int]:
        _, network = _sent([0.0] * 6, loss={"gemodel": model}, seed=seed)
        assert network.trace is not None
        lost = [e for e in network.trace.events if isinstance(e, PacketEvent) and e.event == "dropped"]
        return [event.serial for event in lost]

    # p leads from good to bad and r back. Some runs begin in each; netem's begin good, and lose 1, 3, 5.
    found = {tuple(losses(seed, p=1.0, r=1.0)) for seed in range(20)}
    assert found == {(0, 2, 4), (1, 3, 5)}
    # 1-h is the loss in the bad state, 1-k in the good one.
    assert losses(0, **{"p": 1.0, "r": 0.0, "1-h": 0.0, "1-k": 1.0}) == []
    assert losses(0, **{"p": 0.0, "r": 1.0, "1-h": 0.0, "1-k": 1.0}) == [0, 1, 2, 3, 4, 5]


def test_a_copy_follows_its_packet_and_is_not_copied_and_each_is_lost_by_itself() -> None:
    log, network = _sent([0.0, 1.0], duplicate=1.0)
    assert log == [(0.0, 0), (0.0, 0), (1.0, 1), (1.0, 1)]
    assert network.ledger.duplicated == 2
    # In netem a loss takes one of the two away and the other arrives for certain.
    arrived = [len(_sent([0.0], duplicate=1.0, loss=0.5, seed=seed)[0]) for seed in range(40)]
    assert set(arrived) == {0, 1, 2}


def test_damage_is_dropped_where_it_is_detected_and_otherwise_one_bit_is_flipped() -> None:
    _, network = _sent([0.0], corrupt=1.0)
    assert network.ledger.dropped["corrupt"] == 1
    seen = []
    network = Network(
        nx.path_graph(2),
        NetworkSettings.model_validate({"link": {"corrupt": {"random": 1.0, "detected": False}}}),
        Streams(0),
    )
    network.attach(1, lambda message: seen.append(message.corruption.apply(np.zeros(3, np.uint8))))
    network.send(0, 1, None, 3, "x")
    network.clock.run()
    assert np.unpackbits(seen[0]).sum() == 1


@pytest.mark.parametrize(
    ("law", "deviation", "lowest"),
    [("uniform", 1 / 3**0.5, 9.0), ("normal", 1.0, None), ("pareto", 1.0, 10 - 1 / 3**0.5)],
)
def test_delay_and_jitter_are_a_location_and_a_spread(
    law: Any, deviation: float, lowest: float | None
) -> None:
    draw = sampler(LinkSettings(delay=10.0, jitter=1.0, distribution=law))
    assert draw is not None
    delays = draw(np.random.default_rng(0), 400_000)
    assert delays.mean() == pytest.approx(10.0, abs=0.01)
    assert delays.std() == pytest.approx(deviation, rel=0.06)  # netem's pareto: 2 / sqrt(3)
    assert lowest is None or delays.min() == pytest.approx(lowest, abs=1e-3)
