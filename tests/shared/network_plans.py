"""Strategies that draw what a study says of its network: topologies, impairments, faults, schedules."""

from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import strategies as st

from testbed.network.clock import Timeline
from testbed.network.impairments import delay

Plan = dict[str, Any]

DATA = Path(__file__).parents[1] / "data"
MOMENTS = st.integers(0, 30).map(lambda tick: tick / 20)
LAWS = [law.name for law in delay.LAWS.values() if not law.measured]
"""Laws of the delay, but for the one that needs a file."""
SPANS = st.integers(1, 20).map(lambda tick: tick / 20)


@st.composite
def topologies(draw: st.DrawFn, nodes: int) -> Plan:
    """The topology of a study."""
    names = ["path", "star", "complete", "erdos_renyi", *(["ring"] if nodes > 2 else [])]
    name = draw(st.sampled_from(names))
    if name == "erdos_renyi":
        return {"name": name, "p": 0.5, "seed": draw(st.integers(0, 50)), "allow_disconnected": True}
    return {"name": name}


def rarely(draw: st.DrawFn, into: Plan, name: str, values: st.SearchStrategy[Any]) -> None:
    """Puts a value under a name, one time in four."""
    if draw(st.integers(0, 3)) == 3:
        into[name] = draw(values)


@st.composite
def links(draw: st.DrawFn) -> Plan:
    """Impairments of a link."""
    link: Plan = {}
    rarely(draw, link, "delay", st.sampled_from([0.001, 0.02, 0.3]))
    law = draw(st.sampled_from(LAWS))
    if law != "constant" and "delay" in link:
        link |= {"distribution": law, "jitter": draw(st.sampled_from([0.0005, 0.02]))}
        rarely(draw, link, "jitter_correlation", st.just(0.5))
    bursts = {"gemodel": {"p": 0.2, "r": 0.4, "per": draw(st.sampled_from(["packet", "second"]))}}
    states = {"state": {"p13": 0.2, "p31": 0.4, "p32": 0.3, "p23": 0.5, "p14": 0.1}}
    correlated = {"random": 0.3, "correlation": 0.5}
    rarely(draw, link, "loss", st.sampled_from([0.1, 0.5, 1.0, correlated, bursts, states]))
    trace = draw(st.sampled_from([None, None, "trace.csv", "trace_rates.csv", "trace_delays.csv"]))
    if trace is not None and law not in ("gamma", "constant"):
        if trace == "trace.csv":  # has losses
            link["loss"] = 0.0
        offset = draw(st.sampled_from([0, 0.7, "random"]))
        link["trace"] = {"file": str(DATA / trace), "offset": offset, "repeat": draw(st.booleans())}
    rarely(draw, link, "rate", st.sampled_from([500.0, 50_000.0]))
    rarely(draw, link, "limit", st.sampled_from([1, 2]))
    rarely(draw, link, "fifo", st.just(True))
    rarely(draw, link, "duplicate", st.sampled_from([0.3, 1.0]))
    damage = st.sampled_from([0.3, {"random": 0.2, "detected": False}])
    rarely(draw, link, "corrupt", damage)
    if "delay" in link and not link.get("fifo", False):
        rarely(draw, link, "reorder", st.sampled_from([0.3, {"random": 0.5, "gap": 3}]))
    return link


@st.composite
def _when(draw: st.DrawFn) -> Plan:
    how = draw(st.sampled_from(["time", "update", "messages", "random"]))
    if how == "random":
        return {"mtbf": draw(SPANS), "mttr": draw(SPANS)}
    if how == "update":
        return {"down": {"update": 1}, "up": draw(st.none() | SPANS.map(lambda span: {"lasting": span}))}
    kinds = st.sampled_from(["request", "response", "busy"])
    messages = st.fixed_dictionaries({"kind": kinds, "count": st.integers(1, 4)})
    down = draw(MOMENTS if how == "time" else messages)
    until: list[st.SearchStrategy[Any]] = [st.none(), SPANS.map(lambda span: {"lasting": span}), messages]
    if how == "time":
        until.append(SPANS.map(lambda span: down + span))
    return {"down": down, "up": draw(st.one_of(until))}


LIES: list[Any] = [
    "sign_flip",
    {"name": "scale", "factor": -3.0},
    {"name": "noise", "std": 0.5},
    "random",
    {"name": "random", "std": 2.0},
    "stuck",
    {"name": "collude", "target": 4.0},
]
"""Every behaviour of an agent that lies."""


CODECS = st.sampled_from(
    [
        "float32",
        "float16",
        "int8",
        "qsgd",
        {"name": "qsgd", "bits": 2, "bucket": 3},
        {"name": "top_k", "share": 0.3},
        {"name": "random_k", "share": 0.3, "format": "float16"},
    ]
)
"""Codecs of messages, each way to write numbers once."""
TRIGGERS = st.sampled_from([{"threshold": 0.1}, {"threshold": 1.0, "decay": 0.9, "longest_silence": 2}])
TOKENS = st.sampled_from([{"capacity": 3}, {"strategy": "randomized", "capacity": 3, "spend": 2}])


def without_lies(network: Plan) -> None:
    """Takes out of a network the things with which differences are refused: lies and undetected damage."""
    network["faults"] = [each for each in network.get("faults", []) if each.get("fault") != "byzantine"]
    for link in (network["link"], *network.get("links", {}).values()):
        if isinstance(link.get("corrupt"), dict):
            link["corrupt"] = 0.2


@st.composite
def faults(draw: st.DrawFn, graph: "nx.Graph[int]") -> Plan:
    """One fault of a network on a graph, and when it happens."""
    agent = st.sampled_from(sorted(graph.nodes))
    agents = agent | st.just("all")
    names = st.sampled_from([*(f"{u}-{v}" for u, v in graph.edges), "all"])
    direction = st.sampled_from(["both", "forward", "backward"])
    in_flight = st.sampled_from(["drop", "deliver"])
    group = st.lists(
        st.sampled_from([f"{u}-{v}" for u, v in graph.edges]), min_size=1, max_size=3, unique=True
    )
    groups = st.sampled_from(["halves", [[0]], [[0], [1]]])
    fault = draw(
        st.one_of(
            st.fixed_dictionaries({"link": names, "direction": direction, "in_flight": in_flight}),
            st.fixed_dictionaries({"fault": st.just("group_down"), "links": group, "in_flight": in_flight}),
            st.fixed_dictionaries({"fault": st.just("hold"), "link": names, "direction": direction}),
            st.fixed_dictionaries({"fault": st.just("partition"), "groups": groups, "in_flight": in_flight}),
            st.fixed_dictionaries({"fault": st.just("partition"), "isolate": agent}),
            st.fixed_dictionaries(
                {
                    "fault": st.just("crash"),
                    "agent": agents,
                    "state": st.sampled_from(["kept", "lost"]),
                    "in_flight": in_flight,
                }
            ),
            st.fixed_dictionaries(
                {"fault": st.just("straggler"), "agent": agents, "factor": st.sampled_from([0.5, 20.0])}
            ),
            st.fixed_dictionaries(
                {"fault": st.just("byzantine"), "agent": agents, "behaviour": st.sampled_from(LIES)}
            ),
        )
    )
    return {**fault, **draw(_when())}


@st.composite
def schedules(draw: st.DrawFn, graph: "nx.Graph[int]") -> Plan:
    """A topology that changes."""
    in_flight = {"in_flight": draw(st.sampled_from(["drop", "deliver"]))}
    if draw(st.integers(0, 3)) == 3:  # a file for each number of agents
        file = str(DATA / f"positions_{len(graph)}.csv")
        return {"name": "positions", "file": file, "range": draw(st.sampled_from([0.3, 0.6])), **in_flight}
    common = {"period": draw(SPANS), **in_flight}
    if draw(st.booleans()):
        return {"name": "random_waypoint", "range": 0.5, "speed": [0.1, 1.0], "pause": 0.1, **common}
    names = [f"{u}-{v}" for u, v in graph.edges]
    some = st.lists(st.sampled_from(names), unique=True, max_size=3)
    return {"name": "switching", "rounds": draw(st.lists(some, min_size=1, max_size=3)), **common}


@st.composite
def networks(draw: st.DrawFn, graph: "nx.Graph[int]") -> Plan:
    """A network on which much goes wrong, audited."""
    network: Plan = {"audit": True, "link": draw(links())}
    if graph.edges:
        network["faults"] = draw(st.lists(faults(graph), max_size=4))
        rarely(draw, network, "schedule", schedules(graph))
        names = st.sampled_from([f"{u}-{v}" for u, v in graph.edges])
        # Another link altogether: what it has in common with the default is said anew.
        plain = {
            "delay": 0.0,
            "jitter": 0.0,
            "distribution": "uniform",
            "fifo": False,
            "reorder": 0.0,
            "trace": None,
        }
        rarely(
            draw,
            network,
            "links",
            st.dictionaries(names, links().map(lambda link: plain | link), max_size=1),
        )
    if draw(st.booleans()):
        network |= {"transport": "reliable", "retries": draw(st.integers(0, 3))}
    return network


def limit_events(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Fails with AssertionError each simulation that has more events than ``most``."""
    plain = Timeline.__init__

    def init(self: Timeline) -> None:
        plain(self)
        events = 0

        def count() -> None:
            nonlocal events
            events += 1
            assert events < most, "the simulation does not end"

        self.checks.append(count)

    monkeypatch.setattr(Timeline, "__init__", init)
