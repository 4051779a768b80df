"""When the faults of a study were active: by update, and along the x axis of a curve."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from studies.spec.manifest import StudyRecord
from studies.storage.store import Store

Span = tuple[float, float]
Spans = Mapping[str, Sequence[Span]]
"""Fault -> where it was active on an axis, ascending and apart."""


@dataclass(frozen=True)
class Window:
    """One time that a fault was active; see :class:`testbed.network.faults.windows.FaultWindow`.

    Attributes:
        fault: its title, as in the table of faults.
        name: the same, with its link or agent if the fault has several.
        begun, lifted: simulated seconds; infinite if it was not lifted.
        begun_update, lifted_update: policy updates, from 1; infinite likewise.
    """

    fault: str
    name: str
    begun: float
    begun_update: float
    lifted: float = math.inf
    lifted_update: float = math.inf

    def active_in(self, update: int, start: float) -> bool:
        """Whether it was active in an update that began at ``start`` (simulated seconds)."""
        lasted = self.lifted_update > update or (self.lifted_update == update and self.lifted > start)
        return self.begun_update <= update and lasted


@dataclass(frozen=True)
class Band:
    """A part of an axis where a fault was active in all trials of a panel, or of one of its conditions.

    Attributes:
        fault: its title.
        condition: the condition; None if the conditions of the panel share the band.
        low, high: its ends on the axis.
    """

    fault: str
    condition: Hashable | None
    low: float
    high: float


def by_trial(
    study: StudyRecord, store: Store, training: pd.DataFrame | None = None
) -> dict[str, tuple[Window, ...]]:
    """Hash of each finished trial with faults -> the times at which they were active.

    For results of versions that recorded no windows, they are those that the settings plan, in seconds or
    updates; faults at random, or after a number of messages, then have none.

    Args:
        study, store: the study and its results.
        training: the rows of all trials' training curves; None: they are read if they are needed.
    """
    faults, windows = store.curve(study, "faults"), store.curve(study, "fault_windows")
    if faults.empty:
        return {}
    found = {}
    if len(windows):
        for trial, rows in windows.groupby("trial", sort=False):
            found[str(trial)] = tuple(_window(row) for row in rows.to_dict("records"))
    records = {trial.hash: trial for trial in study.trials}
    for trial, rows in faults.groupby("trial", sort=False):
        if str(trial) in found:
            continue
        if training is None:
            training = store.curve(study, "training")
        ends = training.loc[training["trial"] == trial, "seconds"].to_list() if len(training) else []
        plans = store.settings(records[str(trial)])["network"]["faults"]
        found[str(trial)] = tuple(_planned(plans, rows["fault"].to_list(), [0.0, *ends]))
    return found


def _window(row: Mapping[Hashable, Any]) -> Window:
    ends = {name: math.inf if math.isnan(row[name]) else row[name] for name in ("lifted", "lifted_update")}
    return Window(str(row["fault"]), str(row["fault_name"]), row["begun"], row["begun_update"], **ends)


def _planned(
    plans: Sequence[Mapping[str, Any]], titles: Sequence[str], ends: list[float]
) -> Iterable[Window]:
    """The windows of faults with fixed moments; ``ends`` are 0 and the seconds at the end of each update."""
    for plan, title in zip(plans, titles, strict=True):
        begun = _moment(plan.get("down"), ends)
        if begun is None or begun[1] > max(len(ends) - 1, 1):
            continue
        up = plan.get("up")
        if isinstance(up, Mapping) and "lasting" in up:
            up = begun[0] + up["lasting"]
        lifted = _moment(up, ends)
        if up is not None and lifted is None:
            continue
        yield Window(title, title, *begun, *(lifted or (math.inf, math.inf)))


def _moment(moment: Any, ends: list[float]) -> tuple[float, float] | None:
    """Seconds and update of a moment; None if the settings alone do not tell."""
    if isinstance(moment, int | float):
        return float(moment), float(np.searchsorted(ends, moment, side="right"))
    if isinstance(moment, Mapping) and "update" in moment:
        number = int(moment["update"])
        return (ends[number - 1], number) if number <= len(ends) else (math.inf, math.inf)
    return None


def active(windows: Iterable[Window], ends: Sequence[float]) -> list[list[str]]:
    """The names of the faults that were active in each update, whose ``ends`` are in simulated seconds."""
    starts, known = [0.0, *ends], list(windows)
    return [
        list(dict.fromkeys(w.name for w in known if w.active_in(number, starts[number - 1])))
        for number in range(1, len(starts))
    ]


def along(
    windows: Mapping[str, Sequence[Window]], curves: Mapping[str, pd.DataFrame], table: str, axis: str
) -> dict[str, Spans]:
    """Hash of each trial with faults -> where they were active on an axis of one of its curves.

    Only the last of a training trial's consensus runs is shown; a trial whose last update had several
    is left out.

    Args:
        windows: of each trial.
        curves: name -> rows of all trials.
        table: ``training`` or ``consensus``.
        axis: a column of this table; see :func:`along_training`, :func:`along_consensus`.
    """
    source = curves[table]
    rows = {str(trial): each for trial, each in source.groupby("trial", sort=False) if str(trial) in windows}
    if table == "training":
        return {trial: along_training(windows[trial], each, axis) for trial, each in rows.items()}
    if "update" not in source:
        return {trial: along_consensus(windows[trial], each, axis) for trial, each in rows.items()}
    found, training = {}, curves["training"]
    for trial, each in rows.items():
        last = each[each["update"] == each["update"].max()]
        start = start_of_last(training[training["trial"] == trial], last)
        if start is not None:
            found[trial] = along_consensus(windows[trial], last, axis, start)
    return found


def along_training(windows: Iterable[Window], rows: pd.DataFrame, axis: str) -> Spans:
    """Where faults were active on an axis of a trial's training curve.

    Update k lies between the row of update k-1, or 0, and its own row: a fault from update 3 to update 6 is
    shown from 2 to 5 on the axis of updates. Within an update, its share of simulated time counts.

    Args:
        windows: of the trial.
        rows: all rows of its training curve.
        axis: a column that grows from 0, such as ``update``, ``steps``, ``seconds`` or ``bytes``.
    """
    ends = np.concatenate([[0.0], rows["seconds"].to_numpy(dtype=float)])
    places = np.concatenate([[0.0], rows[axis].to_numpy(dtype=float)])
    last = len(rows)

    def place(seconds: float, update: float) -> float:
        if not update <= last:
            return float(places[last])
        number = int(update)
        start, end = ends[number - 1], ends[number]
        share = min(max((seconds - start) / (end - start), 0.0), 1.0) if end > start else 0.0
        return float(places[number - 1] + share * (places[number] - places[number - 1]))

    return _united(
        (w.fault, place(w.begun, w.begun_update), place(w.lifted, w.lifted_update)) for w in windows
    )


def along_consensus(windows: Iterable[Window], rows: pd.DataFrame, axis: str, start: float = 0.0) -> Spans:
    """Where faults were active on an axis of the curve of a trial's consensus run.

    Args:
        windows: of the trial.
        rows: the rows of the run.
        axis: a column that never falls, such as ``activations``, ``seconds`` or ``bytes``.
        start: simulated seconds at which the run began.
    """
    times, places = rows["seconds"].to_numpy(dtype=float) + start, rows[axis].to_numpy(dtype=float)
    return _united(
        (w.fault, *np.interp([w.begun, min(w.lifted, times[-1])], times, places).tolist())
        for w in windows
        if w.begun < times[-1] and w.lifted > times[0]
    )


def start_of_last(training: pd.DataFrame, consensus: pd.DataFrame) -> float | None:
    """Simulated seconds at which the only consensus run of a trial's last update began.

    None if the update had several, of which the table keeps the last.
    """
    ends = [0.0, *training["seconds"]]
    lasted = float(consensus["seconds"].iloc[-1])
    return ends[-2] if math.isclose(ends[-1] - ends[-2], lasted, rel_tol=1e-6, abs_tol=1e-9) else None


def _united(spans: Iterable[tuple[str, float, float]]) -> Spans:
    """The spans of each fault without overlaps; those without a width are left out."""
    found: dict[str, list[Span]] = {}
    for fault, low, high in sorted(spans, key=lambda span: span[1]):
        if not high > low:
            continue
        known = found.setdefault(fault, [])
        if known and low <= known[-1][1]:
            known[-1] = (known[-1][0], max(known[-1][1], high))
        else:
            known.append((low, high))
    return found


def bands(trials: Mapping[Hashable, Sequence[Spans]]) -> list[Band]:
    """The bands of one panel, in the order in which they begin.

    A fault is shown where it was active in all trials of a condition. If that is the same part of the axis
    for all conditions of the panel, they share the band.

    Args:
        trials: condition -> where faults were active in each of its trials.
    """
    common = {condition: _common(members) for condition, members in trials.items() if members}
    names = dict.fromkeys(name for spans in common.values() for name in spans)
    found = []
    for name in names:
        each = {condition: spans.get(name, []) for condition, spans in common.items()}
        first, *others = each.values()
        if all(_alike(first, other) for other in others):
            found += [Band(name, None, low, high) for low, high in first]
        else:
            found += [Band(name, c, low, high) for c, spans in each.items() for low, high in spans]
    return sorted(found, key=lambda band: band.low)


def _common(members: Sequence[Spans]) -> Spans:
    """Where faults were active in all of some trials."""
    first, *others = members
    found: dict[str, Sequence[Span]] = dict(first)
    for other in others:
        found = {name: _both(spans, other[name]) for name, spans in found.items() if name in other}
    return {name: spans for name, spans in found.items() if spans}


def _both(ones: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    pairs = ((max(a, c), min(b, d)) for a, b in ones for c, d in others)
    return [(low, high) for low, high in pairs if high > low]


def _alike(ones: Sequence[Span], others: Sequence[Span]) -> bool:
    return len(ones) == len(others) and np.allclose(ones, others, rtol=1e-6, atol=0.0)
