"""Impairments of links as study files write them, and what is said about bad ones."""

from pathlib import Path

import networkx as nx
import pytest

from studies.spec.document import StudyError
from studies.spec.loading import load
from testbed.network import LinkSettings

BASE = """\
workload: problem
problem: {name: mean, agents: 4}
"""


def test_every_impairment_can_be_written_in_netem_s_words(write):
    text = """\
network:
  link:
    delay: 5ms
    jitter: 1ms
    jitter_correlation: 0.25
    distribution: gamma
    loss: {gemodel: {p: 0.01, r: 0.1, 1-h: 0.9, 1-k: 0.001}}
    duplicate: 0.01
    corrupt: {random: 0.02, detected: false}
    reorder: {random: 0.25, correlation: 0.5, gap: 5}
  links:
    0>1: {loss: {random: 0.1, correlation: 0.25}}
"""
    trial = load(str(write(BASE + text))).trials[0]
    link = trial.settings.network.by_direction(trial.graph())[1, 0]
    assert link.loss.gemodel.mean_loss == pytest.approx(0.9 / 11 + 0.001 * 10 / 11)
    assert (link.reordering.gap, link.corruption.detected, link.duplication.random) == (5, False, 0.01)
    assert trial.settings.network.by_direction(trial.graph())[0, 1].loss.correlation == 0.25


def test_bursts_can_be_varied(write):
    bursts = "network: {link: {loss: {gemodel: {p: 0.1, r: 0.5}}}}\n"
    text = BASE + bursts + "vary: {network.link.loss.gemodel.r: [0.5, 0.1]}\n"
    trials = load(str(write(text))).trials
    assert [trial.settings.network.link.loss.gemodel.r for trial in trials] == [0.5, 0.1]


def test_measured_delays_lie_beside_the_study_and_count_by_what_is_in_them(write):
    text = BASE + "network:\n  links:\n    0-1: {distribution: empirical, round_trips: rtt.csv}\n"
    hashes = []
    for times in ("10\n", "20\n", "10\n"):
        write("rtt_ms\n" + times, "rtt.csv")
        trial = load(str(write(text))).trials[0]
        hashes.append(trial.hash)
    assert hashes[0] == hashes[2] != hashes[1]
    link = trial.settings.network.by_direction(trial.graph())[0, 1]
    assert link.mean_delay == 0.005


def test_a_trace_counts_by_what_is_in_it_and_not_by_where_it_is(write, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    rows = {"one": "time,delay\n0,1\n", "other": "time,delay\n0,2\n"}

    def named(link, **files):
        for name, text in files.items():
            write(text, f"{name}.csv")
            write(text, f"elsewhere/{name}.csv")
        return load(str(write(BASE + f"network: {link}\n"))).trials[0].hash

    first = named("{link: {trace: a.csv}}", a=rows["one"])
    assert first == named("{link: {trace: elsewhere/a.csv}}")
    assert first == named("{link: {trace: {file: a.csv, repeat: true, offset: 0}}}")
    assert first == named("{link: {trace: a.csv, delay: 3}}")  # its column takes the place of the delay
    assert first != named("{link: {trace: a.csv}}", a=rows["other"])
    assert first != named("{link: {trace: {file: a.csv, offset: random}}}", a=rows["one"])
    assert first != named("{links: {0-1: {trace: a.csv}}}")
    assert named("{links: {0-1: {trace: a.csv}}}") == named(
        "{links: {0-1: {trace: {file: elsewhere/a.csv}}}}"
    )


def test_traces_can_be_varied_and_bad_ones_are_named_with_their_line(write):
    write("time,delay\n0,1\n", "a.csv")
    write("time,delay\n0,1\n1,-1\n", "bad.csv")
    text = BASE + "vary: {network.link.trace: [null, a.csv, {file: a.csv, offset: random}]}\n"
    traces = [trial.settings.network.link.trace for trial in load(str(write(text))).trials]
    assert traces[0] is None
    assert [each.offset for each in traces[1:]] == [0, "random"]
    with pytest.raises(StudyError) as caught:
        load(str(write(BASE + "network: {link: {trace: bad.csv}}\n")))
    said = str(caught.value)
    assert "\n" not in said
    assert "study.yaml:3: network.link.trace" in said
    assert "bad.csv', line 3, column delay: -1 must be from 0 to 1e+09" in said


def test_attributes_and_classes_of_a_graph_file_reach_the_links(write, tmp_path: Path):
    graph = nx.cycle_graph(4)
    graph.edges[0, 1]["class"] = "wan"
    graph.edges[1, 2]["delay"] = "7ms"
    nx.write_graphml(graph, tmp_path / "square.graphml")
    text = BASE + "topology: {file: square.graphml}\nnetwork: {classes: {wan: {loss: 0.5}}}\n"
    trial = load(str(write(text))).trials[0]
    table = trial.settings.network.by_direction(trial.graph())
    assert (table[0, 1], table[1, 2]) == (LinkSettings(loss=0.5), LinkSettings(delay=0.007))


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("network: {link: {loss: 2}}", "3: network.link.loss = 2: must be from 0 to 1"),
        ("network: {link: {duplicate: often}}", "3: network.link.duplicate = 'often': must be a number"),
        (
            "network: {link: {loss: {random: 0.1, corelation: 0.2}}}",
            "3: network.link.loss.corelation: unknown key; did you mean 'correlation'?",
        ),
        (
            "network: {link: {loss: {random: 3}}}",
            "3: network.link.loss.random = 3: must be from 0 to 1",
        ),
        (
            "network: {link: {loss: {gemodel: {p: 0.1, r: 0.2, 1-h: 7}}}}",
            "3: network.link.loss.gemodel.1-h = 7: must be from 0 to 1",
        ),
        (
            "network: {link: {loss: {gemodel: {p: 0.1, r: 0.2, 1h: 1}}}}",
            "3: network.link.loss.gemodel.1h: unknown key; did you mean '1-h'? (allowed: 1-h, 1-k,",
        ),
        ("network: {link: {loss: {gemodel: {p: 0.1}}}}", "3: network.link.loss.gemodel.r: missing"),
        (
            "network: {link: {loss: {gemodel: {p: 3, r: 1}}}}",
            "3: network.link.loss.gemodel: p 3.0 and r 1.0 are probabilities per packet: must be at most 1",
        ),
        ("network: {link: {reorder: 0.5}}", "3: network.link: reorder with delay 0: there is no delay"),
        (
            "network: {link: {distribution: empirical, round_trips: gone.csv}}",
            "3: network.link.round_trips = 'gone.csv': there is no such file in ",
        ),
        (
            "network: {links: {0>2: {loss: 1}}}",
            "3: network.links.0>2: '0>2' is not a link of this graph: did",
        ),
        ("network: {classes: {wan: {}}}", "3: network.classes.wan: no link of this graph has class 'wan'"),
    ],
)
def test_bad_links_are_one_line_with_place_field_value_and_what_is_allowed(write, added, message):
    with pytest.raises(StudyError) as caught:
        load(str(write(BASE + added + "\n")))
    said = str(caught.value)
    assert "\n" not in said
    assert f"study.yaml:{message}" in said


def test_a_bad_attribute_of_a_graph_file_is_the_topology_s(write, tmp_path: Path):
    graph = nx.cycle_graph(4)
    graph.edges[1, 2]["delay"] = "soon"
    nx.write_graphml(graph, tmp_path / "square.graphml")
    with pytest.raises(
        StudyError, match="3: topology: attributes of link 1-2: delay: 'soon' is not a duration"
    ):
        load(str(write(BASE + "topology: {file: square.graphml}\n")))


def test_a_file_of_measured_delays_that_is_no_such_file_is_named_with_its_line(write):
    write("rtt_ms\nx\n", "rtt.csv")
    text = BASE + "network: {link: {distribution: empirical, round_trips: rtt.csv}}\n"
    with pytest.raises(StudyError, match=r"3: network\.link: round_trips '.*rtt\.csv', line 2: 'xms' is not"):
        load(str(write(text)))
