"""Submissions to a leaderboard: one method's values and scores, and the check that they belong together.

A submission holds the value of every seed, of the method and of the reference, so anybody can compute the
scores again. The check shows that it was made by this version and size, that nothing is missing, that the
reference's trials are those of the suite, and that the scores follow from the values. It cannot show that the
values were measured: for that, run the method.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field, ValidationError

from studies import text
from studies.spec.document import StudyError
from studies.storage.provenance import versions
from studies.suite import methods, plan, rows, score
from studies.suite.definition import NO_NETWORK, PERFECT, Suite
from studies.suite.plan import CONDITION, Part
from testbed.common.atomic_files import write_json
from testbed.common.json_files import parsed
from testbed.common.settings import Settings
from testbed.common.validation_messages import first_error

MOST = 50 * 2**20
"""Largest file that is read, in bytes."""

SCHEMA = "submission.schema.json"
"""The file next to the versions that has the schema of a submission."""

_SAME = 1e-9
"""Relative difference of two numbers that count as equal."""


class Row(Settings):
    """The value of one trial."""

    task: str
    method: str
    condition: str
    seed: int
    trial: str
    """Its name, a hash of all its settings; empty for a centre that is computed."""
    metric: float | None
    """The number as measured; null if it is not a number, or infinite."""
    value: float
    bytes: float
    seconds: float


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
    return None if any(_missing(made, suite)) else made


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


def files(place: Path) -> list[Path]:
    """The submissions of a file or folder: in it, or in its folder ``submissions``.

    Raises:
        StudyError: there are none; one line.
    """
    if place.is_file():
        return [place]
    found = sorted(place.glob("submissions/*.json")) or sorted(place.glob("*.json"))
    if not found:
        raise StudyError(f"{place}: {'has no submissions' if place.is_dir() else 'no such file or folder'}")
    return found


def check(file: Path, suite: Suite) -> list[str]:
    """Everything that is wrong with a submission, one line each; empty if it is valid.

    Args:
        file: JSON as :func:`write` writes it.
        suite: the version that it must be of.
    """
    try:
        made = Submission.model_validate(parsed(file, MOST))
    except ValidationError as error:
        return [str(first_error(error))]
    except (OSError, ValueError) as error:
        return [f"cannot be read: {' '.join(str(error).split())}"]
    wrong = []
    for key, given, own in (("suite", made.suite, suite.name), ("hash", made.hash, suite.digest)):
        if given != own:
            wrong.append(f"{key} = {given!r}: this version has {own!r}")
    if made.size not in suite.sizes:
        wrong.append(f"size = {made.size!r}: must be one of {', '.join(suite.sizes)}")
    if wrong:
        return wrong
    return [*_missing(made, suite), *_foreign(made, suite), *_unequal(made, suite)]


def _missing(made: Submission, suite: Suite) -> Iterator[str]:
    """The cells of the size that the submission has not, or has twice or for nothing."""
    size = suite.sizes[made.size]
    cells = {(task, c) for task in size.tasks for c in suite.conditions_of(size, task)}
    empty = {(each.task, each.condition) for each in made.empty}
    seeds: dict[tuple[str, str], list[int]] = {}
    for row in made.rows:
        if row.method == made.method:
            seeds.setdefault((row.task, row.condition), []).append(row.seed)
    for task, condition in sorted(cells):
        had = sorted(seeds.get((task, condition), []))
        if (task, condition) not in empty and had != list(range(size.seeds)):
            yield f"{task}, {condition}: has the seeds {had}, must have {list(range(size.seeds))}"
        if (task, condition) in empty and had:
            yield f"{task}, {condition}: is marked as empty but has the seeds {had}"
    for task, condition in sorted((set(seeds) | empty) - cells):
        yield f"{task}, {condition}: is not in size {made.size}"


def _foreign(made: Submission, suite: Suite) -> Iterator[str]:
    """Rows of the reference, or of a method that comes with the testbed, that are not the suite's trials."""
    known = methods.builtin(suite)
    listed = [known[name] for name in dict.fromkeys((suite.reference[0], made.method)) if name in known]
    names: dict[tuple[str, str, str, int], str] = {}
    for part in plan.parts(suite, suite.sizes[made.size], listed):
        for trial in part.study.trials if part.study is not None else ():
            names[part.task, part.method.name, str(trial.varied[CONDITION]), trial.seed] = trial.hash
        for trial in part.base:
            names[part.task, part.method.name, PERFECT, trial.seed] = ""
    for row in made.rows:
        if row.method not in known:
            continue
        key = (row.task, row.method, row.condition, row.seed)
        if names.get(key) != row.trial:
            where = f"{row.task}, {row.method}, {row.condition}, seed {row.seed}"
            yield f"{where}: trial = {row.trial!r}: the suite's is {names.get(key)!r}"


def _unequal(made: Submission, suite: Suite) -> Iterator[str]:
    """Values that do not follow from the metrics, and scores that do not follow from the values."""
    for row in made.rows:
        if row.task in suite.scores:
            own = rows.value(suite.scores[row.task], math.nan if row.metric is None else row.metric)
            if not _equal(own, row.value):
                where = f"{row.task}, {row.method}, {row.condition}, seed {row.seed}"
                yield f"{where}: value = {row.value:g}: follows from its metric as {own:g}"
    table = pd.DataFrame([row.model_dump() for row in made.rows])
    again = score.scores(table, {}, suite.reference[0])
    again = again[again["method"] == made.method]
    recomputed = {(line["task"], line["condition"]): line for line in again.to_dict("records")}
    claimed = {(each.task, each.condition): each.model_dump() for each in made.scores}
    for key in sorted(set(recomputed) ^ set(claimed)):
        yield f"{key[0]}, {key[1]}: has {'no scores' if key in recomputed else 'scores but no rows'}"
    for key in sorted(set(recomputed) & set(claimed)):
        for name, theirs in claimed[key].items():
            if name in ("task", "condition"):
                continue
            ours = recomputed[key][name]
            if not _equal(float(ours), math.nan if theirs is None else float(theirs)):
                yield f"{key[0]}, {key[1]}: {name} = {theirs}: follows from the rows as {ours:g}"


def _equal(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=_SAME, abs_tol=_SAME)
