"""The results of a suite from its stores: table, figures, page and submissions, the same bytes each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from studies.spec.document import StudyError
from studies.suite import heat_maps, page, profiles, rows, score, submission, table
from studies.suite.definition import Suite
from studies.suite.plan import Choice, Part
from studies.suite.table import Table
from testbed.common.atomic_files import atomic_write, write_text

ENTRY = "entry"
"""The kind of file that a submission is."""


@dataclass(frozen=True)
class Outcome:
    """The table of a suite, and the files written, each with its kind."""

    table: Table
    files: tuple[tuple[str, Path], ...]


def read(
    suite: Suite, size: str, parts: Sequence[Part], choice: Choice, folder: Path
) -> tuple[pd.DataFrame, Table]:
    """The values of single seeds and the table, from the stores.

    Raises:
        StudyError: no trial has finished.
    """
    values, reasons = rows.gather(suite, parts, choice, folder)
    if values.empty:
        raise StudyError(f"{folder}: no trial has finished")
    return values, table.table(suite, size, score.scores(values, reasons, suite.reference[0]))


def write(suite: Suite, size: str, parts: Sequence[Part], choice: Choice, folder: Path) -> Outcome:
    """Reads the stores and writes everything that is shown.

    Submissions are written of methods with all results of the size, in ``folder/submissions``.

    Raises:
        StudyError: no trial has finished.
    """
    values, found = read(suite, size, parts, choice, folder)
    numbers, reference = found.numbers, suite.reference[0]
    files = [("table", file) for file in table.write(found, values, folder)]
    title = f"{suite.name}, {size}"
    figures = (
        ("kept", heat_maps.draw(numbers, f"{title}: what each method keeps when its network fails")),
        ("profiles", profiles.draw(values, reference, f"{title}: performance profiles over tasks")),
    )
    pictures = [None if each is None else _save(each, folder / f"{name}.png") for name, each in figures]
    write_text(folder / "suite.html", page.page(suite, size, choice, found, pictures))
    files += [("figure", file) for file in pictures if file is not None]
    files.append(("page", folder / "suite.html"))
    for label in dict.fromkeys(part.method.label for part in parts):
        made = submission.make(suite, size, label, parts, values, numbers)
        if made is not None:
            files.append((ENTRY, submission.write(made, folder / "submissions")))
    return Outcome(found, tuple(files))


def _save(figure: Figure, file: Path) -> Path:
    with (
        mpl.rc_context({"font.family": ["sans-serif", "DejaVu Sans"], "text.parse_math": False}),
        atomic_write(file) as part,
    ):
        figure.savefig(part, format="png", dpi=150, metadata={"Software": None})
    return file
