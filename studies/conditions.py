"""The table of a study's conditions: what is varied, and the numbers people look at first, over the seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from rich.markup import escape
from rich.table import Table

from studies.columns import said, title
from studies.document import StudyError
from studies.explain import nearest
from studies.grouping import grouped
from studies.outline import StudyOutline
from studies.statistics import Estimate, interquartile_mean, mean

FIRST = {
    "problem": ("error", "relative_disagreement", "consensus_seconds", "consensus_bytes"),
    "update": ("surrogate_gain", "relative_disagreement", "kl", "consensus_seconds", "consensus_bytes"),
    "training": ("evaluation_return_battle_won", "return", "relative_disagreement", "seconds", "bytes"),
}
"""Metrics shown unless others are asked for, by workload; those that a study does not have are left out."""


def chosen(study: StudyOutline, summary: pd.DataFrame, metrics: Sequence[str] | None) -> list[str]:
    """The metrics asked for, or those shown first.

    Raises:
        StudyError: there is no such column of numbers.
    """
    fixed = ("trial", "seed", *study.varied)
    known = [str(name) for name in summary.select_dtypes("number") if name not in fixed]
    for name in metrics or ():
        if name not in known:
            reason = f"no such metric{nearest(name, known)} (there are: {', '.join(known)})"
            raise StudyError(f"--metrics {name}: {reason}")
    return list(metrics or [name for name in FIRST[study.workload] if name in known])


def estimates(
    study: StudyOutline, summary: pd.DataFrame, metrics: Sequence[str]
) -> list[tuple[tuple[object, ...], int, list[Estimate | None]]]:
    """Of each condition its varied values, the number of finished seeds, and each metric over them.

    Training has interquartile means, as its figures do; None where no seed has a finite number.
    """
    names = list(study.varied)
    over = interquartile_mean if study.workload == "training" else mean
    rows = []
    for values, group in grouped(summary, names):
        found: list[Estimate | None] = []
        for name in metrics:
            finite = group[name][np.isfinite(group[name])]
            found.append(over(finite) if len(finite) else None)
        rows.append((tuple(values), len(group), found))
    return rows


def table(study: StudyOutline, summary: pd.DataFrame, metrics: Sequence[str] | None) -> Table:
    """For the terminal: a line per condition, each number with its 95 % interval over the seeds."""
    names = chosen(study, summary, metrics)
    drawn = Table(box=None, pad_edge=False)
    for path in study.varied:
        drawn.add_column(escape(title(path)))
    drawn.add_column("seeds", justify="right")
    for name in names:
        drawn.add_column(name, justify="right", no_wrap=True)
    for values, seeds, found in estimates(study, summary, names):
        labels = [escape(said(path, value)) for path, value in zip(study.varied, values, strict=True)]
        drawn.add_row(*labels, str(seeds), *(map(_written, found)))
    return drawn


def _written(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    interval = "" if np.isnan(estimate.low) else f" [dim]({estimate.low:.3g}, {estimate.high:.3g})[/]"
    return f"{estimate.value:.4g}{interval}"
