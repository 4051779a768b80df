"""Space-time diagrams: what is put together from a trace, and that it is drawn."""

from pathlib import Path

import networkx as nx
import pytest

from testbed.network import Message, Network, NetworkSettings, Streams, Trace
from testbed.network.trace.spacetime import Flight, Mark, Outage, Spell, spacetime
from testbed.network.trace.spacetime_drawing import draw


def _trace() -> Trace:
    """A request arrives, its response is lost, then the link fails with two packets under way."""
    trace = Trace()

    def message(serial: int, source: int, kind: str = "request") -> Message:
        return Message(source, 1 - source, kind, None, 10, 0.0, serial)

    trace.packet(0.0, "sent", message(0, 0))
    trace.packet(2.0, "delivered", message(0, 0))
    trace.packet(2.0, "sent", message(1, 1, "response"))
    trace.packet(2.0, "dropped", message(1, 1, "response"), "loss")
    trace.record(3.0, "half_committed", link="0-1", agent=1)
    trace.record(3.0, "something", agent=7)
    trace.packet(3.0, "sent", message(2, 0))
    trace.packet(3.0, "sent", message(3, 1))
    trace.link(4.0, "link_down", 0, 1)
    trace.packet(4.0, "dropped", message(2, 0), "link_down")
    trace.packet(4.5, "sent", message(4, 0))
    trace.packet(4.5, "dropped", message(4, 0), "link_down")
    trace.link(5.0, "link_up", 0, 1)
    trace.link(5.5, "link_down", 1, 0)
    trace.packet(6.0, "late", message(3, 1))
    trace.packet(7.0, "sent", message(5, 0))
    trace.record(8.0, "completed", agent=0)
    return trace


def test_events_become_flights_outages_and_marks() -> None:
    seen = spacetime(_trace())
    assert (seen.begin, seen.end, seen.agents) == (0.0, 8.0, (0, 1))
    assert seen.flights == (
        Flight(0, "request", 0, 1, 0.0, 2.0, "delivered"),
        Flight(1, "response", 1, 0, 2.0, 2.0, "dropped", "loss", 0.5),  # nothing ever arrived that way
        Flight(2, "request", 0, 1, 3.0, 4.0, "dropped", "link_down", 0.5),  # one of the usual two seconds
        Flight(4, "request", 0, 1, 4.5, 4.5, "dropped", "link_down", 0.0),
        Flight(3, "request", 1, 0, 3.0, 6.0, "late", None, 0.5),
        Flight(5, "request", 0, 1, 7.0, 8.0, "in flight", None, 0.5),
    )
    assert seen.outages == (Outage(0, 1, 4.0, 5.0), Outage(1, 0, 5.5, 8.0))
    assert seen.marks == (Mark(3.0, "half_committed", 1), Mark(8.0, "completed", 0))


def test_only_what_no_event_has_ended_lasts_beyond_the_last() -> None:
    trace = Trace()
    for source, destination in ((0, 1), (1, 0)):
        trace.link(1.0, "link_down", source, destination)
    trace.link(2.0, "link_up", 0, 1)
    outages = spacetime(trace).outages
    assert [(each.source, each.last, each.lasts) for each in outages] == [(0, 2, False), (1, 2, True)]


def test_a_packet_lost_on_the_wire_goes_half_of_its_way_at_the_usual_speed() -> None:
    trace = Trace()
    for serial, begin in ((0, 0.0), (1, 5.0)):
        trace.packet(begin, "sent", Message(0, 1, "x", None, 1, begin, serial))
    trace.packet(5.0, "dropped", Message(0, 1, "x", None, 1, 5.0, 1), "loss")
    trace.packet(6.0, "delivered", Message(0, 1, "x", None, 1, 0.0, 0))
    lost = spacetime(trace).flights[0]
    assert (lost.end, lost.reach) == (8.0, 0.5)


def test_a_duplicate_is_a_flight_of_its_own() -> None:
    trace = Trace()
    message, copy = (Message(0, 1, "x", None, 1, 0.0, serial) for serial in (0, 1))
    trace.packet(0.0, "sent", message)
    trace.packet(0.0, "duplicated", copy)
    trace.packet(1.0, "delivered", message)
    trace.packet(3.0, "delivered", copy)
    assert [(flight.begin, flight.end) for flight in spacetime(trace).flights] == [(0.0, 1.0), (0.0, 3.0)]


def test_crashed_and_slow_agents_and_held_links_are_seen(tmp_path: Path) -> None:
    trace = Trace()
    network = Network(nx.path_graph(3), NetworkSettings(), Streams(0), trace=trace)
    network.slow_down(2, 2.0).begin()
    for fault, at in ((network.crash(0), 1.0), (network.slow_down(1, 3.0), 2.0), (network.hold(1, 2), 3.0)):
        network.clock.schedule(at, fault.begin)
        network.clock.schedule(at + 2.0, fault.lift)
    network.clock.run()
    seen = spacetime(trace)
    assert seen.agents == (0, 1, 2)
    assert seen.spells == (
        Spell(0, "crashed", 1.0, 3.0),
        Spell(1, "slow", 2.0, 4.0),
        Spell(2, "slow", 0.0, 5.0),
    )
    assert seen.outages == (Outage(1, 2, 3.0, 5.0, "held"), Outage(2, 1, 3.0, 5.0, "held"))
    assert seen.window(3.5, 4.5).spells == (Spell(1, "slow", 2.0, 4.0), Spell(2, "slow", 0.0, 5.0))
    draw(seen, [tmp_path / "faults.svg"])
    svg = (tmp_path / "faults.svg").read_text()
    for text in ("agent crashed", "agent slow", "direction held"):
        assert text in svg


def test_a_window_keeps_what_falls_into_it() -> None:
    seen = spacetime(_trace()).window(3.5, 5.2)
    assert [flight.serial for flight in seen.flights] == [2, 4, 3]
    assert seen.outages == (Outage(0, 1, 4.0, 5.0),)
    assert seen.marks == ()
    with pytest.raises(ValueError, match=r"a window from 2 s to 2 s is empty"):
        seen.window(2.0, 2.0)


def test_the_beginning_is_as_long_as_an_eye_can_follow() -> None:
    whole = spacetime(_trace())
    assert whole.first(6) is whole
    assert (whole.first(2).begin, whole.first(2).end) == (0.0, 3.0)


@pytest.mark.parametrize("agents", ["horizontal", "vertical"])
def test_a_diagram_is_drawn_and_the_same_trace_gives_the_same_svg(agents: str, tmp_path: Path) -> None:
    seen = spacetime(_trace())
    for name in ("one", "two"):
        paths = [tmp_path / f"{name}.png", tmp_path / f"{name}.svg"]
        assert draw(seen, paths, title="Lost & found 東", agents=agents) == paths  # type: ignore[arg-type]
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    svg = (tmp_path / "one.svg").read_text()
    assert svg == (tmp_path / "two.svg").read_text()
    for text in ("agent 0", "agent 1", "request", "lost", "half-committed", "direction down", "late", "Lost"):
        assert text in svg
    assert len(list(tmp_path.iterdir())) == 4


def test_an_empty_trace_and_a_strange_ending_are_no_surprise(tmp_path: Path) -> None:
    draw(spacetime(Trace()), [tmp_path / "empty.png"])
    with pytest.raises(ValueError, match=r"a\.pdf: a diagram ends in \.png or \.svg"):
        draw(spacetime(Trace()), [tmp_path / "a.pdf"])
