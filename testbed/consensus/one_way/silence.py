"""The last values that agents have of each other while an event trigger holds messages back."""

from collections import Counter

from testbed.consensus.event_trigger import EventTrigger
from testbed.consensus.payloads import Payload, as_numpy
from testbed.consensus.problems.base import Signal

Way = tuple[int, int]


class Silence:
    """The last values sent and received in each direction of one agreement."""

    def __init__(self, trigger: EventTrigger) -> None:
        self._trigger = trigger
        self._solves: Counter[int] = Counter()
        self._given: dict[Way, Signal] = {}
        self._held_back: Counter[Way] = Counter()
        self._received: dict[Way, tuple[Payload, float]] = {}
        self._since: set[Way] = set()

    def solved(self, node: int) -> None:
        """An agent has solved once more."""
        self._solves[node] += 1

    def holds_back(self, source: int, destination: int, offer: Signal) -> bool:
        """Whether the signal [m] for a neighbour has moved too little to be sent."""
        way = (source, destination)
        given = self._given.get(way)
        if given is None or self._held_back[way] == self._trigger.longest_silence:
            return False
        change = as_numpy(offer - given)
        # Not below the threshold: numbers that are not finite are sent.
        if not float((change * change).sum() ** 0.5) < self._trigger.at(self._solves[source] - 1):
            return False
        self._held_back[way] += 1
        return True

    def sent(self, source: int, destination: int, payload: Payload) -> None:
        """A message goes out."""
        self._given[source, destination] = payload.values
        self._held_back[source, destination] = 0

    def received(self, source: int, destination: int, payload: Payload, extra: float) -> None:
        """A message has arrived."""
        self._received[source, destination] = (payload, extra)
        self._since.add((source, destination))

    def unheard(self, node: int, neighbours: list[int]) -> list[tuple[int, Payload, float]]:
        """The last messages of those neighbours that were silent since this was last asked for the agent."""
        silent = [
            (j, *self._received[j, node])
            for j in neighbours
            if (j, node) in self._received and (j, node) not in self._since
        ]
        self._since -= {(j, node) for j in neighbours}
        return silent

    def forgotten(self, node: int) -> None:
        """An agent has lost its state."""
        del self._solves[node]
        for way in [way for way in self._given if way[0] == node]:
            del self._given[way], self._held_back[way]
        for way in [way for way in self._received if way[1] == node]:
            del self._received[way]
            self._since.discard(way)
