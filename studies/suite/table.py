"""The one table of a suite: a line for each task, method and condition, in Markdown, LaTeX and CSV."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from studies.formatting import Unit, quantity
from studies.markup import latex_comment, latex_table, markdown_table, markdown_text
from studies.storage.tables import write_csv
from studies.suite.definition import PERFECT, Suite
from studies.suite.score import NO_GAP
from testbed.common.atomic_files import atomic_write, write_text

HEADINGS = (
    "task",
    "method",
    "condition",
    "seeds",
    "value",
    "kept",
    "reached",
    "bytes",
    "simulated time",
    "note",
)
LABELS = 3

NONE = "-"


@dataclass(frozen=True)
class Table:
    """The table.

    Attributes:
        rows: text of each line, under ``HEADINGS``.
        notes: lines below it.
        numbers: the same as numbers, from :func:`studies.suite.score.scores`.
    """

    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    numbers: pd.DataFrame

    def markdown(self) -> str:
        """GitHub's Markdown."""
        below = "".join(f"\n{markdown_text(note)}\n" for note in self.notes)
        return markdown_table(HEADINGS, self.rows, left=LABELS) + below

    def latex(self) -> str:
        """A ``tabular`` of the package booktabs; the notes are comments."""
        needs = latex_comment(r"needs \usepackage{booktabs}")
        return needs + latex_table(HEADINGS, self.rows, left=LABELS) + "".join(map(latex_comment, self.notes))


def table(suite: Suite, size: str, numbers: pd.DataFrame) -> Table:
    """The table of scores."""
    rows = tuple(_row(line) for line in _lines(numbers))
    return Table(rows, tuple(notes(suite, size)), numbers)


def _lines(numbers: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(key): value for key, value in line.items()} for line in numbers.to_dict("records")]


def notes(suite: Suite, size: str) -> list[str]:
    """The lines that say what the columns mean, and which version and size they belong to."""
    return [
        f"{suite.name}, size {size}, hash {suite.digest}.",
        "value: digits of the error of convex tasks, the metric itself of others; higher is better.",
        "kept: the share that a method keeps of its own gain from no network to a perfect ring.",
        f"reached: the same on the scale of the reference, {suite.reference[0]}.",
        "In brackets: 95 % intervals of a paired bootstrap over seeds, with three seeds roughly their range.",
        "bytes and simulated time: means over seeds, of the whole trial, or what a centre is charged.",
    ]


def share_text(share: float, low: float, high: float) -> str:
    """``0.82 (0.79, 0.85)``; ``-`` where it is undefined, and no brackets with one seed."""
    if math.isnan(share):
        return NONE
    if math.isnan(low):
        return _two(share)
    return f"{_two(share)} ({_two(low)}, {_two(high)})"


def _two(number: float) -> str:
    text = f"{number:.2f}"
    return "0.00" if text == "-0.00" else text


def _row(line: dict[str, object]) -> tuple[str, ...]:
    def shown(name: str, unit: Unit = "") -> str:
        number = float(str(line[name]))
        return NONE if math.isnan(number) else quantity(number, unit, digits=3)

    shares = [
        share_text(*(float(str(line[f"{name}{end}"])) for end in ("", "_low", "_high")))
        for name in ("kept", "reached")
    ]
    labels = [str(line[name]) for name in HEADINGS[:LABELS]]
    costs = (shown("bytes", "bytes"), shown("seconds", "seconds"))
    return (*labels, str(line["seeds"]), shown("value"), *shares, *costs, str(line["note"]))


def write(found: Table, rows: pd.DataFrame, folder: Path) -> list[Path]:
    """Writes ``scores.csv``, ``values.csv``, ``table.md`` and ``table.tex``; returns them.

    Args:
        found: the table.
        rows: the values of single seeds, from :func:`studies.suite.rows.gather`.
        folder: the results folder.
    """
    for name, data in (("scores.csv", found.numbers), ("values.csv", rows)):
        with atomic_write(folder / name) as file:
            write_csv(data, file)
    write_text(folder / "table.md", found.markdown())
    write_text(folder / "table.tex", found.latex())
    return [folder / name for name in ("scores.csv", "values.csv", "table.md", "table.tex")]


def pivot(numbers: pd.DataFrame, task: str) -> tuple[list[str], list[tuple[str, ...]]]:
    """The kept shares of a task as headings and rows: a row per condition, a column per method with any.

    Methods without a single value in the task are left out.
    """
    here = numbers[numbers["task"] == task]
    methods = [m for m in dict.fromkeys(here["method"]) if (here[here["method"] == m]["seeds"] > 0).any()]
    cells = {(line["method"], line["condition"]): line for line in _lines(here)}
    rows = []
    for condition in dict.fromkeys(here["condition"]):
        texts = [_cell(cells.get((method, condition))) for method in methods]
        rows.append((str(condition), *texts))
    return ["condition", *methods], rows


def _cell(line: dict[str, object] | None) -> str:
    """A kept share; over the perfect ring, where it is 1, what the method reaches."""
    if line is None or not line["seeds"]:
        return NONE
    perfect = line["condition"] == PERFECT
    name = "reached" if perfect else "kept"
    shares = [float(str(line[f"{name}{end}"])) for end in ("", "_low", "_high")]
    if math.isnan(shares[0]):
        return "no gap" if f"{name} {NO_GAP}" in str(line["note"]) else NONE
    return f"reaches {share_text(*shares)}" if perfect else share_text(*shares)
