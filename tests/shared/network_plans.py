"""Strategies that draw what a study says of its network: topologies, impairments, faults, schedules."""

import hashlib
from functools import cache
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import networkx as nx
import pytest
from hypothesis import strategies as st

from testbed.common.registry import Registry
from testbed.consensus import codec
from testbed.consensus.robust_rule import RULES
from testbed.network.clock import Timeline
from testbed.network.faults.behaviour import BEHAVIOURS
from testbed.network.impairments import delay

Plan = dict[str, Any]

DATA = Path(__file__).parents[1] / "data"
MOMENTS = st.integers(0, 30).map(lambda tick: tick / 20)
LAWS = [law.name for law in delay.LAWS.values() if not law.measured]
"""Laws of the delay, but for the one that needs a file."""
SLOTS = st.sampled_from(
    [
        {"min_delay": 0.02},
        {"min_delay": 0.0, "max_delay": 0.1, "packets": 1},
        {"min_delay": 0.01, "max_delay": 0.3, "bytes": 50},
    ]
)
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
    rarely(draw, link, "slot", SLOTS)
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


def each_of(registry: Registry[Any], examples: dict[str, list[Plan]]) -> list[Any]:
    """Settings for each member of a registry, built in or not: examples, or the name alone.

    Raises:
        ValidationError: a member that has no example needs more than its name.
    """
    found: list[Any] = []
    for name, kind in registry.members().items():
        if name not in examples:
            kind.model_validate({"name": name})
        found += [{"name": name, **given} if given else name for given in examples.get(name, [{}])]
    return found


LIES = each_of(
    BEHAVIOURS,
    {
        "scale": [{"factor": -3.0}],
        "noise": [{"std": 0.5}],
        "random": [{}, {"std": 2.0}],
        "collude": [{"target": 4.0}],
    },
)
"""Every behaviour of an agent that lies."""

EACH_CODEC = each_of(
    codec.CODECS,
    {
        "qsgd": [{}, {"bits": 2, "bucket": 3}],
        "top_k": [{"share": 0.3}],
        "random_k": [{"share": 0.3, "format": "float16"}],
    },
)
"""Every codec of messages."""
CODECS = st.sampled_from(EACH_CODEC)
ROBUST = each_of(RULES, {"clipping": [{"radius": 0.5}, {"liars": 1}]})
"""Every rule of robust averaging."""
OUTLIERS = st.sampled_from([{"warm_up": 3, "window": 3, "k": 0.5}, {"warm_up": 3, "floor": 0.0}, {}])
"""Some reject much of what agents of a few exchanges send, some little, the default nothing."""
TRIGGERS = st.sampled_from([{"threshold": 0.1}, {"threshold": 1.0, "decay": 0.9, "longest_silence": 2}])
TOKENS = st.sampled_from([{"capacity": 3}, {"strategy": "randomized", "capacity": 3, "spend": 2}])


def without_lies(network: Plan) -> None:
    """Takes out of a network the things with which differences are refused: lies and undetected damage."""
    network["faults"] = [each for each in network.get("faults", []) if each.get("fault") != "byzantine"]
    for link in (network["link"], *network.get("links", {}).values()):
        if isinstance(link.get("corrupt"), dict):
            link["corrupt"] = 0.2


@cache
def _kinds_of_faults(nodes: tuple[int, ...], links: tuple[str, ...]) -> st.SearchStrategy[Plan]:
    """One fault on these nodes and links. Kept: Hypothesis takes longer to check it than to draw from it."""
    agent = st.sampled_from(nodes)
    agents = agent | st.just("all")
    names = st.sampled_from([*links, "all"])
    direction = st.sampled_from(["both", "forward", "backward"])
    in_flight = st.sampled_from(["drop", "deliver"])
    group = st.lists(st.sampled_from(links), min_size=1, max_size=3, unique=True)
    groups = st.sampled_from(["halves", [[0]], [[0], [1]]])
    return st.one_of(
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


@st.composite
def faults(draw: st.DrawFn, graph: "nx.Graph[int]") -> Plan:
    """One fault of a network on a graph, and when it happens."""
    links = tuple(f"{u}-{v}" for u, v in graph.edges)
    fault = draw(_kinds_of_faults(tuple(sorted(graph.nodes)), links))
    return {**fault, **draw(_when())}


_WRITTEN = TemporaryDirectory(prefix="network_plans")


def _written(*rows: str) -> str:
    """A file of these rows; the same rows are always the same file."""
    text = "".join(f"{row}\n" for row in rows)
    file = Path(_WRITTEN.name) / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.csv"
    if not file.exists():
        file.write_text(text)
    return str(file)


@st.composite
def _contacts(draw: st.DrawFn, graph: "nx.Graph[int]") -> str:
    """A file of contacts on a graph's links, both ways or one."""
    ways = [name for u, v in graph.edges for name in (f"{u}-{v}", f"{u}>{v}", f"{v}>{u}")]
    some = draw(st.lists(st.tuples(st.integers(1, 8), st.sampled_from(ways), st.booleans()), max_size=8))
    times = accumulate(gap for gap, _, _ in some)
    rows = (f"{time / 20},{way},{int(up)}" for time, (_, way, up) in zip(times, some, strict=True))
    return _written("time,link,up", f"0,{ways[0]},1", *rows)


@st.composite
def _positions(draw: st.DrawFn, nodes: list[int]) -> str:
    """A file of agents that walk in the unit square, each with rows at times of its own."""
    tenths = st.integers(0, 10).map(lambda number: number / 10)
    rows = sorted(
        (tick / 10, node, draw(tenths), draw(tenths))
        for node in nodes
        for tick in draw(st.lists(st.integers(0, 10), min_size=1, max_size=3, unique=True))
    )
    return _written("time,node,x,y", *(",".join(map(str, row)) for row in rows))


@st.composite
def schedules(draw: st.DrawFn, graph: "nx.Graph[int]") -> Plan:
    """A topology that changes."""
    in_flight = {"in_flight": draw(st.sampled_from(["drop", "deliver"]))}
    if draw(st.integers(0, 3)) == 3:  # a file for each number of agents
        file = draw(st.just(str(DATA / f"positions_{len(graph)}.csv")) | _positions(sorted(graph.nodes)))
        return {"name": "positions", "file": file, "range": draw(st.sampled_from([0.3, 0.6])), **in_flight}
    if draw(st.integers(0, 3)) == 3:
        return {"name": "contacts", "file": draw(_contacts(graph)), **in_flight}
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
            "slot": None,
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
