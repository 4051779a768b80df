"""Faults and changing topologies in study files: what is wrong is one line, and what they did is a metric."""

import pytest

from studies.spec.document import StudyError
from studies.spec.loading import load
from testbed import workloads

BASE = "workload: problem\nproblem: {name: mean, agents: 4}\nnetwork:\n"

FAULTS = [
    ("{link: 0-9, down: 1s}", "5: network.faults.0.link: '0-9' is not a link of this graph: did you mean"),
    (
        "{link: 0-1, down: -1s}",
        "5: network.faults.0.down = '-1s': '-1s' is not a duration: it must be finite",
    ),
    ("{link: 0-1, down: soon}", "5: network.faults.0.down = 'soon': 'soon' is not a duration: give a number"),
    ("{link: 0-1}", "5: network.faults.0: needs down, when it begins, or mtbf and mttr"),
    ("{link: 0-1, mtbf: 3s}", "5: network.faults.0: needs both mtbf and mttr"),
    ("{link: 0-1, down: 3s, up: 2s}", "5: network.faults.0.up = '2s': up 2.0 must be later than down 3.0"),
    ("{link: 0-1, down: 1, up: {lasting: -2s}}", "5: network.faults.0.up.lasting = '-2s': '-2s' is not a"),
    ("{link: 0-1, down: {updat: 3}}", "5: network.faults.0.down.updat: unknown key; did you mean 'update'?"),
    ("{link: 0-1, down: {update: 0}}", "5: network.faults.0.down.update = 0: must be at least 1"),
    ("{link: zero-one, down: 1s}", "5: network.faults.0.link = 'zero-one': link 'zero-one' must be two node"),
    (
        "{fault: crsh, down: 1s}",
        "5: network.faults.0.fault = 'crsh': must be one of link_down, byzantine, crash, group_down,",
    ),
    ("{fault: crash, agnt: 1, down: 1}", "5: network.faults.0.agnt: unknown key; did you mean 'agent'?"),
    (
        "{fault: crash, agent: 9, down: 1}",
        "5: network.faults.0.agent: 9 is not an agent of this network: they",
    ),
    (
        "{fault: crash, agent: me, down: 1}",
        "5: network.faults.0.agent = 'me': must be the number of an agent",
    ),
    ("{fault: partition, isolate: 8, down: 1}", "5: network.faults.0.isolate: 8 is not an agent"),
    ("{fault: partition, groups: [[0], [7]], down: 1}", "5: network.faults.0.groups: 7 is not an agent"),
    (
        "{fault: partition, groups: [[0], [0]], down: 1}",
        "5: network.faults.0: groups: agent 0 is already in a group",
    ),
    (
        "{fault: straggler, agent: 1, factor: 0, down: 0}",
        "5: network.faults.0.factor = 0: must be more than 0",
    ),
    (
        "{fault: byzantine, agent: 1, behaviour: sign_flp, down: 0}",
        "5: network.faults.0.behaviour = 'sign_flp': must be one of collude, noise, random, scale,",
    ),
    (
        "{fault: byzantine, agent: 1, behaviour: 3, down: 0}",
        "5: network.faults.0.behaviour = 3: must be a name (collude, noise, random, scale,",
    ),
    ("{fault: byzantine, agent: 1, down: 0}", "5: network.faults.0.behaviour: missing"),
    (
        "{fault: byzantine, agent: 1, behaviour: scale, down: 0}",
        "5: network.faults.0.behaviour.factor: missing",
    ),
    (
        "{fault: byzantine, agent: 1, behaviour: {name: scale, factor: 1}, down: 0}",
        "5: network.faults.0.behaviour.factor = 1: factor 1 changes nothing",
    ),
    (
        "{fault: byzantine, agent: 1, behaviour: {name: collude, targt: 1}, down: 0}",
        "5: network.faults.0.behaviour.targt: unknown key; did you mean 'target'?",
    ),
    (
        "{fault: byzantine, agent: 7, behaviour: stuck, down: 0}",
        "5: network.faults.0.agent: 7 is not an agent of this network",
    ),
    ("{link: 0-1, down: 1, name: a}\n    - {link: 1-2, down: 1, name: a}", "two are named 'a'"),
]

SCHEDULES = [
    (
        "{name: swiching, period: 1s}",
        "4: network.schedule.name = 'swiching': must be one of switching, one_peer",
    ),
    (
        "{name: switching, period: 1, rounds: [[0-2]]}",
        "4: network.schedule.rounds: '0-2' is not a link of this",
    ),
    ("{name: one_peer_exponential, period: 0}", "4: network.schedule.period = 0: must be at least 1e-06"),
    ("{name: random_waypoint, period: 1s}", "4: network.schedule.range: missing"),
]


@pytest.mark.parametrize(
    ("text", "message"),
    [(f"  faults:\n    - {fault}\n", message) for fault, message in FAULTS]
    + [(f"  schedule: {schedule}\n", message) for schedule, message in SCHEDULES],
    ids=[message[:60] for _, message in FAULTS + SCHEDULES],
)
def test_a_bad_plan_is_one_line_with_its_place(write, text, message):
    with pytest.raises(StudyError) as caught:
        load(str(write(BASE + text)))
    said = str(caught.value)
    assert "\n" not in said
    assert message in said.partition("study.yaml:")[2]


def test_the_metrics_of_a_trial_say_how_many_faults_touched_nothing_and_how_connected_it_was(write):
    text = """  faults:
    - {fault: crash, agent: 1, state: lost, down: {update: 1}, up: {lasting: 1s}}
    - {link: 0-1, down: 1h}
    - {link: 1-2, down: {kind: busy, count: 3}}
  schedule: {name: switching, period: 100ms, rounds: [[0-1, 1-2], [2-3, 0-3]], window: 2}
"""
    (trial,) = load(str(write(BASE + text))).trials
    metrics = workloads.run(trial.settings, seed=trial.seed, graph=trial.graph()).metrics
    assert (metrics["faults"], metrics["faults_untouched"]) == (3, 2)
    assert metrics["dropped_agent_down"] > 0
    assert metrics["joint_connectivity"] == 1.0


def test_a_fault_that_begins_in_some_trials_of_a_grid_is_right_and_one_that_begins_in_none_is_not(write):
    fault = "  faults: [{link: 0-1, down: {kind: response, count: 30}}]\nvary:\n  consensus"
    some = load(str(write(BASE + fault + ".budget.activations: [20, 40]\n")))
    assert len(some.trials) == 2
    assert len(load(str(write(BASE + fault + ".algorithm: [edge_admm, relaxed_admm]\n"))).trials) == 2
    with pytest.raises(StudyError) as caught:
        load(str(write(BASE + fault + ".budget.activations: [20, 29]\n")))
    assert "4: network.faults.0.down.count = 30: never comes: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_each_value_of_a_grid_is_looked_at_by_itself(write):
    two = "  faults: []\nvary:\n  network.faults:\n    - [{link: 0-1, down: 1s}]\n"
    two += "    - [{link: 0-1, down: {update: 3}}]\n"
    with pytest.raises(StudyError, match=r"8: network\.faults\.0\.down\.update = 3: never comes"):
        load(str(write(BASE + two)))
