"""The live display of a running study: one bar for the whole study and one line per running trial."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from studies.columns import watched
from studies.execution import pieces
from studies.execution.pace import Pace, Work
from studies.formatting import counted, duration, last_line
from studies.spec.study import TrialSpec
from studies.text import visible

SIGN_OF_LIFE = 30.0
"""Without a terminal: wall seconds after which a trial that reports progress gets another line ..."""

STEP = 5.0
"""... and after which it gets one if it has completed another tenth of its work."""

MOST_LINES = 30
"""About how many trials get a line when they finish, where few lines are wanted."""

MOST_OF_A_KIND = 10
"""Number of failures, say, that get a line there."""


class FewLines:
    """Chooses which lines of a study are printed, so that any number of trials prints some ``MOST_LINES``.

    Args:
        trials: number of trials to run.
    """

    def __init__(self, trials: int) -> None:
        self.trials = trials
        self._every = max(1, math.ceil(trials / MOST_LINES))
        self._counts: Counter[str] = Counter()
        self._wait = SIGN_OF_LIFE
        self._last = time.monotonic()

    def ended(self) -> str | None:
        """A count such as ``20 of 1000 trials``, or nothing if all have a line; None for no line."""
        self._counts["ended"] += 1
        done = self._counts["ended"]
        if done % self._every and done < self.trials:
            return None
        return f"{done} of {self.trials} trials" if self._every > 1 else ""

    def few(self, kind: str) -> bool:
        """Whether a line of a kind that should be rare is one of the first ``MOST_OF_A_KIND``."""
        self._counts[kind] += 1
        return self._counts[kind] <= MOST_OF_A_KIND

    def sign_of_life(self) -> bool:
        """Whether a running trial gets a line now; the time to the next one doubles."""
        now = time.monotonic()
        if now - self._last < self._wait:
            return False
        self._last, self._wait = now, 2 * self._wait
        return True


class Display:
    """Shows a study's progress: bars on a terminal; occasional lines elsewhere, such as in a log file.

    Args:
        console: the console to write to.
        trials: the trials to run.
        kept: number of trials that had already finished.
        known: condition of trials -> seconds of a piece, from those that had finished; see
            :mod:`studies.execution.pieces`.
        brief: whether to print few lines where there is no terminal, as a notebook should.
    """

    def __init__(
        self,
        console: Console,
        trials: Sequence[TrialSpec],
        kept: int,
        *,
        known: Mapping[str, float] | None = None,
        brief: bool = False,
    ) -> None:
        self._few = FewLines(len(trials)) if brief and not console.is_terminal else None
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
        work = {trial.hash: Work(pieces.condition(trial), pieces.pieces(trial)) for trial in trials}
        self._pace = Pace(work, known, time.monotonic)
        total = len(trials) + kept
        self._whole = self._progress.add_task("trials", total=total, completed=kept, latest="")
        self._rows: dict[str, TaskID] = {}
        self._begun: dict[str, float] = {}
        self._said: dict[str, tuple[float, int]] = {}
        """Without a terminal: the time of a trial's last line, and the tenth of its work it was in."""

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def started(self, trial: TrialSpec) -> None:
        """Adds a row for a trial."""
        self._pace.started(trial.hash)
        self._begun[trial.hash] = time.monotonic()
        self._said[trial.hash] = time.monotonic(), 0
        self._rows[trial.hash] = self._progress.add_task(
            f"  {escape(trial.title)}", total=None, latest="starting"
        )

    def progressed(
        self, trial: TrialSpec, phase: str, done: int, total: int, latest: dict[str, float]
    ) -> None:
        """Updates a trial's bar and latest numbers."""
        self._pace.progressed(trial.hash, phase, done, total)
        self._progress.update(self._whole, latest=self._left())
        text = f"{phase}  {watched(latest)}"
        self._progress.update(self._rows[trial.hash], completed=done, total=total, latest=text)
        if not self._progress.console.is_terminal:
            reached = f"{done}/{total}" if total else f"{done}"
            self._sign_of_life(trial, f"{phase} {reached}  {watched(latest)}".rstrip(), done, total)

    def _sign_of_life(self, trial: TrialSpec, line: str, done: int, total: int) -> None:
        if self._few is not None:
            if self._few.sign_of_life():
                self._print(trial, f"running   {escape(trial.title)}  {escape(line)}")
            return
        before, tenth = self._said[trial.hash]
        now, reached = time.monotonic(), 10 * done // total if total else 0
        if now - before >= SIGN_OF_LIFE or (reached != tenth and now - before >= STEP):
            self._said[trial.hash] = now, reached
            self._print(trial, f"running   {escape(trial.title)}  {escape(line)}")

    def retried(self, trial: TrialSpec, reason: str) -> None:
        """Marks a trial's row as waiting, after a line with the reason."""
        self._progress.update(self._rows[trial.hash], latest="waiting for another node")
        if self._few is None or self._few.few("retried"):
            self._print(trial, f"[yellow]retried[/]   {escape(trial.title)}  {escape(visible(reason))}")

    def held(self, reason: str) -> None:
        """Prints a line that concerns no single trial."""
        self._progress.console.print(visible(reason), highlight=False, soft_wrap=True, markup=False)

    def finished(self, trial: TrialSpec, metrics: Mapping[str, Any], *, here: bool = True) -> None:
        """Replaces a trial's row by a permanent line with the final numbers as stored.

        The latest reported numbers would not do: reports are some time apart, and a final number may differ
        from that of the last update. ``here`` is false if another process has run it.
        """
        self._end(trial, measured=here)
        count = "" if self._few is None else self._few.ended()
        if count is not None:
            line = f"[green]finished[/]  {escape(trial.title)}  {watched(metrics)}"
            self._print(trial, f"{line}  {count}" if count else line)

    def left(self, trial: TrialSpec, why: str) -> None:
        """Removes the row of a trial that was not run here, until it is started again."""
        self._progress.remove_task(self._rows.pop(trial.hash))
        self._pace.put_back(trial.hash)
        if self._few is None or self._few.few("left"):
            self._print(trial, f"left      {escape(trial.title)}  {why}")

    def failed(self, trial: TrialSpec, trace: str) -> None:
        """Replaces a trial's row by a permanent line with the last line of the traceback."""
        said = visible(last_line(trace))
        self._end(trial, measured=False)
        if self._few is None or self._few.few("failed"):
            self._print(trial, f"[red]failed[/]    {escape(trial.title)}  {escape(said)}")

    def _end(self, trial: TrialSpec, *, measured: bool) -> None:
        self._progress.remove_task(self._rows.pop(trial.hash))
        self._pace.ended(trial.hash, measured=measured)
        self._progress.update(self._whole, advance=1, latest=self._left())

    def _left(self) -> str:
        left = self._pace.left()
        if left is None or left.seconds == 0:
            return ""
        if left.unmeasured == 0:
            return f"about {duration(left.seconds)} left"
        return (
            f"at least {duration(left.seconds)} left"
            f" ({left.unmeasured} of {counted(left.conditions, 'condition')} not measured yet)"
        )

    def _print(self, trial: TrialSpec, line: str) -> None:
        seconds = time.monotonic() - self._begun[trial.hash]
        words = [line, f"[dim]{seconds:.1f} s", trial.hash, *([left] if (left := self._left()) else [])]
        self._progress.console.print("  ".join(words), highlight=False, soft_wrap=True, emoji=False)
