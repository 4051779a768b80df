"""Copies at both ends of a direction: equal bit for bit whatever is lost, late, doubled or forgotten."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import topologies
from testbed import workloads
from testbed.common.settings import SettingError
from testbed.consensus.coding import Coding
from testbed.consensus.payloads import Codecs
from testbed.consensus.references import ACKNOWLEDGEMENT, STAMP, WINDOW
from testbed.consensus.result import Counts
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Message, Network, NetworkSettings, Streams
from testbed.workloads import ProblemWorkload

TOP = {"name": "top_k", "share": 0.25}


def coding(codec=TOP, seed=0):
    """The coding of a network of two agents, which raises AssertionError if copies differ."""
    chosen = ConsensusSettings.model_validate({"codec": codec, "codec_memory": "difference"})
    streams = Streams(seed)
    network = Network(topologies.make("path", 2), NetworkSettings(audit=True), streams)
    return Coding(Codecs(chosen, streams), "difference", network, Counts())


def message(payload, source=0):
    return Message(source, 1 - source, "news", payload, payload.size, 0.0, 0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 1)),
        st.tuples(st.just("deliver"), st.integers(0, 50)),
        st.tuples(st.just("again"), st.integers(0, 50)),
        st.tuples(st.just("lose"), st.integers(0, 50)),
        st.tuples(st.just("acknowledge"), st.integers(0, 1)),
        st.tuples(st.just("forget"), st.integers(0, 1)),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, codec=st.sampled_from([TOP, "int8", {"name": "qsgd", "bits": 2}, "float16"]))
def test_the_two_ends_never_differ_whatever_happens_to_messages(steps, codec):
    used, generator = coding(codec), np.random.default_rng(0)
    signals = [generator.standard_normal(8) for _ in range(2)]
    under_way, acknowledgements = [], []
    for step, which in steps:
        if step == "send":
            signals[which] = 0.9 * signals[which] + 0.1 * generator.standard_normal(8)
            under_way.append((which, used.encode(signals[which], which, 1 - which)))
        elif step == "acknowledge":
            acknowledgements.append((which, used.heard(which, 1 - which)))
            node, heard = acknowledgements[int(generator.integers(len(acknowledgements)))]
            used.acknowledged(node, 1 - node, heard)  # any, late or twice
        elif step == "forget":
            used.forgotten(which)
        elif under_way:
            place = which % len(under_way)
            source, payload = under_way[place]
            if step != "lose":
                read = used.decode(payload, message(payload, source))
                # The audit compares all bytes, too: what is read is what the sender has noted.
                assert read is None or read.values.tobytes() == payload.values.tobytes()
            if step != "again":
                under_way.pop(place)
    # However it went, a few messages that arrive make the copies good again.
    for _ in range(60):
        for source in range(2):
            payload = used.encode(signals[source], source, 1 - source)
            read = used.decode(payload, message(payload, source))
    assert read is not None
    assert np.abs(read.values - signals[1]).max() < 1e-2 * max(1, np.abs(signals[1]).max())


def test_differences_become_exact_where_plain_messages_stay_apart():
    signal = np.random.default_rng(0).standard_normal(40)
    used = coding()
    for _ in range(6):
        payload = used.encode(signal, 0, 1)
        used.decode(payload, message(payload))
        used.acknowledged(0, 1, used.heard(0, 1))
    np.testing.assert_allclose(payload.values, signal, atol=1e-6)
    plain = Codecs(ConsensusSettings.model_validate({"codec": TOP}), Streams(0)).payload(signal, 0, 1)
    assert np.abs(plain.values - signal).max() > 0.5


def test_torch_signals_have_copies_of_their_own_type():
    used, signal = coding("int8"), torch.linspace(-1, 1, 9)
    payload = used.encode(signal, 0, 1)
    read = used.decode(payload, message(payload))
    assert read.values.dtype == torch.float32
    torch.testing.assert_close(read.values, signal, atol=1e-2, rtol=0)


def test_without_acknowledgements_every_message_can_be_read_and_memory_is_bounded():
    used, generator = coding(), np.random.default_rng(0)
    for sent in range(3 * WINDOW):
        payload = used.encode(generator.standard_normal(8), 0, 1)
        assert payload.stamp.base == 0
        if sent % 3 == 0:
            assert used.decode(payload, message(payload)) is not None
    assert len(used._sent[0, 1]._unacknowledged) == WINDOW
    assert len(used._held[0, 1]._copies) <= WINDOW
    used.acknowledged(0, 1, used.heard(0, 1))
    assert used.encode(generator.standard_normal(8), 0, 1).stamp.base > 2 * WINDOW


def test_the_size_has_the_bytes_of_the_stamp():
    used = coding()
    payload = used.encode(np.ones(8), 0, 1)
    stamp = STAMP.pack(*payload.stamp[:3], *payload.stamp.heard[:2])
    assert payload.size == len(payload.encoded.packed()) + len(stamp) == used.size(np.ones(8))
    assert len(ACKNOWLEDGEMENT.pack(*used.heard(0, 1))) == 8


def run(consensus, seed=0, topology="ring", agents=6, **network):
    chosen = {
        "problem": {"name": "mean", "agents": agents, "dimension": 12},
        "network": {"audit": True, "link": {"delay": 0.005}} | network,
        "consensus": {"budget": {"activations": 600}} | consensus,
    }
    trial = ProblemWorkload.model_validate(chosen)
    graph = topologies.make(topology, agents)
    trial.check(graph)
    return workloads.run(trial, seed=seed, graph=graph)


LOSSY = {
    "link": {"delay": 0.005, "jitter": 0.02, "loss": 0.2, "duplicate": 0.2, "reorder": 0.2},
    "faults": [{"fault": "crash", "agent": 1, "state": "lost", "mtbf": 2.0, "mttr": 0.1}],
}


@pytest.mark.parametrize("algorithm", ["edge_admm", "relaxed_admm"])
@pytest.mark.parametrize(
    "codec", [TOP, {"name": "random_k", "share": 0.25}, {"name": "qsgd", "bits": 3}], ids=str
)
def test_both_kinds_of_admm_reach_the_optimum_by_differences_however_coarse(algorithm, codec):
    consensus = {"algorithm": algorithm, "codec": codec, "penalty": 0.5}
    budget = {"budget": {"activations": 1200}, "curve_every": 4000}
    plain = run(consensus | budget, audit=False).metrics["error"]
    exact = run(consensus | budget | {"codec_memory": "difference"}, audit=False).metrics["error"]
    assert exact < 1e-3
    assert plain > 1e-2


@pytest.mark.parametrize("algorithm", ["edge_admm", "relaxed_admm", "choco_gossip"])
def test_loss_reordering_duplicates_and_crashes_hold_the_audit(algorithm):
    memory = None if algorithm == "choco_gossip" else "difference"
    budget = {"budget": {"activations": 300}}
    found = run({"algorithm": algorithm, "codec": TOP, "codec_memory": memory} | budget, **LOSSY).metrics
    assert min(found[name] for name in ("exchanges", "stale", "dropped_loss", "down")) > 0, found


def test_relaxed_admm_is_right_at_any_loss_with_differences_too():
    consensus = {"algorithm": "relaxed_admm", "codec": TOP, "codec_memory": "difference", "penalty": 0.5}
    budget = {"budget": {"activations": 3000}, "curve_every": 9000}
    found = run(consensus | budget, audit=False, link={"delay": 0.005, "loss": 0.4})
    assert found.metrics["error"] < 1e-5


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (
            {"faults": [{"fault": "byzantine", "agent": 0, "behaviour": "stuck", "down": 0}]},
            "not allow the fault byzantine",
        ),
        ({"link": {"corrupt": {"random": 0.1, "detected": False}}}, "0 or detected"),
        ({"links": {"0-1": {"corrupt": {"random": 0.1, "detected": False}}}}, "on 0>1"),
    ],
)
@pytest.mark.parametrize(
    "consensus", [{"codec": TOP, "codec_memory": "difference"}, {"algorithm": "choco_gossip", "codec": TOP}]
)
def test_lies_and_undetected_damage_are_refused_in_one_line(network, consensus, said):
    with pytest.raises(SettingError, match=said) as caught:
        run(consensus, **network)
    assert "\n" not in str(caught.value)
