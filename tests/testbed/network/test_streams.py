import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.network import Streams
from testbed.network.streams import Draws


def test_a_stream_depends_on_its_name_and_the_seed_only() -> None:
    one, other = Streams(7), Streams(7)
    other.generator("something", "else").random(100)
    assert one.generator("link", 0, 1, "delay").random(5).tolist() == (
        other.generator("link", 0, 1, "delay").random(5).tolist()
    )
    assert Streams(8).generator("link", 0, 1, "delay").random() != (
        Streams(7).generator("link", 0, 1, "delay").random()
    )


def test_the_numbers_of_a_stream_never_change_between_versions() -> None:
    recorded = [0.16506442937665577, 0.6154076436613507, 0.9070428210448763]
    assert Streams(0).generator("link", 0, 1, "loss").random(3).tolist() == recorded


def test_names_that_look_alike_are_different_streams() -> None:
    streams = Streams(0)
    names: list[tuple[str | int, ...]] = [
        ("a", 1),
        ("a", "1"),
        ("a1",),
        ("a", 1, ""),
        ('a",1,"',),
        (1, "a"),
        ("link", 0, 11),
        ("link", 1, 1),
        ("link", 11, 0),
    ]
    firsts = [streams.generator(*name).random() for name in names]
    assert len(set(firsts)) == len(names)


def test_streams_are_not_correlated() -> None:
    streams = Streams(1)
    table = np.array([streams.generator("link", u, u + 1, "delay").standard_normal(4000) for u in range(20)])
    off_diagonal = np.corrcoef(table)[~np.eye(20, dtype=bool)]
    assert np.abs(off_diagonal).max() < 5 / np.sqrt(4000)


def test_asking_twice_continues_the_stream_instead_of_repeating_it() -> None:
    streams = Streams(3)
    first = streams.generator("x").random()
    assert streams.generator("x").random() != first
    assert streams.fresh("x").random() == first


def test_a_negative_seed_and_a_nameless_stream_are_refused() -> None:
    with pytest.raises(ValueError, match="seed -1"):
        Streams(-1)
    with pytest.raises(ValueError, match="needs a name"):
        Streams(0).generator()


def test_the_state_of_all_streams_survives_json() -> None:
    streams = Streams(5)
    streams.generator("a").standard_normal(17)
    streams.generator("b", 2).integers(10, size=3)
    state = json.loads(json.dumps(streams.state_dict()))
    expected = [
        streams.generator("a").random(4).tolist(),
        streams.generator("b", 2).integers(10, size=5).tolist(),
    ]
    resumed = Streams(5)
    resumed.generator("c").random()
    resumed.load_state_dict(state)
    assert [
        resumed.generator("a").random(4).tolist(),
        resumed.generator("b", 2).integers(10, size=5).tolist(),
    ] == expected
    assert resumed.generator("c").random() == Streams(5).generator("c").random()


def _draws(seed: int = 0) -> Draws:
    return Draws(lambda: Streams(seed).fresh("x"), lambda generator, count: generator.standard_normal(count))


def test_block_draws_are_the_single_draws_of_the_stream() -> None:
    draws, generator = _draws(), Streams(0).fresh("x")
    assert [draws.next() for _ in range(5000)] == [generator.standard_normal() for _ in range(5000)]


@given(before=st.integers(0, 3000), after=st.integers(0, 200))
def test_a_position_within_a_block_is_saved_exactly(before: int, after: int) -> None:
    draws = _draws()
    for _ in range(before):
        draws.next()
    state = json.loads(json.dumps(draws.state_dict()))
    resumed = _draws()
    resumed.next()
    resumed.load_state_dict(state)
    assert [resumed.next() for _ in range(after)] == [draws.next() for _ in range(after)]
    assert resumed.state_dict() == draws.state_dict()
