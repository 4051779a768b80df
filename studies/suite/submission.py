"""Submissions to a leaderboard: one method's values and scores.

A submission holds the value of every seed, of the method and of the reference, so anybody can compute the
scores again; `studies.suite.submission_check` does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from studies import text
from studies.storage.provenance import versions
from studies.suite.definition import NO_NETWORK, PERFECT, Suite
from studies.suite.plan import Part
from testbed.common.atomic_files import write_json
from testbed.common.settings import Settings

SCHEMA = "submission.schema.json"
"""The file next to the versions that has the schema of a submission."""


class Row(Settings):
    """The value of one trial."""

    task: str
    method: str
    condition: str
    seed: int = Field(ge=0)
    trial: str = Field(pattern="^([0-9a-f]{16})?$")
    """Its name, a hash of all its settings; empty for a centre that is computed."""
    metric: float | None
    """The number as measured; null if it is not a number, or infinite."""
    value: float
    bytes: float = Field(ge=0)
    seconds: float = Field(ge=0)


class Empty(Settings):
    """A cell without a value."""

    task: str
    condition: str
    reason: str


class CellScore(Settings):
    """The scores of a task under a condition; null where they are undefined."""

    task: str
    condition: str
    seeds: int
    value: float
    kept: float | None
    kept_low: float | None
    kept_high: float | None
    reached: float | None
    reached_low: float | None
    reached_high: float | None
    bytes: float
    seconds: float


class Submission(Settings):
    """One method's results in one size of one version of the suite."""

    format: Literal[1] = 1
    suite: str
    hash: str
    """Of the version's files."""
    size: str
    method: str
    about: str
    code: str
    """SHA-256 of the file of a method from outside the testbed; otherwise empty."""
    made_with: dict[str, str]
    """Versions of Python, the libraries and the testbed."""
    rows: tuple[Row, ...] = Field(min_length=1)
    """Of the method, and of the reference over the perfect ring and over no network."""
    empty: tuple[Empty, ...]
    scores: tuple[CellScore, ...]


def make(
    suite: Suite, size: str, method: str, parts: Sequence[Part], values: pd.DataFrame, numbers: pd.DataFrame
) -> Submission | None:
    """The submission of a method; None if it lacks results of the size, or has none at all.

    Args:
        suite, size: what was run.
        method: the method's label.
        parts: all parts of the size.
        values: from :func:`studies.suite.rows.gather`.
        numbers: from :func:`studies.suite.score.scores`.
    """
    own = [part for part in parts if part.method.label == method]
    reference = suite.reference[0]
    ends = values["condition"].isin([PERFECT, NO_NETWORK])
    listed = values[(values["method"] == method) | ((values["method"] == reference) & ends)]
    scored = numbers[(numbers["method"] == method) & (numbers["seeds"] > 0)]
    if not len(scored):
        return None
    made = Submission(
        suite=suite.name,
        hash=suite.digest,
        size=size,
        method=method,
        about=own[0].method.settings.about,
        code=own[0].method.digest,
        made_with=versions(),
        rows=tuple(Row(**_finite(line)) for line in listed.to_dict("records")),
        empty=tuple(Empty(task=p.task, condition=c, reason=r) for p in own for c, r in p.empty.items()),
        scores=tuple(CellScore(**_finite(line, CellScore)) for line in scored.to_dict("records")),
    )
    return None if any(missing(made, suite)) else made


def _finite(line: dict[Any, Any], kind: type[Settings] = Row) -> dict[str, Any]:
    """The fields of a line, with None for numbers that are none."""
    found = {name: line[name] for name in kind.model_fields}
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in found.items()}


def write(made: Submission, folder: Path) -> Path:
    """Writes a submission as JSON, named after its method; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{text.folder_name(made.method.replace(' ', '-'))}.json"
    write_json(file, made.model_dump(mode="json"))
    return file


def schema() -> dict[str, Any]:
    """The JSON Schema of a submission."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Submission.model_json_schema()}


def write_schema(folder: Path) -> None:
    """Writes the JSON Schema of a submission, ``submission.schema.json``."""
    write_json(folder / SCHEMA, schema())


def missing(made: Submission, suite: Suite) -> Iterator[str]:
    """The cells of the size that the submission lacks, has twice, or has and should not."""
    size, reference = suite.sizes[made.size], suite.reference[0]
    cells = [(task, c) for task in size.tasks for c in suite.conditions_of(size, task)]
    empty = {(each.task, each.condition) for each in made.empty}
    ends = {(task, c) for task, c in cells if c in (PERFECT, NO_NETWORK)}
    needed = {(made.method, *cell) for cell in cells if cell not in empty} | {(reference, *c) for c in ends}
    seeds: dict[tuple[str, str, str], list[int]] = {}
    for row in made.rows:
        seeds.setdefault((row.method, row.task, row.condition), []).append(row.seed)
    whole = list(range(size.seeds))
    for key in sorted({*needed, *seeds}):
        method, task, condition = key
        where = f"{task}, {condition}" if method == made.method else f"{task}, {method}, {condition}"
        had = sorted(seeds.get(key, []))
        if (task, condition) not in cells or method not in (made.method, reference):
            yield f"{where}: is not in size {made.size}, or of another method"
        elif method == made.method and (task, condition) in empty:
            if key not in needed:
                yield f"{where}: is marked as empty but has the seeds {had}"
        elif key not in needed:
            yield f"{where}: only the perfect ring and no network are needed of the reference"
        elif had != whole:
            yield f"{where}: has the seeds {had}, must have {whole}"
    for name, listed in (("empty", made.empty), ("scores", made.scores)):
        for (task, condition), times in Counter((each.task, each.condition) for each in listed).items():
            if times > 1:
                yield f"{task}, {condition}: is {times} times in {name}"
            if (task, condition) not in cells:
                yield f"{task}, {condition}: is in {name} and not in size {made.size}"
