"""The table of costs to reach thresholds, in words: a line per threshold and condition."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from studies import text
from studies.analysis.bootstrap import ENOUGH
from studies.analysis.overview import Overview
from studies.analysis.reach import costs_in, reach_medians
from studies.columns import column_title, format_levels, unit
from studies.formatting import Unit, interval_text, quantity
from studies.spec.manifest import StudyRecord

COST_TITLES = {
    "bytes": "bytes",
    "seconds": "simulated time",
    "steps": "environment steps",
    "update": "updates",
}


def cost_title(name: str) -> str:
    """The title of a cost."""
    return COST_TITLES.get(name, name)


def threshold_text(metric: str, bound: str, threshold: float) -> str:
    """``error ≤ 0.01``."""
    return f"{metric} {'≥' if bound == 'at least' else '≤'} {threshold:.12g}"


def cost_text(row: Mapping[str, Any], name: str) -> str:
    """A median with its range over the seeds: ``120 (110, 150)``, ``120 (110, > 400)``, ``> 400``."""
    kind: Unit = unit(name)
    value, low, high, exceeds = (float(row[key]) for key in _keys(name))
    if math.isnan(value):
        return f"> {quantity(exceeds, kind)}" if not math.isnan(exceeds) else "-"
    if row["seeds"] < 2:
        return quantity(value, kind)
    if math.isinf(high):
        beyond = f"> {quantity(exceeds, kind)}" if not math.isnan(exceeds) else "not reached"
        return f"{quantity(value, kind)} ({quantity(low, kind)}, {beyond})"
    return interval_text(value, low, high, kind) if low < high else quantity(value, kind)


def _keys(name: str) -> tuple[str, str, str, str]:
    return name, f"{name}_low", f"{name}_high", f"{name}_exceeds"


def reach_rows(table: pd.DataFrame, varied: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """The header and the lines, as text.

    Args:
        table: from :func:`studies.analysis.reach.cost_to_reach`.
        varied: the settings that identify conditions.
    """
    costs = costs_in(table)
    head = ["reached", *map(column_title, varied), "seeds", *map(cost_title, costs)]
    if table.empty:
        return head, []
    words = {
        name: dict(zip(found, format_levels(name, found), strict=True))
        for name in varied
        for found in [list(dict.fromkeys(table[name]))]
    }
    rows = []
    for row in reach_medians(table, varied).to_dict("records"):
        rows.append(
            [
                threshold_text(row["metric"], row["bound"], row["threshold"]),
                *(words[name][row[name]] for name in varied),
                f"{row['reached']} of {row['seeds']}",
                *(cost_text({str(key): value for key, value in row.items()}, name) for name in costs),
            ]
        )
    return head, rows


def reach_overview(study: StudyRecord, table: pd.DataFrame) -> Overview:
    """The same to paste, as Markdown or LaTeX."""
    head, rows = reach_rows(table, study.varied)
    return Overview(
        question=" ".join(study.question.split()),
        headings=tuple(text.apart(head)),
        rows=tuple(map(tuple, rows)),
        labels=1 + len(study.varied),
        notes=(reach_note(table, study.varied),),
        numbers=reach_medians(table, study.varied),
    )


def reach_table(table: pd.DataFrame, varied: Sequence[str]) -> Table:
    """The same for the terminal."""
    head, rows = reach_rows(table, varied)
    drawn = Table(box=None, pad_edge=False)
    for place, title in enumerate(head):
        number = place > len(varied)
        drawn.add_column(Text(title), justify="right" if number else "left", no_wrap=number)
    for row in rows:
        drawn.add_row(*map(Text, row))
    return drawn


def reach_note(table: pd.DataFrame, varied: Sequence[str]) -> str:
    """The meaning of the numbers, in a sentence."""
    seeds = [
        len(group) for _, group in table.groupby(["metric", "threshold", "bound", *varied], dropna=False)
    ]
    few = (
        f"; fewer than {ENOUGH} seeds are too few to conclude" if min(seeds, default=ENOUGH) < ENOUGH else ""
    )
    return (
        "cost to reach: median over the seeds, counting those that did not reach it (Kaplan-Meier), and"
        " range; > x: at least half of the seeds had not reached it when the first of them ended, at x"
        f"{few}"
    )
