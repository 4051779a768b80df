"""Tables of the page in HTML. Headers are buttons by which the page's script sorts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import pandas as pd

from studies import text
from studies.analysis.bootstrap import Estimate
from studies.analysis.reach import costs_in, reach_medians
from studies.analysis.reach_table import reach_note, reach_rows
from studies.columns import column_title, format_value, unit
from studies.formatting import Unit, duration
from studies.report.numbers import exact, figure, interval_name, spread
from studies.report.provenance import Provenance
from studies.spec.manifest import StudyRecord

INTERVAL = "95 % interval"
"""Header of intervals of anything but means of runs; see :func:`interval_name`."""

RANGE = "range"


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: the text shown.
        value: the sort key of a number.
        link: target within the page, such as ``trial=...``.
        spoken: description of the target for screen readers, after the text.
        more: shown smaller, after the text.
    """

    text: str
    value: float | None = None
    link: str = ""
    spoken: str = ""
    more: str = ""


def html_table(
    name: str, caption: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[Cell]]]
) -> str:
    """HTML of a table.

    Args:
        name: id of the table.
        caption: description above the table.
        columns: titles of the columns.
        rows: ``data-key`` by which the script finds a row (may be empty), and a cell per column.
    """
    rows = list(rows)
    right = [
        i > 0
        and not column.startswith((INTERVAL, RANGE))
        and all(cells[i].value is not None or not cells[i].text for _, cells in rows)
        for i, column in enumerate(columns)
    ]
    head = "".join(
        f'<th scope="col"{_class(number)}><button type="button">{escape(column)}</button></th>'
        for column, number in zip(columns, right, strict=True)
    )
    body = "\n".join(
        f'<tr data-key="{escape(key)}">{"".join(map(_cell, cells, right, range(len(cells))))}</tr>'
        for key, cells in rows
    )
    return (
        f'<p class="caption" id="{name}-caption">{escape(caption)}</p>'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}-caption">'
        f'<table id="{name}" aria-labelledby="{name}-caption"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def number(value: Any, unit: Unit = "") -> Cell:
    """A number with four digits; empty if not finite."""
    value = exact(float(value))
    return Cell("" if value is None else figure(value, unit), value)


def with_interval(row: Mapping[str, Any], name: str, unit: Unit = "", missing: str = "") -> list[Cell]:
    """Two cells: a number, and its interval or the reason why there is none."""
    found = (_finite(row.get(key)) for key in (name, f"{name}_low", f"{name}_high"))
    value, low, high = found
    if value is None or low is None or high is None:
        return [number(value if value is not None else math.nan, unit), Cell(missing)]
    shown, interval = spread(Estimate(value, low, high), unit)
    return [Cell(shown, value), Cell(interval, low)]


def _finite(value: Any) -> float | None:
    number: float | None = None if value is None else exact(float(value))
    return number


def statistics(
    data: pd.DataFrame, study: StudyRecord, shown: Sequence[str], places: Sequence[int | None], caption: str
) -> str:
    """The statistics of conditions.

    Args:
        data: from :func:`studies.report.final_values.statistics`.
        study: the study.
        shown: varied settings with a column.
        places: index of each row's condition.
        caption: of the table.
    """
    training, compared = "iqm" in data, "probability_of_improvement" in data
    columns = ["metric", *map(column_title, shown), "seeds"]
    columns += ["mean", "interquartile mean"] if training else ["estimator", "estimate"]
    columns.append(interval_name(data["seeds"].dropna()))
    if compared:
        columns += ["compared with", "probability of improvement", INTERVAL]
        columns += ["paired difference", interval_name(data["pairs"].dropna() if "pairs" in data else ())]
    rows = []
    for row, place in zip(_records(data), places, strict=True):
        link = "" if place is None else f"condition={place}"
        values = [_value(name, row[name]) for name in shown]
        words = ", ".join(cell.text for cell in values)
        cells = [
            Cell(column_title(str(row["metric"])), link=link, spoken=f": select {words or 'all trials'}"),
            *values,
        ]
        kind, note = unit(str(row["metric"])), str(row.get("note") or "")
        seeds = number(row.get("seeds", math.nan))
        cells.append(replace(seeds, more=_about(note, "not finite")))
        if training:
            cells += [
                number(row.get("mean", math.nan), kind),
                *with_interval(row, "iqm", kind, _about(note, "seed")),
            ]
        else:
            cells += [
                Cell(str(row["estimator"])),
                *with_interval(row, "estimate", kind, _but(note, "not finite")),
            ]
        if compared:
            beside = row["reference"]
            missing = beside is None or (isinstance(beside, float) and math.isnan(beside))
            cells.append(Cell("" if missing else format_value(str(study.comparison_factor), beside)))
            cells += [
                *with_interval(row, "probability_of_improvement", "", _about(note, "pair of runs")),
                *with_interval(row, "paired_difference", kind, _about(note, "differences")),
            ]
        rows.append((link, cells))
    return html_table("statistics", caption, columns, rows)


def trials(
    study: StudyRecord,
    varied: Sequence[str],
    provenance: Provenance,
    summary: pd.DataFrame,
    shown: Sequence[str],
) -> str:
    """A table with a row per trial, whatever its status.

    Args:
        study: the study.
        varied: varied settings with a column.
        provenance: the states of the trials.
        summary: the results of the finished trials.
        shown: metrics to show.
    """
    results = summary.set_index("trial").to_dict("index") if len(summary) else {}
    columns = ["trial", *map(column_title, varied), "seed", "status", *map(column_title, shown), "wall time"]
    rows = []
    for place, trial in enumerate(study.trials):
        result = results.get(trial.hash, {})
        state = provenance.states[place]
        seconds = provenance.seconds[place]
        link = f"trial={trial.hash}"
        cells = [
            Cell(str(place + 1), float(place + 1), link if result else "", ": select it", trial.hash[:6])
        ]
        cells += [_value(name, trial.varied[name]) for name in varied]
        cells += [number(trial.seed), Cell(state.status, more=text.visible(state.said))]
        cells += [number(result.get(name, math.nan), unit(name)) for name in shown]
        cells.append(Cell("") if seconds is None else Cell(duration(seconds), exact(seconds)))
        rows.append((link, cells))
    return html_table("trials", f"The trials of {text.label(study.name)}", columns, rows)


def reach(costs: pd.DataFrame, varied: Sequence[str]) -> str:
    """The costs to reach thresholds.

    Args:
        costs: from :func:`studies.analysis.reach.cost_to_reach`.
        varied: the settings that identify conditions.
    """
    head, lines = reach_rows(costs, varied)
    medians, paid = reach_medians(costs, varied).to_dict("records"), costs_in(costs)
    rows = []
    for row, words in zip(medians, lines, strict=True):
        cells = [Cell(words[0], float(row["threshold"]))]
        cells += [_value(name, row[name]) for name in varied]
        cells.append(Cell(words[len(varied) + 1], float(row["reached"])))
        for name, written in zip(paid, words[len(varied) + 2 :], strict=True):
            known = [row[name], row[f"{name}_exceeds"]]
            cells.append(Cell(written, next((exact(float(one)) for one in known if one == one), None)))
        rows.append(("", cells))
    note = reach_note(costs, varied)
    return html_table("reach", f"{note[0].upper()}{note[1:]}", head, rows)


def _about(note: str, word: str) -> str:
    """The part of a row's notes about a topic."""
    found = (one for one in note.split("; ") if word in one and not one.startswith("too few"))
    return next(found, "")


def _but(note: str, word: str) -> str:
    """A row's notes without the part about a topic."""
    return "; ".join(one for one in note.split("; ") if word not in one)


def _records(data: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in data.to_dict("records")]


def _value(name: str, value: Any) -> Cell:
    """Cells of the varied values."""
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(format_value(name, value), float(value) if numeric else None)


def _cell(cell: Cell, right: bool, place: int) -> str:
    value = "" if cell.value is None else f' data-v="{cell.value!r}"'
    shown = escape(cell.text)
    if cell.link:
        shown = f'<a href="#{escape(cell.link)}">{shown}<span class="unseen">{escape(cell.spoken)}</span></a>'
    if cell.more:
        shown += f" <small>{escape(cell.more)}</small>"
    if place == 0:
        return f'<th scope="row"{value}>{shown}</th>'
    return f"<td{_class(right)}{value}>{shown}</td>"


def _class(right: bool) -> str:
    return ' class="number"' if right else ""
