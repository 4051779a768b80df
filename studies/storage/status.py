"""The state of each trial of a study, read from its results folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.table import Table
from rich.text import Text

from studies.columns import watched
from studies.formatting import last_line
from studies.spec.manifest import StudyRecord, TrialRecord
from studies.storage.store import Store
from studies.text import visible

Status = Literal["finished", "running", "failed", "damaged", "stopped", "missing"]
"""`stopped`: interrupted, with a checkpoint or a progress record; the next run resumes it.
`damaged`: its folder does not hold what was written; the next run repeats the trial."""

COLOURS: dict[Status, str] = {
    "finished": "green",
    "running": "cyan",
    "failed": "red",
    "damaged": "red",
    "stopped": "yellow",
    "missing": "dim",
}


@dataclass(frozen=True)
class TrialState:
    """A trial, its status, and its progress or the reason for its failure, in words."""

    trial: TrialRecord
    status: Status
    said: str = ""


def states(study: StudyRecord, store: Store) -> list[TrialState]:
    """The state of every trial, in the order of the study."""
    return [_state(trial, store) for trial in study.trials]


def _state(trial: TrialRecord, store: Store) -> TrialState:
    status = store.status(trial)
    if status == "finished":
        return TrialState(trial, "finished")
    progress = store.claims.read_progress(trial)
    said = ""
    if progress is not None:
        reached = f"{progress['done']}/{progress['total']}" if progress["total"] else f"{progress['done']}"
        said = f"{progress['phase']} {reached}  {watched(progress['latest'])}".rstrip()
    if store.claims.running(trial):
        return TrialState(trial, "running", said)
    if status == "failed":
        return TrialState(trial, "failed", _reason(store.traceback(trial)))
    if status == "damaged":
        return TrialState(trial, "damaged", str(store.damage(trial)))
    return TrialState(trial, "stopped" if progress is not None else "missing", said)


def _reason(trace: Path) -> str:
    """The error that a traceback ends with."""
    try:
        text = trace.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return f"{trace.name} cannot be read"
    return last_line(text) if text.strip() else f"{trace.name} is empty"


def status_counts(found: Sequence[TrialState]) -> str:
    """``3 finished, 1 running, 20 missing of 24 trials``, or ``no trials``."""
    if not found:
        return "no trials"
    counts = Counter(state.status for state in found)
    parts = ", ".join(f"{counts[status]} {status}" for status in COLOURS if counts[status])
    return f"{parts} of {len(found)} trial{'s' * (len(found) != 1)}"


def status_table(found: Sequence[TrialState], *, everything: bool) -> Table | None:
    """A table with a line per trial, or per running or failed trial; None if it would be empty."""
    shown = [
        state for state in found if everything or state.status in ("running", "failed", "damaged", "stopped")
    ]
    if not shown:
        return None
    drawn = Table("state", "trial", "", "hash", box=None, pad_edge=False)
    for state in shown:
        colour = COLOURS[state.status]
        title, said = Text(state.trial.title), Text(visible(state.said))
        drawn.add_row(f"[{colour}]{state.status}[/]", title, said, f"[dim]{state.trial.hash}[/]")
    return drawn
