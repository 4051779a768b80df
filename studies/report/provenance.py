"""The versions of the code that produced a study's results, and warnings about them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from studies import text
from studies.analysis.warnings import idle_faults
from studies.spec.manifest import StudyRecord
from studies.storage.provenance import OWN
from studies.storage.status import TrialState, states, status_counts
from studies.storage.store import Store
from testbed.common import yaml_text


@dataclass(frozen=True)
class Provenance:
    """The progress of a study, and the code that produced its results.

    Attributes:
        states: the state of each trial, in order.
        seconds: wall seconds of each finished trial, None for others.
        versions: distinct sets of versions, with the number of finished trials that each produced.
    """

    states: tuple[TrialState, ...]
    seconds: tuple[float | None, ...]
    versions: tuple[tuple[dict[str, str], int], ...]


def gather(study: StudyRecord, store: Store) -> Provenance:
    """Examines every stored trial."""
    found = tuple(states(study, store))
    seconds: list[float | None] = []
    makers: Counter[str] = Counter()
    for state in found:
        finished = state.status == "finished"
        seconds.append(store.wall_seconds(state.trial) if finished else None)
        if finished:
            makers[json.dumps(store.versions(state.trial))] += 1
    versions = tuple((dict(json.loads(text)), count) for text, count in makers.items())
    return Provenance(found, tuple(seconds), versions)


def warnings(study: StudyRecord, summary: pd.DataFrame, found: Provenance) -> list[str]:
    """Warnings, one line each: faults that had no effect, damaged trials, and mixed or modified code."""
    lines = [f"{one.trial.title} is damaged: {one.said}" for one in found.states if one.status == "damaged"]
    lines += idle_faults(study, summary)
    codes: dict[tuple[str | None, ...], int] = {}
    for versions, count in found.versions:
        code = tuple(versions.get(key) for key in OWN)
        codes[code] = codes.get(code, 0) + count
    if len(codes) > 1:
        told = ", ".join(f"{count} by {_code(*code)}" for code, count in codes.items())
        lines.append(f"the trials were made by {len(codes)} versions of the code: {told}")
    dirty = sum(count for (_, commit), count in codes.items() if commit and commit.endswith("-dirty"))
    if dirty:
        what = "trial was" if dirty == 1 else "trials were"
        lines.append(f"{dirty} finished {what} made by a commit with changes that are not in it")
    return lines


def progress(found: Provenance) -> str:
    """A sentence such as ``All 25 trials have finished.``, or the counts by status."""
    total = len(found.states)
    if all(state.status == "finished" for state in found.states):
        return "The only trial has finished." if total == 1 else f"All {total} trials have finished."
    return f"Not finished: {status_counts(found.states)}. All numbers are those of finished trials."


def document(study: StudyRecord) -> str:
    """The study as a file that ``testbed run`` takes."""
    data = _plain(study.document)
    shown = yaml_text.dump(data)
    if shown != text.visible(shown, lines=True):  # marks that would change how it is read
        shown = yaml_text.dump(data, ascii_only=True)
    return shown


def _code(version: str | None, commit: str | None) -> str:
    if commit is None:
        return f"version {version}"
    return f"commit {commit[:10]}{'-dirty' * commit.endswith('-dirty')}"


def _plain(data: Any) -> Any:
    """Without the types that YAML would write tags for."""
    return json.loads(json.dumps(data))
