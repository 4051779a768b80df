"""What tables, figures and reports must know of a study, just read or found beside its results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from studies import text
from testbed import identity

Varied = Mapping[str, str | int | float | bool]

FORMAT = 1
"""Of the file that outlines are kept in."""


class TrialOutline(Protocol):
    """A trial as far as its results are concerned."""

    @property
    def hash(self) -> str:
        """Its name."""

    @property
    def seed(self) -> int:
        """Of every random stream."""

    @property
    def varied(self) -> Varied:
        """Key of ``vary`` -> this trial's value."""

    @property
    def title(self) -> str:
        """What tells it from the others of its study."""


class StudyOutline(Protocol):
    """A study as far as its results are concerned; see :class:`studies.spec.Study` for each of these."""

    @property
    def name(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def workload(self) -> str: ...
    @property
    def varied(self) -> tuple[str, ...]: ...
    @property
    def worlds(self) -> tuple[str, ...]: ...
    @property
    def compared(self) -> str | None: ...
    @property
    def trials(self) -> Sequence[TrialOutline]: ...
    @property
    def document(self) -> Mapping[str, Any]: ...


def titled(varied: Varied, seed: int) -> str:
    """``loss=0.1 seed=0``: what tells a trial from the others of its study."""
    words = [f"{text.label(path.split('.')[-1])}={text.label(str(value))}" for path, value in varied.items()]
    return " ".join([*words, f"seed={seed}"])


@dataclass(frozen=True)
class StoredTrial:
    """A trial of a study that was run some time; see :class:`TrialOutline`."""

    hash: str
    seed: int
    varied: Varied

    @property
    def title(self) -> str:
        """What tells it from the others of its study."""
        return titled(self.varied, self.seed)


@dataclass(frozen=True)
class StoredStudy:
    """A study that was run some time, perhaps by other code; see :class:`studies.spec.Study`."""

    name: str
    question: str
    workload: str
    varied: tuple[str, ...]
    worlds: tuple[str, ...]
    compared: str | None
    trials: tuple[StoredTrial, ...]
    document: Mapping[str, Any]
    names: int = 1
    """The format of its trials' names, see :mod:`testbed.identity`."""


def to_json(study: StudyOutline) -> dict[str, Any]:
    """Plain data from which :func:`from_json` makes the study again."""
    return {
        "format": FORMAT,
        "names": getattr(study, "names", identity.FORMAT),
        "name": study.name,
        "question": study.question,
        "workload": study.workload,
        "varied": list(study.varied),
        "worlds": list(study.worlds),
        "compared": study.compared,
        "trials": [
            {"hash": trial.hash, "seed": trial.seed, "varied": dict(trial.varied)} for trial in study.trials
        ],
        "document": dict(study.document),
    }


def from_json(data: Mapping[str, Any]) -> StoredStudy:
    """What :func:`to_json` gave. KeyError, TypeError or ValueError if it is anything else."""
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']!r}, where {FORMAT} is understood")
    return StoredStudy(
        name=str(data["name"]),
        question=str(data["question"]),
        workload=str(data["workload"]),
        varied=tuple(data["varied"]),
        worlds=tuple(data["worlds"]),
        compared=data["compared"],
        trials=tuple(map(_trial, data["trials"])),
        document=data["document"],
        names=int(data.get("names", 1)),  # at first they had only one
    )


def _trial(one: Mapping[str, Any]) -> StoredTrial:
    name, seed, varied = one["hash"], one["seed"], one["varied"]
    if not re.fullmatch(r"[0-9a-f]{16}", str(name)):  # folders are named by it
        raise ValueError(f"a trial has the hash {name!r}, where 16 hexadecimal digits are understood")
    if not isinstance(seed, int) or not isinstance(varied, dict):
        raise TypeError(f"trial {name}: seed and varied are {seed!r} and {varied!r}")
    return StoredTrial(name, seed, varied)
