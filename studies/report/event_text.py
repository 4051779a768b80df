"""Trace events in words, and the categories in which they are counted."""

from __future__ import annotations

from typing import Any

from studies.text import visible
from testbed.network.trace.trace import LinkEvent, OtherEvent, PacketEvent, TraceEvent

PACKETS = {
    "sent": ("sent", "{a} sends {b} {kind}"),
    "duplicated": ("sent", "a copy of {kind} from {a} to {b} is in flight as well"),
    "delivered": ("delivered", "{kind} from {a} reaches {b}"),
    "late": ("late", "{kind} from {a} to {b} is still in flight at the end: never delivered"),
    "undeliverable": ("undeliverable", "{a} gives up sending {b} {kind}: it was never acknowledged"),
}
DAMAGED = ("damaged", "{kind} from {a} reaches {b}, damaged")
DROPS = {
    "loss": "{kind} from {a} to {b} is lost",
    "corrupt": "{kind} from {a} to {b} is damaged and dropped",
    "link_down": "{kind} from {a} to {b} is dropped: the link is down",
    "queue_full": "{kind} from {a} to {b} is dropped: the queue is full",
    "agent_down": "{kind} from {a} to {b} is dropped: an agent is down",
}
KINDS = {
    "request": "a request",
    "response": "a response",
    "busy": "the answer that it is busy",
    "acknowledgement": "an acknowledgement",
    "news": "news",
}
LINKS = {
    "link_down": ("down", "the link from {a} to {b} goes down"),
    "link_up": ("up", "the link from {a} to {b} comes up"),
}
OTHERS = {
    "activated": ("activated", "{a} begins an exchange with {b}"),
    "answered": ("answered", "{a} answers {b}, and has committed"),
    "completed": ("completed", "the exchange that {a} began with {b} is complete"),
    "given_up": ("given_up", "{a} gives up its exchange with {b}"),
    "half_committed": (
        "half_committed",
        "half-committed: {a} has committed its exchange with {b}, who has not",
    ),
    "busy": ("busy", "no exchange of {a} with {b}: one of the two is busy"),
    "stale": ("stale", "{a} ignores a message that is too old"),
    "falsified": ("falsified", "{a} lies to {b}: it sends false numbers"),
    "rejected": ("rejected", "{a} rejects a message from {b}: it is an outlier"),
    "solved": ("solved", "{a} has solved its problem"),
}

EncodedEvent = tuple[int, int | None, int | None]


class EventText:
    """A growing vocabulary: each distinct sentence is kept once, with ``{a}`` and ``{b}`` for agents."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], int] = {}

    def add(self, event: TraceEvent) -> EncodedEvent:
        """The index of an event's sentence, and the agents involved."""
        if isinstance(event, PacketEvent):
            kind = KINDS.get(event.kind, f"a message ({event.kind})")
            if event.event == "dropped":
                sort, text = "lost", DROPS[str(event.reason)]
            else:
                sort, text = DAMAGED if event.reason and event.event == "delivered" else PACKETS[event.event]
            return self._place(sort, text.replace("{kind}", kind)), event.source, event.destination
        if isinstance(event, LinkEvent):
            return self._place(*LINKS[event.event]), event.source, event.destination
        return self._other(event)

    def _other(self, event: OtherEvent) -> EncodedEvent:
        fields = event.fields
        if event.event in ("fault_begun", "fault_lifted"):
            verb = "begins" if event.event == "fault_begun" else "is over"
            return (
                self._place("fault", f"fault {visible(str(fields['fault']))}: {verb}"),
                fields.get("agent"),
                None,
            )
        agent = fields.get("agent")
        other = None
        if agent is not None and "link" in fields:
            u, v = (int(end) for end in fields["link"].split("-"))
            other = u + v - agent
        return self._place(*OTHERS.get(event.event, (event.event, event.event))), agent, other

    def _place(self, sort: str, text: str) -> int:
        return self._places.setdefault((sort, text), len(self._places))

    def as_data(self) -> list[list[Any]]:
        """``[category, sentence]`` by index."""
        return [[sort, text[0].upper() + text[1:]] for sort, text in self._places]
