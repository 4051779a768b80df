"""Lies in every message of every algorithm: who sends them, what arrives, and what honest agents keep."""

import json
from typing import Any

import network_plans
import numpy as np
import pytest

import topologies
from testbed import workloads
from testbed.consensus.consensus_run import ConsensusRun
from testbed.consensus.edge_admm.agent import EdgeAgent
from testbed.consensus.payloads import Codecs, as_numpy, largest_lie
from testbed.consensus.problems.mean import mean_problem
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.consensus.traits import ALGORITHMS
from testbed.network import Network, NetworkSettings, Streams, Trace
from testbed.workloads import ProblemWorkload

AGENTS = 5
GRAPH = topologies.make("complete", AGENTS)
CAN_LIE = [name for name, kind in ALGORITHMS.builtin().items() if not kind.sends_differences]
START = np.random.default_rng(0).standard_normal((AGENTS, 3))


def _fault(behaviour: Any, agent: Any = 0, **when: Any) -> dict[str, Any]:
    return {"fault": "byzantine", "agent": agent, "behaviour": behaviour, "down": 0.0, **when}


def _problem(consensus: dict[str, Any], trace: Trace | None = None, **network: Any) -> Any:
    chosen = {
        "problem": {"name": "mean", "agents": AGENTS, "dimension": 3},
        "network": {"audit": True, "link": {"delay": 0.005}} | network,
        "consensus": {"budget": {"activations": 60}} | consensus,
    }
    return workloads.run(ProblemWorkload.model_validate(chosen), seed=1, graph=GRAPH, trace=trace)


@pytest.mark.parametrize("algorithm", CAN_LIE)
@pytest.mark.parametrize("behaviour", network_plans.LIES, ids=str)
def test_every_algorithm_and_behaviour_holds_its_audit_and_repeats_byte_for_byte(algorithm, behaviour):
    def run():
        trace = Trace()
        return _problem({"algorithm": algorithm}, trace, faults=[_fault(behaviour)]), trace

    (result, trace), (again, traced_again) = run(), run()
    rows = [event.row() for event in trace.events]
    lies = [row for row in rows if row["event"] == "falsified"]
    assert {row["agent"] for row in lies} == {0}
    assert len(lies) == result.metrics["falsified"] == result.curves["faults"][0]["falsified"] > 0
    sent = [row for row in rows if row["event"] == "sent" and row["source"] == 0 and row["kind"] != "busy"]
    # A stuck agent's first message of a kind to each neighbour is true.
    first = len({(row["destination"], row["kind"]) for row in sent}) if behaviour == "stuck" else 0
    assert len(lies) == len(sent) - first
    assert list(trace.lines()) == list(traced_again.lines())
    assert json.dumps(result.metrics) == json.dumps(again.metrics)
    honest = _problem({"algorithm": algorithm})
    assert honest.metrics["falsified"] == 0
    # Steps of gradients that fall from round to round leave an error of their own, as large as a lie's.
    least = 1.0 if algorithm in ("dgd", "dsgd") else 1.1
    assert result.metrics["error"] > least * honest.metrics["error"]


def _agreement(algorithm: str, network: dict[str, Any], **consensus: Any) -> tuple[Network, Any]:
    streams = Streams(3)
    settings = ConsensusSettings.model_validate(
        {"algorithm": algorithm, "budget": {"activations": 40}} | consensus
    )
    simulated = Network(GRAPH, NetworkSettings.model_validate(network), streams)
    return simulated, make_consensus(simulated, settings, streams).consensus_run(
        mean_problem(START).local, None, None
    )


@pytest.mark.parametrize("algorithm", CAN_LIE)
@pytest.mark.parametrize("codec", [None, "float32", "float16", "int8"])
def test_a_lie_is_written_in_the_format_and_the_payload_of_honest_senders_is_untouched(
    algorithm, codec, monkeypatch
):
    if algorithm == "robust_push_sum" and codec is not None:
        pytest.skip("its sums are float64")
    seen: list[tuple[int, Any, Any]] = []
    plain = ConsensusRun.told

    def told(self, payload, source, *rest):
        sent = plain(self, payload, source, *rest)
        seen.append((source, payload, sent))
        return sent

    monkeypatch.setattr(ConsensusRun, "told", told)
    network = {"faults": [_fault({"name": "scale", "factor": 3.0})], "link": {"delay": 0.001}}
    _, run = _agreement(algorithm, network, codec=codec)
    run.run()
    assert {source for source, _, _ in seen} == set(range(AGENTS))
    for source, true, sent in seen:
        if source or not np.any(true.values):
            assert sent is true
            continue
        assert not sent.exact
        assert (sent.size, sent.where) == (true.size, true.where)
        step = 3 * np.abs(true.values).max() / 127
        close = {None: 0.0, "float32": 1e-6, "float16": 1e-2, "int8": 2 * step}[codec]
        np.testing.assert_allclose(sent.values, 3 * true.values, rtol=close, atol=close)
        if codec is not None:
            assert sent.encoded.numbers.dtype == codec
            written = ConsensusSettings(codec=codec).codec
            np.testing.assert_array_equal(sent.values, written.decode(sent.encoded, len(sent.values)))


def test_duplicates_and_retransmissions_repeat_the_lie_that_was_sent(monkeypatch):
    received: list[tuple[int, Any]] = []
    plain = Network.attach

    def attach(self, node, handler):
        def heard(message):
            if message.source == 0:
                received.append((message.destination, message.payload[0]))
            handler(message)

        plain(self, node, heard)

    monkeypatch.setattr(Network, "attach", attach)
    link = {"delay": 0.005, "loss": 0.3, "duplicate": 0.4}
    faults = [_fault("random")]
    network, run = _agreement("relaxed_admm", {"link": link, "faults": faults})
    run.run()
    assert network.ledger.duplicated > 0
    payloads = [id(payload) for _, payload in received]
    assert 0 < len(set(payloads)) < len(payloads)
    reliable = {"link": {"delay": 0.005, "loss": 0.3}, "faults": faults, "transport": "reliable"}
    received.clear()
    network, run = _agreement("relaxed_admm", reliable)
    result = run.run()
    assert network.ledger.retransmitted > 0
    # As many lies as messages, not as packets; each arrives once.
    assert len({id(payload) for _, payload in received}) == len(received) <= result.counts.falsified
    assert network.faults_report()[0].falsified == result.counts.falsified


def test_a_repeated_request_gets_the_same_lie_again(monkeypatch):
    answers: dict[Any, list[Any]] = {}  # the objects themselves: names of lost ones would be given again
    plain = Network.send

    def send(self, source, destination, payload, size, kind):
        if kind == "response" and source == 0:
            answers.setdefault(payload[0], []).append(payload[1])
        return plain(self, source, destination, payload, size, kind)

    monkeypatch.setattr(Network, "send", send)
    # The copy of a request comes long after it, when it has been answered.
    link = {"delay": 0.05, "jitter": 0.05, "duplicate": 0.9}
    network = {"link": link, "faults": [_fault({"name": "noise", "std": 1.0})], "audit": True}
    _, run = _agreement("edge_admm", network, compute=0.001, timeout=0.5)
    result = run.run()
    assert result.counts.repeated > 0
    assert max(map(len, answers.values())) > 1
    assert all(each is same[0] for same in answers.values() for each in same)


def test_the_two_ends_of_a_link_agree_again_after_the_lies():
    faults = [_fault("sign_flip", up=1.0)]
    lied = _problem({"budget": {"activations": 600}}, faults=faults)
    assert lied.metrics["falsified"] > 0
    assert lied.metrics["error"] < 1e-4


def test_the_audit_still_finds_what_no_lie_explains(monkeypatch):
    plain = EdgeAgent.commit

    def commit(self, e, offers):
        plain(self, e, offers if e[0] != 3 or self.index == 3 else 1.001 * offers)

    monkeypatch.setattr(EdgeAgent, "commit", commit)
    with pytest.raises(AssertionError, match="the ends of link 3-4 differ"):
        _problem({}, faults=[_fault("random")])


def test_lies_beyond_what_a_type_can_square_are_cut():
    settings = ConsensusSettings.model_validate({"budget": {"activations": 1}})
    for dtype in (np.float32, np.float64):
        codecs = Codecs(settings, Streams(0))
        payload = codecs.payload(np.ones(2, dtype=dtype), 0, 1)
        told = codecs.falsified(payload, np.array([1e300, -np.inf]), np.random.default_rng(0))
        numbers = as_numpy(told.values)
        most = largest_lie(np.dtype(dtype))
        np.testing.assert_allclose(numbers, [most, -most], rtol=1e-6)
        assert numbers.dtype == dtype
        assert np.isfinite(np.square(np.square(numbers / 2))).all()
