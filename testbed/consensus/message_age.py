"""Age of the latest information each agent has used from each neighbour.

The age of a direction i -> j at time t is t - u, where u is the time at which the message that j applied
last was first sent; before the first one it is the time since the agreement began, because j then knows only
the common start of i. Kaul, Yates & Gruteser 2012 ("Real-time status: how often should one update?") call it
the age of information. A message that arrives but is not applied (refused, stale, lost) makes no direction
younger.
"""

from collections.abc import Iterable

Way = tuple[int, int]


class MessageAges:
    """The age of every direction of an agreement, all in simulated seconds."""

    def __init__(self, links: Iterable[Way], now: float) -> None:
        """Both directions of each link (i, j), known since ``now``."""
        self._known: dict[Way, float] = {way: now for i, j in links for way in ((i, j), (j, i))}
        self._began = self._seen = now
        self._sum = now * len(self._known)
        # Integral of the ages' sum over directions, from the beginning until `_seen`.
        self._integral = 0.0

    def applied(self, source: int, destination: int, sent_at: float, now: float) -> None:
        """``destination`` has now made use of a message that ``source`` first sent at ``sent_at``."""
        self._advance(now)
        self._sum += sent_at - self._known[source, destination]
        self._known[source, destination] = sent_at

    def row(self, now: float) -> dict[str, float]:
        """Columns of a curve: the mean and the greatest age over the directions, zero without links."""
        known = self._known.values()
        if not known:
            return {"message_age": 0.0, "message_age_max": 0.0}
        return {"message_age": now - sum(known) / len(known), "message_age_max": now - min(known)}

    def average(self, now: float) -> float:
        """Mean over the directions and over time, from the beginning until ``now``; zero at the beginning."""
        self._advance(now)
        if not self._known or now == self._began:
            return 0.0
        return self._integral / (len(self._known) * (now - self._began))

    def _advance(self, now: float) -> None:
        """Each age grows by one second a second: the integral of a sum of straight lines."""
        middle = (now + self._seen) / 2
        self._integral += (now - self._seen) * (len(self._known) * middle - self._sum)
        self._seen = now
