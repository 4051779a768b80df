"""Trials run again for their replay: that it is what happened, and that looking on changes nothing."""

import json
from collections import Counter

import numpy as np
import pytest
import reported

from studies.playback import trace
from studies.report.recording import record
from studies.report.replay import differences, replay
from studies.report.rerun import stored_trial
from studies.spec.document import StudyError
from studies.spec.loading import builtin_names, load
from studies.storage.store import Store
from testbed import workloads
from testbed.network import Trace

ONE_WAY = """\
workload: problem
problem: {name: mean, agents: 5}
topology: path
network: {link: {delay: 20ms, loss: 0.2, corrupt: {random: 0.1, detected: false}}}
consensus: {algorithm: robust_push_sum, activation: gossip, budget: {seconds: 3}}
"""


def sorts(shown):
    """How many events there are of each sort."""
    return Counter(shown["words"][word][0] for word in shown["word"])


@pytest.mark.parametrize("text", [reported.LOSSY, ONE_WAY, reported.UPDATE, reported.TRAINING])
def test_looking_on_leaves_the_trace_as_it_is(write, text):
    trial = load(str(write(text))).trials[0]
    found = record(trial)
    alone = list(trace.record(trial).lines())
    seen = list(found.trace.lines())
    assert seen == alone[: len(seen)]  # of a training run the first update
    if not isinstance(trial.settings, workloads.TrainingWorkload):
        assert seen == alone
    assert len(found.agents) > len(found.graph)


@pytest.mark.parametrize("text", [reported.LOSSY, ONE_WAY, reported.UPDATE])
def test_the_replay_ends_as_the_trial_did(write, text):
    trial = load(str(write(text))).trials[0]
    found = record(trial)
    result = workloads.run(trial.settings, seed=trial.seed, graph=trial.graph())
    metrics = result.metrics
    shown = replay(found)
    counts = sorts(shown)
    assert counts["sent"] == metrics["messages_sent"]
    assert counts["lost"] == metrics["messages_dropped"] > 0
    assert counts["delivered"] + counts["damaged"] == metrics["messages_delivered"]
    assert counts["damaged"] == metrics["messages_corrupted"]
    assert counts["late"] == metrics["messages_late"]
    if "completed" in counts:
        assert counts["completed"] == metrics["exchanges"]
        assert counts["given_up"] == metrics["given_up"]
    assert len(shown["flights"]) == metrics["messages_sent"]
    assert found.network[-1][1] == pytest.approx(metrics["disagreement"])
    latest = {agent: value for _, agent, value in found.agents}
    degree = dict(found.graph.degree)
    of_links = sum(degree[agent] * value**2 for agent, value in latest.items()) / 2
    assert np.sqrt(of_links / found.graph.number_of_edges()) == pytest.approx(metrics["disagreement"])
    assert differences(found, dict(metrics)) == []


def test_disagreement_is_that_of_the_curve_whenever_there_is_a_row_of_it(write):
    trial = load(str(write(reported.LOSSY))).trials[0]
    found = record(trial)
    result = workloads.run(trial.settings, seed=trial.seed, graph=trial.graph(), trace=(recorded := Trace()))
    times = [event.time for event in recorded.events]
    for row in result.curves["consensus"][1:]:
        before = [value for place, value in found.network if place and times[place - 1] < row["seconds"]]
        here = [value for place, value in found.network if place and times[place - 1] == row["seconds"]]
        assert any(value == pytest.approx(row["disagreement"]) for value in [*before[-1:], *here])


def test_an_outage_without_an_end_lasts_beyond_the_last_event(write):
    text = reported.LOSSY.replace("down: 200ms, up: 1s", "down: 200ms")
    shown = replay(record(load(str(write(text))).trials[0]))
    assert [last for *_, last in shown["outages"]] == [shown["last"] + 1] * 2
    assert [last <= shown["last"] for *_, last in shown["spells"]] == [True]


def test_outages_and_half_commits_last_as_long_as_they_did(write):
    shown = replay(record(load(str(write(reported.LOSSY))).trials[0]))
    times = shown["times"]
    down = {
        (source, destination): (times[a], times[b]) for source, destination, kind, a, b in shown["outages"]
    }
    assert down == {(0, 1): (0.2, 1.0), (1, 0): (0.2, 1.0)}
    assert [(agent, kind, times[a], times[b]) for agent, kind, a, b in shown["spells"]] == [
        (2, "crashed", 1.0, 1.5)
    ]
    said = [shown["words"][word] for word in shown["word"]]
    assert shown["half"]
    for link, first, last in shown["half"]:
        u, v, _ = shown["links"][link]
        assert said[first][0] == "half_committed"
        assert {shown["a"][first], shown["b"][first]} == {u, v}
        between = [
            k
            for k in range(first, last)
            if said[k][0] == "completed" and {shown["a"][k], shown["b"][k]} == {u, v}
        ]
        assert between == []
        assert last == len(times) or said[last][0] == "completed"


def test_a_recording_is_cut_off_after_so_many_events(write):
    trial = load(str(write(reported.LOSSY))).trials[0]
    found = record(trial, limit=40)
    assert len(found.trace.events) == 40
    assert not found.complete
    assert found.numbers == {}
    assert replay(found)["last"] == 39
    assert list(found.trace.lines()) == list(trace.record(trial).lines())[:40]


@pytest.mark.parametrize("name", builtin_names())
def test_a_trial_of_every_built_in_study_can_be_run_again_from_its_stored_settings(name, tmp_path):
    trial = load(name, quick=True).trials[-1]
    store = Store(tmp_path)
    store.write_failure(trial, {}, "no")
    again = stored_trial(store, trial)
    assert again.hash == trial.hash
    assert again.settings == trial.settings


def test_settings_or_files_that_are_not_what_they_were_are_refused(write, tmp_path):
    write("0 1\n1 2\n", "line.edgelist")
    text = "workload: problem\nproblem: {name: mean, agents: 3}\ntopology: {file: line.edgelist}\n"
    study, store = reported.run(write(text), tmp_path / "out")
    (trial,) = study.trials
    assert stored_trial(store, trial).graph().edges == trial.graph().edges
    write("0 1\n0 2\n", "line.edgelist")
    with pytest.raises(StudyError, match=r"cannot be run again: its files have changed"):
        stored_trial(store, trial)
    write("0 1\n1 2\n", "line.edgelist")
    file = store.trials / trial.hash / "spec.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps(settings | {"gone": 1}))
    with pytest.raises(StudyError, match=r"this version cannot run it again"):
        stored_trial(store, trial)


def test_a_second_run_that_comes_out_differently_is_noticed(write):
    trial = load(str(write(reported.LOSSY))).trials[0]
    found = record(trial)
    stored = {**found.numbers, "messages_sent": found.numbers["messages_sent"] + 1}
    (told,) = differences(found, stored)
    assert told == f"messages_sent {found.numbers['messages_sent']:g} instead of {stored['messages_sent']:g}"
