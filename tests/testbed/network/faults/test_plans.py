"""When planned faults begin and end: by time, update, messages or chance; and plans that are wrong."""

import json
from functools import partial
from typing import Any

import networkx as nx
import numpy as np
import pytest
from pydantic import ValidationError

from testbed.network import Network, NetworkSettings, Streams, Trace


def _network(*faults: dict[str, Any], graph: Any = None, seed: int = 0, **fields: Any) -> Network:
    settings = NetworkSettings.model_validate({"faults": list(faults), **fields})
    network = Network(graph or nx.path_graph(4), settings, Streams(seed), trace=Trace())
    for node in network.graph.nodes:
        network.attach(node, lambda message: None)
    return network


def _spells(network: Network) -> list[tuple[float, str, str]]:
    assert network.trace is not None
    rows = [event.row() for event in network.trace.events]
    return [
        (row["time"], row["event"].removeprefix("fault_"), row["fault"])
        for row in rows
        if row["event"] in ("fault_begun", "fault_lifted")
    ]


def _times(network: Network) -> list[float]:
    return [time for time, _, _ in _spells(network)]


def test_every_kind_of_fault_is_planned_alike() -> None:
    network = _network(
        {"link": "0-1", "down": 1, "up": 2},
        {"fault": "hold", "link": "0-1", "down": 1, "up": {"lasting": "1s"}},
        {"fault": "partition", "groups": [[0, 1], [2, 3]], "down": "1s", "up": 3},
        {"fault": "partition", "isolate": 3, "down": 2},
        {"fault": "crash", "agent": 2, "state": "lost", "down": 2, "up": 3},
        {"fault": "straggler", "agent": 0, "factor": 3, "down": 2, "up": 4, "name": "slow"},
    )
    network.clock.run(2.5)
    assert not network.agent_is_up(2)
    assert network.compute_factor(0) == 3.0
    assert not network.link_is_up(1, 2)
    network.clock.run(10)
    assert network.agent_is_up(2)
    # At equal times in the order of the settings.
    assert _spells(network) == [
        (1.0, "begun", "link 0-1 down from 1 s to 2 s"),
        (1.0, "begun", "hold on link 0-1 from 1 s for 1 s"),
        (1.0, "begun", "partition of [0, 1] and [2, 3] from 1 s to 3 s"),
        (2.0, "lifted", "link 0-1 down from 1 s to 2 s"),
        (2.0, "lifted", "hold on link 0-1 from 1 s for 1 s"),
        (2.0, "begun", "agent 3 isolated from 2 s"),
        (2.0, "begun", "crash of agent 2 (state lost) from 2 s to 3 s"),
        (2.0, "begun", "slow"),
        (3.0, "lifted", "partition of [0, 1] and [2, 3] from 1 s to 3 s"),
        (3.0, "lifted", "crash of agent 2 (state lost) from 2 s to 3 s"),
        (4.0, "lifted", "slow"),
    ]
    assert network.metrics()["faults"] == network.metrics()["faults_untouched"] == 6


def test_faults_by_policy_update_begin_with_it_and_end_with_another() -> None:
    network = _network(
        {"link": "0-1", "down": {"update": 2}, "up": {"update": 4}},
        {"link": "1-2", "down": {"update": 3}, "up": {"lasting": "1s"}},
    )
    up = []
    for update in range(1, 6):
        network.announce_update(update)
        up.append((network.link_is_up(0, 1), network.link_is_up(1, 2)))
        network.clock.run(network.clock.now + 2)
    assert up == [(True, True), (False, True), (False, False), (True, True), (True, True)]


def test_faults_after_the_nth_message_begin_just_after_it_was_delivered() -> None:
    network = _network(
        {
            "link": "0-1",
            "direction": "backward",
            "down": {"kind": "response", "count": 2},
            "up": {"kind": "request"},
        },
        link={"delay": 1},
    )
    seen = []
    network.attach(1, lambda message: seen.append((message.kind, network.link_is_up(1, 0))))
    for time, kind in enumerate(["response", "request", "response", "other", "request", "response"]):
        network.clock.schedule(time, partial(network.send, 0, 1, None, 1, kind))
    network.clock.run(20)
    assert seen == [
        ("response", True),
        ("request", True),
        ("response", True),
        ("other", False),
        ("request", False),
        ("response", True),
    ]
    assert _times(network) == [3.0, 5.0]


def test_messages_that_are_lost_or_kept_from_a_crashed_agent_are_not_counted() -> None:
    network = _network(
        {"fault": "crash", "agent": 1, "down": 0, "up": 5},
        {"link": "2-3", "down": {"kind": "x", "count": 1}},
    )
    for time in (1, 7):
        network.clock.schedule(time, partial(network.send, 0, 1, None, 1, "x"))
    network.clock.run(20)
    assert _times(network) == [0.0, 5.0, 7.0]


def test_failures_at_random_have_the_means_that_were_asked_for() -> None:
    network = _network({"link": "0-1", "mtbf": "3s", "mttr": "500ms"})
    network.clock.run(20_000)
    times = np.array([0.0, *_times(network)])
    spans = np.diff(times)
    working, broken = spans[0::2], spans[1::2]
    assert len(working) > 5000
    # Means and variances of exponentials, 5 standard errors wide.
    for sample, mean in ((working, 3.0), (broken, 0.5)):
        assert abs(sample.mean() - mean) < 5 * mean / np.sqrt(len(sample))
        assert abs(sample.std() - mean) < 5 * mean * np.sqrt(2 / len(sample))


def test_all_means_each_on_its_own_and_one_report() -> None:
    network = _network({"fault": "crash", "agent": "all", "mtbf": 5, "mttr": 1}, seed=3)
    down = set()
    for _ in range(200):
        network.clock.run(network.clock.now + 0.25)
        down.add(tuple(node for node in range(4) if not network.agent_is_up(node)))
    assert {(0,), (1,), (2,), (3,)} <= down
    assert len(network.faults_report()) == 1


def test_a_link_fails_at_the_same_times_whatever_else_may_fail() -> None:
    plan = {"link": "0-1", "mtbf": 3, "mttr": 1}
    alone = _network(plan)
    among = _network(
        {"fault": "partition", "groups": "halves", "mtbf": 2, "mttr": 2},
        {"link": "all", "mtbf": 7, "mttr": 2, "name": "others"},
        {**plan, "direction": "forward", "in_flight": "deliver"},
        graph=nx.complete_graph(5),
    )
    for network in (alone, among):
        network.clock.run(100)
    title = {"alone": _spells(alone)[0][2], "among": "link 0-1 (forward) down at random (mtbf 3 s, mttr 1 s)"}
    assert [time for time, _, name in _spells(among) if name == title["among"]] == _times(alone)
    # And the means only scale the same luck.
    scaled = _network({"link": "0-1", "mtbf": 6, "mttr": 2})
    scaled.clock.run(200)
    np.testing.assert_allclose(_times(scaled), 2 * np.array(_times(alone)))


def test_a_fault_leaves_the_draws_of_other_links_unchanged() -> None:
    def elsewhere(*faults: dict[str, Any], extra: tuple[int, int] | None = None) -> list[str]:
        graph = nx.path_graph(4)
        if extra is not None:
            graph.add_edge(*extra)
        link = {"delay": 0.1, "jitter": 0.05, "loss": 0.3}
        network = _network(*faults, graph=graph, link=link)
        for number in range(200):
            for u, v in ((0, 1), (1, 0), (2, 3), (3, 2)):
                network.clock.schedule(number / 20, partial(network.send, u, v, None, 1, "x"))
        network.clock.run(20)
        assert network.trace is not None
        rows = [json.loads(line) for line in network.trace.lines()]
        return [str(row) for row in rows if {row.get("source"), row.get("destination")} == {2, 3}]

    quiet = elsewhere()
    assert len(quiet) > 500
    assert elsewhere({"link": "0-1", "mtbf": 1, "mttr": 1}) == quiet
    assert elsewhere({"fault": "crash", "agent": 0, "mtbf": 1, "mttr": 1}) == quiet
    assert elsewhere({"fault": "hold", "link": "0-1", "down": 1, "up": 3}, extra=(0, 3)) == quiet


def test_a_network_in_the_middle_of_random_faults_is_saved_exactly() -> None:
    plans: list[dict[str, Any]] = [
        {"link": "all", "mtbf": 2, "mttr": 1},
        {"fault": "partition", "groups": "halves", "mtbf": 2, "mttr": 2},
        {"fault": "crash", "agent": "all", "state": "lost", "mtbf": 3, "mttr": 3},
        {"fault": "straggler", "agent": 1, "factor": 2, "down": {"update": 2}, "up": {"lasting": 9}},
        {"fault": "hold", "link": "all", "down": {"kind": "x", "count": 30}, "up": {"kind": "x", "count": 9}},
    ]

    def play(network: Network, since: float, until: float) -> None:
        for time in np.arange(since, until, 0.25).tolist():
            for u, v in ((0, 1), (1, 2), (3, 2)):
                network.clock.schedule(time - network.clock.now, partial(network.send, u, v, None, 1, "x"))
        network.clock.run(until)

    network, resumed = _network(*plans), _network(*plans)
    network.announce_update(1)
    play(network, 0.0, 7.0)
    network.announce_update(2)
    network.flush()
    play(resumed, 0.0, 3.0)
    saved = json.loads(json.dumps(network.state_dict()))
    resumed.load_state_dict(saved)
    assert json.loads(json.dumps(resumed.state_dict())) == saved
    for each in (network, resumed):
        assert each.trace is not None
        each.trace.events.clear()
        play(each, 7.0, 30.0)
        each.flush()
    assert network.trace is not None
    assert resumed.trace is not None
    assert list(network.trace.lines()) == list(resumed.trace.lines())
    assert network.faults_report() == resumed.faults_report()
    assert sum(report.touched for report in network.faults_report()) > 50
    assert network.state_dict() == resumed.state_dict()


def test_restoring_tells_nobody_of_crashes() -> None:
    plan = {"fault": "crash", "agent": 1, "state": "lost", "down": 1, "up": 5}
    network, resumed = _network(plan), _network(plan)
    network.clock.run(2)
    heard: list[Any] = []
    resumed.on_crash(heard.append)
    resumed.on_restart(lambda node, state: heard.append((node, state)))
    resumed.load_state_dict(json.loads(json.dumps(network.state_dict())))
    assert heard == []
    assert not resumed.agent_is_up(1)
    resumed.clock.run(6)
    assert heard == [(1, "lost")]


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ([{"link": "0-1"}], "needs down, when it begins, or mtbf and mttr"),
        ([{"link": "0-1", "mtbf": 3}], "needs both mtbf and mttr"),
        ([{"link": "0-1", "mtbf": 3, "mttr": 1, "down": 2}], "mtbf and mttr draw down and up at random"),
        ([{"link": "0-1", "mtbf": 0, "mttr": 1}], "greater than 0"),
        ([{"link": "0-1", "down": "-3s"}], "'-3s' is not a duration: it must be finite and not negative"),
        ([{"link": "0-1", "down": -3}], "-3 is not a duration"),
        ([{"link": "0-1", "down": {"update": 0}}], "greater than or equal to 1"),
        ([{"link": "0-1", "down": {"update": 3}, "up": {"update": 3}}], "up at update 3 must be later than"),
        ([{"link": "0-1", "down": 1, "up": {"lasting": 0}}], "greater than 0"),
        ([{"link": "0-1", "down": {"lasting": 3}}], "'at_time'"),
        ([{"link": "0-1", "down": {"count": 3}}], "Field required"),
        ([{"fault": "crash", "agent": -1, "down": 1}], "must be the number of an agent, or all"),
        ([{"fault": "crash", "agent": 1, "down": 1, "state": "gone"}], "'kept' or 'lost'"),
        ([{"fault": "straggler", "agent": 1, "factor": 0, "down": 1}], "greater than 0"),
        ([{"fault": "partition", "down": 1}], "needs groups or isolate, one of the two"),
        ([{"fault": "partition", "groups": "thirds", "down": 1}], "must be halves, or lists of agents"),
        ([{"fault": "partition", "groups": [[0, 1], [1]], "down": 1}], "agent 1 is already in a group"),
        (
            [{"fault": "meteor", "down": 1}],
            "'link_down', 'byzantine', 'crash', 'group_down', 'hold', 'partition', 'straggler'",
        ),
        (
            [{"link": "0-1", "down": 1, "name": "a"}, {"link": "1-2", "down": 1, "name": "a"}],
            "two are named 'a'",
        ),
    ],
)
def test_plans_that_make_no_sense_are_refused(faults: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        NetworkSettings.model_validate({"faults": faults})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"fault": "hold", "link": "0-9", "down": 1}, "faults: '0-9' is not a link of this graph: did you"),
        (
            {"fault": "crash", "agent": 9, "down": 1},
            "faults: 9 is not an agent of this network: they are 0 to 3",
        ),
        ({"fault": "straggler", "agent": 4, "factor": 2, "down": 1}, "faults: 4 is not an agent"),
        ({"fault": "partition", "isolate": 5, "down": 1}, "faults: 5 is not an agent"),
        ({"fault": "partition", "groups": [[0], [1, 8]], "down": 1}, "faults: 8 is not an agent"),
        (
            {"fault": "partition", "groups": [[0, 1, 2, 3]], "down": 1},
            "in one group, so nothing is partitioned",
        ),
        ({"fault": "partition", "groups": [[], []], "down": 1}, "in one group, so nothing is partitioned"),
        ({"fault": "straggler", "agent": 0, "factor": 1, "down": 1}, "factor 1 changes nothing"),
    ],
)
def test_faults_of_what_the_graph_does_not_have_are_refused(fault: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _network(fault)


def test_plans_survive_dumping_and_loading() -> None:
    faults = [
        {"link": "0-1", "down": "2s", "up": {"lasting": "1s"}},
        {"fault": "hold", "link": "all", "down": {"kind": "response", "count": 5}, "up": {"update": 3}},
        {"fault": "partition", "groups": "halves", "mtbf": 2, "mttr": 1},
        {"fault": "partition", "groups": [[0], [1, 2]], "down": 1, "name": "split"},
        {"fault": "crash", "agent": "all", "mtbf": 2, "mttr": 1},
        {"fault": "straggler", "agent": 2, "factor": 4, "down": 0},
    ]
    settings = NetworkSettings.model_validate({"faults": faults})
    for mode in ("python", "json"):
        assert NetworkSettings.model_validate(settings.model_dump(mode=mode)) == settings


def test_titles_have_the_names_that_the_graph_gives_its_agents() -> None:
    graph = nx.path_graph(4)
    nx.set_node_attributes(graph, dict(enumerate(["Bern", "Basel", "2", "Zürich"])), "label")
    network = _network(
        {"link": "0-1", "direction": "forward", "down": 1},
        {"fault": "group_down", "links": ["0-1", "2-3"], "down": 1},
        {"fault": "partition", "groups": [[0, 2]], "down": 1},
        {"fault": "partition", "isolate": 3, "down": 1},
        {"fault": "straggler", "agent": "all", "factor": 2, "down": 1},
        {"fault": "crash", "agent": 1, "down": 1, "name": "agent 1 down"},
        graph=graph,
    )
    network.clock.run(2)
    assert [name for _, _, name in _spells(network)] == [
        "link 0-1 (Bern - Basel) (forward) down from 1 s",
        "links 0-1 (Bern - Basel), 2-3 (2 - Zürich) down together from 1 s",
        "partition of [0 (Bern), 2] from 1 s",
        "agent 3 (Zürich) isolated from 1 s",
        "all agents 2 times slower from 1 s: agent 0 (Bern)",
        "all agents 2 times slower from 1 s: agent 1 (Basel)",
        "all agents 2 times slower from 1 s: agent 2",
        "all agents 2 times slower from 1 s: agent 3 (Zürich)",
        "agent 1 down",
    ]
    titles = [report.fault for report in network.faults_report()]
    assert titles[0] == "link 0-1 (Bern - Basel) (forward) down from 1 s"
    assert [window.fault for window in network.fault_windows()][:4] == titles[:4]
