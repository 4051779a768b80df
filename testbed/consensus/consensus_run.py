"""One agreement under its budget: the loop over simulated events, and the curve recorded from it.

The algorithm defines the messages between agents; stopping and measuring are the same for all algorithms.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from testbed.consensus.coding import LIES, Coding
from testbed.consensus.falsification import Falsification
from testbed.consensus.measures import disagreement, magnitude
from testbed.consensus.message_age import MessageAges
from testbed.consensus.payloads import Codecs, Payload
from testbed.consensus.problems.base import Signal
from testbed.consensus.result import ConsensusResult, Counts, CurveRow
from testbed.consensus.settings import ConsensusSettings
from testbed.consensus.stalling import Watch
from testbed.network import Message, Network
from testbed.network.link_names import Link
from testbed.network.traffic import Utilisation

AXES = ("activations", "exchanges", "seconds", "bytes")
"""Columns of a curve that measure effort; the others measure the result."""

Progress = Callable[[CurveRow], None]
Measure = Callable[[Sequence[Signal]], dict[str, float]]
Observer = Callable[["ConsensusRun"], None]


class ConsensusRun(ABC):
    """The state of one agreement, from its first event to its budget's end."""

    def __init__(
        self,
        network: Network,
        links: Sequence[Link],
        settings: ConsensusSettings,
        codecs: Codecs,
        measure: Measure | None = None,
        progress: Progress | None = None,
    ) -> None:
        """``measure(signals)`` adds columns to the curve; ``progress(row)`` receives every row."""
        self.network, self.links, self.settings = network, list(links), settings
        self.clock = network.clock
        self.codecs = codecs
        """The encoding of numbers in messages."""
        self._falsification = Falsification(network, codecs)
        self.measure, self.progress = measure, progress
        self.counts = Counts()
        self.coding = Coding(codecs, settings.memory_of_codec, network, self.counts)
        self.order: list[Link] = []
        self.curve: list[CurveRow] = []
        self.finished = False
        self.stalled = False
        """Whether it ends because no possible further event would spend any of its budget."""
        self._resolved = 0
        self._began = self.clock.now
        self._ages = MessageAges(self.links, self._began)
        self._utilisation = Utilisation(network.traffic, self._began)
        self._bytes_before = network.ledger.sent_bytes
        self.observer: Observer | None = None
        """Called before the first event and after each one; it must change nothing."""

    @abstractmethod
    def start(self) -> None:
        """Schedule the first events; called once, when there is at least one link."""

    @abstractmethod
    def signals(self) -> list[Signal]:
        """The present signal of every agent."""

    @abstractmethod
    def residual(self) -> float:
        """Root mean square violation of the constraint: signals against link variables (nan without)."""

    @abstractmethod
    def beginners(self) -> Iterable[int]:
        """The agents that can begin an activation while they are up."""

    @abstractmethod
    def under_way_now(self) -> bool:
        """Whether an agent is in the middle of an activation."""

    @abstractmethod
    def cut_off(self) -> None:
        """Count the activations that the end leaves unfinished, and cancel their timers."""

    @abstractmethod
    def release(self) -> None:
        """Release all problems: cancelled events may keep a reference to the agreement for a while."""

    @abstractmethod
    def crashed(self, node: int) -> None:
        """Handle the crash of an agent, which may be in the middle of an activation."""

    @abstractmethod
    def forgotten(self, node: int) -> None:
        """Handle the restart of an agent that has lost its state."""

    def run(self) -> ConsensusResult:
        """Let simulated time pass until the budget is spent."""
        self._row()
        checks = self.clock.timeline.checks
        look = None if self.observer is None else partial(self.observer, self)
        if look is not None:
            look()
            checks.append(look)
        budget, deadline = self.settings.budget, None
        deaf = self.network.on_crash(self.crashed), self.network.on_restart(self._restarted)
        if self.links:
            if budget.seconds is not None:
                deadline = self.clock.schedule(budget.seconds, self.finish)
            self.start()
        watch, down = Watch(self.network, budget, self.counts), 0
        while self.links and not self.finished:
            if not self.clock.step():
                raise AssertionError("the simulation ran out of events before the budget was spent")
            watch.look()
            if self.counts.down > down:
                down = self.counts.down
                self._end_if_stalled()
        if look is not None:
            checks.remove(look)
        if deadline is not None:
            deadline.cancel()
        self.cut_off()
        for end in deaf:
            end()
        late = self.network.flush()
        seen, seconds = self.curve[-1], self.clock.now - self._began
        if (seen["activations"], seen["seconds"]) != (self.counts.activations, seconds):
            self._row()
        last = self.curve[-1]
        result = ConsensusResult(
            signals=self.signals(),
            counts=self.counts,
            curve=self.curve,
            order=self.order,
            seconds=seconds,
            bytes=self._bytes(),
            late=late,
            stalled=self.stalled,
            measured={name: value for name, value in last.items() if name not in AXES}
            | {"message_age_average": self._ages.average(self.clock.now)},
        )
        self.release()
        return result

    def finish(self) -> None:
        """End the agreement with the present event."""
        self.finished = True

    def _end_if_stalled(self) -> None:
        """Finish if only bytes could end it, and no agent will ever send any more."""
        budget, network = self.settings.budget, self.network
        if self.finished or budget.activations is not None or budget.seconds is not None:
            return
        if any(network.agent_is_up(agent) for agent in self.beginners()) or self.under_way_now():
            return
        if network.is_quiet() and not network.awaits_restart():
            self.stalled = True
            self.finish()

    def spent(self) -> bool:
        """Whether no further exchange may start."""
        budget = self.settings.budget
        return (budget.activations is not None and self.counts.activations >= budget.activations) or (
            budget.bytes is not None and self._bytes() >= budget.bytes
        )

    def resolved(self) -> None:
        """Measure at the end of an activation or a round, and finish if a goal is reached."""
        self._resolved += 1
        budget = self.settings.budget
        reached = budget.exchanges is not None and self.counts.completed >= budget.exchanges
        if self._resolved % self.settings.curve_every == 0 or reached:
            row = self._row()
            # Before any exchange all signals are equal by convention, not by agreement.
            if budget.tolerance is not None and self.counts.completed > 0:
                reached = reached or row["relative_disagreement"] <= budget.tolerance
        if reached:
            self.finish()

    def compute(self, node: int) -> float:
        """Seconds that an agent's solve takes if it begins now."""
        return self.settings.compute * self.network.compute_factor(node)

    def _restarted(self, node: int, state: str) -> None:
        if state == "lost":
            self.coding.forgotten(node)
            self.forgotten(node)

    def applied(self, message: Message) -> None:
        """Note that the receiver has used a message: its information about the sender is now younger."""
        self._ages.applied(message.source, message.destination, message.sent_at, self.clock.now)

    def rejected(self, message: Message) -> None:
        """Count a message that its receiver has rejected as an outlier."""
        source, destination = message.source, message.destination
        self.counts.rejected += 1
        self.note("rejected", (min(source, destination), max(source, destination)), destination)

    def told(
        self, payload: Payload, source: int, destination: int, kind: str, dimension: int, sign: float = 1.0
    ) -> Payload:
        """The payload as its sender sends it: false numbers in place of the true ones if it lies now.

        Every payload of a signal passes through here on its way to `Network.send`; ``dimension`` is the
        length of the whole signal, ``sign`` that of the sender's signal in the numbers. Raises ValueError if
        the sender lies and messages are differences.
        """
        told = self._falsification.told(payload, source, destination, kind, dimension=dimension, sign=sign)
        if told is not payload:
            if payload.stamp is not None:
                raise ValueError(f"agent {source}: {LIES}")
            self.counts.falsified += 1
            self.note("falsified", (min(source, destination), max(source, destination)), source)
        return told

    def note(self, event: str, link: Link, agent: int) -> None:
        """Record an event of the algorithm in the trace, if there is one."""
        if self.network.trace is not None:
            self.network.trace.record(self.clock.now, event, link=f"{link[0]}-{link[1]}", agent=agent)

    def _bytes(self) -> int:
        return self.network.ledger.sent_bytes - self._bytes_before

    def _row(self) -> CurveRow:
        signals = self.signals()
        apart, size = disagreement(signals, self.links), magnitude(signals)
        row: CurveRow = {
            "activations": float(self.counts.activations),
            "exchanges": float(self.counts.completed),
            "seconds": self.clock.now - self._began,
            "bytes": float(self._bytes()),
            "disagreement": apart,
            "relative_disagreement": apart / size if size > 0 else 0.0,
            "primal_residual": self.residual(),
            **self._ages.row(self.clock.now),
            **self._utilisation.row(self.clock.now),
        }
        if self.measure is not None:
            row |= self.measure(signals)
        self.curve.append(row)
        if self.progress is not None:
            self.progress(row)
        return row
