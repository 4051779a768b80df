"""Every codec against its definition: the bytes it packs, its mean by enumeration, its contraction."""

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from testbed.consensus.codec import CODECS, Encoded, pack_bits, unpack_bits
from testbed.consensus.codecs.qsgd import QsgdCodec
from testbed.consensus.codecs.random_k import RandomKCodec
from testbed.consensus.codecs.top_k import TopKCodec
from testbed.consensus.settings import ConsensusSettings

GIVEN: dict[str, list[dict[str, Any]]] = {
    "top_k": [{"share": 0.3}, {"share": 0.01, "format": "float16"}, {"share": 1.0, "format": "float64"}],
    "random_k": [{"share": 0.3}, {"share": 0.01, "format": "float16"}, {"share": 1.0, "format": "float64"}],
    "qsgd": [{}, {"bits": 2}, {"bits": 3, "bucket": 4}, {"bits": 8}],
}
"""Settings to test each codec with."""

CHOSEN = [{"name": name} | each for name in CODECS.builtin() for each in GIVEN.get(name, [{}])]

numbers = arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e4, 1e4, width=32))


def codec(given):
    return ConsensusSettings.model_validate({"codec": given}).codec


def draws(seed=0):
    return lambda: np.random.default_rng(seed)


def normal(size, seed=0):
    return np.random.default_rng(seed).standard_normal(size)


@pytest.mark.parametrize("given_", CHOSEN, ids=str)
@settings(max_examples=40, deadline=None)
@given(signal=numbers, seed=st.integers(0, 99))
def test_a_message_is_as_long_as_the_bytes_that_its_receiver_reads(given_, signal, seed):
    chosen = codec(given_)
    encoded = chosen.encode(signal, draws(seed))
    sent = encoded.packed()
    assert len(sent) == encoded.size == chosen.size(len(signal))
    # Whoever has the bytes, the settings and m can read them.
    header, rest = sent[: len(encoded.header)], sent[len(encoded.header) :]
    read = chosen.decode(Encoded(header, np.frombuffer(rest, encoded.numbers.dtype)), len(signal))
    assert read.shape == signal.shape
    np.testing.assert_array_equal(read, chosen.decode(encoded, len(signal)))
    # The same random numbers give the same bytes.
    assert chosen.encode(signal, draws(seed)).packed() == sent


@given(bits=st.integers(1, 17), data=st.data())
@settings(max_examples=60, deadline=None)
def test_packed_codes_are_read_as_they_were(bits, data):
    codes = np.array(data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=1, max_size=20)))
    packed = pack_bits(codes, bits)
    assert packed.nbytes == -(-len(codes) * bits // 8)
    np.testing.assert_array_equal(unpack_bits(packed, bits, len(codes)), codes)


@settings(max_examples=60, deadline=None)
@given(signal=numbers, share=st.floats(0.01, 1))
def test_top_k_sends_the_largest_numbers_and_is_a_contraction(signal, share):
    chosen = TopKCodec(name="top_k", share=share, format="float64")
    read = chosen.decode(chosen.encode(signal, draws()), len(signal))
    k = max(1, round(share * len(signal)))
    sent = np.flatnonzero(read)
    np.testing.assert_array_equal(read[sent], signal[sent])
    left = np.sort(np.abs(signal))[: len(signal) - k]
    np.testing.assert_allclose(np.sort(np.abs(signal - read))[-len(left) :] if len(left) else [], left)
    bound = (1 - k / len(signal)) * np.sum(signal**2)
    assert np.sum((signal - read) ** 2) <= bound * (1 + 1e-12)


@pytest.mark.parametrize("k", [1, 2, 5, 6])
def test_random_k_is_right_on_average_and_a_contraction_unscaled_over_all_subsets(k, monkeypatch):
    m = 6
    signal = normal(m)
    chosen = RandomKCodec(name="random_k", share=k / m, format="float64")
    w = chosen.variance(m)
    found, shrunk = [], []
    for where in combinations(range(m), k):
        monkeypatch.setattr(RandomKCodec, "chosen", lambda *_, where=where: np.array(where))
        found.append(chosen.decode(chosen.encode(signal, draws()), m))
        shrunk.append(chosen.decode(chosen.encode(signal / (1 + w), draws()), m))
    np.testing.assert_allclose(np.mean(found, axis=0), signal, rtol=1e-12)
    size = np.sum(signal**2)
    assert np.mean(np.sum((found - signal) ** 2, axis=1)) == pytest.approx((m / k - 1) * size)
    assert np.mean(np.sum((shrunk - signal) ** 2, axis=1)) == pytest.approx((1 - k / m) * size)


def test_random_k_draws_every_subset_equally_often():
    chosen = RandomKCodec(name="random_k", share=0.5)
    seeds = np.random.default_rng(1).integers(2**63, size=3000)
    subsets = [tuple(chosen.chosen(int(seed), 4)) for seed in seeds]
    counts = [subsets.count(each) for each in combinations(range(4), 2)]
    assert sum(counts) == 3000
    assert np.abs(np.array(counts) - 500).max() < 5 * np.sqrt(500)


class _Fixed:
    """In place of a generator: numbers that are given."""

    def __init__(self, given):
        self.given = np.array(given)

    def random(self, shape):
        assert self.given.shape == shape
        return self.given


@pytest.mark.parametrize(("bits", "bucket"), [(2, None), (3, None), (4, None), (2, 2), (8, 3)])
def test_qsgd_is_right_on_average_with_bounded_variance_over_all_roundings(bits, bucket):
    signal = np.array([0.3, -1.2, 0.4, 0.77, -0.05, 0.2])
    chosen = QsgdCodec(name="qsgd", bits=bits, bucket=bucket)
    width, s = bucket or 6, 2 ** (bits - 1) - 1
    parts = signal.reshape(-1, width)
    norms = np.repeat(np.linalg.norm(parts, axis=1), width)
    lower, up = np.divmod(np.abs(signal) / norms * s, 1)  # and the probability of the level above
    mean, variance = np.zeros(6), 0.0
    for rounding in product([False, True], repeat=6):
        probability = np.prod(np.where(rounding, up, 1 - up))
        uniform = np.where(rounding, 1 - 1e-9, 0.0)
        read = chosen.decode(chosen.encode(signal, lambda uniform=uniform: _Fixed(uniform)), 6)
        np.testing.assert_allclose(read, np.sign(signal) * (lower + rounding) / s * norms, rtol=1e-6)
        mean += probability * read
        variance += probability * np.sum((read - signal) ** 2)
    np.testing.assert_allclose(mean, signal, rtol=1e-6)
    bound = min(width / s**2, np.sqrt(width) / s) * np.sum(signal**2)
    assert chosen.variance(6) == pytest.approx(min(width / s**2, np.sqrt(width) / s))
    assert 0 < variance <= bound * (1 + 1e-6)


def test_qsgd_sends_zeros_as_zeros():
    chosen = QsgdCodec(name="qsgd", bits=3, bucket=2)
    read = chosen.decode(chosen.encode(np.array([0.0, 0.0, 5.0]), draws()), 3)
    np.testing.assert_allclose(read, [0, 0, 5], rtol=1e-6)


@pytest.mark.parametrize("name", ["int8", "qsgd", "random_k"])
def test_divided_by_one_plus_its_variance_a_codec_is_a_contraction(name):
    chosen, signal = codec({"name": name} | GIVEN.get(name, [{}])[0]), normal(30)
    w, generator = chosen.variance(30), np.random.default_rng(0)
    errors = [
        np.sum((chosen.decode(chosen.encode(signal / (1 + w), lambda: generator), 30) - signal) ** 2)
        for _ in range(2000)
    ]
    bound = (1 - 1 / (1 + w)) * np.sum(signal**2)
    assert np.mean(errors) <= bound + 5 * np.std(errors) / np.sqrt(2000)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"codec": "top_k"}, "share"),
        ({"codec": {"name": "top_k", "share": 0}}, "greater than 0"),
        ({"codec": {"name": "qsgd", "bits": 1}}, "greater than or equal to 2"),
        ({"codec": "qsdg"}, "top_k"),
        ({"codec_memory": "difference"}, "difference without a codec: must be null"),
        ({"codec": {"name": "top_k", "share": 0.5}, "subset": 0.5}, "subset 0.5 with codec top_k: must be 1"),
        ({"codec": "int8", "codec_memory": "difference", "subset": 0.5}, "with difference: must be 1"),
        (
            {"algorithm": "metropolis", "codec": "int8", "codec_memory": "difference"},
            "with metropolis: must be error_feedback or null",
        ),
        (
            {"algorithm": "push_sum", "codec": "int8", "codec_memory": "error_feedback"},
            "with push_sum: must be null",
        ),
        (
            {"algorithm": "choco_gossip", "codec": "int8", "codec_memory": "error_feedback"},
            "with choco_gossip: must be null, because it always sends differences",
        ),
        ({"algorithm": "choco_gossip", "activation": "gossip"}, "activation 'gossip'"),
    ],
)
def test_what_does_not_fit_is_one_line(given_, said):
    with pytest.raises(ValueError, match="1 validation error") as caught:
        ConsensusSettings.model_validate(given_)
    assert said in str(caught.value)


def test_a_codec_without_settings_keeps_the_names_of_trials():
    plain = ConsensusSettings.model_validate({"codec": "int8"})
    assert plain.essence() == {"codec": "int8"}
    assert ConsensusSettings.model_validate({"codec": {"name": "int8"}}).essence() == plain.essence()
    assert ConsensusSettings.model_validate({"codec": {"name": "qsgd", "bits": 4}}).essence() == {
        "codec": "qsgd"
    }
    assert ConsensusSettings.model_validate({"codec": {"name": "qsgd", "bits": 3}}).essence() == {
        "codec": {"name": "qsgd", "bits": 3}
    }
