"""Faults that can never begin are known before anything runs, and none that can begin is among them."""

import networkx as nx
import pytest

from testbed.network import Network
from testbed.workloads import ProblemWorkload, TrainingWorkload, UpdateWorkload, run
from testbed.workloads.fault_reach import never

RING = nx.cycle_graph(4)
PROBLEM = {"problem": {"name": "mean", "agents": 4}}


def found(settings, graph=RING):
    return list(never(settings, lambda: graph))


def problem(down, up=None, consensus=None, **network):
    fault = {"link": "0-1", "down": down, "up": up}
    network = {"faults": [fault], **network}
    return ProblemWorkload.model_validate({**PROBLEM, "network": network, "consensus": consensus or {}})


@pytest.mark.parametrize(
    ("settings", "keys", "reason"),
    [
        (problem({"update": 2}), ("down", "update"), "workload problem has update 1 only"),
        (problem({"kind": "respnse"}), ("down", "kind"), "edge_admm has no such messages"),
        (problem({"kind": "acknowledgement"}), ("down", "kind"), "no such messages"),
        (problem({"kind": "news"}, transport="reliable"), ("down", "kind"), "transport reliable has no such"),
        (
            problem({"kind": "response"}, consensus={"algorithm": "push_sum"}),
            ("down", "kind"),
            "push_sum has no such messages",
        ),
        (problem({"kind": "request", "count": 101}), ("down", "count"), "activations 100 allows at most 100"),
        (
            problem({"kind": "news", "count": 201}, consensus={"algorithm": "push_sum"}),
            ("down", "count"),
            "allows at most 200 messages of kind news",
        ),
        (
            problem(
                {"kind": "news", "count": 101}, consensus={"algorithm": "push_sum", "activation": "gossip"}
            ),
            ("down", "count"),
            "allows at most 100",
        ),
        (problem(3.0, consensus={"budget": {"seconds": 3}}), ("down",), "the budget ends the trial earlier"),
        (problem({"kind": "request"}, up=0.0), ("up",), "lifted before it begins"),
        (problem(1.0, up={"update": 1}), ("up", "update"), "lifted before it begins"),
        (problem(1.0, up={"kind": "respons"}), ("up", "kind"), "no such messages"),
        (problem(1.0, up={"update": 2}), ("up", "update"), "update 1 only; without up the fault lasts"),
    ],
)
def test_what_never_begins_in_a_problem(settings, keys, reason):
    (only,) = found(settings)
    assert (only.fault, only.keys) == (0, keys)
    assert reason in only.reason


def learning(model, down, algorithm=None, **rest):
    network = {"faults": [{"link": "0-1", "down": down}]}
    return model.model_validate({"network": network, "algorithm": algorithm or {}, **rest})


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (learning(UpdateWorkload, {"update": 2}), "workload update has update 1 only"),
        (learning(TrainingWorkload, {"update": 7}, training={"updates": 5}), "training.updates is 5"),
        (learning(TrainingWorkload, 1.0, {"name": "itrpo"}), "itrpo sends no messages"),
        (learning(TrainingWorkload, {"kind": "request"}, {"name": "mappo"}), "mappo sends no messages"),
        (
            learning(TrainingWorkload, 6.0, consensus={"budget": {"seconds": 2}}, training={"updates": 3}),
            "at 2 s x 3 updates",
        ),
    ],
)
def test_what_never_begins_where_policies_are_learnt(settings, reason):
    (only,) = found(settings, nx.cycle_graph(3))
    assert reason in only.reason


@pytest.mark.parametrize(
    "settings",
    [
        problem({"update": 1}),
        problem(0.0),
        problem(1e9),  # of activations nobody knows how long they take
        problem(2.9, consensus={"budget": {"seconds": 3}}),
        problem(1.0, up=1e9, consensus={"budget": {"seconds": 3}}),  # lifted after the end: never
        problem({"kind": "request", "count": 100}),
        problem({"kind": "request", "count": 101}, transport="reliable"),  # some are sent again
        problem({"kind": "request", "count": 101}, link={"duplicate": 0.1}),
        problem({"kind": "acknowledgement"}, transport="reliable"),
        problem({"kind": "busy"}),
        learning(TrainingWorkload, {"update": 5}, training={"updates": 5}),
        learning(TrainingWorkload, 0.0, {"name": "itrpo"}),
        learning(TrainingWorkload, {"kind": "news", "count": 10**6}, {"name": "fdmarl"}),
    ],
)
def test_what_may_begin_is_let_through(settings):
    assert found(settings, nx.cycle_graph(settings.agents)) == []


@pytest.mark.parametrize(
    "algorithm", ["edge_admm", "relaxed_admm", "metropolis", "push_sum", "robust_push_sum"]
)
@pytest.mark.parametrize("transport", ["datagram", "reliable"])
def test_the_kinds_and_numbers_of_messages_are_those_that_are_sent(monkeypatch, algorithm, transport):
    sent = {}
    original = Network.send

    def send(self, source, destination, payload, size, kind):
        sent[kind] = sent.get(kind, 0) + 1
        return original(self, source, destination, payload, size, kind)

    monkeypatch.setattr(Network, "send", send)
    consensus = {"algorithm": algorithm, "budget": {"activations": 40}}
    settings = ProblemWorkload.model_validate(
        {**PROBLEM, "network": {"transport": transport}, "consensus": consensus}
    )
    run(settings, seed=0, graph=RING)
    assert set(sent) <= set(settings.consensus.kind.message_kinds)
    assert {"request", "response"} <= set(sent) or set(sent) == {"news"}
    most = 40 if algorithm == "edge_admm" else 80
    assert max(sent.values()) <= most
