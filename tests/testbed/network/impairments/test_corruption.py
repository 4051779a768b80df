"""What undetected damage does to numbers, and who does it."""

from typing import Any

import networkx as nx
import numpy as np
import pytest

from testbed.network import Message, Network, NetworkSettings, Streams, Trace
from testbed.network.corruption import Corruption


def _received(count: int = 2000, **fields: Any) -> tuple[Network, list[Message]]:
    network = Network(nx.path_graph(2), NetworkSettings.model_validate(fields), Streams(3))
    received: list[Message] = []
    network.attach(1, received.append)
    for number in range(count):
        network.send(0, 1, np.arange(8.0) + number, 64, "x")
    network.clock.run()
    network.ledger.check()
    return network, received


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int8, np.int64])
def test_exactly_one_bit_of_a_copy_is_flipped(dtype: Any) -> None:
    numbers = np.arange(12, dtype=dtype).reshape(3, 4)
    before = numbers.tobytes()
    flipped = set()
    for seed in range(300):
        damaged = Corruption(seed, None).apply(numbers)
        assert (damaged.shape, damaged.dtype) == (numbers.shape, numbers.dtype)
        bits = np.unpackbits(np.frombuffer(before, np.uint8) ^ np.frombuffer(damaged.tobytes(), np.uint8))
        assert bits.sum() == 1
        flipped.add(int(bits.argmax()))
    assert numbers.tobytes() == before
    # Any bit may be the one: of n bits about n (1 - exp(-300 / n)) are seen.
    total = 8 * len(before)
    assert len(flipped) == pytest.approx(total * (1 - np.exp(-300 / total)), rel=0.15)


def test_noise_is_relative_to_the_size_of_the_numbers_and_always_the_same() -> None:
    numbers = 50.0 + np.zeros(20_000, dtype=np.float32)
    mark = Corruption(5, 0.1)
    damaged = mark.apply(numbers)
    assert damaged.dtype == np.float32
    assert (damaged - numbers).std() == pytest.approx(5.0, rel=0.03)
    assert (damaged - numbers).mean() == pytest.approx(0.0, abs=0.2)
    np.testing.assert_array_equal(damaged, mark.apply(numbers))
    with pytest.raises(TypeError, match="noise cannot be added to numbers of type int8"):
        mark.apply(np.zeros(3, dtype=np.int8))


def test_strided_and_empty_arrays_can_be_damaged() -> None:
    numbers = np.arange(10.0)[::2]
    assert (Corruption(0, None).apply(numbers) != numbers).sum() == 1
    assert Corruption(0, None).apply(np.array([])).size == 0


def test_damage_that_is_noticed_is_a_loss_with_a_reason_of_its_own() -> None:
    network, received = _received(link={"corrupt": 0.2, "loss": 0.1})
    dropped = network.ledger.dropped
    assert dropped["corrupt"] / 2000 == pytest.approx(0.9 * 0.2, abs=0.04)
    assert dropped["loss"] / 2000 == pytest.approx(0.1, abs=0.03)
    assert len(received) + dropped["corrupt"] + dropped["loss"] == 2000
    assert not any(message.corrupted for message in received)
    assert network.ledger.corrupted == 0


def test_damage_that_nobody_notices_marks_the_message_and_leaves_the_payload_to_the_receiver() -> None:
    network, received = _received(link={"corrupt": {"random": 0.2, "detected": False, "noise": 0.5}})
    assert len(received) == 2000
    marked = [message for message in received if message.corrupted]
    assert network.ledger.corrupted == len(marked) == network.ledger.snapshot()["messages_corrupted"]
    assert len(marked) / 2000 == pytest.approx(0.2, abs=0.04)
    for message in received:
        np.testing.assert_array_equal(message.payload, np.arange(8.0) + message.serial)
    assert len({message.corruption for message in marked}) == len(marked)
    assert all(message.corruption and message.corruption.noise == 0.5 for message in marked)


def test_the_trace_tells_which_messages_arrived_damaged() -> None:
    settings = NetworkSettings.model_validate({"link": {"corrupt": {"random": 1.0, "detected": False}}})
    network = Network(nx.path_graph(2), settings, Streams(0), trace=Trace())
    network.attach(1, lambda message: None)
    network.send(0, 1, None, 8, "x")
    network.clock.run()
    assert network.trace is not None
    assert [line.partition('"size":8')[2] for line in network.trace.lines()] == ["}", ',"reason":"corrupt"}']


def test_a_retransmission_of_a_damaged_message_is_as_good_as_new() -> None:
    network, received = _received(
        200, link={"corrupt": 0.4}, transport="reliable", retries=50, retransmission_timeout=1.0
    )
    assert sorted(message.payload[0] for message in received) == list(range(200))
    assert network.ledger.retransmitted > 0
    assert network.ledger.undeliverable == 0
