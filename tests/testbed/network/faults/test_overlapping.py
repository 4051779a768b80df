"""Faults that overlap in any way, against a slow model that asks anew at every moment what is down.

The model knows the plan and what the documentation says: at equal times faults act before messages, in the
order of the settings, the schedule of links first; a packet is dropped as `agent_down` if its sender is down
and else as `link_down` if its link is; at the end of the link it is held while the link is held, and then
dropped as `agent_down` if its destination is down.
"""

import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.network import Network, NetworkSettings, Streams, Trace, direction
from testbed.network.impairments import rule
from testbed.network.trace.spacetime import spacetime
from testbed.network.trace.trace import LinkEvent, OtherEvent, PacketEvent

Way = tuple[int, int]
Plan = dict[str, Any]

EDGES = [(0, 1), (1, 2), (0, 2)]
WAYS = [way for u, v in EDGES for way in ((u, v), (v, u))]
END = 8.0


@st.composite
def _faults(draw: st.DrawFn) -> Plan:
    link = st.sampled_from(["0-1", "1-2", "0-2", "2-1"])
    direction = st.sampled_from(["both", "forward", "backward"])
    in_flight = st.sampled_from(["drop", "deliver"])
    agent = st.integers(0, 2)
    fault = draw(
        st.one_of(
            st.fixed_dictionaries(
                {"fault": st.just("crash"), "agent": agent, "in_flight": in_flight},
                optional={"state": st.just("lost")},
            ),
            st.fixed_dictionaries(
                {"fault": st.just("link_down"), "link": link, "direction": direction, "in_flight": in_flight}
            ),
            st.fixed_dictionaries(
                {"fault": st.just("partition"), "groups": st.just([[0], [1, 2]]), "in_flight": in_flight}
            ),
            st.fixed_dictionaries({"fault": st.just("hold"), "link": link, "direction": direction}),
            st.fixed_dictionaries(
                {"fault": st.just("straggler"), "agent": agent, "factor": st.sampled_from([0.1, 3.0, 7.0])}
            ),
        )
    )
    down = draw(st.integers(0, 12))
    up = draw(st.none() | st.integers(down + 1, 14))
    return fault | {"down": down / 4, "up": None if up is None else up / 4}


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Faults on a triangle, perhaps a schedule of its links, and messages: (seconds, source, destination)."""
    plan: Plan = {
        "faults": draw(st.lists(_faults(), min_size=1, max_size=5)),
        "delay": draw(st.sampled_from([0.0, 0.125, 0.5, 1.0])),
        "schedule": None,
        "traffic": draw(
            st.lists(st.tuples(st.integers(0, 30).map(lambda n: n / 8), st.sampled_from(WAYS)), max_size=20)
        ),
        "resumed": draw(st.integers(1, 15)) / 4 + 1 / 16,
    }
    if draw(st.booleans()):
        rounds = st.lists(st.sampled_from(["0-1", "1-2", "0-2"]), unique=True, max_size=3)
        plan["schedule"] = {
            "name": "switching",
            "rounds": draw(st.lists(rounds, min_size=1, max_size=3)),
            "period": draw(st.sampled_from([0.25, 0.75])),
            "in_flight": draw(st.sampled_from(["drop", "deliver"])),
        }
    return plan


# --- the model ------------------------------------------------------------------------------------------


def _of_link(fault: Plan) -> set[Way]:
    u, v = map(int, fault["link"].split("-"))
    return {"both": {(u, v), (v, u)}, "forward": {(u, v)}, "backward": {(v, u)}}[fault["direction"]]


@dataclass
class Model:
    """What is so at a moment, found by looking at every fault."""

    plan: Plan
    lasting: set[int] = field(default_factory=set)
    present: set[Way] = field(default_factory=lambda: set(WAYS))
    """What the schedule has up."""

    def _any(self, *kinds: str) -> list[Plan]:
        faults = self.plan["faults"]
        return [faults[number] for number in sorted(self.lasting) if faults[number]["fault"] in kinds]

    def cuts(self, fault: Plan) -> set[Way]:
        """The ways that a fault of links takes down."""
        if fault["fault"] == "partition":
            return {(u, v) for u, v in WAYS if (u == 0) != (v == 0)}
        return _of_link(fault) if fault["fault"] == "link_down" else set()

    def link_is_up(self, way: Way) -> bool:
        return way in self.present and not any(way in self.cuts(fault) for fault in self._any(*KINDS))

    def agent_is_up(self, node: int) -> bool:
        return not any(fault["agent"] == node for fault in self._any("crash"))

    def is_held(self, way: Way) -> bool:
        return any(way in _of_link(fault) for fault in self._any("hold"))

    def is_slow(self, node: int) -> bool:
        return any(fault["agent"] == node for fault in self._any("straggler"))

    def state(self) -> dict[tuple[Any, ...], bool]:
        """Everything that can be wrong, and whether it is."""
        found: dict[tuple[Any, ...], bool] = {}
        for way in WAYS:
            found["down", *way] = not self.link_is_up(way)
            found["held", *way] = self.is_held(way)
        for node in range(3):
            found["crashed", node] = not self.agent_is_up(node)
            found["slow", node] = self.is_slow(node)
        return found


KINDS = ("link_down", "partition")
Spans = dict[tuple[Any, ...], list[tuple[float, float]]]


@dataclass
class Told:
    """What the model says should have happened."""

    fates: list[tuple[float, str, str | None]] = field(default_factory=list)
    """Of every message: when, delivered or dropped or late, and why."""
    spans: Spans = field(default_factory=dict)
    """From when to when each thing was wrong, but for what took no time."""


def tell(plan: Plan, begin: float = 0.0, end: float = END) -> Told:
    """Go through everything that happens, one thing after another; spans are those from `begin` on.

    What is in flight at `begin` is late.
    """
    model, told = Model(plan), Told()
    told.fates = [(0.0, "", None)] * len(plan["traffic"])
    flights: dict[int, float] = {}
    kept: list[int] = []
    since: dict[tuple[Any, ...], float] = {}

    def finish(number: int, time: float, event: str, reason: str | None = None) -> None:
        del flights[number]
        if number in kept:
            kept.remove(number)
        told.fates[number] = (time, event, reason)

    def arrive(number: int, time: float) -> None:
        way = plan["traffic"][number][1]
        if model.is_held(way):
            kept.append(number)
        elif not model.agent_is_up(way[1]):
            finish(number, time, "dropped", "agent_down")
        else:
            finish(number, time, "delivered")

    def act(time: float, number: int, what: str) -> None:
        if what == "round":
            before, schedule = model.present, plan["schedule"]
            up = schedule["rounds"][number % len(schedule["rounds"])]
            model.present = {way for way in WAYS if "-".join(map(str, sorted(way))) in up}
            for flight in [f for f in flights if plan["traffic"][f][1] in before - model.present]:
                if schedule["in_flight"] == "drop":
                    finish(flight, time, "dropped", "link_down")
            return
        fault = plan["faults"][number]
        if what == "begin":
            model.lasting.add(number)
            for flight in list(flights):
                way = plan["traffic"][flight][1]
                if fault.get("in_flight") == "drop" and way in model.cuts(fault):
                    finish(flight, time, "dropped", "link_down")
                elif fault.get("in_flight") == "drop" and fault.get("agent") == way[0]:
                    finish(flight, time, "dropped", "agent_down")
        else:
            model.lasting.remove(number)
            if fault["fault"] == "hold":
                for flight in [f for f in kept if plan["traffic"][f][1] in _of_link(fault)]:
                    kept.remove(flight)
                    arrive(flight, time)

    for time, _, number, what in _moments(plan, begin, end):
        if what == "flush":
            for flight in list(flights):
                finish(flight, time, "late")
        elif what == "send":
            way = plan["traffic"][number][1]
            flights[number] = time
            if not model.agent_is_up(way[0]):
                finish(number, time, "dropped", "agent_down")
            elif not model.link_is_up(way):
                finish(number, time, "dropped", "link_down")
        elif what == "arrive":
            if number in flights:
                arrive(number, time)
        else:
            act(time, number, what)
            for key, wrong in model.state().items():
                if wrong:
                    since.setdefault(key, time)
                elif key in since:
                    _note(told, key, since.pop(key), time, begin)
    for flight in list(flights):
        finish(flight, end, "late")
    for key, start in since.items():
        _note(told, key, start, end, begin)
    return told


def _note(told: Told, key: tuple[Any, ...], start: float, stop: float, begin: float) -> None:
    if max(start, begin) < stop:
        told.spans.setdefault(key, []).append((max(start, begin), stop))


def _moments(plan: Plan, begin: float, end: float) -> list[tuple[float, int, int, str]]:
    """(seconds, 0 for what comes before messages, number, what) in order."""
    early: list[tuple[float, int, int, str]] = []
    for number, fault in enumerate(plan["faults"]):
        early.append((fault["down"], number, number, "begin"))
        if fault["up"] is not None:
            early.append((fault["up"], number, number, "lift"))
    if plan["schedule"] is not None:
        period = plan["schedule"]["period"]
        early += [(n * period, -1, n, "round") for n in range(int(end / period) + 1) if n * period < end]
    found = [(time, 0, number, what) for time, _, number, what in sorted(early)]
    if begin > 0:
        found.append((begin, 1, 0, "flush"))
    for number, (time, _) in enumerate(plan["traffic"]):
        found.append((time, 1, number, "send"))
        found.append((time + plan["delay"], 2, number, "arrive"))
    return sorted((each for each in found if each[0] < end), key=lambda each: each[:2])


# --- the network ----------------------------------------------------------------------------------------


def _network(plan: Plan) -> Network:
    graph: nx.Graph[int] = nx.Graph(EDGES)
    chosen = {"link": {"delay": plan["delay"]}, "faults": plan["faults"], "schedule": plan["schedule"]}
    network = Network(
        graph, NetworkSettings.model_validate(chosen | {"audit": True}), Streams(0), trace=Trace()
    )
    for node in graph:
        network.attach(node, lambda message: None)
    return network


def _schedule(network: Network, plan: Plan, since: float = 0.0, until: float = END) -> None:
    for number, (time, way) in enumerate(plan["traffic"]):
        if since <= time < until:
            source, destination = way
            send = partial(network.send, source, destination, number, 1, str(number))
            network.clock.schedule(time - network.clock.now, send)


def _trace(network: Network) -> Trace:
    assert network.trace is not None
    trace = Trace()
    trace.events, trace.restorations = network.trace.events, network.trace.restorations
    return trace


def _fates(trace: Trace) -> dict[int, tuple[float, str, str | None]]:
    ends = ("delivered", "dropped", "late")
    return {
        int(event.kind): (event.time, event.event, event.reason)
        for event in trace.events
        if isinstance(event, PacketEvent) and event.event in ends
    }


def _spans(trace: Trace) -> Spans:
    """What a picture of the trace shows, and that each begins and ends with an event that says so."""
    shown: Spans = {}
    seen = spacetime(trace)
    each: Any
    for each in (*seen.outages, *seen.spells):
        who = (each.agent,) if hasattr(each, "agent") else (each.source, each.destination)
        places = (each.first, each.begin), (each.last, each.end)
        for place, time in places:
            event = trace.events[place]
            if time in [state.time for state in trace.restorations]:
                assert place == 0
                continue
            assert event.time == time
            if place == len(trace.events) - 1:
                continue
            if each.kind == "down":
                assert isinstance(event, LinkEvent)
                assert (event.source, event.destination) == who
            else:
                assert isinstance(event, OtherEvent)
                assert event.event == ("fault_begun" if place == each.first else "fault_lifted")
        if each.begin < each.end:
            shown.setdefault((each.kind, *who), []).append((each.begin, each.end))
    return shown


def _finish(network: Network) -> Trace:
    """Run to the end, and let the trace last until then."""
    network.clock.run(until=END)
    network.flush()
    network.ledger.check()
    assert network.trace is not None
    network.trace.record(END, "the end")
    return _trace(network)


# --- what holds -----------------------------------------------------------------------------------------

EXAMPLES = settings().max_examples if settings().max_examples >= 1000 else 60


@settings(deadline=None, max_examples=EXAMPLES)
@given(plans())
def test_trace_drops_and_pictures_are_what_a_slow_model_says(plan: Plan) -> None:
    network, told = _network(plan), tell(plan)
    _schedule(network, plan)
    trace = _finish(network)
    assert _fates(trace) == dict(enumerate(told.fates))
    assert _spans(trace) == told.spans
    dropped = network.ledger.dropped
    for reason in ("link_down", "agent_down"):
        assert dropped[reason] == sum(fate[2] == reason for fate in told.fates)


@settings(deadline=None, max_examples=max(EXAMPLES // 3, 1))
@given(plans())
def test_whether_links_and_agents_are_up_can_be_asked_at_any_time(plan: Plan) -> None:
    network, told = _network(plan), tell(plan)
    for tick in range(0, 64, 3):
        time = tick / 16 + 1 / 32
        network.clock.run(until=time)
        wrong = {key for key, spans in told.spans.items() if any(a <= time < b for a, b in spans)}
        found = {("down", *way) for way in WAYS if not network.link_is_up(*way)}
        found |= {("crashed", node) for node in range(3) if not network.agent_is_up(node)}
        assert {key for key in wrong if key[0] in ("down", "crashed")} == found


@settings(deadline=None, max_examples=EXAMPLES)
@given(plans())
def test_a_network_resumed_while_things_are_down_goes_on_as_if_nothing_had_happened(plan: Plan) -> None:
    time = plan["resumed"]
    network = _network(plan)
    _schedule(network, plan, until=time)
    network.clock.run(until=time)
    network.flush()
    saved = json.loads(json.dumps(network.state_dict()))
    resumed = _network(plan)
    resumed.load_state_dict(saved)
    assert json.loads(json.dumps(resumed.state_dict())) == saved
    assert network.trace is not None
    assert resumed.trace is not None
    place, resumed_place = len(network.trace.events), len(resumed.trace.events)
    for each in (network, resumed):
        _schedule(each, plan, since=time)
    whole, rest = _finish(network), _finish(resumed)
    assert list(whole.lines())[place:] == list(rest.lines())[resumed_place:]
    assert network.faults_report() == resumed.faults_report()
    assert network.schedule_report() == resumed.schedule_report()
    told = tell(plan, begin=time)
    assert _fates(whole) == dict(enumerate(told.fates))
    # The picture of what was resumed shows what lasts from the moment on when it was.
    rest.events = rest.events[resumed_place:]
    rest.restorations = [replace(state, place=0) for state in rest.restorations]
    assert _spans(rest) == told.spans


def _link_or_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    """A direction is taken to be down while its sender is."""
    monkeypatch.setattr(
        direction.Direction,
        "is_up",
        property(lambda self: not any(isinstance(each, rule.Down) for each in self.ingress_rules)),
    )


def _first_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two reasons the one that came first is given."""

    def decide(self: rule.Down, message: Any, fate: rule.Fate) -> None:
        self.refused += 1
        fate.reason = fate.reason or self.reason

    monkeypatch.setattr(rule.Down, "decide", decide)


@pytest.mark.parametrize("plant", [_link_or_sender, _first_reason])
def test_the_audit_finds_planted_bugs_by_itself(plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    faults = [
        {
            "fault": "link_down",
            "link": "0-1",
            "direction": "both",
            "in_flight": "drop",
            "down": 0.5,
            "up": 2.0,
        },
        {"fault": "crash", "agent": 0, "in_flight": "deliver", "down": 0.25, "up": 3.0},
        {"fault": "partition", "groups": [[0], [1, 2]], "in_flight": "drop", "down": 1.0, "up": 4.0},
        {"fault": "crash", "agent": 0, "in_flight": "deliver", "down": 3.25, "up": 5.0},
    ]
    plan = {"faults": faults, "delay": 0.125, "schedule": None}
    plan["traffic"] = [(time / 8, (0, 1)) for time in range(48)]
    network = _network(plan)
    _schedule(network, plan)
    with pytest.raises(AssertionError, match=r"wrongly|but no event took"):
        network.clock.run(until=END)
