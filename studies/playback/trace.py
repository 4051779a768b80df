"""Network traces of single trials: recording, space-time diagrams and a check of reproducibility."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

import topologies
from studies.playback.updates import check_update
from studies.spec.study import TrialSpec
from testbed import workloads
from testbed.common.atomic_files import atomic_write
from testbed.common.environment_variables import environment_variables
from testbed.network import Trace, first_difference
from testbed.network.trace.spacetime import spacetime
from testbed.network.trace.spacetime_drawing import draw
from testbed.network.trace.table import write_parquet

FILES = ("trace.jsonl", "trace.parquet", "spacetime.png", "spacetime.svg")
"""The files written."""

MESSAGES = 80
"""Number of messages on the diagram by default; more would be unreadable."""


@dataclass(frozen=True)
class Window:
    """The simulated seconds that a diagram shows; None: the start of the trace, or a readable end."""

    begin: float | None = None
    end: float | None = None


def record(trial: TrialSpec, update: int | None = None, checkpoint: Path | None = None) -> Trace:
    """Runs a trial and returns its trace.

    Args:
        trial: the trial.
        update: records this policy update only, counted from 1, and ends after it; None: the whole trial.
        checkpoint: where the trial's checkpoint may be, from which the run goes on if it is one before the
            update; see :func:`testbed.workloads.record_updates`.

    Raises:
        StudyError: the trial has no such update; one line.
    """
    torch.set_num_threads(1)
    trace = Trace()
    # A copy, because settings may cache computed values, which cannot be sent to another process.
    settings = trial.settings.model_copy(deep=True)
    if update is not None:
        check_update(settings, update, "the trial")
        if isinstance(settings, workloads.TrainingWorkload):
            (recorded,) = workloads.record_updates(
                settings, seed=trial.seed, graph=trial.graph(), updates=[update], checkpoint=checkpoint
            )
            return recorded.trace
    workloads.run(settings, seed=trial.seed, graph=trial.graph(), trace=trace)
    return trace


def write(
    trial: TrialSpec,
    trace: Trace,
    folder: Path,
    window: Window,
    *,
    upright: bool,
    update: int | None = None,
) -> list[Path]:
    """Writes ``trace.jsonl``, ``trace.parquet``, ``spacetime.png`` and ``spacetime.svg``; returns them.

    Args:
        trial: the trial, whose title is above the diagram.
        trace: its trace.
        folder: the folder for the files.
        window: the part of the trace in the diagram.
        upright: whether time runs downward.
        update: the policy update that the trace covers; None: all of them.

    Raises:
        ValueError: the window is empty, or nothing of the trace falls into it.
    """
    whole = spacetime(trace)
    seen = whole
    if window.begin is None and window.end is None:
        seen = whole.first(MESSAGES)
    elif window.end is None:
        seen = whole.window(window.begin or 0.0, whole.end).first(MESSAGES)
    else:
        seen = whole.window(whole.begin if window.begin is None else window.begin, window.end)
    folder.mkdir(parents=True, exist_ok=True)
    lines, table, *pictures = (folder / name for name in FILES)
    with atomic_write(lines) as part:
        trace.write(part)
    with atomic_write(table) as part:
        write_parquet(trace, part)
    named = trial.title if update is None else f"{trial.title}, policy update {update}"
    title = f"{named}: {seen.begin:.4g} s to {seen.end:.4g} s of {whole.end:.4g} s"
    graph = trial.graph()
    names = list(topologies.given_names(graph).values()) or None
    agents: Literal["horizontal", "vertical"] = "vertical" if upright else "horizontal"
    return [lines, table, *draw(seen, pictures, title=title, agents=agents, names=names)]


def difference(
    trial: TrialSpec,
    trace: Trace,
    again: Callable[[TrialSpec], list[str]] | None = None,
    *,
    update: int | None = None,
) -> str | None:
    """Runs a trial again; None if its trace is the same byte for byte, else the first event that differs.

    The second run is in a separate process with another ``PYTHONHASHSEED``, which reveals any dependence on
    earlier runs or on the order of sets of text.

    Args:
        trial: the trial to run.
        trace: the trace of its first run.
        again: used instead of the second run; returns the lines of its trace.
        update: the policy update that the trace covers; None: all of them.
    """
    found = first_difference(trace, again(trial) if again is not None else _elsewhere(trial, update))
    if found is None:
        return None
    time = json.loads(found.first or found.second or "{}")["time"]
    return f"at {time:.9g} s {found}"


def _lines(trial: TrialSpec, update: int | None) -> list[str]:
    return list(record(trial, update).lines())


def _elsewhere(trial: TrialSpec, update: int | None) -> list[str]:
    other = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    with (
        environment_variables({"PYTHONHASHSEED": other}),
        ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        return pool.submit(_lines, trial, update).result()
