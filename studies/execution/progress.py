"""The live display of a running study: a bar for the whole, a line per trial under way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from studies.columns import watched
from studies.formatting import duration, last_line
from studies.spec.study import TrialSpec
from studies.text import visible

SIGN_OF_LIFE = 30.0
"""Where there is no terminal: wall seconds after which a trial that reports progress gets a line again ..."""

STEP = 5.0
"""... and after which it gets one already if it has come through another tenth of its work."""

ENOUGH_DONE = 0.05
"""Share of a study's work after which it is told how long the rest will take, unless a trial has ended."""


class Pace:
    """How long the rest of a study will take if it goes on as fast as it went since this began.

    Args:
        trials: to be run.
    """

    def __init__(self, trials: int) -> None:
        self._trials = trials
        self._begun = time.monotonic()
        self._shares: dict[str, tuple[float, float]] = {}
        """Of a trial the share of its work that was done when it was first heard of, and that is done now."""
        self._any_ended = False

    def progressed(self, name: str, done: int, total: int) -> None:
        """So much of a trial is done."""
        if total:
            first, _ = self._shares.get(name, ((done - 1) / total, 0.0))
            self._shares[name] = first, done / total

    def ended(self, name: str) -> None:
        """All of a trial is done, or will not be."""
        self._shares[name] = self._shares.get(name, (0.0, 0.0))[0], 1.0
        self._any_ended = True

    def left(self) -> float | None:
        """Wall seconds; None before a trial has ended or ``ENOUGH_DONE`` of all work is done.

        Until then most of the time went into starting.
        """
        done = sum(now - first for first, now in self._shares.values())
        if not self._any_ended and done < ENOUGH_DONE * self._trials:
            return None
        missing = self._trials - sum(now for _, now in self._shares.values())
        return (time.monotonic() - self._begun) * missing / done if done > 0 else None


class Display:
    """Shows a study's progress: bars on a terminal; elsewhere, such as in a log file, a line now and then.

    Args:
        console: where to.
        total: trials of the study.
        kept: of these, how many were finished before.
    """

    def __init__(self, console: Console, total: int, kept: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[latest]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._pace = Pace(total - kept)
        self._whole = self._progress.add_task("trials", total=total, completed=kept, latest="")
        self._rows: dict[str, TaskID] = {}
        self._begun: dict[str, float] = {}
        self._said: dict[str, tuple[float, int]] = {}
        """Where there is no terminal: when a trial last got a line, and which tenth of its work it was in."""

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def started(self, trial: TrialSpec) -> None:
        """A row for it."""
        self._begun[trial.hash] = time.monotonic()
        self._said[trial.hash] = time.monotonic(), 0
        self._rows[trial.hash] = self._progress.add_task(
            f"  {escape(trial.title)}", total=None, latest="starting"
        )

    def progressed(
        self, trial: TrialSpec, phase: str, done: int, total: int, latest: dict[str, float]
    ) -> None:
        """Its bar and its latest numbers."""
        self._pace.progressed(trial.hash, done, total)
        self._progress.update(self._whole, latest=self._left())
        text = f"{phase}  {watched(latest)}"
        self._progress.update(self._rows[trial.hash], completed=done, total=total, latest=text)
        if not self._progress.console.is_terminal:
            reached = f"{done}/{total}" if total else f"{done}"
            self._sign_of_life(trial, f"{phase} {reached}  {watched(latest)}".rstrip(), done, total)

    def _sign_of_life(self, trial: TrialSpec, line: str, done: int, total: int) -> None:
        before, tenth = self._said[trial.hash]
        now, reached = time.monotonic(), 10 * done // total if total else 0
        if now - before >= SIGN_OF_LIFE or (reached != tenth and now - before >= STEP):
            self._said[trial.hash] = now, reached
            self._print(trial, f"running   {escape(trial.title)}  {escape(line)}")

    def retried(self, trial: TrialSpec, reason: str) -> None:
        """Its row waits, after a line that tells why."""
        self._progress.update(self._rows[trial.hash], latest="waiting for another node")
        self._print(trial, f"[yellow]retried[/]   {escape(trial.title)}  {escape(visible(reason))}")

    def held(self, reason: str) -> None:
        """A line that concerns no trial alone."""
        self._progress.console.print(visible(reason), highlight=False, soft_wrap=True, markup=False)

    def finished(self, trial: TrialSpec, metrics: Mapping[str, Any]) -> None:
        """Its row becomes a line that stays, with the final numbers as they are stored.

        Not with the latest that were reported: reports are some time apart, and a final number may be
        another than that of the last update.
        """
        self._end(trial, f"[green]finished[/]  {escape(trial.title)}  {watched(metrics)}")

    def left(self, trial: TrialSpec, why: str) -> None:
        """Nothing was done about it: its row goes, until it is started again."""
        self._progress.remove_task(self._rows.pop(trial.hash))
        self._print(trial, f"left      {escape(trial.title)}  {why}")

    def failed(self, trial: TrialSpec, trace: str) -> None:
        """Its row becomes a line that stays, with the last line of the traceback."""
        said = visible(last_line(trace))
        self._end(trial, f"[red]failed[/]    {escape(trial.title)}  {escape(said)}")

    def _end(self, trial: TrialSpec, line: str) -> None:
        self._progress.remove_task(self._rows.pop(trial.hash))
        self._pace.ended(trial.hash)
        self._progress.update(self._whole, advance=1, latest=self._left())
        self._print(trial, line)

    def _left(self) -> str:
        left = self._pace.left()
        return f"about {duration(left)} left" if left else ""

    def _print(self, trial: TrialSpec, line: str) -> None:
        seconds = time.monotonic() - self._begun[trial.hash]
        words = [line, f"[dim]{seconds:.1f} s", trial.hash, *([left] if (left := self._left()) else [])]
        self._progress.console.print("  ".join(words), highlight=False, soft_wrap=True, emoji=False)
