"""The record of a study for tables, figures and reports, from the study itself or from its results folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import (
    BaseModel,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from studies import text
from studies.formatting import counted
from studies.markup import html_table
from testbed import identity
from testbed.common.validation_messages import first_error

Varied = Mapping[str, str | int | float | bool]

FORMAT = 1
"""Format of the file in which studies are recorded."""

MOST_VALUES = 12
"""Number of a setting's values that a notebook shows."""

STUDY_FILE = "study.json"
"""The file of a results folder that has the study, as :func:`to_json` describes it."""

MODELS_FILE = "models.pt"
"""The file of a training trial's folder that has the learnt models."""


class TrialRecord(Protocol):
    """A trial as far as its results are concerned."""

    @property
    def hash(self) -> str:
        """Its name."""

    @property
    def seed(self) -> int:
        """Seed of every random stream."""

    @property
    def varied(self) -> Varied:
        """Key of ``vary`` -> this trial's value."""

    @property
    def title(self) -> str:
        """The title that distinguishes it from the others of its study."""

    @property
    def names(self) -> int:
        """The format of its name, see :mod:`testbed.identity`."""

    @property
    def workload(self) -> str:
        """The workload of its study."""


class StudyRecord(Protocol):
    """A study as far as its results are concerned; see :class:`studies.spec.study.Study`."""

    @property
    def name(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def workload(self) -> str: ...
    @property
    def varied(self) -> tuple[str, ...]: ...
    @property
    def environment_factors(self) -> tuple[str, ...]: ...
    @property
    def comparison_factor(self) -> str | None: ...
    @property
    def trials(self) -> Sequence[TrialRecord]: ...
    @property
    def document(self) -> Mapping[str, Any]: ...


def condition_title(varied: Varied) -> str:
    """The title of a condition within its study, as ``loss=0.1``; empty if nothing is varied."""
    words = [f"{text.label(path.split('.')[-1])}={text.label(str(value))}" for path, value in varied.items()]
    return " ".join(words)


def trial_title(varied: Varied, seed: int) -> str:
    """The title of a trial within its study, as ``loss=0.1 seed=0``."""
    return f"{condition_title(varied)} seed={seed}".lstrip()


def described(study: StudyRecord) -> str:
    """The size of a study, in words: ``problem, 10 trials: 2 conditions of topology, 5 seeds each``."""
    seeds = len({trial.seed for trial in study.trials})
    varied = f" of {' x '.join(map(text.visible, study.varied))}" if study.varied else ""
    conditions = counted(len(study.trials) // max(seeds, 1), "condition") + varied
    trials = counted(len(study.trials), "trial")
    return f"{study.workload}, {trials}: {conditions}, {counted(seeds, 'seed')} each"


def short_text(study: StudyRecord) -> str:
    """A study at the Python prompt."""
    return f"<study {text.label(study.name)}: {described(study)}>"


def notebook_table(study: StudyRecord) -> str:
    """A study in a notebook, as HTML: its question, its size, and the values of what it varies."""
    size = f"{text.label(study.name)}: {described(study)}"
    question = " ".join(study.question.split())
    above = f"{question} ({size})" if question else size
    rows = [(path, _values(study, path)) for path in study.varied]
    return html_table(("varied", "values"), rows, left=2, caption=above)


def _values(study: StudyRecord, path: str) -> str:
    values = list(dict.fromkeys(str(trial.varied[path]) for trial in study.trials))
    more = [f"and {len(values) - MOST_VALUES} more"] if len(values) > MOST_VALUES else []
    return ", ".join([*(text.label(text.shortened(value)) for value in values[:MOST_VALUES]), *more])


@dataclass(frozen=True)
class StoredTrial:
    """A trial of a stored study; see :class:`TrialRecord`."""

    hash: str
    seed: int
    varied: Varied
    names: int
    workload: str

    @property
    def title(self) -> str:
        """The title that distinguishes it from the others of its study."""
        return trial_title(self.varied, self.seed)


@dataclass(frozen=True, repr=False)
class StoredStudy:
    """A stored study, perhaps run by another version; see :class:`studies.spec.study.Study`."""

    name: str
    question: str
    workload: str
    varied: tuple[str, ...]
    environment_factors: tuple[str, ...]
    comparison_factor: str | None
    trials: tuple[StoredTrial, ...]
    document: Mapping[str, Any]
    names: int = 1
    """The format of its trials' names, see :mod:`testbed.identity`."""

    def __repr__(self) -> str:
        return short_text(self)

    def _repr_html_(self) -> str:
        return notebook_table(self)


def to_json(study: StudyRecord) -> dict[str, Any]:
    """Plain data from which :func:`from_json` makes the study again."""
    return {
        "format": FORMAT,
        "names": getattr(study, "names", identity.FORMAT),
        "name": study.name,
        "question": study.question,
        "workload": study.workload,
        "varied": list(study.varied),
        "worlds": list(study.environment_factors),
        "compared": study.comparison_factor,
        "trials": [
            {"hash": trial.hash, "seed": trial.seed, "varied": dict(trial.varied)} for trial in study.trials
        ],
        "document": dict(study.document),
    }


def from_json(data: Any) -> StoredStudy:
    """The study from the output of :func:`to_json`. ValueError with the field if it is invalid."""
    if not isinstance(data, dict):
        raise ValueError("is not a mapping of keys to values")
    if (known := data.get("format")) != FORMAT:
        raise ValueError(f"has format {known!r}, must be {FORMAT}")
    for one in data["trials"] if isinstance(data.get("trials"), list) else ():
        name = one.get("hash") if isinstance(one, dict) else None
        if not re.fullmatch(r"[0-9a-f]{16}", str(name)):  # folders are named by it
            raise ValueError(
                f"a trial has the hash {text.shortened(repr(name), 100)}, must be 16 hexadecimal digits"
            )
    try:
        study = _Study.model_validate(data)
    except ValidationError as error:
        raise ValueError(str(first_error(error))) from error
    trials = [
        StoredTrial(one.hash, one.seed, one.varied, study.names, study.workload) for one in study.trials
    ]
    return StoredStudy(
        name=study.name,
        question=study.question,
        workload=study.workload,
        varied=tuple(study.varied),
        environment_factors=tuple(study.worlds),
        comparison_factor=study.compared,
        trials=tuple(trials),
        document=study.document,
        names=study.names,
    )


class _Trial(BaseModel):
    hash: StrictStr
    seed: Annotated[StrictInt, Field(ge=0)]
    varied: dict[str, StrictStr | StrictBool | StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]]


class _Study(BaseModel):
    """The contents of the file, under its original keys."""

    name: StrictStr
    question: StrictStr
    workload: Literal["problem", "update", "training"]
    varied: list[StrictStr]
    worlds: list[StrictStr]
    compared: StrictStr | None
    trials: list[_Trial]
    document: dict[str, Any]
    names: Annotated[StrictInt, Field(ge=1)] = 1  # at first they had only one

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if len(set(self.varied)) < len(self.varied):
            raise ValueError("varied: names a setting twice")
        if not set(self.worlds) <= set(self.varied):
            raise ValueError("worlds: names a setting that is not in varied")
        if self.compared is not None and self.compared not in self.varied:
            raise ValueError("compared: names a setting that is not in varied")
        if (written := self.document.get("workload", self.workload)) != self.workload:
            raise ValueError(f"workload: is {self.workload}, but the document has {written!r}")
        hashes: set[str] = set()
        for number, trial in enumerate(self.trials):
            if trial.hash in hashes:
                raise ValueError(f"trials.{number}: lists the trial {trial.hash} a second time")
            hashes.add(trial.hash)
            if set(trial.varied) != set(self.varied):
                raise ValueError(f"trials.{number}.varied: must have what the study varies")
        return self
