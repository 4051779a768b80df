"""What holds for every network, driven by random graphs, impairments, transports, faults and traffic."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.network import Network, NetworkSettings, Streams, Trace, first_difference
from testbed.network.impairments.delay import LAWS, minimum_delay
from testbed.network.trace.trace import PacketEvent

DATA = Path(__file__).parents[2] / "data"
TRACES = ["trace.csv", "trace_rates.csv", "trace_delays.csv", "trace_jitters.csv"]
TIMES = st.integers(0, 40).map(lambda tick: tick / 16)


@dataclass(frozen=True)
class Plan:
    """A network and what is sent over it."""

    edges: tuple[tuple[int, int], ...]
    settings: NetworkSettings
    seed: int
    traffic: tuple[tuple[float, int, int, int], ...]

    def network(self, *, extra: tuple[tuple[int, int], ...] = ()) -> tuple[Network, list[int]]:
        """The network, its clock at zero, with a list of the payloads that handlers have seen."""
        graph: nx.Graph[int] = nx.Graph()
        graph.add_edges_from([*self.edges, *extra])
        network = Network(graph, self.settings, Streams(self.seed), trace=Trace())
        seen: list[int] = []
        for node in graph.nodes:
            network.attach(node, lambda message: seen.append(message.payload))
        return network, seen

    def schedule(self, network: Network, since: float = 0.0, until: float = 1e9) -> None:
        """Send what is to be sent from one time on and before another."""
        for number, (time, source, destination, size) in enumerate(self.traffic):
            if since <= time < until:
                network.clock.schedule(
                    time - network.clock.now, partial(network.send, source, destination, number, size, "x")
                )


@st.composite
def links(draw: st.DrawFn, *, worst_loss: float = 1.0) -> dict[str, Any]:
    laws = [law.name for law in LAWS.values() if not law.measured]  # that needs a file
    law = draw(st.sampled_from(laws))
    delay = draw(st.sampled_from([0.0, 1 / 64, 1 / 4, 1.0]))
    without_jitter = law == "constant" or (law in ("lognormal", "gamma") and delay == 0)
    bursts = {"p": 0.25, "r": 0.5, "1-h": worst_loss, "1-k": worst_loss / 8}
    losses: list[Any] = [
        0.0,
        worst_loss / 4,
        worst_loss,
        {"random": worst_loss / 2, "correlation": 0.5},
        {"gemodel": bursts},
        {"gemodel": bursts | {"per": "second"}},
        {"state": {"p13": 0.25, "p31": 1 - worst_loss / 2, "p14": worst_loss / 4}},
    ]
    link = {
        "delay": delay,
        "jitter": 0.0 if without_jitter else draw(st.sampled_from([0.0, 1 / 128, 1 / 2])),
        "jitter_correlation": draw(st.sampled_from([0.0, 0.5])),
        "distribution": law,
        "loss": draw(st.sampled_from(losses)),
        "rate": draw(st.sampled_from([None, 64.0, 1024.0])),
        "limit": draw(st.sampled_from([None, 1, 3])),
        "fifo": draw(st.booleans()),
        "duplicate": draw(st.sampled_from([0.0, {"random": 0.5, "correlation": 0.25}, 1.0])),
        "corrupt": draw(st.sampled_from([0.0, 0.25, {"random": 0.5, "detected": False}])),
        "reorder": 0.0,
    }
    link["trace"] = None
    if law in ("uniform", "normal", "exponential", "pareto") and draw(st.booleans()):
        name = draw(st.sampled_from(TRACES))
        if name == "trace.csv":  # has losses
            link["loss"] = 0.0
        offset = draw(st.sampled_from([0, 3.5, "random"]))
        link["trace"] = {"file": DATA / name, "offset": offset, "repeat": draw(st.booleans())}
    if delay > 0 and not link["fifo"] and link["trace"] is None:
        link["reorder"] = draw(st.sampled_from([0.0, 0.5, {"random": 1.0, "gap": 3, "correlation": 0.5}]))
    return link


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    nodes = draw(st.integers(2, 5))
    edges = [(draw(st.integers(0, node - 1)), node) for node in range(1, nodes)]
    names = [f"{u}-{v}" for u, v in edges]
    faults = []
    for name in draw(st.lists(st.sampled_from(names), max_size=3)):
        down = draw(TIMES)
        faults.append(
            {
                "link": name,
                "down": down,
                "up": None if draw(st.booleans()) else down + draw(TIMES) + 1 / 16,
                "in_flight": draw(st.sampled_from(["drop", "deliver"])),
                "direction": draw(st.sampled_from(["both", "forward", "backward"])),
            }
        )
    different = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
    network = NetworkSettings.model_validate(
        {
            "link": draw(links()),
            "links": {name: draw(links()) for name in different},
            "transport": draw(st.sampled_from(["datagram", "reliable"])),
            "retransmission_timeout": draw(st.sampled_from([None, 1 / 8])),
            "retries": draw(st.sampled_from([0, 1, 4])),
            "faults": faults,
        }
    )
    ways = [way for u, v in edges for way in ((u, v), (v, u))]
    traffic = [
        (time, *way, size)
        for time, way, size in draw(
            st.lists(st.tuples(TIMES, st.sampled_from(ways), st.sampled_from([0, 8, 64])), max_size=25)
        )
    ]
    return Plan(tuple(edges), network, draw(st.integers(0, 2**32)), tuple(traffic))


def _run(network: Network) -> list[PacketEvent]:
    network.ledger.check()
    while network.clock.step():
        network.ledger.check()
    assert network.trace is not None
    return [event for event in network.trace.events if isinstance(event, PacketEvent)]


@given(plans())
def test_every_message_has_one_fate_and_the_books_balance_at_every_event(plan: Plan) -> None:
    network, _ = plan.network()
    plan.schedule(network)
    events = _run(network)
    assert network.ledger.in_flight == 0
    fates: dict[int, list[str]] = {}
    for event in events:
        if event.event != "undeliverable":
            fates.setdefault(event.serial, []).append(event.event)
    assert all(len(fate) == 2 for fate in fates.values())
    assert all(entered in ("sent", "duplicated") for entered, _ in fates.values())
    assert all(left in ("delivered", "dropped") for _, left in fates.values())
    assert list(fates) == list(range(network.ledger.sent + network.ledger.duplicated))
    assert network.ledger.dropped["link_down"] <= sum(fault.touched for fault in network.faults_report())


@given(plans())
def test_nothing_arrives_before_it_could(plan: Plan) -> None:
    network, _ = plan.network()
    plan.schedule(network)
    sent: dict[int, float] = {}
    for event in _run(network):
        if event.event in ("sent", "duplicated"):
            sent[event.serial] = event.time
        elif event.event == "delivered":
            link = network.settings.by_direction(network.graph)[event.source, event.destination]
            transmission = 0.0 if link.highest_rate is None else event.size / link.highest_rate
            assert event.time >= (sent[event.serial] + minimum_delay(link) + transmission) * (1 - 1e-15)


@given(plans())
def test_nothing_crosses_a_link_that_is_down(plan: Plan) -> None:
    network, _ = plan.network()
    plan.schedule(network)
    sent: dict[int, float] = {}
    for event in _run(network):
        if event.event in ("sent", "duplicated"):
            sent[event.serial] = event.time
            down = any(
                (event.source, event.destination) in fault.directions  # type: ignore[attr-defined]
                and fault.down <= event.time
                and (fault.up is None or event.time < fault.up)
                for fault in plan.settings.faults
            )
            assert network.trace is not None
            if down:
                position = network.trace.events.index(event)
                following = network.trace.events[position + 1]
                assert isinstance(following, PacketEvent)
                assert (following.serial, following.reason) == (event.serial, "link_down")
        elif event.event == "delivered":
            fault: Any
            for fault in plan.settings.faults:
                if (event.source, event.destination) in fault.directions and fault.in_flight == "drop":
                    assert not sent[event.serial] <= fault.down <= event.time


@given(plans())
def test_first_in_first_out_where_promised(plan: Plan) -> None:
    network, _ = plan.network()
    plan.schedule(network)
    last: dict[tuple[int, int], int] = {}
    for event in _run(network):
        if event.event == "delivered":
            way = event.source, event.destination
            if network.settings.by_direction(network.graph)[way].fifo:
                assert last.get(way, -1) < event.serial
                last[way] = event.serial


@given(plans())
def test_the_same_seed_gives_the_same_trace_byte_for_byte(plan: Plan) -> None:
    traces = []
    for _ in range(2):
        network, _ = plan.network()
        plan.schedule(network)
        network.clock.run()
        assert network.trace is not None
        traces.append(network.trace)
    assert first_difference(*traces) is None


@given(plans())
def test_a_link_added_elsewhere_leaves_every_other_draw_unchanged(plan: Plan) -> None:
    traces = []
    for extra in ((), ((98, 99), (0, 99))):
        network, _ = plan.network(extra=extra)
        plan.schedule(network)
        network.clock.run()
        assert network.trace is not None
        traces.append(network.trace)
    assert first_difference(*traces) is None


@given(plans(), TIMES)
def test_a_saved_network_continues_byte_for_byte(plan: Plan, time: float) -> None:
    network, seen = plan.network()
    plan.schedule(network, until=time)
    network.clock.run(until=time)
    network.flush()
    saved = json.loads(json.dumps(network.state_dict()))
    resumed, seen_again = plan.network()
    # A network that has been somewhere else before must forget that.
    if plan.traffic:
        _, source, destination, size = plan.traffic[0]
        resumed.send(source, destination, -1, size, "x")
    resumed.load_state_dict(saved)
    assert json.loads(json.dumps(resumed.state_dict())) == saved
    assert network.trace is not None
    assert resumed.trace is not None
    for each in (network, resumed):
        assert each.trace is not None
        each.trace.events.clear()
    seen.clear()
    seen_again.clear()
    for each in (network, resumed):
        plan.schedule(each, since=time)
        _run(each)
    assert first_difference(network.trace, resumed.trace) is None
    assert seen == seen_again
    assert network.ledger.snapshot() == resumed.ledger.snapshot()
    assert network.faults_report() == resumed.faults_report()
    assert network.state_dict() == resumed.state_dict()


@given(plans(), links(worst_loss=0.4), st.booleans())
@settings(max_examples=60)
def test_reliable_delivers_everything_exactly_once_if_retries_suffice(
    plan: Plan, link: dict[str, Any], quick: bool
) -> None:
    timeout = 1 / 64 if quick else None
    reliable = NetworkSettings.model_validate(
        {
            "link": link | {"limit": None},
            "transport": "reliable",
            "retries": 60,
            "retransmission_timeout": timeout,
        }
    )
    network, seen = Plan(plan.edges, reliable, plan.seed, plan.traffic).network()
    Plan(plan.edges, reliable, plan.seed, plan.traffic).schedule(network)
    _run(network)
    assert sorted(seen) == list(range(len(plan.traffic)))
    assert network.ledger.undeliverable == 0


@given(plans())
def test_handlers_see_no_message_twice_unless_datagrams_are_duplicated(plan: Plan) -> None:
    network, seen = plan.network()
    plan.schedule(network)
    _run(network)
    if plan.settings.transport == "reliable" or network.ledger.duplicated == 0:
        assert len(seen) == len(set(seen))


@given(plans(), TIMES)
def test_flushing_ends_everything(plan: Plan, time: float) -> None:
    network, _ = plan.network()
    plan.schedule(network, until=time)
    network.clock.run(until=time)
    in_flight = network.ledger.in_flight
    late = network.ledger.late
    assert network.flush() == in_flight
    assert network.ledger.late == late + in_flight
    assert (network.ledger.in_flight, network.flush()) == (0, 0)
    network.ledger.check()
    sent = network.ledger.sent
    network.clock.run()
    assert network.ledger.sent == sent
    network.ledger.check()
