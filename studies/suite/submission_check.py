"""The check of a submission to a leaderboard.

It shows that the submission was made by this version and size, that nothing is missing, that the reference's
trials are those of the suite, and that the scores follow from the values. It cannot show that the values were
measured: for that, run the method.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from studies import text
from studies.spec.document import StudyError
from studies.suite import methods, plan, rows, score
from studies.suite.definition import PERFECT, Suite
from studies.suite.plan import CONDITION
from studies.suite.running import RECORD
from studies.suite.submission import Submission, missing
from testbed.common.json_files import parsed
from testbed.common.validation_messages import first_error

MOST = 50 * 2**20
"""Largest file that is read, in bytes."""

LINES = 20
"""Most lines about what is wrong with one submission."""

LONG = 300
"""Most characters of such a line."""

_SAME = 1e-9
"""Relative difference of two numbers that count as equal."""


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
    for stage in (_version, _made_by, missing):
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
