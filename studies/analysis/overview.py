"""The overview of a study: its conditions with the main metrics over the seeds, to print, paste or compute
with."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pandas as pd

from studies import text
from studies.analysis.bootstrap import Estimate, estimator
from studies.analysis.conditions import chosen, condition_labels, estimates, notes, written
from studies.columns import column_title, unit
from studies.formatting import scale
from studies.markup import (
    html_table,
    latex_comment,
    latex_table,
    markdown_table,
    markdown_text,
)
from studies.spec.manifest import StudyRecord

Cell = tuple[Estimate, int] | None


@dataclass(frozen=True, repr=False)
class Overview:
    """A line per condition: its varied values, its number of seeds, and each metric over them.

    Numbers are estimates over the seeds, with their 95 % bootstrap intervals in brackets; ``notes`` name the
    estimator of each metric. Notebooks show it as a table.

    Attributes:
        question: the study's; may be empty.
        headings: titles of the columns, as figures have them, with units.
        rows: text of each condition's cells.
        labels: how many of the first columns are varied settings.
        notes: lines that belong below the table.
        numbers: the same as numbers, in seconds, bytes and so on: columns are the varied settings, ``seeds``,
            and for each metric its name, and its name with ``_low`` and ``_high`` for the interval, which is
            nan where there is none.
    """

    question: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: int
    notes: tuple[str, ...]
    numbers: pd.DataFrame = field(compare=False)

    def markdown(self) -> str:
        """The table in GitHub's Markdown, with the question above it and the notes below."""
        above = f"{markdown_text(text.visible(self.question))}\n\n" if self.question else ""
        below = "".join(f"\n{markdown_text(note)}\n" for note in self.notes)
        return f"{above}{markdown_table(self.headings, self.rows, left=self.labels)}{below}"

    def latex(self) -> str:
        """The table as a ``tabular`` of LaTeX; the question and the notes are comments, for the caption."""
        above = latex_comment(self.question) if self.question else ""
        needs = latex_comment(r"needs \usepackage{booktabs}")
        below = "".join(map(latex_comment, self.notes))
        return f"{above}{needs}{latex_table(self.headings, self.rows, left=self.labels)}{below}"

    def __repr__(self) -> str:
        lines = [self.headings, *self.rows]
        shown = [[text.visible(cell) for cell in line] for line in lines]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        padded = [
            "  ".join(
                cell.ljust(width) if place < self.labels else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in shown
        ]
        return "\n".join([*padded, *self.notes])

    def _repr_html_(self) -> str:
        table = html_table(self.headings, self.rows, left=self.labels, caption=self.question)
        return table + "".join(f"<p>{html.escape(text.visible(note))}</p>" for note in self.notes)


def overview(
    study: StudyRecord,
    summary: pd.DataFrame,
    metrics: Sequence[str] | None = None,
    *,
    option: str = "--metrics",
) -> Overview:
    """The overview of the finished trials in ``summary``.

    Args:
        study: the study.
        summary: a row per finished trial, as :meth:`studies.storage.store.Store.summary` makes it.
        metrics: names of metrics; None: the main ones of the workload.
        option: what names the metrics, for messages.

    Raises:
        StudyError: there is no such metric; one line.
    """
    names = chosen(study, summary, metrics, option=option)
    found = estimates(study, summary, names)
    columns = [
        _column(study, name, [cells[place] for _, _, cells in found], [seeds for _, seeds, _ in found])
        for place, name in enumerate(names)
    ]
    labels = condition_labels(study, found)
    titles = text.apart(
        [*(column_title(path) for path in study.varied), "seeds", *(head for head, _ in columns)]
    )
    rows = [
        (*values, str(seeds), *(cells[line] for _, cells in columns))
        for line, (values, (_, seeds, _)) in enumerate(zip(labels, found, strict=True))
    ]
    return Overview(
        question=" ".join(study.question.split()),
        headings=tuple(titles),
        rows=tuple(rows),
        labels=len(study.varied),
        notes=tuple(notes(study, summary, metrics, titled=True)),
        numbers=_numbers(study, names, found),
    )


def _column(
    study: StudyRecord, name: str, cells: Sequence[Cell], seeds: Sequence[int]
) -> tuple[str, list[str]]:
    """Heading and cells of a metric, all in the unit that suits its largest number."""
    how, kind = estimator(study.workload, name), unit(name)
    title = column_title(name)
    sizes = [abs(bound) for one in cells if one is not None for bound in one[0] if np.isfinite(bound)]
    factor, unit_name = scale(max(sizes, default=0.0), kind)
    if unit_name:
        title, kind = f"{title.removesuffix(' (s)')} ({unit_name})", ""
    shown = []
    for one, count in zip(cells, seeds, strict=True):
        scaled = None if one is None else (Estimate(*(bound / factor for bound in one[0])), one[1])
        shown.append(written(how, scaled, count, kind).plain)
    return title, shown


def _numbers(
    study: StudyRecord,
    names: Sequence[str],
    found: Sequence[tuple[tuple[object, ...], int, list[Cell]]],
) -> pd.DataFrame:
    lines = []
    for values, seeds, cells in found:
        line = {**dict(zip(study.varied, values, strict=True)), "seeds": seeds}
        for name, one in zip(names, cells, strict=True):
            bounds = cast(Sequence[float], (np.nan,) * 3 if one is None else one[0])
            line |= dict(zip((name, f"{name}_low", f"{name}_high"), bounds, strict=True))
        lines.append(line)
    return pd.DataFrame(lines)
