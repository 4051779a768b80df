"""Detection, before anything runs, of planned faults that can never begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import networkx as nx

from testbed.network.faults.moments import AfterMessages, AtUpdate
from testbed.network.faults.settings import ScheduledFault
from testbed.workloads.settings import LearningWorkload, ProblemWorkload, TrainingWorkload, UpdateWorkload

Trial = ProblemWorkload | UpdateWorkload | TrainingWorkload


@dataclass(frozen=True)
class Never:
    """A fault that never begins, or whose end is before its beginning.

    Attributes:
        fault: its number among the network's faults.
        keys: path of the moment that never comes, from the fault inward.
        value: that moment as written in the study.
        reason: the reason why it never comes.
        allowed: the alternatives, where there are some.
    """

    fault: int
    keys: tuple[str, ...]
    value: object
    reason: str
    allowed: tuple[str, ...] = ()


def never(trial: Trial, graph: Callable[[], nx.Graph[int]]) -> Iterator[Never]:
    """The faults of a trial that can never begin.

    Only certain cases count: a fault at a time that the agreements may or may not reach is accepted.

    Args:
        trial: its settings.
        graph: makes the graph of its agents; called only if it matters.
    """
    limits = _Limits(trial, graph)
    for number, fault in enumerate(trial.network.faults):
        found = limits.beginning(fault) or limits.end(fault)
        if found is not None:
            keys, value, reason, allowed = found
            yield Never(number, keys, value, reason, allowed)


_Found = tuple[tuple[str, ...], object, str, tuple[str, ...]]


class _Limits:
    """Upper bounds on the updates, seconds and messages of a trial."""

    def __init__(self, trial: Trial, graph: Callable[[], nx.Graph[int]]) -> None:
        self._trial, self._graph = trial, graph
        self._updates = trial.training.updates if isinstance(trial, TrainingWorkload) else 1
        self._silent = isinstance(trial, LearningWorkload) and not trial.algorithm.over_links
        averages = isinstance(trial, LearningWorkload) and trial.algorithm.communication == "average"
        self._agreements = None if averages else self._updates
        """Most agreements; None: one per minibatch or step of the environment, which are not counted here."""

    def beginning(self, fault: ScheduledFault) -> _Found | None:
        down = fault.down
        if isinstance(down, AtUpdate) and down.update > self._updates:
            return ("down", "update"), down.update, self._too_few_updates(), ()
        if isinstance(down, AfterMessages):
            return self._messages("down", down)
        if isinstance(down, float) and (self._ends_before(down)):
            return ("down",), down, self._too_short(), ()
        return None

    def end(self, fault: ScheduledFault) -> _Found | None:
        down, up = fault.down, fault.up
        if isinstance(up, AfterMessages) and not self._silent:
            return self._messages("up", up, counting=False)
        if isinstance(up, AtUpdate) and up.update > 1 and not isinstance(self._trial, TrainingWorkload):
            return ("up", "update"), up.update, f"{self._too_few_updates()}; without up the fault lasts", ()
        before = "the fault would be lifted before it begins"
        if isinstance(up, float) and up == 0:
            return ("up",), up, before, ()
        if isinstance(up, AtUpdate) and up.update == 1 and not isinstance(down, AtUpdate):
            return ("up", "update"), up.update, f"update 1 begins at 0 s: {before}", ()
        return None

    def _ends_before(self, down: float) -> bool:
        if self._silent:
            return down > 0
        seconds = self._trial.consensus.budget.seconds
        return seconds is not None and self._agreements is not None and down >= seconds * self._agreements

    def _too_short(self) -> str:
        if self._silent:
            return f"never comes: {self._algorithm()} sends no messages, so no simulated time passes"
        seconds = self._trial.consensus.budget.seconds or 0.0
        times = "" if self._agreements == 1 else f" x {self._agreements} updates"
        return f"never comes: the budget ends the trial earlier, at {seconds:g} s{times}"

    def _too_few_updates(self) -> str:
        if isinstance(self._trial, TrainingWorkload):
            return f"never comes: training.updates is {self._updates}"
        return f"never comes: workload {self._trial.workload} has update 1 only"

    def _messages(self, name: str, moment: AfterMessages, *, counting: bool = True) -> _Found | None:
        if self._silent:
            return (name, "kind"), moment.kind, f"never comes: {self._algorithm()} sends no messages", ()
        kinds = self._trial.consensus.kind.message_kinds
        reliable = self._trial.network.transport == "reliable"
        if reliable:
            kinds = (*kinds, "acknowledgement")
        if moment.kind not in kinds:
            with_ack = " over transport reliable" if reliable else ""
            reason = f"consensus.algorithm {self._trial.consensus.algorithm}{with_ack} has no such messages"
            return (name, "kind"), moment.kind, reason, kinds
        most = self._most_messages() if counting and not reliable else None
        if most is not None and moment.count > most:
            budget = f"consensus.budget.activations {self._trial.consensus.budget.activations}"
            times = "" if self._agreements == 1 else f" in each of {self._agreements} updates"
            return (
                (name, "count"),
                moment.count,
                f"never comes: {budget}{times} allows at most {most} messages of kind {moment.kind}",
                (),
            )
        return None

    def _most_messages(self) -> int | None:
        """Messages of one kind, where none is retransmitted or duplicated."""
        activations = self._trial.consensus.budget.activations
        if activations is None or self._agreements is None:
            return None
        graph = self._graph()
        links = self._trial.network.by_direction(graph)
        if any(link.duplication.random > 0 for link in links.values()):
            return None
        to_all = self._trial.consensus.activation in ("synchronous", "asynchronous")
        each = max((degree for _, degree in graph.degree), default=0) if to_all else 1
        return activations * self._agreements * each

    def _algorithm(self) -> str:
        return self._trial.algorithm.name if isinstance(self._trial, LearningWorkload) else "a problem"
