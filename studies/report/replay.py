"""A recording as data for the page: positions, events in words, messages and their routes, and outages.

Moments are indices into the list of events: at index k, events up to and including k have happened. So a
replay can also step through events between which no simulated time passes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import topologies
from studies.report.event_text import EventText
from studies.report.numbers import rounded
from studies.report.recording import Recording
from testbed.network.trace.spacetime import Way, spacetime
from testbed.network.trace.trace import OtherEvent, PacketEvent
from topologies import drawing

AGENTS = 200
"""Largest number of agents that is drawn: beyond it, numbers and links would be indistinguishable."""


def replay(recording: Recording) -> dict[str, Any]:
    """Plain data for the page; columns of equal length where there is one entry per event.

    ``times`` (seconds), ``word`` (index into ``words``), ``a``, ``b`` (agents, or None) of every event;
    ``flights`` ``[kind, source, destination, first, last, until, fate, reach]``, where ``until`` is the end
    time if it differs from that of event ``last``; ``outages`` ``[source, destination, kind, first, last]``,
    where ``last`` is the event that ended it, or one past the last event if none did; ``spells``
    ``[agent, kind, first, last]``; ``half`` ``[link, first, last]``, the half-committed spans, likewise;
    ``agents`` and ``network`` as columns: the distances, and the index from which each holds.
    """
    trace, graph = recording.trace, recording.graph
    nodes = sorted(graph)
    places = drawing.layout(graph)
    links = {(min(u, v), max(u, v)): number for number, (u, v) in enumerate(graph.edges)}
    times = [event.time for event in trace.events]
    last = len(times) - 1
    vocabulary = EventText()
    worded = [vocabulary.add(event) for event in trace.events]
    seen = spacetime(trace)
    return {
        "nodes": [rounded(place) for place in places],
        "links": [
            [u, v, [rounded(point) for point in route]]
            for (u, v), route in zip(graph.edges, drawing.routes(graph, places), strict=True)
        ],
        "names": nodes,
        "labels": list(topologies.given_names(recording.graph).values()) or None,
        "times": [round(time, 9) for time in times],
        "words": vocabulary.as_data(),
        "word": [word for word, _, _ in worded],
        "a": [a for _, a, _ in worded],
        "b": [b for _, _, b in worded],
        "flights": _flights(recording),
        "outages": [
            [each.source, each.destination, each.kind, each.first, each.last + each.lasts]
            for each in seen.outages
        ],
        "spells": [[each.agent, each.kind, each.first, each.last + each.lasts] for each in seen.spells],
        "half": _half(recording, links),
        "agents": _columns((max(before - 1, 0), agent, value) for before, agent, value in recording.agents),
        "network": _columns((max(before - 1, 0), value) for before, value in recording.network),
        "complete": recording.complete,
        "last": last,
    }


def differences(recording: Recording, stored: dict[str, Any]) -> list[str]:
    """The numbers in which the second run of a trial differs from the stored one by over one in a million."""
    found = []
    for name, number in recording.numbers.items():
        before = stored.get(name)
        if isinstance(before, float) and not np.isclose(number, before, rtol=1e-6, atol=0.0, equal_nan=True):
            found.append(f"{name} {number:.6g} instead of {before:.6g}")
    return found


def _flights(recording: Recording) -> list[list[Any]]:
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for place, event in enumerate(recording.trace.events):
        if isinstance(event, PacketEvent):
            if event.event in ("sent", "duplicated"):
                first[event.serial] = place
            elif event.event != "undeliverable":
                last[event.serial] = place
    end = len(recording.trace.events) - 1
    rows = []
    for flight in spacetime(recording.trace).flights:
        ends = last.get(flight.serial, end)
        until = None if flight.end == recording.trace.events[ends].time else round(flight.end, 9)
        fate = "damaged" if flight.fate == "delivered" and flight.reason else flight.fate
        reach = float(f"{flight.reach:.3g}")
        rows.append(
            [flight.kind, flight.source, flight.destination, first[flight.serial], ends, until, fate, reach]
        )
    return sorted(rows, key=lambda row: row[3])


def _half(recording: Recording, links: dict[Way, int]) -> list[list[int]]:
    """Half-committed links, until their next exchange if exchanges cover all coordinates."""
    if getattr(recording.trial.settings.consensus, "subset", 1) != 1:
        return []
    open_since: dict[int, int] = {}
    spans = []
    for place, event in enumerate(recording.trace.events):
        if isinstance(event, OtherEvent) and event.event in ("half_committed", "completed"):
            u, v = (int(end) for end in event.fields["link"].split("-"))
            link = links[u, v]
            if event.event == "half_committed":
                open_since.setdefault(link, place)
            elif link in open_since:
                spans.append([link, open_since.pop(link), place])
    end = len(recording.trace.events)
    return spans + [[link, since, end] for link, since in open_since.items()]


def _columns(rows: Iterable[tuple[float, ...]]) -> list[list[float | int | None]]:
    return [rounded(column) for column in zip(*rows, strict=True)]
