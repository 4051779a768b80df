"""Number formats and subsets: what is sent is what counts, in bytes and in numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from one_exchange import exchange

import topologies
from testbed.consensus.payloads import Codecs
from testbed.consensus.problems.mean import MeanSettings
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Network, NetworkSettings, Streams
from testbed.network.corruption import Corruption

CODECS = ["float64", "float32", "float16", "int8"]
SIZES = {None: 8, "float64": 8, "float32": 4, "float16": 2, "int8": 1}

signals = arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e4, 1e4))


def codecs(codec=None, subset=1.0, seed=0):
    return Codecs(ConsensusSettings(codec=codec, subset=subset), Streams(seed))


@pytest.mark.parametrize("codec", ["float64", "float32", "float16"])
@settings(max_examples=30, deadline=None)
@given(signal=signals)
def test_floating_point_formats_give_the_nearest_number_they_have(codec, signal):
    payload = codecs(codec).payload(signal, 0, 1)
    assert payload.values.dtype == np.float64
    np.testing.assert_array_equal(payload.values, signal.astype(codec).astype(np.float64))
    assert payload.size == SIZES[codec] * len(signal)
    assert payload.exact == (codec == "float64" or np.array_equal(payload.values, signal))


@settings(max_examples=50, deadline=None)
@given(signal=signals)
def test_int8_is_never_further_off_than_one_of_its_steps(signal):
    payload = codecs("int8").payload(signal, 0, 1)
    step = np.abs(signal).max() / 127
    assert (np.abs(payload.values - signal) <= step * (1 + 1e-6) + 1e-40).all()
    assert payload.size == len(signal) + 4  # and the step
    assert payload.encoded.numbers.dtype == np.int8


def test_int8_is_right_on_average():
    signal = np.array([0.0, 0.3, -0.7, 1.0, 0.123456, -1.0])
    written = codecs("int8")
    mean = np.mean([written.payload(signal, 0, 1).values for _ in range(4000)], axis=0)
    # Each is off by less than a step of 1/127, with a standard deviation of at most half of one.
    np.testing.assert_allclose(mean, signal, atol=5 * 0.5 / 127 / np.sqrt(4000))


def test_numbers_beyond_the_range_of_a_format_become_its_largest():
    payload = codecs("float16").payload(np.array([1e6, -1e6, 1.0]), 0, 1)
    np.testing.assert_array_equal(payload.values, [65504.0, -65504.0, 1.0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("codec", [None, *CODECS])
def test_torch_signals_come_back_as_torch_signals_of_their_own_type(codec, dtype):
    signal = torch.linspace(-1, 1, 9, dtype=dtype)
    for subset in (1.0, 0.5):
        written = codecs(codec, subset)
        where = written.coordinates(9, 0, 1)
        payload = written.payload(signal, 0, 1, where)
        expected = signal if where is None else signal[where]
        assert payload.values.dtype == dtype
        torch.testing.assert_close(payload.values, expected, atol=1e-2, rtol=1e-2)
        each = signal.itemsize if codec is None else SIZES[codec]
        assert payload.size == each * len(expected) + 4 * (codec == "int8") + 8 * (subset < 1)


def test_a_subset_is_drawn_anew_each_time_and_every_coordinate_as_often():
    written = codecs(subset=0.3)
    drawn = [written.coordinates(10, 0, 1) for _ in range(2000)]
    assert all(len(set(where)) == 3 and (np.diff(where) > 0).all() for where in drawn)
    counts = np.bincount(np.concatenate(drawn), minlength=10)
    assert np.abs(counts - 600).max() < 5 * np.sqrt(2000 * 0.3 * 0.7)


def test_rounding_and_subsets_draw_from_streams_of_their_own():
    streams = Streams(0)
    chosen = ConsensusSettings(codec="int8", subset=0.5)
    written = Codecs(chosen, streams)
    signal = np.arange(10.0)
    written.payload(signal, 0, 1, written.coordinates(10, 0, 1))
    assert set(streams.state_dict()) == {'["codec",0,1]', '["subset",0,1]'}


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("subset", [1.0, 0.4])
@pytest.mark.parametrize("codec", [None, *CODECS])
def test_a_completed_exchange_leaves_opposite_z_and_equal_y_where_it_was_about(codec, subset, library):
    found = exchange(codec, subset, library)
    about, z, y = found.about, found.z, found.y
    elsewhere = np.setdiff1d(np.arange(len(z[0])), about)
    np.testing.assert_allclose(z[0][about] + z[1][about], 0, atol=1e-13)
    np.testing.assert_array_equal(y[0][about], y[1][about])
    for q in range(2):
        np.testing.assert_array_equal(z[q][elsewhere], found.before[q][0][elsewhere])
        np.testing.assert_array_equal(y[q][elsewhere], found.before[q][1][elsewhere])


@pytest.mark.parametrize("algorithm", ["edge_admm", "relaxed_admm"])
@pytest.mark.parametrize(("codec", "reached"), [("float32", 1e-6), ("float16", 5e-3), ("int8", 5e-2)])
@pytest.mark.parametrize("subset", [1.0, 0.5])
def test_coarser_numbers_reach_a_coarser_agreement_for_fewer_bytes(algorithm, codec, reached, subset):
    posed = MeanSettings(agents=6, dimension=10).make(Streams(0))
    streams = Streams(0)
    network = Network(topologies.make("ring", 6), NetworkSettings(), streams)
    chosen = ConsensusSettings.model_validate(
        {"algorithm": algorithm, "codec": codec, "subset": subset, "penalty": 0.5, "curve_every": 100}
        | {"budget": {"activations": 1200}}
    )
    result = make_consensus(network, chosen, streams).agree(posed.local)
    error = np.abs(np.stack(result.signals) - posed.optimum).max()
    assert reached / 1000 < error < reached
    each = int(10 * subset) * SIZES[codec] + 4 * (codec == "int8") + 8 * (subset < 1)
    assert result.bytes == 2400 * (16 + each)


def test_exact_formats_change_nothing_but_their_size():
    posed = MeanSettings(agents=6, dimension=10).make(Streams(0))
    found = []
    for codec in (None, "float64"):
        streams = Streams(0)
        network = Network(topologies.make("ring", 6), NetworkSettings(), streams)
        consensus = make_consensus(network, ConsensusSettings(codec=codec), streams)
        found.append(np.stack(consensus.agree(posed.local).signals).tobytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("codec", [None, *CODECS])
def test_damage_strikes_the_numbers_on_the_wire(codec):
    signal, written = np.linspace(-1, 1, 8), codecs(codec)
    payload = written.payload(signal, 0, 1)
    assert written.arrived(payload, None) is payload
    for seed in range(40):
        read = written.arrived(payload, Corruption(seed, None))
        if read is not None:  # one bit flipped, and no more than one number changed
            assert (read.values != payload.values).sum() <= 1
            assert np.isfinite(read.values).all()
            assert not read.exact
    noisy = written.arrived(payload, Corruption(0, 0.1))
    assert 0.01 < np.sqrt(np.mean((noisy.values - payload.values) ** 2)) < 0.2


def test_a_message_with_numbers_that_are_not_finite_is_recognised():
    written = codecs("float16")
    payload = written.payload(np.full(4, 32768.0), 0, 1)  # one more bit of exponent is infinity
    read = [written.arrived(payload, Corruption(seed, None)) for seed in range(300)]
    assert any(each is None for each in read)
