"""Edge-ADMM on convex problems under random impairments, fault plans and changing topologies, all audited.

A plan is the data of a study. When one breaks an invariant, Hypothesis looks for the smallest that does, and
that is printed as a study file: save it, and `testbed run` ends in the same AssertionError.

HYPOTHESIS_PROFILE=nightly tries 5,000 plans.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import network_plans
import networkx as nx
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, Phase, find, given, note, settings
from hypothesis import strategies as st
from network_plans import Plan, rarely

import topologies
from studies.spec.loading import load
from testbed import workloads
from testbed.consensus.edge_admm.agent import EdgeAgent
from testbed.consensus.edge_admm.algorithm import _EdgeAgreement
from testbed.network import Trace, direction, first_difference
from testbed.network.faults.crash import Crash
from testbed.network.faults.link_down import LinkDown
from testbed.network.impairments import rule

NIGHTLY = settings().max_examples >= 1000
EVENTS = 20_000
"""No agreement here has nearly as many: one that has never ends."""


def _graph(plan: Plan) -> "nx.Graph[int]":
    topology = dict(plan["topology"])
    return topologies.make(topology.pop("name"), plan["problem"]["agents"], **topology)


def _run(plan: Plan, trace: Trace | None = None) -> workloads.WorkloadResult:
    settings_of = {key: value for key, value in plan.items() if key not in ("topology", "seeds")}
    trial = workloads.ProblemWorkload.model_validate(settings_of)
    # One flipped bit can make a number as large as numbers get.
    with np.errstate(over="ignore", invalid="ignore"):
        return workloads.run(trial, seed=plan["seeds"][0], graph=_graph(plan), trace=trace)


@pytest.fixture(autouse=True)
def _everything_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    network_plans.limit_events(monkeypatch, EVENTS)


# --- plans ---------------------------------------------------------------------------------------------


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """The data of a study: a convex problem, a topology, a network on which much goes wrong, edge-ADMM."""
    nodes = draw(st.integers(2, 5))
    problem = {"name": draw(st.sampled_from(["mean", "least_squares"])), "agents": nodes, "dimension": 2}
    topology = draw(network_plans.topologies(nodes))
    plan: Plan = {"workload": "problem", "problem": problem, "topology": topology}
    network = draw(network_plans.networks(_graph(plan)))
    consensus: Plan = {
        "activation": draw(st.sampled_from(["sequential", "round_robin", "poisson", "gossip"])),
        "when_busy": draw(st.sampled_from(["refuse", "wait_by_age", "wait_by_number"])),
        "budget": {"activations": draw(st.integers(1, 30)), "seconds": 20.0},
        "curve_every": 10,
    }
    rarely(draw, consensus, "compute", st.just(0.0))
    rarely(draw, consensus, "timeout", st.sampled_from([0.001, 0.05]))
    rarely(draw, consensus, "codec", network_plans.CODECS)
    if "codec" in consensus:
        rarely(draw, consensus, "codec_memory", st.sampled_from(["error_feedback", "difference"]))
    if consensus.get("codec_memory") == "difference":
        network_plans.without_lies(network)
    rarely(draw, consensus, "coupling", st.sampled_from([0.5, 20.0]))
    rarely(draw, consensus, "dual_limit", st.sampled_from([0.01, 1.0]))
    rarely(draw, consensus, "outlier_rejection", network_plans.OUTLIERS)
    return plan | {"network": network, "consensus": consensus, "seeds": [draw(st.integers(0, 10**6))]}


def _yaml(plan: Plan) -> str:
    return yaml.safe_dump(plan, sort_keys=False)


# --- what holds -----------------------------------------------------------------------------------------

_FUNCTION_SCOPED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(
    max_examples=max(250, settings().max_examples), deadline=None, suppress_health_check=_FUNCTION_SCOPED
)
@given(plans())
def test_no_plan_breaks_an_invariant(plan: Plan) -> None:
    note(f"This study reproduces it:\n{_yaml(plan)}")
    _run(plan)


@settings(max_examples=25, deadline=None, suppress_health_check=_FUNCTION_SCOPED)
@given(plans())
def test_every_plan_replays_byte_for_byte(plan: Plan) -> None:
    note(f"This study reproduces it:\n{_yaml(plan)}")
    first, second = Trace(), Trace()
    assert str(_run(plan, first)) == str(_run(plan, second))
    assert first_difference(first, second) is None
    plan["network"]["audit"] = False
    unwatched = Trace()
    _run(plan, unwatched)
    assert first_difference(first, unwatched) is None


# --- planted bugs ----------------------------------------------------------------------------------------


def _lose_from_the_books(monkeypatch: pytest.MonkeyPatch) -> None:
    """A packet whose link goes down is taken off the wire, and nobody writes it down."""
    plain = direction.Direction.drop

    def drop(self: direction.Direction, message: Any, reason: str) -> None:
        if message.sent_at == self._timeline.now:
            plain(self, message, reason)

    monkeypatch.setattr(direction.Direction, "drop", drop)


def _deliver_over_a_down_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule.Down, "decide", lambda self, message, fate: None)


def _forget_a_half_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_EdgeAgreement, "_half_committed", lambda self, exchange: None)


def _deliver_what_was_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that drops what is in flight does not."""
    monkeypatch.setattr(LinkDown, "_to_empty", lambda self: ())


def _deliver_to_a_crashed_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Crash, "_turn_away", lambda self, direction, hop: False)


def _overtake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule.InOrder, "decide", lambda self, message, fate: None)


def _arrive_early(monkeypatch: pytest.MonkeyPatch) -> None:
    def decide(self: rule.Delay, message: Any, fate: rule.Fate) -> None:
        fate.time += 0.5 * self._delay

    monkeypatch.setattr(rule.Delay, "decide", decide)


def _commit_a_wrong_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = EdgeAgent.commit

    def commit(self: EdgeAgent, e: tuple[int, int], nu: Any) -> None:
        plain(self, e, nu if self.index == e[0] else 1.001 * nu)

    monkeypatch.setattr(EdgeAgent, "commit", commit)


def _never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_EdgeAgreement, "spent", lambda self: False)
    monkeypatch.setattr(_EdgeAgreement, "finish", lambda self: None)


def _breaks(plan: Plan) -> str | None:
    try:
        _run(plan)
    except AssertionError as error:
        return str(error)
    return None


BUGS: list[tuple[Callable[[pytest.MonkeyPatch], None], str]] = [
    (_arrive_early, "could not arrive before"),
    (_deliver_over_a_down_link, "is delivered, though its link or sender was down"),
    (_lose_from_the_books, "messages do not add up"),
    (_forget_a_half_commit, "no half-commit is pending"),
    (_deliver_what_was_in_flight, "is delivered, though its link or sender was down"),
    (_deliver_to_a_crashed_agent, "is delivered to an agent that is down"),
    (_overtake, "is delivered after packet"),
    (_commit_a_wrong_sum, "no half-commit is pending"),
    (_never_end, "does not end"),
]
SHRUNK = BUGS if NIGHTLY else BUGS[:2]
"""Looking for the smallest plan takes seconds to minutes; finding any takes less."""


def _find(said: str, *phases: Phase) -> Plan:
    found: Plan = find(
        plans(),
        lambda plan: said in (_breaks(plan) or ""),
        random=Random(0),
        settings=settings(max_examples=2000, deadline=None, database=None, phases=phases),
    )
    return found


@pytest.mark.parametrize(("plant", "said"), BUGS)
def test_planted_bugs_are_found(
    plant: Callable[[pytest.MonkeyPatch], None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    _find(said, Phase.generate)


@pytest.mark.parametrize(("plant", "said"), SHRUNK)
def test_a_plan_that_shows_a_bug_is_shrunk_to_a_small_study_that_shows_it(
    plant: Callable[[pytest.MonkeyPatch], None], said: str, tmp_path: Path
) -> None:
    file = tmp_path / "plan.yaml"
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        smallest = _find(said, Phase.generate, Phase.shrink)
        file.write_text(_yaml(smallest))
        (trial,) = load(str(file)).trials
        with pytest.raises(AssertionError, match=said):
            workloads.run(trial.settings, seed=trial.seed, graph=trial.graph())
    # It is the bug that it shows.
    assert _breaks(smallest) is None
    assert len(file.read_text().splitlines()) < 40
