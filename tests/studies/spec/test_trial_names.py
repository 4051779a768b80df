"""The names of trials."""

import json
from dataclasses import replace

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from studies.api import define
from studies.report.rerun import stored_trial
from studies.spec.document import StudyError
from studies.spec.loading import load
from studies.spec.study import WORKLOADS
from studies.storage.store import Store
from testbed import identity
from testbed.consensus.settings import Budget, ConsensusSettings
from testbed.network.faults.link_down import LinkFault
from testbed.network.impairments.link_settings import LinkOverride, LinkSettings
from testbed.network.impairments.losses.gilbert_elliott import GilbertElliott
from testbed.network.impairments.losses.random_loss import RandomLoss
from testbed.network.settings import NetworkSettings

PLAIN = {"workload": "problem", "problem": {"name": "mean", "agents": 4}}
TRAINING = {"workload": "training", "training": {"updates": 2, "samples": 200}}


def name(data, **more):
    (trial,) = define({**data, **more}).trials
    return trial.hash


def linked(**link):
    return {"network": {"link": link}}


def network(delay, links):
    return {"network": {"link": {"delay": delay}, "links": links}}


SAME = [
    [{}, {"topology": "ring"}, {"topology": {"name": "ring", "nodes": 4, "seed": 7}}, {"seeds": [0]}],
    [{}, {"topology": {"name": "ring", "allow_disconnected": True}}, {"question": "Why?"}],
    [linked(delay="1ms"), linked(delay=0.001), linked(delay="1000us", loss=0), linked(delay=" 0.001 s")],
    [linked(delay="1ms"), linked(delay="1ms", distribution="constant"), linked(delay="1ms", jitter=-0.0)],
    [linked(delay="1ms"), linked(delay="1ms", jitter_correlation=0.5), linked(delay="1ms", limit=9)],
    [linked(loss=0.1), linked(loss={"random": 0.1}), linked(loss={"random": 0.1, "correlation": 0})],
    [linked(loss=0), linked(loss={"random": 0}), linked(loss={"random": 0, "correlation": 0.5}), {}],
    [linked(duplicate=1), linked(duplicate=1.0), linked(duplicate={"random": 1})],
    [linked(corrupt=0.1), linked(corrupt={"random": 0.1, "detected": True, "noise": None})],
    [linked(delay=1, reorder=0.1), linked(delay=1, reorder={"random": 0.1, "gap": 1})],
    [
        linked(loss={"gemodel": {"p": 0.1, "r": 1}}),
        linked(loss={"gemodel": {"p": 0.1, "r": 1.0, "1-h": 1, "1-k": 0, "per": "packet"}}),
        linked(loss={"gemodel": {"p": 0.1, "r": 1.0, "loss_bad": 1, "loss_good": 0.0}}),
    ],
    [linked(rate="8kbit"), linked(rate=1000), linked(rate="1kbps")],
    [
        {"network": {"links": {"0-1": {"loss": 0.1}, "1>2": {}}}},
        {"network": {"links": {"1-0": {"loss": {"random": 0.1}}}}},
        {"network": {"links": {"1>0": {"loss": 0.1}, "0>1": {"loss": 0.1}}}},
    ],
    [
        network("5ms", {"0-1": {"loss": 0.1}}),
        network("5ms", {"0-1": {"loss": 0.1, "delay": 0.005}, "1-2": {"delay": "5ms"}}),
        network("5ms", {"0-1": {"loss": 0.1, "jitter_correlation": 0.5}, "2>3": {"limit": 3, "rate": None}}),
        network("5ms", {"0-1": {"loss": 0.3}, "0>1": {"loss": 0.1}, "1>0": {"loss": 0.1}}),
    ],
    [
        network("5ms", {}),
        network("5ms", {"0-1": {"delay": "5ms", "loss": 0}, "2>3": {"distribution": "normal"}}),
        network("5ms", {"0-1": {"delay": "9ms"}, "0>1": {"delay": "5ms"}, "1>0": {"delay": "5ms"}}),
    ],
    [{}, {"network": {"retries": 3, "acknowledgement_size": 0}}, {"network": {"transport": "datagram"}}],
    [
        {"network": {"faults": [{"link": "0-1", "down": "1s"}]}},
        {"network": {"faults": [{"fault": "link_down", "link": "0-1", "down": 1, "direction": "both"}]}},
    ],
    [{}, {"consensus": {"relaxation": 0.9}}, {"consensus": {"activation_rate": 1, "period": "1s"}}],
    [
        {"topology": {"name": "erdos_renyi", "p": 1}},
        {"topology": {"name": "erdos_renyi", "p": 1.0, "seed": 0}},
    ],
    [
        {"problem": {"agents": 6, "name": "mean"}, "topology": topology}
        for topology in ("grid", {"name": "grid", "rows": 2}, {"name": "grid", "rows": 2, "columns": 3})
    ],
]


@pytest.mark.parametrize("ways", SAME, ids=str)
def test_two_ways_to_say_the_same_have_one_name(ways):
    assert len({name(PLAIN, **way) for way in ways}) == 1


def test_ways_to_say_the_same_of_training():
    fdmarl = {"algorithm": {"name": "fdmarl"}}
    ways = [
        {"algorithm": {}},
        {"algorithm": {"name": "matrpo"}, "environment": {"name": "navigation", "agents": 3}},
        {"training": {**TRAINING["training"], "batch": 2}, "consensus": {"budget": {"activations": 100}}},
    ]
    assert len({name(TRAINING, **way) for way in ways}) == 1
    averaging = {"algorithm": "metropolis", "budget": {"activations": 3}, "penalty": 5}
    assert name(TRAINING, **fdmarl) == name(TRAINING, **fdmarl, consensus=averaging)
    assert name(TRAINING, **fdmarl) != name(TRAINING)


OTHER = [
    {},
    {"topology": "star"},
    {"topology": {"name": "erdos_renyi", "p": 0.9}},
    {"topology": {"name": "erdos_renyi", "p": 0.9, "seed": 5}},
    {"topology": {"name": "erdos_renyi", "p": 0.9, "allow_disconnected": True}},
    {"seeds": [1]},
    {"problem": {"name": "mean", "agents": 5}},
    {"problem": {"name": "least_squares", "agents": 4}},
    linked(loss=0.1),
    linked(loss={"random": 0.1, "correlation": 0.1}),
    linked(loss={"gemodel": {"p": 0.1, "r": 0.1}}),
    linked(duplicate=0.1),
    linked(jitter="1ms", delay="5ms"),
    linked(jitter="1ms", delay="5ms", distribution="normal"),
    linked(jitter="1ms", delay="5ms", jitter_correlation=0.1),
    linked(rate=1000),
    linked(rate=1000, limit=3),
    {"network": {"links": {"0-1": {"loss": 0.1}}}},
    {"network": {"links": {"0>1": {"loss": 0.1}}}},
    {"network": {"links": {"0-1": {"jitter": 0.001}}}},
    {"network": {"link": {"distribution": "normal"}, "links": {"0-1": {"jitter": 0.001}}}},
    network("5ms", {"0-1": {"delay": 0}}),
    network("5ms", {"0-1": {"delay": 0}, "0>1": {"delay": "5ms"}}),
    {"network": {"transport": "reliable"}},
    {"network": {"transport": "reliable", "retries": 3}},
    {"network": {"faults": [{"link": "0-1", "down": 1}]}},
    {"consensus": {"penalty": 2}},
    {"consensus": {"algorithm": "relaxed_admm"}},
    {"consensus": {"algorithm": "relaxed_admm", "relaxation": 0.9}},
    {"consensus": {"coupling": 1}},
    {"consensus": {"algorithm": "relaxed_admm", "coupling": 1}},
    {"consensus": {"initial_dual": 1}},
    {"consensus": {"activation": "poisson"}},
    {"consensus": {"activation": "poisson", "activation_rate": 1}},
]


def test_what_differs_has_another_name():
    names = [name(PLAIN, **way) for way in OTHER]
    assert len(set(names)) == len(names)


numbers = st.sampled_from([0.0, 0.1, 0.25, 1.0])
links = st.fixed_dictionaries(
    {},
    optional={
        "delay": st.sampled_from([0.0, 0.001, 0.25]),
        "rate": st.sampled_from([125.0, 1000.0]),
        "loss": numbers,
        "duplicate": numbers,
        "corrupt": numbers,
        "fifo": st.booleans(),
    },
)


def spelt(link, draw):
    """The same in other words."""
    words = dict(link)
    for key in ("loss", "duplicate", "corrupt"):
        if key in words and draw(st.booleans()):
            words[key] = {"random": words[key], "correlation": 0}
    if "delay" in words and draw(st.booleans()):
        words["delay"] = f"{words['delay'] * 1000:g}ms"
    if "rate" in words and draw(st.booleans()):
        words["rate"] = f"{words['rate'] * 8:g}bit"
    whole = {key: int(value) for key, value in words.items() if isinstance(value, float) and value in (0, 1)}
    everything = {"delay": 0, "rate": None, "loss": 0, "duplicate": 0.0, "fifo": False, "jitter": "0s"}
    return {**(everything if draw(st.booleans()) else {}), **words, **(whole if draw(st.booleans()) else {})}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(links, links, st.data())
def test_links_have_one_name_if_and_only_if_they_are_the_same(one, other, data):
    def meaning(link):
        return LinkSettings(**link).model_dump()

    first = name(PLAIN, network={"link": one})
    assert name(PLAIN, network={"link": spelt(one, data.draw)}) == first
    assert (name(PLAIN, network={"link": other}) == first) == (meaning(one) == meaning(other))


overrides = st.fixed_dictionaries(
    {},
    optional={
        "delay": st.sampled_from([0.25, 1.0]),
        "jitter": st.sampled_from([0.0, 0.001]),
        "jitter_correlation": st.sampled_from([0.0, 0.5]),
        "distribution": st.sampled_from(["uniform", "normal"]),
        "rate": st.sampled_from([None, 1000.0]),
        "limit": st.sampled_from([None, 3]),
        "loss": st.sampled_from([0.0, 0.1]),
    },
)
by_name = st.dictionaries(st.sampled_from(["0-1", "0>1", "1>0"]), overrides, max_size=3)


@settings(max_examples=80, deadline=None)
@given(overrides, by_name, by_name)
def test_overrides_that_have_one_name_make_the_same_links(link, one, other):
    def made(links):
        found = NetworkSettings(link=link, links=links)
        table = found.by_direction(nx.path_graph(2))
        matter = [
            {k: v for k, v in each.model_dump().items() if k not in each.idle} for each in table.values()
        ]
        return found.meaning(attributes=False), matter

    first, second = made(one), made(other)
    assert (first[0] == second[0]) == (first[1] == second[1])
    repeated = {name: {**link, **given} for name, given in one.items() if "-" in name or "0-1" not in one}
    if len(repeated) == len(one):
        assert made(repeated)[0] == first[0]


def test_an_override_that_leaves_measured_delays_counts(tmp_path):
    (tmp_path / "rtt.csv").write_text("rtt_ms\n10\n20\n")
    measured = {"distribution": "empirical", "round_trips": tmp_path / "rtt.csv"}

    def links(link, **override):
        return NetworkSettings(link=link, links={"0-1": override}).meaning(attributes=False)["links"]

    uniform = [{"distribution": "uniform"}]
    assert links(measured, distribution="uniform") == {"0>1": uniform, "1>0": uniform}
    assert links({"delay": 1}, **measured) == links({"delay": 1}, **measured, delay=0)
    assert "links" not in NetworkSettings(link=measured, links={"0-1": measured}).meaning(attributes=False)


def test_an_override_is_kept_where_a_class_or_a_file_may_say_otherwise():
    link, same = {"delay": 1}, {"delay": 1.0}

    def meaning(attributes, **more):
        return NetworkSettings(link=link, **more).meaning(attributes=attributes)

    assert "links" in meaning(True, links={"0-1": same})
    assert "links" in meaning(False, links={"0-1": same}, classes={"wan": {"delay": 2}})
    assert meaning(False, links={"0-1": same}, classes={"wan": same}) == meaning(False)
    assert meaning(True, classes={"wan": same}) == meaning(True)


def test_trials_of_a_study_that_mean_the_same_in_other_words_are_kept_apart(tmp_path):
    vary = {"network.link.jitter": [0, "1ms"], "network.link.distribution": ["uniform", "normal"]}
    study = define({**PLAIN, **linked(delay="5ms"), "vary": vary})
    assert len({trial.hash for trial in study.trials}) == 4
    assert [trial.apart for trial in study.trials] == [False, True, False, False]
    with pytest.raises(StudyError, match=r"are identical: delay=1ms seed=0 and delay=0\.001 seed=0"):
        define({**PLAIN, "vary": {"network.link.delay": ["1ms", 0.001]}})
    store = Store(tmp_path / "out")
    for trial in study.trials:
        store.write(trial, {"error": 1.0}, {}, {}, 1.0)
        assert stored_trial(store, trial).hash == trial.hash


def test_a_file_counts_by_what_is_in_it_not_by_where_it_is(tmp_path, write):
    for file, text in (("a", "0 1\n1 2"), ("b", "0 1\n1 2"), ("c", "0 1\n1 2\n0 2")):
        (tmp_path / f"{file}.txt").write_text(text)
    hashes = []
    for file in "abc":
        text = f"workload: problem\nproblem: {{name: mean, agents: 3}}\ntopology: {{file: {file}.txt}}\n"
        (trial,) = load(str(write(text))).trials
        hashes.append(trial.hash)
        assert "sha256" in trial.identity["topology"]["file"]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_jitter_of_zero_may_have_a_law_where_a_file_gives_links_a_jitter(tmp_path, write):
    (tmp_path / "g.txt").write_text("0 1 {'jitter': 0.001}\n1 2\n")
    text = "workload: problem\nproblem: {name: mean, agents: 3}\ntopology: {file: g.txt}\n"
    other = text + "network: {link: {distribution: normal}}\n"
    assert load(str(write(text))).trials[0].hash != load(str(write(other))).trials[0].hash


STORED = [
    {},
    {"topology": "star", "network": {"transport": "reliable", "faults": [{"link": "0-1", "down": 1}]}},
    linked(loss={"gemodel": {"p": 0.1, "r": 0.1}}),
    linked(loss={"random": 0.1, "correlation": 0.5}, delay="1ms"),
    {"network": {"links": {"0-1": {"loss": 0.2}}}, "consensus": {"budget": {"seconds": 1}}},
]
GROWN = [ConsensusSettings, Budget, NetworkSettings, LinkSettings, LinkOverride, RandomLoss, GilbertElliott]
GROWN += [LinkFault, *WORKLOADS.values()]


@pytest.mark.parametrize("default", [0, None, "5ms", ("a", 1.5)])
@pytest.mark.parametrize("kind", GROWN)
def test_a_stored_study_keeps_its_names_when_a_setting_is_added(kind, default, monkeypatch):
    """The field is added for as long as names are made: those who look through fields find one more."""
    trials = [define({**PLAIN, **way}).trials[0] for way in STORED]
    trials += [*define(TRAINING).trials, *define({"workload": "update", "update": {"samples": 100}}).trials]
    before = [trial.hash for trial in trials]
    fields = {**kind.model_fields, "colour": FieldInfo.from_annotated_attribute(object, default)}
    monkeypatch.setattr(kind, "__pydantic_fields__", fields)
    monkeypatch.setattr(kind, "colour", default, raising=False)
    identity.default.cache_clear()
    identity.always.cache_clear()
    assert [replace(trial).hash for trial in trials] == before
    monkeypatch.setattr(kind, "colour", "another", raising=False)
    renamed = [replace(trial).hash for trial in trials] != before
    assert renamed != (kind is LinkOverride)  # of which only what was given counts


def test_what_is_kept_beside_results_says_what_the_name_is_made_of(write, tmp_path):
    store, study = Store(tmp_path / "out"), load(str(write()))
    store.write(study.trials[0], {"error": 1.0}, {}, {}, 1.0)
    spec = json.loads((store.trials / study.trials[0].hash / "spec.json").read_text())
    assert identity.digest(spec["identity"]) == study.trials[0].hash
