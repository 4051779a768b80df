"""A version of the suite as its files say it, and the hash of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from studies.spec.document import Document, StudyError, parse, read_text
from studies.spec.synonyms import did_you_mean
from testbed.common.settings import Settings
from testbed.common.validation_messages import first_error

LATEST = "consensus-suite-1"
"""The version that ``testbed suite`` runs."""

PERFECT, NO_NETWORK = "perfect", "no network"
"""The conditions between which shares are measured."""

_NOT_TASKS = ("conditions", "sizes", "scores", "reference")

_Model = TypeVar("_Model")


class Condition(Settings):
    """The changes that a condition makes to a task."""

    stands_for: str
    """The situation that it stands for, one phrase."""
    settings: dict[str, Any]
    """Dotted path -> value, as in a case of ``vary``."""
    not_for: dict[str, str] = Field(default_factory=dict)
    """Task -> why the condition has no meaning there."""


class Score(Settings):
    """The value of a task; higher is better."""

    metric: str
    """A column of the trials' final numbers."""
    scale: Literal["digits", "linear"]
    """``digits``: -log10 of the metric, a relative error; ``linear``: the metric itself."""
    most: float = 0.0
    """Of digits: how many count at most."""


class MethodSettings(Settings):
    """The settings of a method, by task or workload."""

    about: str = ""
    """What it is, one phrase."""
    settings: dict[str, dict[str, Any] | Literal["exact"]] = Field(default_factory=dict)
    """Task, or a workload for all tasks of it that are not named -> dotted path -> value. ``exact``: the
    optimum itself, for the bytes of sending all data to a centre and the answer back."""
    not_for: dict[str, str] = Field(default_factory=dict)
    """Task or workload -> why the method does not apply."""
    only: tuple[str, ...] | None = None
    """The conditions in which it is run; None: all."""


class SizeTask(Settings):
    """A task in one size."""

    settings: dict[str, Any] = Field(default_factory=dict)
    """Dotted path -> value, on top of the task's file."""
    conditions: tuple[str, ...] | None = None
    """The conditions; None: all."""


class Size(Settings):
    """One of the sizes."""

    about: str
    seeds: int
    tasks: dict[str, SizeTask]


@dataclass(frozen=True)
class Suite:
    """A version of the suite.

    Attributes:
        folder: its files; its name is the version's.
        conditions, scores, sizes: by name, in the order of the files.
        reference: name and settings of the method to which ``reached`` is relative.
    """

    folder: Path
    conditions: Mapping[str, Condition]
    scores: Mapping[str, Score]
    sizes: Mapping[str, Size]
    reference: tuple[str, MethodSettings]

    @property
    def name(self) -> str:
        """The version."""
        return self.folder.name

    @cached_property
    def digest(self) -> str:
        """The hash of all files of the version, names and bytes, in the order of their names."""
        whole = hashlib.sha256()
        for file in sorted(self.folder.iterdir(), key=lambda each: each.name):
            content = file.read_bytes()
            whole.update(f"{file.name}\0{len(content)}\0".encode() + content)
        return whole.hexdigest()

    def size(self, name: str) -> Size:
        """One of the sizes. Raises StudyError if there is none of this name."""
        if name not in self.sizes:
            allowed = ", ".join(self.sizes)
            raise StudyError(f"size = {name!r}: must be one of {allowed}{did_you_mean(name, self.sizes)}")
        return self.sizes[name]

    def document(self, task: str) -> Document:
        """The study file of a task."""
        file = self.folder / f"{task}.yaml"
        return parse(read_text(file, what="task"), f"{self.name}/{file.name}", self.folder)

    def conditions_of(self, size: Size, task: str) -> list[str]:
        """The conditions of a task in a size that have a meaning for it, in the order of the file."""
        chosen = size.tasks[task].conditions
        return [
            name
            for name, condition in self.conditions.items()
            if task not in condition.not_for and (chosen is None or name in chosen)
        ]


def load(name: str = LATEST, folder: Path | None = None) -> Suite:
    """A version of the suite that comes with the package.

    Args:
        name: the version.
        folder: of the versions; None: that of the package.

    Raises:
        StudyError: its files are missing or invalid; one line.
    """
    place = (folder or home()) / name
    if not place.is_dir():
        raise StudyError(f"{place}: no such version of the suite")
    reference = dict(mapping(place / "reference.yaml", MethodSettings))
    if len(reference) != 1:
        raise StudyError(f"{place / 'reference.yaml'}: has {len(reference)} methods, must have one")
    suite = Suite(
        folder=place,
        conditions=mapping(place / "conditions.yaml", Condition),
        scores=mapping(place / "scores.yaml", Score),
        sizes=mapping(place / "sizes.yaml", Size),
        reference=next(iter(reference.items())),
    )
    _check(suite)
    return suite


def home() -> Path:
    """The folder of all versions, ``studies/suites``."""
    return Path(str(resources.files("studies") / "suites"))


def mapping(file: Path, kind: type[_Model]) -> dict[str, _Model]:
    """The named entries of a YAML file.

    Raises:
        StudyError: it is not a mapping of names to entries of this kind; one line.
    """
    data = parse(read_text(file, what="suite"), file.name, file.parent).data
    try:
        return TypeAdapter(dict[str, kind]).validate_python(data)  # type: ignore[valid-type]
    except ValidationError as error:
        raise StudyError(f"{file}: {first_error(error)}") from error


def _check(suite: Suite) -> None:
    """Raises StudyError for names in one file that another does not have."""
    tasks = {file.stem for file in suite.folder.glob("*.yaml")} - set(_NOT_TASKS)
    named = [("scores.yaml", name, tasks, "task") for name in suite.scores]
    for name, condition in suite.conditions.items():
        named += [(f"conditions.yaml: {name}: not_for", task, tasks, "task") for task in condition.not_for]
    for name, size in suite.sizes.items():
        for task, own in size.tasks.items():
            named.append((f"sizes.yaml: {name}", task, set(suite.scores), "task with a score"))
            known = set(suite.conditions)
            named += [
                (f"sizes.yaml: {name}: {task}", each, known, "condition") for each in own.conditions or ()
            ]
    for where, name, allowed, kind in named:
        if name not in allowed:
            raise StudyError(
                f"{suite.folder / where}: {name!r} is not a {kind}: {', '.join(sorted(allowed))}"
            )
    for name in (PERFECT, NO_NETWORK):
        if name not in suite.conditions:
            raise StudyError(f"{suite.folder / 'conditions.yaml'}: needs the condition {name!r}")
