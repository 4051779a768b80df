"""The columns of all tables: their names, titles, meanings, units and estimators, and where they are shown.

``columns.csv`` has a row per column: to add a metric is to add a row. Its fields are those of
:class:`Column`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from numbers import Real
from typing import Any, Literal, cast

from studies import text
from studies.formatting import Unit, quantity

RESERVED = (
    *("trial", "seed", "panel", "metric", "mean", "iqm", "pairs", "reference"),
    *("bound", "threshold", "reached"),
)
"""Columns of tables and figures other than varied settings and measurements."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        section: its heading in ``docs/reference/columns.md``.
        name: in the table; a star stands for any ending.
        title: on figures and in reports; empty: the name.
        unit: unit of its numbers.
        better: direction of improvement, if there is one.
        geometric: whether it is a distance, which falls by powers of ten: it has logarithmic axes, and the
            geometric mean over seeds.
        shown: the places where it is shown by default: ``progress`` (lines of a running study),
            ``statistics`` (``statistics.csv``), ``curves`` (further curves in a report of training),
            ``report`` (its table of trials), and ``problem-1``, ``update-2``, ... (its place in
            ``testbed table``, by workload).
        meaning: one phrase.
        workloads: those that measure it, as far as this is known; empty: any.
    """

    section: str
    name: str
    title: str
    unit: Unit
    better: Literal["", "higher", "lower"]
    geometric: bool
    shown: frozenset[str]
    meaning: str
    workloads: frozenset[str]


def _table() -> tuple[Column, ...]:
    rows = csv.DictReader((resources.files("studies") / "columns.csv").read_text("utf-8").splitlines())
    return tuple(
        Column(
            section=row["section"],
            name=row["name"],
            title=row["title"],
            unit=cast(Unit, row["unit"]),
            better=cast(Literal["", "higher", "lower"], row["better"]),
            geometric=row["estimator"] == "geometric",
            shown=frozenset(row["shown"].split()),
            meaning=row["meaning"],
            workloads=frozenset((row["workloads"] or "").split()),
        )
        for row in rows
    )


COLUMNS = _table()
"""All columns, in the order of the reference."""

SETTING_TITLES = {
    "topology": "topology",
    "network.link.loss": "message loss (probability)",
    "network.link.delay": "link delay",
    "network.link.jitter": "link jitter",
    "network.link.rate": "link rate",
    "network.link.distribution": "delay distribution",
    "network.link.duplicate": "duplication (probability)",
    "network.link.corrupt": "corruption (probability)",
    "network.link.reorder": "reordering (probability)",
    "network.link.slot": "slots",
    "network.link.slot.min_delay": "shortest time to a slot",
    "network.link.slot.max_delay": "longest time to a slot",
    "network.link.slot.packets": "packets per slot",
    "network.link.slot.bytes": "bytes per slot",
    "network.faults": "fault",
    "network.transport": "transport",
    "network.schedule": "changing topology",
    "consensus.budget.activations": "activations per agreement",
    "consensus.budget.exchanges": "exchanges per agreement",
    "consensus.budget.seconds": "simulated seconds per agreement",
    "consensus.budget.bytes": "bytes per agreement",
    "consensus.penalty": "penalty β",
    "consensus.coupling": "coupling γ",
    "consensus.dual_limit": "dual limit λ",
    "consensus.outlier_rejection": "outlier rejection",
    "consensus.outlier_rejection.k": "k of outlier rejection",
    "consensus.outlier_rejection.window": "window of outlier rejection",
    "consensus.outlier_rejection.warm_up": "warm-up of outlier rejection",
    "consensus.outlier_rejection.floor": "floor of outlier rejection",
    "consensus.initial_dual": "first dual y",
    "consensus.activation": "activation",
    "consensus.relaxation": "relaxation α",
    "consensus.codec": "numbers sent as",
    "consensus.codec_memory": "memory of the codec",
    "consensus.gossip_step": "gossip step γ",
    "consensus.step": "step α",
    "consensus.step_decay": "decay of the step",
    "consensus.batch": "mini-batch",
    "consensus.trigger": "event trigger",
    "consensus.trigger.threshold": "threshold of a change that is sent",
    "consensus.trigger.decay": "decay of the threshold",
    "consensus.subset": "share of the coordinates per exchange",
    "consensus.timeout": "time-out",
    "consensus.algorithm": "consensus algorithm",
    "environment.agents": "agents",
    "environment.map": "map",
    "problem.agents": "agents",
    "algorithm.name": "algorithm",
    "algorithm.step": "step",
    "algorithm.curvature": "curvature in the step's length",
    "algorithm.advantage_mean": "mean subtracted from advantages",
    "algorithm.solver.every": "n of every n-th sample in Fisher products",
    "algorithm.solver": "solver",
    "algorithm.solver.tolerance": "tolerance of the solves",
    "algorithm.solver.iterations": "Fisher products per solve",
    "algorithm.solver.preconditioner": "preconditioner",
}
"""Titles of settings that studies vary; others lose their outer keys, see :func:`column_title`."""

ALGORITHMS = {
    "matrpo": "MATRPO",
    "itrpo": "I-TRPO",
    "ctrpo": "C-TRPO",
    "mappo": "MAPPO",
    "fdmarl": "FDMARL",
}
"""Names of algorithms as the literature writes them."""


@cache
def column(name: str) -> Column | None:
    """The column of this name, or else the first with a star that stands for it.

    A name with different meanings in trials and in another table means that of trials.
    """
    exact = (each for each in COLUMNS if each.name == name)
    return next(exact, None) or next((each for each in COLUMNS if fnmatchcase(name, each.name)), None)


def measured(workload: str | None = None) -> tuple[str, ...]:
    """The names of the columns of ``summary.csv`` and the curves that trials measure, in order.

    The headings of the columns of other tables name their files.

    Args:
        workload: only columns that its trials may measure; None: those of all.
    """
    return tuple(each.name for each in _measured() if _may_measure(each, workload))


def main_columns(workload: str) -> tuple[str, ...]:
    """Those of a workload's columns that have their own title, and so appear on its figures."""
    return tuple(each.name for each in _measured() if each.title and _may_measure(each, workload))


def is_measured(name: str, workload: str | None = None) -> bool:
    """Whether trials, or those of one workload, may measure a column of this name."""
    exact = [each for each in _measured() if each.name == name]
    starred = (each for each in _measured() if "*" in each.name and fnmatchcase(name, each.name))
    return any(_may_measure(each, workload) for each in exact or starred)


@cache
def _measured() -> tuple[Column, ...]:
    return tuple(each for each in COLUMNS if "`" not in each.section and each.section != "Which trial")


def _may_measure(column: Column, workload: str | None) -> bool:
    return workload is None or not column.workloads or workload in column.workloads


@cache
def column_in(table: str, name: str) -> Column | None:
    """The column of this name in a table such as ``agents``; else as :func:`column`."""
    own = [each for each in COLUMNS if f"curves_{table}.parquet" in each.section]
    exact = next((each for each in own if each.name == name), None)
    return exact or next((each for each in own if fnmatchcase(name, each.name)), None) or column(name)


def title_in(table: str, name: str) -> str:
    """The title of a column of a table; see :func:`column_in`."""
    found = column_in(table, name)
    return found.title if found is not None and found.name == name and found.title else column_title(name)


@cache
def shown(place: str) -> tuple[str, ...]:
    """The columns shown in a place, such as ``progress``, or a workload for ``testbed table``; in order."""
    ranked = {
        int(rank): each.name
        for each in COLUMNS
        for kind, _, rank in (where.partition("-") for where in each.shown)
        if kind == place and rank
    }
    return tuple(ranked[rank] for rank in sorted(ranked)) or tuple(
        each.name for each in COLUMNS if place in each.shown
    )


def geometric(metric: str) -> bool:
    """Whether a metric has a geometric mean and a logarithmic axis."""
    found = column(metric)
    return found is not None and found.geometric


def unit(metric: str) -> Unit:
    """The unit of a metric."""
    found = column(metric)
    return found.unit if found else ""


def better(metric: str) -> Literal["", "higher", "lower"]:
    """The direction in which a metric improves, if there is one."""
    found = column(metric)
    return found.better if found else ""


def column_title(name: str) -> str:
    """The title of a column or setting; dotted paths that are not listed lose their outer keys."""
    return _own_title(name) or text.label(name.split(".")[-1].replace("_", " "))


def has_title(name: str) -> bool:
    """Whether figures have their own title for a column or a setting."""
    return bool(_own_title(name))


def _own_title(name: str) -> str:
    """The title in one of the two tables; empty if there is none."""
    if name in SETTING_TITLES:
        return SETTING_TITLES[name]
    found = column(name)
    return found.title if found is not None and found.name == name else ""


def format_value(column: str, value: object) -> str:
    """A varied value of a table as figures show it: short numbers, algorithms by their names."""
    if isinstance(value, float):
        return f"{value:g}"
    if column not in ("algorithm", "algorithm.name"):
        return text.label(str(value))
    name, *rest = str(value).split(" ")
    return text.label(" ".join([ALGORITHMS.get(name, name), *rest]))


def named_value(path: str, value: object) -> str:
    """A value in a sentence: a number alone does not say of what it is, as the name of a topology does."""
    words = format_value(path, value)
    return f"{column_title(path)} {words}" if isinstance(value, Real) else words


def format_levels(column: str, values: Sequence[object]) -> list[str]:
    """Value -> text as by :func:`format_value`, but distinct for distinct values."""
    found = [format_value(column, value) for value in values]
    if len(set(found)) < len(found):
        found = [repr(value) if isinstance(value, float) else format_value(column, value) for value in values]
    return text.apart(found)


def watched(latest: Mapping[str, Any]) -> str:
    """The main ones of the latest numbers, as ``return -180.2  disagreement 0.0123``."""
    known = {name: float(latest[name]) for name in shown("progress") if name in latest}
    return "  ".join(
        f"{name.replace('_', ' ')} {quantity(value, unit(name))}" for name, value in known.items()
    )
