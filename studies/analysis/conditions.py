"""The table of a study's conditions: varied settings, and the main metrics over the seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from studies.analysis.bootstrap import Estimate, Estimator, described, estimator, no_interval, not_finite
from studies.columns import column_title, format_levels, shown, unit
from studies.formatting import Unit, interval_text, quantity
from studies.spec.document import StudyError
from studies.spec.manifest import StudyRecord
from studies.spec.synonyms import did_you_mean


def chosen(
    study: StudyRecord, summary: pd.DataFrame, metrics: Sequence[str] | None, *, option: str = "--metrics"
) -> list[str]:
    """The metrics requested by a command-line option, or the main ones.

    Raises:
        StudyError: there is no such column of numbers.
    """
    fixed = ("trial", "seed", *study.varied)
    known = [str(name) for name in summary.select_dtypes("number") if name not in fixed]
    for name in metrics or ():
        if not name:
            raise StudyError(f"{option} {','.join(metrics or ())}: has an empty name")
        if name not in known:
            reason = f"no such metric{did_you_mean(name, known)} (there are: {', '.join(known)})"
            raise StudyError(f"{option} {name}: {reason}")
    return list(metrics or [name for name in shown(study.workload) if name in known])


Rows = list[tuple[tuple[object, ...], int, list[tuple[Estimate, int] | None]]]
"""For each condition its varied values, the number of finished seeds, and each metric over them."""


def estimates(study: StudyRecord, summary: pd.DataFrame, metrics: Sequence[str]) -> Rows:
    """For each condition its varied values, the number of finished seeds, and each metric over them.

    A metric has the estimate of :func:`studies.columns.estimator`, and the number of seeds with a finite
    value; None if no seed has one.
    """
    names = list(study.varied)
    rows = []
    for values, group in grouped(summary, names):
        found: list[tuple[Estimate, int] | None] = []
        for name in metrics:
            finite = group[name][np.isfinite(group[name])]
            how = estimator(study.workload, name)
            if not len(finite) and np.isinf(group[name]).any():  # nan may be by design
                worst = float(group[name][np.isinf(group[name])].iloc[0])
                found.append((Estimate(worst, np.nan, np.nan), 0))
            else:
                found.append((how(finite), len(finite)) if len(finite) else None)
        rows.append((tuple(values), len(group), found))
    return rows


def condition_table(study: StudyRecord, summary: pd.DataFrame, metrics: Sequence[str] | None) -> Table:
    """For the terminal: a line per condition, each number with its interval over the seeds."""
    names = chosen(study, summary, metrics)
    drawn = Table(box=None, pad_edge=False)
    for path in study.varied:
        drawn.add_column(Text(column_title(path)))
    drawn.add_column("seeds", justify="right")
    for name in names:
        drawn.add_column(Text(name), justify="right", no_wrap=True)
    rows = estimates(study, summary, names)
    for labels, (_, seeds, found) in zip(condition_labels(study, rows), rows, strict=True):
        numbers = [
            written(estimator(study.workload, name), one, seeds, unit(name))
            for name, one in zip(names, found, strict=True)
        ]
        drawn.add_row(*map(Text, labels), str(seeds), *numbers)
    return drawn


def condition_labels(study: StudyRecord, rows: Rows) -> list[tuple[str, ...]]:
    """The varied values of each condition as text, different for different values."""
    words = []
    for place, path in enumerate(study.varied):
        different = list(dict.fromkeys(values[place] for values, _, _ in rows))
        words.append(dict(zip(different, format_levels(path, different), strict=True)))
    return [tuple(known[value] for known, value in zip(words, values, strict=True)) for values, _, _ in rows]


def notes(
    study: StudyRecord, summary: pd.DataFrame, metrics: Sequence[str] | None, *, titled: bool = False
) -> list[str]:
    """Notes below the table on its numbers and intervals, one line per group of metrics that share it.

    With ``titled``, metrics have their titles instead of their names.
    """
    names = chosen(study, summary, metrics)
    rows = estimates(study, summary, names)
    common: dict[str, list[str]] = {}
    lines = []
    for place, name in enumerate(names):
        how = estimator(study.workload, name)
        shown_name = column_title(name) if titled else name
        seeds = [one[1] for _, _, found in rows if (one := found[place]) is not None and one[1]]
        if seeds:
            common.setdefault(described(seeds, how), []).append(shown_name)
        if how.geometric and (zeros := int((summary[name] == 0).sum())):
            lines.append(
                f"{shown_name}: 0 in {zeros} of {len(summary)} trials; a geometric mean with a 0 in it is 0"
            )
    return [f"{', '.join(those)}: {words}" for words, those in common.items()] + lines


def written(how: Estimator, found: tuple[Estimate, int] | None, seeds: int, kind: Unit) -> Text:
    """An estimate over seeds with its interval, or the reason why it has none.

    Args:
        how: the estimator.
        found: the estimate and the number of seeds with a finite value; None if no seed has one.
        seeds: number of finished seeds.
        kind: unit of the numbers.
    """
    if found is None:
        return Text("-")
    estimate, finite = found
    missing = no_interval(estimate, finite, how) if finite else ""
    left_out = not_finite(seeds - finite, seeds)
    if finite and not missing:
        text = interval_text(*estimate, kind)
        value, _, interval = text.partition(" (")
        return Text.assemble(value, (f" ({interval}", "dim"), f" ({left_out})" if left_out else "")
    words = [*([] if finite < 2 else [missing]), *([left_out] if left_out else [])]
    return Text.assemble(quantity(estimate.value, kind), (f" ({'; '.join(words)})" if words else "", "dim"))


def grouped(table: pd.DataFrame, names: Sequence[str]) -> Iterable[tuple[tuple[Any, ...], pd.DataFrame]]:
    """The values of the columns ``names`` and the rows that have them, in the order of the table.

    Without names, all rows are one group; a missing value counts as a value.
    """
    if not names:
        return [((), table)]
    groups: Iterable[tuple[tuple[Any, ...], pd.DataFrame]]
    groups = table.groupby(list(names), sort=False, dropna=False)
    return groups
