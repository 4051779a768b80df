"""Learning and every consensus algorithm under random impairments, faults and schedules, all audited.

The networks are those of `test_fuzz.py`. An audit only looks: with it and without it a run gives the same
numbers and the same trace, byte for byte, and so does a run that was stopped and resumed.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import network_plans
import networkx as nx
import numpy as np
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from network_plans import rarely

import topologies
from testbed import workloads
from testbed.consensus.traits import ALGORITHMS, averaging
from testbed.network import Trace, first_difference

from .test_fuzz import plans

Plan = dict[str, Any]

FIRST_ORDER = [name for name, kind in ALGORITHMS.members().items() if kind.needs_gradients]
AVERAGING = list(averaging())
ADMM = [name for name in ALGORITHMS.members() if name not in (*FIRST_ORDER, *AVERAGING)]
_WORKLOADS = {
    "problem": workloads.ProblemWorkload,
    "update": workloads.UpdateWorkload,
    "training": workloads.TrainingWorkload,
}


def _consensus(draw: st.DrawFn, plan: Plan, algorithms: list[str]) -> Plan:
    chosen = draw(st.sampled_from(algorithms))
    consensus = plan["consensus"] | {"algorithm": chosen}
    if chosen not in ADMM:
        consensus.pop("coupling", None)
        consensus.pop("dual_limit", None)
        consensus.pop("outlier_rejection", None)
    if chosen != "edge_admm":
        consensus["activation"] = draw(st.sampled_from(ALGORITHMS.members()[chosen].allowed_activations))
        consensus.pop("timeout", None)
        consensus.pop("when_busy", None)
    if chosen in FIRST_ORDER:
        rarely(draw, consensus, "step", st.sampled_from([0.01, 0.3]))
        rarely(draw, consensus, "step_decay", st.just(0.5))
    elif "push_sum" not in chosen:
        consensus["subset"] = draw(st.sampled_from([1.0, 0.5]))
    consensus["codec"] = draw(st.none() | st.just("float64") | network_plans.CODECS)
    # Running sums in few bits are another matter.
    if chosen == "robust_push_sum":
        consensus["codec"] = None
    differences = chosen == "choco_gossip"
    consensus["codec_memory"] = None
    memories = sorted(ALGORITHMS.members()[chosen].codec_memories)
    if consensus["codec"] is not None and memories:
        consensus["codec_memory"] = draw(st.sampled_from([None, *memories]))
        differences |= consensus["codec_memory"] == "difference"
    sparse = isinstance(consensus["codec"], dict) and consensus["codec"]["name"] != "qsgd"
    if differences or sparse or consensus["codec_memory"] is not None or chosen in FIRST_ORDER:
        consensus["subset"] = 1.0
    if differences:
        network_plans.without_lies(plan["network"])
    options = ALGORITHMS.members()[chosen].options
    if "trigger" in options and consensus["subset"] == 1:
        network_plans.rarely(draw, consensus, "trigger", network_plans.TRIGGERS)
    if "tokens" in options and consensus["activation"] == "gossip":
        network_plans.rarely(draw, consensus, "tokens", network_plans.TOKENS)
    if chosen == "metropolis" and consensus["subset"] == 1:
        consensus["robust"] = draw(st.sampled_from([None, *network_plans.ROBUST]))
    consensus["budget"] = {"activations": draw(st.integers(1, 12)), "seconds": 10.0}
    return consensus


@st.composite
def learning(draw: st.DrawFn) -> Plan:
    """A policy update or a short training run by any learner, on any network."""
    plan = draw(plans())
    workload = draw(st.sampled_from(["training", "update"]))
    names = ["matrpo", "fdmarl", "itrpo"] if workload == "training" else ["matrpo"]
    if workload == "training" and nx.is_connected(_graph(plan)):  # a centre needs to reach every agent
        names += ["mappo", "ctrpo"]
    algorithm: Plan = {"name": draw(st.sampled_from(names)), "hidden": [4]}
    algorithm["precision"] = draw(st.sampled_from(["float64", "float32"]))
    averages = algorithm["name"] == "fdmarl"
    if averages:
        algorithm["form"] = draw(st.sampled_from(["minibatch", "online"]))
    kinds = AVERAGING if averages else ADMM
    common = {
        "workload": workload,
        "environment": {
            "name": "navigation",
            "agents": plan["problem"]["agents"],
            "episode_length": 2,
        },
        "algorithm": algorithm,
        "network": plan["network"],
        "consensus": _consensus(draw, plan, kinds),
        "topology": plan["topology"],
        "seeds": plan["seeds"],
    }
    if workload == "training":
        return common | {"training": {"updates": 2, "samples": 4}}
    return common | {"update": {"samples": 4}}


@st.composite
def problems(draw: st.DrawFn) -> Plan:
    """A convex problem, solved by any algorithm that can."""
    plan = draw(plans())
    kinds = [*ADMM, *FIRST_ORDER]
    if plan["problem"]["name"] == "mean":
        kinds += AVERAGING
    return plan | {"consensus": _consensus(draw, plan, kinds)}


def _graph(plan: Plan) -> "nx.Graph[int]":
    topology = dict(plan["topology"])
    agents = plan.get("environment", plan.get("problem", {}))["agents"]
    return topologies.make(topology.pop("name"), agents, **topology)


def _run(plan: Plan, *, audit: bool, **options: Any) -> workloads.WorkloadResult:
    chosen = {key: value for key, value in plan.items() if key not in ("topology", "seeds")}
    chosen["network"] = plan["network"] | {"audit": audit}
    trial = _WORKLOADS[plan["workload"]].model_validate(chosen)  # type: ignore[attr-defined]
    graph = _graph(plan)
    with np.errstate(over="ignore", invalid="ignore"):
        return workloads.run(trial, seed=plan["seeds"][0], graph=graph, **options)


def _numbers(result: workloads.WorkloadResult) -> str:
    rows = [result.metrics, *(row for _, table in sorted(result.curves.items()) for row in table)]
    return json.dumps([{k: v for k, v in row.items() if not k.startswith("wall_")} for row in rows])


def _some(everyday: int) -> Any:
    nightly = settings().max_examples
    return settings(
        deadline=None,
        max_examples=nightly // 10 if nightly >= 1000 else everyday,
        suppress_health_check=[*HealthCheck],
    )


def _audit_changes_nothing(plan: Plan) -> None:
    note(str(plan))
    watched, alone = Trace(), Trace()
    first = _run(plan, audit=True, trace=watched)
    second = _run(plan, audit=False, trace=alone)
    assert _numbers(first) == _numbers(second)
    assert first_difference(watched, alone) is None


@_some(20)
@given(problems())
def test_an_audit_of_any_consensus_algorithm_holds_and_changes_nothing(plan: Plan) -> None:
    _audit_changes_nothing(plan)


@_some(12)
@given(learning())
def test_an_audit_of_learning_holds_and_changes_nothing(plan: Plan) -> None:
    _audit_changes_nothing(plan)


class _Stopped(Exception):
    pass


@_some(6)
@given(learning().filter(lambda plan: plan["workload"] == "training"))
def test_audited_learning_that_is_resumed_goes_on_as_if_nothing_had_happened(
    tmp_path_factory: Any, plan: Plan
) -> None:
    note(str(plan))
    checkpoint: Path = tmp_path_factory.mktemp("stopped") / "checkpoint"

    def stop(phase: str, done: int, total: int, row: Any) -> None:
        raise _Stopped

    with suppress(_Stopped):
        _run(plan, audit=True, checkpoint=checkpoint, progress=stop)
    resumed = _run(plan, audit=True, checkpoint=checkpoint)
    assert _numbers(resumed) == _numbers(_run(plan, audit=False))
