"""Estimates of a running study's remaining time, from the trials of each condition that have run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import mean

STARTING = "starting"
"""The report of a trial whose process has started: neither that nor waiting for a processor counts."""

PREPARING = "warmup"
"""The phase of a trial whose speed says nothing of the phase after it."""

LONG = 60.0
"""Seconds of work to which what a process does once, such as the first use of torch, adds little."""


@dataclass(frozen=True)
class Work:
    """A trial to run: its condition, and its number of pieces of equal duration (updates, say)."""

    condition: str
    pieces: int = 1


@dataclass(frozen=True)
class Left:
    """Remaining wall seconds of the conditions measured so far, and the number of the others.

    ``conditions`` is the number of conditions that have trials to run.
    """

    seconds: float
    unmeasured: int
    conditions: int


@dataclass
class _Running:
    """A running trial: its begin, and the time and share of work at its first and at its last report."""

    begun: float
    ready: bool = False
    """Whether ``begun`` is known to be later than the start of its process."""
    resumed: float = 0.0
    first: tuple[float, float] | None = None
    last: tuple[float, float] | None = None

    def rate(self) -> float | None:
        """Seconds for the whole of its work; None before that can be measured."""
        if self.first is None or self.last is None:
            return None
        since, before = self.first
        if self.last[1] <= before and self.ready and since - self.begun >= LONG:
            since, before = self.begun, self.resumed
        return (self.last[0] - since) / (self.last[1] - before) if self.last[1] > before else None


class Pace:
    """Estimates the remaining time of a study from the durations of pieces of its trials.

    A running trial is measured between its first report and its last one, so that neither the start of its
    process nor work done before it was resumed counts.

    Args:
        trials: name of each trial to run -> its work.
        known: condition -> seconds of a piece, from trials that had finished before.
        clock: wall seconds.
    """

    def __init__(
        self,
        trials: Mapping[str, Work],
        known: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trials, self._clock = trials, clock
        self._known = dict(known or {})
        self._waiting = Counter(trials.values())
        self._conditions = len({work.condition for work in trials.values()})
        self._running: dict[str, _Running] = {}
        self._ended: dict[str, list[float]] = {}
        """Condition -> seconds of a piece, of each trial that has ended here."""
        self._at_once = 1

    def started(self, name: str) -> None:
        """Records that a trial has started."""
        self._waiting[self._trials[name]] -= 1
        self._running[name] = _Running(self._clock())
        self._at_once = max(self._at_once, len(self._running))

    def progressed(self, name: str, phase: str, done: int, total: int) -> None:
        """Records the share of a running trial that is done."""
        trial = self._running[name]
        if phase == STARTING:
            trial.begun, trial.ready = self._clock(), True
        if not total or phase == PREPARING:
            return
        now = self._clock(), done / total
        if trial.first is None or now[1] < trial.first[1]:  # less than before: it was begun again elsewhere
            trial.first = now
            trial.resumed = (done - 1) / total if total == self._trials[name].pieces else 0.0
        trial.last = now

    def ended(self, name: str, *, measured: bool = True) -> None:
        """Records that a trial has ended.

        Args:
            name: the trial.
            measured: whether all of its work was done, here.
        """
        trial, work = self._running.pop(name), self._trials[name]
        if measured:
            seconds = (self._clock() - trial.begun) / (1 - trial.resumed) / work.pieces
            self._ended.setdefault(work.condition, []).append(seconds)

    def put_back(self, name: str) -> None:
        """Records that a trial was not run here, and waits again."""
        del self._running[name]
        self._waiting[self._trials[name]] += 1

    def left(self) -> Left | None:
        """The remaining time; None if no condition with work left has been measured."""
        speeds = self._speeds()
        works = [(work, number) for work, number in self._waiting.items() if number]
        wanted = {work.condition for work, _ in works}
        wanted |= {self._trials[name].condition for name in self._running}
        measured = wanted & speeds.keys()
        if not measured:
            return None
        each = {work: work.pieces * speeds[work.condition] for work, _ in works if work.condition in speeds}
        waiting = sum(number * each[work] for work, number in works if work in each)
        running = [seconds for name in self._running if (seconds := self._rest(name, speeds)) is not None]
        longest = max((*each.values(), *running), default=0.0)
        seconds = max((waiting + sum(running)) / self._at_once, longest)
        return Left(seconds, len(wanted - measured), self._conditions)

    def _speeds(self) -> dict[str, float]:
        """Condition -> seconds of a piece."""
        going: dict[str, list[float]] = {}
        for name, trial in self._running.items():
            if (rate := trial.rate()) is not None:
                work = self._trials[name]
                going.setdefault(work.condition, []).append(rate / work.pieces)
        ended = {condition: mean(each) for condition, each in self._ended.items()}
        return {condition: mean(each) for condition, each in going.items()} | self._known | ended

    def _rest(self, name: str, speeds: Mapping[str, float]) -> float | None:
        trial, work, now = self._running[name], self._trials[name], self._clock()
        rate = trial.rate()
        if rate is not None and trial.last is not None:
            return max(0.0, rate * (1 - trial.last[1]) - (now - trial.last[0]))
        if work.condition not in speeds:
            return None
        return max(0.0, speeds[work.condition] * work.pieces * (1 - trial.resumed) - (now - trial.begun))
