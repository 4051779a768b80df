"""Every plan ends: it is refused, or runs to the end of its budget, or says why it cannot go on."""

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import topologies
from testbed import workloads
from testbed.common.settings import SettingError
from testbed.consensus import stalling
from testbed.consensus.stalling import StalledError
from testbed.consensus.traits import ALGORITHMS, BY_AGENT, averaging
from testbed.workloads import ProblemWorkload, TrainingWorkload

PAIRS = [
    (algorithm, activation)
    for algorithm in ALGORITHMS.builtin()
    for activation in ALGORITHMS.members()[algorithm].allowed_activations
]
GONE = {"fault": "crash", "agent": "all", "down": 0}


@pytest.fixture
def impatient(monkeypatch):
    """Limits a hundredth of the usual ones: they end as surely, and sooner."""
    monkeypatch.setattr(stalling, "FREE_EVENTS", 2000)
    monkeypatch.setattr(stalling, "IDLE_ACTIVATIONS", 1000)


def run(consensus, network=None, agents=4, graph=None):
    trial = {"problem": {"name": "mean", "agents": agents, "dimension": 2}}
    trial = ProblemWorkload.model_validate({**trial, "network": network or {}, "consensus": consensus})
    return workloads.run(trial, seed=0, graph=graph or topologies.make("ring", agents)).metrics


@pytest.mark.parametrize(("algorithm", "activation"), PAIRS)
def test_bytes_that_nobody_can_send_end_where_no_agent_will_run_again(algorithm, activation):
    consensus = {"algorithm": algorithm, "activation": activation, "budget": {"bytes": 2000}}
    for faults in (
        [GONE],
        [GONE, {"link": "all", "mtbf": 0.1, "mttr": 0.1}],
        [GONE, {"fault": "crash", "agent": 1, "down": 0, "up": 0.5}],
        [{**GONE, "up": {"kind": "news"}}],
        [{**GONE, "up": {"update": 2}}],
    ):
        metrics = run(consensus, {"faults": faults})
        assert (metrics["stalled"], metrics["consensus_bytes"]) == (1, 0)


@pytest.mark.parametrize(("algorithm", "activation"), PAIRS)
def test_bytes_are_spent_by_those_who_run_again_or_never_crashed(algorithm, activation):
    consensus = {"algorithm": algorithm, "activation": activation, "budget": {"bytes": 2000}}
    for fault in ({**GONE, "up": 2}, {**GONE, "up": {"lasting": 2}}, {**GONE, "agent": 1}):
        metrics = run(consensus, {"faults": [fault]})
        assert metrics["stalled"] == 0
        assert metrics["consensus_bytes"] >= 2000
        assert metrics["consensus_seconds"] > (2 if fault["agent"] == "all" else 0)


def test_in_turn_only_the_first_ends_of_links_begin_anything():
    faults = [{**GONE, "agent": agent} for agent in (0, 1, 2)]
    consensus = {"activation": "round_robin", "budget": {"bytes": 2000}}
    assert run(consensus, {"faults": faults})["stalled"] == 1
    assert run(consensus | {"activation": "sequential"}, {"faults": faults})["stalled"] == 0


def test_what_crashes_in_the_middle_of_the_last_activation_does_not_keep_the_rest_from_ending():
    crash = {"fault": "crash", "agent": "all", "mtbf": 0.004, "mttr": 0.2}
    for activation in BY_AGENT:
        consensus = {"algorithm": "relaxed_admm", "activation": activation, "budget": {"activations": 12}}
        assert run(consensus, {"faults": [crash]})["activations"] == 12


def test_what_is_sent_again_may_spend_the_last_bytes_when_nobody_is_at_it():
    for activation, algorithm in (("poisson", "edge_admm"), ("asynchronous", "push_sum")):
        consensus = {"algorithm": algorithm, "activation": activation, "activation_rate": 0.01}
        network = {"transport": "reliable", "link": {"loss": 0.9}, "retries": 3}
        for limit in range(200, 2000, 300):
            metrics = run(consensus | {"budget": {"bytes": limit}}, network)
            assert metrics["consensus_bytes"] >= limit


@pytest.mark.parametrize(
    ("workload", "algorithm", "activation"),
    [
        (workload, algorithm, activation)
        for workload in ("problem", "training")
        for algorithm, activation in PAIRS
        if workload == "problem" or not ALGORITHMS.members()[algorithm].needs_gradients
    ],
)
def test_seconds_that_nothing_takes_are_refused(algorithm, activation, workload):
    clocks = activation not in ("sequential", "round_robin", "synchronous")
    consensus = {"algorithm": algorithm, "activation": activation, "compute": 0, "budget": {"seconds": 1}}
    consensus |= {"activation_rate": 1e8} if clocks else {}
    if workload == "problem":
        kind, rest = ProblemWorkload, {"problem": {"name": "mean", "agents": 4}}
    else:
        kind, rest = (
            TrainingWorkload,
            {"algorithm": {"name": "fdmarl" if algorithm in averaging() else "matrpo"}},
        )
    for more in ({}, {"exchanges": 10, "tolerance": 1e-30}):
        trial = kind.model_validate(rest | {"consensus": consensus | {"budget": {"seconds": 1} | more}})
        with pytest.raises(SettingError, match="activation") as refused:
            trial.check(topologies.make("complete", trial.agents))
        assert refused.value.keys[:2] == ("consensus", "budget")
    for enough in ({"seconds": 1, "activations": 10}, {"seconds": 1e-3} if clocks else {"activations": 10}):
        trial = kind.model_validate(rest | {"consensus": consensus | {"budget": enough}})
        trial.check(topologies.make("complete", trial.agents))


def test_seconds_are_not_refused_where_the_time_comes_from_the_links():
    consensus = {"compute": 0, "budget": {"seconds": 0.1}}
    for link in ({"delay": 0.001}, {"jitter": 0.001}, {"rate": 1e5}):
        assert run(consensus, {"link": link})["consensus_seconds"] == pytest.approx(0.1)
    one = {"links": {"0-1": {"delay": 0.01}}}
    assert run(consensus, one)["consensus_seconds"] == pytest.approx(0.1)
    assert run(consensus, graph=nx.empty_graph(4))["consensus_seconds"] == 0


@pytest.mark.parametrize(("network", "consensus"), [
    ({"schedule": {"name": "switching", "period": 1e-9, "rounds": [["0-1"]]}}, {}),
    ({"schedule": {"name": "random_waypoint", "period": 1e-9, "range": 0.5}}, {}),
    ({"schedule": {"name": "random_waypoint", "period": 1, "range": 0.5, "speed": [1, 1e300]}}, {}),
    ({"faults": [{"link": "all", "mtbf": 1e-9, "mttr": 1e-9}]}, {}),
    ({"faults": [{"fault": "straggler", "agent": 0, "down": 0, "factor": 1e300}]}, {}),
    ({"transport": "reliable", "retries": 2000}, {}),
    ({"link": {"delay": 1e300}}, {}),
    ({"link": {"rate": 1e-300}}, {}),
    ({}, {"activation": "poisson", "activation_rate": 1e300}),
    ({}, {"activation": "poisson", "activation_rate": 1e-300}),
    ({}, {"budget": {"exchanges": 10}}),
    ({}, {"budget": {"tolerance": 1e-30}}),
])  # fmt: skip
def test_times_that_no_run_gets_anywhere_with_are_refused(network, consensus):
    with pytest.raises(ValidationError):
        ProblemWorkload.model_validate({"network": network, "consensus": consensus})


@pytest.mark.parametrize("network", [
    {"schedule": {"name": "switching", "period": 1e-6, "rounds": [["0-1"], []]}},
    {"schedule": {"name": "random_waypoint", "period": 1e-6, "range": 0.5}},
    {"faults": [{"link": "all", "mtbf": 1e-6, "mttr": 1e-6}]},
    {"faults": [{"fault": "crash", "agent": "all", "mtbf": 1e-6, "mttr": 1e-6}]},
])  # fmt: skip
def test_a_network_that_is_busy_with_itself_is_said_so(network, impatient, monkeypatch):
    monkeypatch.setattr(stalling, "EVENTS_EACH", 10)
    with pytest.raises(
        StalledError, match=r"busy with itself.*most frequent changes come from network\."
    ) as error:
        run({"budget": {"activations": 100}}, network)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("network", "keys"), [
    ({"schedule": {"name": "switching", "period": 1e-6, "rounds": [["0-1"], []]}}, ("schedule", "period")),
    ({"schedule": {"name": "random_waypoint", "period": 1e-6, "range": 0.5}}, ("schedule", "period")),
    ({"faults": [{"link": "all", "mtbf": 1e-6, "mttr": 1e-6}]}, ("faults", 0, "mtbf")),
    ({"faults": [{"fault": "crash", "agent": 2, "mtbf": 1e-6, "mttr": 1e-6}]}, ("faults", 0, "mtbf")),
])  # fmt: skip
@pytest.mark.parametrize(("algorithm", "activation"), PAIRS)
def test_a_network_that_changes_too_often_for_its_budget_is_refused(network, keys, algorithm, activation):
    consensus = {"algorithm": algorithm, "activation": activation, "budget": {"seconds": 100}}
    with pytest.raises(SettingError, match="changes of the network: must be at most 10,000,000") as caught:
        run(consensus, network)
    assert caught.value.keys == ("network", *keys)


def test_bytes_that_crashes_never_let_anybody_send_are_said_so(impatient):
    """Each solve takes fifty times as long as an agent lives."""
    crash = {"fault": "crash", "agent": "all", "mtbf": 0.001, "mttr": 0.001}
    with pytest.raises(StalledError, match="1,000 activations in a row sent 0 bytes"):
        run({"compute": 0.05, "timeout": 0.001, "budget": {"bytes": 100}}, {"faults": [crash]})


times = st.sampled_from([0.0, 1e-300, 1e-9, 1e-3, 1.0, 1e9])
some = st.sampled_from([1e-300, 1e-9, 1e-3, 1.0, 1e9])
limits = st.sampled_from(["activations", "bytes", "seconds", "exchanges", "tolerance"])
budgets = st.dictionaries(limits, st.sampled_from([1, 50, 2000]), min_size=1)
plans = st.fixed_dictionaries(
    {
        "consensus": st.fixed_dictionaries(
            {"compute": times, "budget": budgets},
            optional={
                "timeout": some,
                "period": some,
                "activation_rate": st.sampled_from([1e-6, 1.0, 1e6, 1e9]),
                "curve_every": st.just(50),
            },
        ),
        "network": st.fixed_dictionaries(
            {},
            optional={
                "link": st.fixed_dictionaries(
                    {},
                    optional={
                        "delay": times,
                        "jitter": times,
                        "rate": st.sampled_from([1e-6, 1.0, 1e300]),
                        "loss": st.sampled_from([0.3, 1.0]),
                        "duplicate": st.just(1.0),
                    },
                ),
                "transport": st.sampled_from(["datagram", "reliable"]),
                "retransmission_timeout": some,
                "retries": st.sampled_from([0, 3, 30]),
                "faults": st.lists(
                    st.fixed_dictionaries(
                        {"fault": st.just("crash"), "agent": st.sampled_from([0, "all"])},
                        optional={"down": times, "up": times, "mtbf": some, "mttr": some},
                    ),
                    max_size=2,
                ),
                "schedule": st.fixed_dictionaries(
                    {"name": st.just("random_waypoint"), "range": st.just(0.5), "period": some},
                    optional={"pause": times},
                ),
            },
        ),
    }
)


@pytest.mark.parametrize(("algorithm", "activation"), PAIRS)
def test_every_plan_is_refused_or_ends(algorithm, activation, impatient, monkeypatch):
    monkeypatch.setattr(stalling, "EVENTS_EACH", 100)
    ends = {"refused": 0, "stalled": 0, "ended": 0}

    @settings(max_examples=max(15, settings.default.max_examples // 20), deadline=None)
    @given(plan=plans)
    def check(plan):
        plan["consensus"] |= {"algorithm": algorithm, "activation": activation}
        try:
            metrics = run(plan["consensus"], plan["network"])
        except (ValidationError, SettingError):
            ends["refused"] += 1
        except StalledError:
            ends["stalled"] += 1
        else:
            ends["ended"] += 1
            budget = plan["consensus"]["budget"]
            assert (
                metrics["stalled"] == 1
                or metrics["activations"] >= budget.get("activations", float("inf"))
                or metrics["consensus_bytes"] >= budget.get("bytes", float("inf"))
                or metrics["consensus_seconds"] >= budget.get("seconds", float("inf")) * (1 - 1e-9)
                or metrics["exchanges"] >= budget.get("exchanges", float("inf"))
                or metrics["relative_disagreement"] <= budget.get("tolerance", 0)
            )

    check()
    assert ends["refused"]
    assert ends["ended"]
