"""Slots against a literal transcription of the queue in Linux's `sch_netem.c`, fed with the same numbers."""

import json
from functools import partial
from math import inf
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from testbed.network import LinkSettings, Network, NetworkSettings, Streams
from testbed.network.impairments.slot import Slot, SlotRule

Packets = list[tuple[float, int]]
"""Times of sending, ascending, and sizes."""


class Recorded:
    """The numbers that a rule draws, drawn once more."""

    def __init__(self, slot: Slot, count: int, seed: int) -> None:
        rule = SlotRule(slot, lambda purpose: Streams(seed).generator("direction", purpose, 0, 1))
        self.late, self.after = ([draws.next() for _ in range(count)] for draws in (rule._late, rule._after))


def netem(packets: Packets, slot: Slot, drawn: Recorded) -> list[float]:
    """The times at which netem lets packets leave, without a delay and a rate.

    As netem_enqueue, netem_dequeue and get_slot_next do it, with a watchdog that calls netem_dequeue.
    """
    most_packets, most_bytes = slot.packets or inf, slot.bytes or inf
    slot_next, packets_left, bytes_left = 0.0, most_packets, most_bytes
    queue: list[int] = []
    left: dict[int, float] = {}
    watchdog, arrived = inf, 0
    while arrived < len(packets) or queue:
        arrival = packets[arrived][0] if arrived < len(packets) else inf
        now = min(arrival, watchdog)
        if arrival <= watchdog:
            queue.append(arrived)
            arrived += 1
        watchdog = inf
        while queue:
            head = queue[0]
            time_to_send, size = packets[head]
            if slot_next < time_to_send:
                slot_next, packets_left, bytes_left = now + drawn.late[head], most_packets, most_bytes
            if time_to_send > now or slot_next > now:
                watchdog = max(time_to_send, slot_next)
                break
            left[queue.pop(0)] = now
            packets_left -= 1
            bytes_left -= size
            if packets_left <= 0 or bytes_left <= 0:
                slot_next, packets_left, bytes_left = now + drawn.after[head], most_packets, most_bytes
    return [left[number] for number in range(len(packets))]


def _sent(packets: Packets, seed: int = 0, **link: Any) -> list[tuple[float, int]]:
    """Arrivals of packets sent from 0 to 1: (time, which of them), in order."""
    network = Network(nx.path_graph(2), NetworkSettings(link=LinkSettings(**link)), Streams(seed))
    log: list[tuple[float, int]] = []
    network.attach(1, lambda message: log.append((network.clock.now, message.payload)))
    for number, (time, size) in enumerate(packets):
        network.clock.schedule(time, partial(network.send, 0, 1, number, size, "x"))
    network.clock.run()
    return log


GAPS = st.lists(st.tuples(st.sampled_from([0, 0, 1, 3, 20]), st.integers(1, 30)), min_size=1, max_size=25)
SLOTS = st.fixed_dictionaries(
    {
        "min_delay": st.sampled_from([0.5, 2.0]),
        "max_delay": st.sampled_from([None, 2.0, 5.0]),
        "packets": st.sampled_from([None, 1, 3]),
        "bytes": st.sampled_from([None, 1, 40]),
    }
)


@given(GAPS, SLOTS, st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_packets_leave_when_netem_s_do(gaps: list[tuple[int, int]], given: Any, seed: int) -> None:
    times = np.cumsum([gap for gap, _ in gaps]).astype(float).tolist()
    packets = list(zip(times, (size for _, size in gaps), strict=True))
    slot = Slot.model_validate(given)
    rule = SlotRule(slot, lambda purpose: Streams(seed).generator("direction", purpose, 0, 1))
    expected = netem(packets, slot, Recorded(slot, len(packets), seed))
    found = []
    for time, size in packets:
        fate, message = _Fate(time), _Message(size)
        rule.decide(message, fate)  # type: ignore[arg-type]
        found.append(fate.time)
    assert found == expected


class _Fate:
    def __init__(self, time: float) -> None:
        self.time, self.reason = time, None


class _Message:
    def __init__(self, size: int) -> None:
        self.size = size


def test_packets_gather_and_leave_together_and_then_the_delay_passes() -> None:
    log = _sent([(1.0, 1), (1.5, 1), (2.9, 1), (3.5, 1)], slot={"min_delay": 2.0}, delay=10.0)
    assert log == [(13.0, 0), (13.0, 1), (13.0, 2), (15.5, 3)]


def test_a_full_slot_leaves_the_rest_to_the_next() -> None:
    slots = {"min_delay": 2.0, "packets": 2}
    assert [time for time, _ in _sent([(1.0, 1)] * 5, slot=slots)] == [3.0, 3.0, 5.0, 5.0, 7.0]
    slots = {"min_delay": 2.0, "bytes": 3}
    # The packet that reaches the bytes belongs to the slot, as in netem.
    assert [time for time, _ in _sent([(1.0, 2)] * 4, slot=slots)] == [3.0, 3.0, 5.0, 5.0]


def test_packets_wait_for_a_slot_when_they_have_been_transmitted() -> None:
    assert _sent([(1.0, 4), (1.0, 4)], slot={"min_delay": 0.5}, rate=4.0) == [(2.5, 0), (3.5, 1)]


def test_jitter_moves_no_packet_to_another_slot() -> None:
    plain = _sent([(number / 3, 1) for number in range(30)], slot={"min_delay": 1.0, "max_delay": 2.0})
    late = _sent(
        [(number / 3, 1) for number in range(30)],
        slot={"min_delay": 1.0, "max_delay": 2.0},
        delay=5.0,
        jitter=1.0,
    )
    left = {number: time for time, number in plain}
    assert all(4.0 <= time - left[number] <= 6.0 for time, number in late)


def test_lost_packets_and_copies_have_their_places_in_a_slot() -> None:
    slots = {"min_delay": 2.0, "packets": 2}
    twice = _sent([(1.0, 1), (1.0, 1)], slot=slots, duplicate=1.0)
    assert twice == [(3.0, 0), (3.0, 0), (5.0, 1), (5.0, 1)]
    packets = [(1.0, 1)] * 40
    whole = {number: time for time, number in _sent(packets, slot=slots)}
    some = _sent(packets, slot=slots, loss=0.5)
    assert 5 < len(some) < 35
    assert all(whole[number] == time for time, number in some)


def test_a_slot_is_part_of_the_nominal_latency_and_of_its_spread() -> None:
    link = LinkSettings.model_validate({"delay": 1.0, "rate": 10, "slot": {"min_delay": 2, "max_delay": 8}})
    assert link.nominal_latency(5) == 1.0 + 0.5 + 5.0
    assert link.spread == pytest.approx(6 / 12**0.5)
    alone = [_sent([(1.0, 5)], seed, slot={"min_delay": 2, "max_delay": 8})[0][0] for seed in range(100)]
    assert np.mean(alone) == pytest.approx(6.0, abs=0.6)
    assert 3.0 <= min(alone) < max(alone) <= 9.0


@pytest.mark.parametrize("slot", [{"min_delay": 0.4}, {"min_delay": 0.1, "max_delay": 0.9, "packets": 2}])
def test_a_network_with_slots_is_saved_exactly(slot: dict[str, Any]) -> None:
    link = {"slot": slot, "delay": 0.1, "loss": 0.2, "duplicate": 0.3}
    whole, resumed = (
        Network(nx.path_graph(2), NetworkSettings.model_validate({"link": link}), Streams(0)) for _ in "ab"
    )
    for network in (whole, resumed):
        network.attach(1, lambda message: None)

    def play(network: Network, ticks: range) -> None:
        for tick in ticks:
            network.clock.schedule(tick / 7 - network.clock.now, partial(network.send, 0, 1, None, 1, "x"))
        network.clock.run(ticks.stop / 7)

    play(whole, range(20))
    whole.flush()
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    for network in (whole, resumed):
        play(network, range(20, 50))
        network.flush()
    assert whole.state_dict() == resumed.state_dict()


@pytest.mark.parametrize(
    ("slot", "words"),
    [
        ({"min_delay": 2, "max_delay": 1}, "max_delay 1.0 must be at least the min_delay 2.0"),
        ({"min_delay": 0}, "min_delay 0 needs a max_delay above 0"),
        ({"min_delay": "-1s"}, "min_delay"),
        ({"min_delay": 1, "packets": 0}, "greater than or equal to 1"),
        ({"max_delay": 1}, "Field required"),
    ],
)
def test_slots_that_make_no_sense_are_refused(slot: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        LinkSettings.model_validate({"slot": slot})
