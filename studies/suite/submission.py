"""Submissions to a leaderboard: one method's values and scores, and the check that they belong together.

A submission holds the value of every seed, of the method and of the reference, so anybody can compute the
scores again. The check shows that it was made by this version and size, that nothing is missing, that the
reference's trials are those of the suite, and that the scores follow from the values. It cannot show that the
values were measured: for that, run the method.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
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
from studies.suite.running import RECORD
from testbed.common.atomic_files import write_json
from testbed.common.json_files import parsed
from testbed.common.settings import Settings
from testbed.common.validation_messages import first_error

MOST = 50 * 2**20
"""Largest file that is read, in bytes."""

SCHEMA = "submission.schema.json"
"""The file next to the versions that has the schema of a submission."""

LINES = 20
"""Most lines about what is wrong with one submission."""

LONG = 300
"""Most characters of such a line."""

_SAME = 1e-9
"""Relative difference of two numbers that count as equal."""


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
    found = sorted(place.glob("submissions/*.json"))
    if not found and not (place / RECORD).exists():  # that of a results folder is no submission
        found = sorted(place.glob("*.json"))
    if not found:
        none = "has no submissions, which are written of methods with all results of a size"
        raise StudyError(f"{place}: {none if place.is_dir() else 'no such file or folder'}")
    return found


@dataclass(frozen=True)
class Checked:
    """What :func:`check` found.

    Attributes:
        wrong: everything that is wrong, one line each, at most ``LINES`` and one; empty if it is valid.
        cells: how many cells have values.
        empty: how many have none, each for a reason that the submission gives.
    """

    wrong: tuple[str, ...]
    cells: int = 0
    empty: int = 0


def check(file: Path, suite: Suite) -> Checked:
    """Checks a submission.

    Args:
        file: JSON as :func:`write` writes it.
        suite: the version that it must be of.
    """
    try:
        made = Submission.model_validate(parsed(file, MOST, once=True))
    except ValidationError as error:
        return Checked((text.visible(str(first_error(error))),))
    except (OSError, ValueError) as error:
        return Checked((f"cannot be read: {text.visible(' '.join(str(error).split()))}",))
    lines = [text.shortened(text.visible(line), LONG) for line in islice(_problems(made, suite), LINES + 1)]
    if len(lines) > LINES:
        lines[LINES] = "and more"
    return Checked(tuple(lines), len(made.scores), len(made.empty))


def _problems(made: Submission, suite: Suite) -> Iterator[str]:
    """Everything that is wrong: the version first, then what is there, and only then what follows from it."""
    wrong = False
    for stage in (_version, _made_by, _missing):
        for line in stage(made, suite):
            wrong = True
            yield line
        if wrong:
            return
    yield from _foreign(made, suite)
    yield from _unequal(made, suite)


def _version(made: Submission, suite: Suite) -> Iterator[str]:
    for key, given, own in (("suite", made.suite, suite.name), ("hash", made.hash, suite.digest)):
        if given != own:
            yield f"{key} = {given!r}: this version has {own!r}"
    if made.size not in suite.sizes:
        yield f"size = {made.size!r}: must be one of {', '.join(suite.sizes)}"


def _made_by(made: Submission, suite: Suite) -> Iterator[str]:
    """The method is one that comes with the testbed, or is named after the hash of its code."""
    if made.method in methods.builtin(suite):
        if made.code:
            yield f"code = {made.code!r}: must be empty for {made.method}, which comes with the testbed"
    elif not re.fullmatch("[0-9a-f]{64}", made.code):
        yield f"code = {made.code!r}: must be the SHA-256 of the method's file"
    elif not made.method.endswith(f"@{made.code[:8]}"):
        yield f"method = {made.method!r}: must end in @{made.code[:8]}, the beginning of `code`"


def _missing(made: Submission, suite: Suite) -> Iterator[str]:
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


def _foreign(made: Submission, suite: Suite) -> Iterator[str]:
    """Rows of the reference, or of a method that comes with the testbed, that are not the suite's trials.

    For such a method the empty cells must be the suite's, too. No trial may have passed its deadline.
    """
    known = methods.builtin(suite)
    listed = [known[name] for name in dict.fromkeys((suite.reference[0], made.method)) if name in known]
    names: dict[tuple[str, str, str, int], str] = {}
    deadlines: dict[str, float | None] = {}
    reasons: dict[tuple[str, str], str] = {}
    for part in plan.parts(suite, suite.sizes[made.size], listed):
        if part.method.name == suite.reference[0]:
            deadlines[part.task] = part.deadline
        if part.method.name == made.method:
            reasons |= {(part.task, condition): reason for condition, reason in part.empty.items()}
        for trial in part.study.trials if part.study is not None else ():
            names[part.task, part.method.name, str(trial.varied[CONDITION]), trial.seed] = trial.hash
        for trial in part.base:
            names[part.task, part.method.name, PERFECT, trial.seed] = ""
    given = {(each.task, each.condition): each.reason for each in made.empty}
    if made.method in known:
        for task, condition in sorted(set(given.items()) ^ set(reasons.items())):
            yield f"{', '.join(task)}: empty = {condition!r}: the suite's is {reasons.get(task)!r}"
    for row in made.rows:
        where = f"{row.task}, {row.method}, {row.condition}, seed {row.seed}"
        if (wrong := rows.refused(row.model_dump(), deadlines.get(row.task))) is not None:
            yield f"{where}: {wrong}"
        key = (row.task, row.method, row.condition, row.seed)
        if row.method in known and names.get(key) != row.trial:
            yield f"{where}: trial = {row.trial!r}: the suite's is {names.get(key)!r}"


def _unequal(made: Submission, suite: Suite) -> Iterator[str]:
    """Values that do not follow from the metrics, and scores that do not follow from the values."""
    for row in made.rows:
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
