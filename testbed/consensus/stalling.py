"""Detection of an agreement that cannot end: many events, none of which spends the budget."""

from testbed.consensus.result import Counts
from testbed.consensus.settings import Budget
from testbed.network import Network

FREE_EVENTS = 200_000
EVENTS_EACH = 10_000
"""Most events of an agreement before any activation, and further ones per activation: hundreds are usual."""

IDLE_ACTIVATIONS = 100_000
"""Most activations in a row that send nothing, where bytes end the agreement."""

LEAST_SHARE = 1e-4
"""Least share of a budget of seconds that this many activations must take."""


class StalledError(RuntimeError):
    """An agreement that would never end, or practically never. The message is one line."""


class Watch:
    """Counts the events of one agreement; call `look` after each of them."""

    def __init__(self, network: Network, budget: Budget, counts: Counts) -> None:
        self.network, self.budget, self.counts = network, budget, counts
        self._began = self._time = network.clock.now
        self._bytes = network.ledger.sent_bytes
        self._events = 0
        self._allowed = FREE_EVENTS
        self._checked = 0

    def look(self) -> None:
        """Raise StalledError if the agreement has stalled."""
        self._events += 1
        if self._events > self._allowed:
            self._allowed = FREE_EVENTS + EVENTS_EACH * self.counts.activations
            if self._events > self._allowed:
                raise StalledError(self._storm())
        if self.counts.activations >= self._checked + IDLE_ACTIVATIONS:
            self._checked = self.counts.activations
            self._check_progress()

    def _check_progress(self) -> None:
        budget, now, sent = self.budget, self.network.clock.now, self.network.ledger.sent_bytes
        passed, self._time = now - self._time, now
        more, self._bytes = sent - self._bytes, sent
        if budget.activations is not None or (budget.bytes is not None and more):
            return
        if budget.seconds is not None and passed >= LEAST_SHARE * budget.seconds:
            return
        raise StalledError(
            f"the budget of consensus is not being spent: {IDLE_ACTIVATIONS:,} activations in a row sent"
            f" {more} bytes in {passed:.3g} s of simulated time; set budget.activations"
        )

    def _storm(self) -> str:
        settings, now = self.network.settings, self.network.clock.now
        paces = [
            (fault.mtbf + fault.mttr, f"network.faults.{number}: mtbf and mttr")
            for number, fault in enumerate(settings.faults)
            if fault.mtbf is not None and fault.mttr is not None
        ]
        if settings.schedule is not None and settings.schedule.pace is not None:
            paces.append((settings.schedule.pace, "network.schedule.period"))
        most = f"; the most frequent changes come from {min(paces)[1]}, {min(paces)[0]:g} s" if paces else ""
        return (
            f"the network has been busy with itself: {self._events:,} events, {self.counts.activations:,}"
            f" activations of agents, in {now - self._began:.3g} s of simulated time{most}"
        )
