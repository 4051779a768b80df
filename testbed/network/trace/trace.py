"""The record of everything that happened, replayable and comparable byte for byte."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from testbed.network.message import Message

PacketFate = Literal["sent", "duplicated", "delivered", "dropped", "late", "undeliverable"]
LinkChange = Literal["link_down", "link_up"]
_RESERVED = frozenset({*get_args(PacketFate), *get_args(LinkChange)})


class PacketEvent(NamedTuple):
    """Something happened to one packet. (A tuple, because a trace holds millions.)"""

    time: float
    event: PacketFate
    serial: int
    kind: str
    source: int
    destination: int
    size: int
    reason: str | None = None
    update: int | None = None

    def row(self) -> dict[str, Any]:
        """The event as a flat record."""
        row: dict[str, Any] = {
            **_beginning(self),
            "serial": self.serial,
            "kind": self.kind,
            "source": self.source,
            "destination": self.destination,
            "size": self.size,
        }
        if self.reason is not None:
            row["reason"] = self.reason
        return row


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One direction of a link went down or came up."""

    time: float
    event: LinkChange
    source: int
    destination: int
    update: int | None = None

    def row(self) -> dict[str, Any]:
        """The event as a flat record."""
        return {**_beginning(self), "source": self.source, "destination": self.destination}


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event recorded by a user of the network."""

    time: float
    event: str
    fields: dict[str, Any] = field(default_factory=dict)
    update: int | None = None

    def row(self) -> dict[str, Any]:
        """The event as a flat record."""
        return {**_beginning(self), **self.fields}


TraceEvent = PacketEvent | LinkEvent | OtherEvent


def _beginning(event: TraceEvent) -> dict[str, Any]:
    """The fields that every record has: `time`, `update` if the event belongs to one, and `event`."""
    own = {} if event.update is None else {"update": event.update}
    return {"time": event.time, **own, "event": event.event}


@dataclass(frozen=True, slots=True)
class Restored:
    """A saved state was restored, with these faults active. It is not an event, because nothing happened."""

    place: int
    """Events recorded before."""
    time: float
    down: tuple[tuple[int, int], ...]
    """Directions that were down, as (source, destination)."""
    faults: tuple[dict[str, Any], ...]
    """Faults that lasted, with the fields of their `fault_begun`."""


class Trace:
    """Events in the order in which they happened.

    `update` is the policy update, counted from 1, to which the events from now on belong; None outside of
    learning. `Network.announce_update` sets it.
    """

    def __init__(self) -> None:
        self.update: int | None = None
        self.events: list[TraceEvent] = []
        self.restorations: list[Restored] = []
        """Places at which a network continued from a saved state; not among `lines`."""

    def packet(self, time: float, event: PacketFate, message: Message, reason: str | None = None) -> None:
        """Record what happened to a packet."""
        self.events.append(
            PacketEvent(
                time,
                event,
                message.serial,
                message.kind,
                message.source,
                message.destination,
                message.size,
                reason,
                self.update,
            )
        )

    def link(self, time: float, event: LinkChange, source: int, destination: int) -> None:
        """Record that one direction of a link changed."""
        self.events.append(LinkEvent(time, event, source, destination, self.update))

    def record(self, time: float, event: str, **fields: Any) -> None:
        """Record an event of another kind; `fields` must be JSON-able, numpy numbers included.

        Raises ValueError if the network itself records events of this name, or if a field is named `update`,
        which every event has.
        """
        if event in _RESERVED:
            raise ValueError(f"event {event!r} is recorded by the network itself: choose another name")
        if "update" in fields:
            raise ValueError(
                f"field 'update' of event {event!r}: the trace records the policy update itself:"
                " choose another name"
            )
        self.events.append(OtherEvent(time, event, fields, self.update))

    def announce_update(self, number: int) -> None:
        """The events from now on belong to this policy update, counted from 1."""
        self.update = number

    def restored(
        self, time: float, down: Sequence[tuple[int, int]], faults: Sequence[dict[str, Any]]
    ) -> None:
        """Note the faults active in a state that has been restored; no packet is in flight."""
        self.restorations.append(Restored(len(self.events), time, tuple(down), tuple(faults)))

    def lines(self) -> Iterator[str]:
        """One JSON object per event, without line ends. The same run gives the same bytes."""
        for event in self.events:
            yield json.dumps(event.row(), separators=(",", ":"), allow_nan=False, default=_plain)

    def write(self, path: Path | str) -> None:
        """Write `lines` to a file (JSON lines, UTF-8)."""
        with Path(path).open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(line + "\n" for line in self.lines())


def _plain(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(
        f"a trace cannot hold {value!r} of type {type(value).__name__}: give numbers, text or lists"
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where two traces differ; a line is None where its trace has already ended."""

    index: int
    first: str | None
    second: str | None

    def __str__(self) -> str:
        return f"event {self.index} differs:\n  {self.first or '(ended)'}\n  {self.second or '(ended)'}"


def first_difference(first: Trace | Iterable[str], second: Trace | Iterable[str]) -> Difference | None:
    """Compare two traces, or their lines; None if they are the same byte for byte."""
    pairs = zip_longest(*(trace.lines() if isinstance(trace, Trace) else trace for trace in (first, second)))
    for index, (one, other) in enumerate(pairs):
        if one != other:
            return Difference(index, one, other)
    return None
