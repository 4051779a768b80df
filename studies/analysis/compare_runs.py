"""Comparison of two results folders: whether equal trials agree, and the effect of other settings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from studies.analysis import conditions
from studies.analysis.bootstrap import ENOUGH, Estimate, Estimator, estimator, mean, no_interval, not_finite
from studies.columns import unit
from studies.formatting import interval_text, quantity
from studies.spec.document import StudyError
from studies.spec.manifest import StudyRecord, TrialRecord, condition_title
from studies.storage.provenance import THIS_PROCESS
from studies.storage.store import Store


@dataclass(frozen=True)
class Different:
    """A trial with the same hash but different results in the two folders.

    Attributes:
        trial: the trial.
        columns: metrics that differ -> value in the first folder, value in the second.
        curves: names of the tables that differ.
    """

    trial: TrialRecord
    columns: Mapping[str, tuple[object, object]]
    curves: tuple[str, ...]


@dataclass(frozen=True)
class Side:
    """A condition in both folders with different settings, over the seeds in common.

    Attributes:
        title: of the condition.
        seeds: the number of seeds.
        first, second: the metric's estimate in each folder.
        difference: second relative to first, by seed: the mean of the differences or, if the metric is
            averaged geometrically, the geometric mean of the ratios; nan if there is no such mean.
        how: the metric's estimator.
        left_out: seeds in common for which the metric is not finite in at least one folder.
    """

    title: str
    seeds: int
    first: float
    second: float
    difference: Estimate
    how: Estimator
    left_out: int = 0


@dataclass(frozen=True, repr=False)
class Comparison:
    """The comparison of two folders.

    Attributes:
        equal: the number of finished trials with the same hash and the same results.
        different: trials with the same hash and different results.
        changed: settings that differ between trials of the same condition and seed -> the pairs of values.
        pairs: trials of the same condition and seed with different settings.
        sides: these conditions, where both have finished seeds; empty without a metric.
        only_first, only_second: finished trials without a counterpart in the other folder.
        metric: the one by which conditions are compared; None: there is none.
        programs: programs outside the testbed that played trials in both folders in different versions, such
            as a game -> the pairs of versions.
    """

    equal: int
    different: tuple[Different, ...]
    changed: Mapping[str, tuple[tuple[object, object], ...]]
    pairs: int
    sides: tuple[Side, ...]
    only_first: int
    only_second: int
    metric: str | None = None
    programs: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each of ``sides``.

        Columns: ``condition``, ``seeds``, ``first`` and ``second`` (estimates of the metric), ``change`` with
        ``change_low`` and ``change_high`` (second relative to first, with its 95 % interval), ``kind``
        (``difference`` or ``ratio``, which ``change`` is) and ``left_out`` (seeds that are not finite).
        """
        names = "condition seeds first second change change_low change_high kind left_out"
        return pd.DataFrame(
            [
                (one.title, one.seeds, one.first, one.second, *one.difference, kind, one.left_out)
                for one in self.sides
                for kind in ("ratio" if one.how.geometric else "difference",)
            ],
            columns=names.split(),
        )

    def __repr__(self) -> str:
        words = [
            f"{self.equal} equal trials",
            f"{len(self.different)} with the same hash and different results",
            f"{self.pairs} pairs with other settings",
            f"{self.only_first} only in the first and {self.only_second} only in the second",
        ]
        return f"<comparison by {self.metric}: {', '.join(words)}>"


def metric_of_both(
    first: Store, second: Store, wanted: str | None, *, option: str = "--metric"
) -> str | None:
    """The metric for comparing pairs: the given one, or the first main metric that both have; None if none.

    Raises:
        StudyError: a folder has no finished trials, or not the given metric.
    """
    known = []
    for store in (first, second):
        study = store.study()
        summary = store.summary(study)
        if summary.empty:
            trials = f"{len(study.trials)} trial{'s' * (len(study.trials) != 1)}"
            raise StudyError(f"{store.folder}: none of its {trials} has finished")
        try:
            known.append(conditions.chosen(study, summary, [wanted] if wanted else None, option=option))
        except StudyError as error:
            raise StudyError(f"{store.folder}: {error}") from error
    return next((name for name in known[0] if name in known[1]), None)


def compare(first: Store, second: Store, metric: str | None) -> Comparison:
    """Compares finished trials: by hash for equality, others of equal condition and seed in pairs.

    Args:
        first, second: results stores.
        metric: the column by which pairs are compared; None if they have none in common.
    """
    ones, others = _finished(first), _finished(second)
    shared = [trial for name, trial in ones.items() if name in others]
    different = tuple(found for trial in shared if (found := _different(first, second, trial)))
    apart = {_place(trial): trial for name, trial in others.items() if name not in ones}
    pairs: list[tuple[TrialRecord, TrialRecord]] = [
        (trial, apart.pop(_place(trial)))
        for name, trial in ones.items()
        if name not in others and _place(trial) in apart
    ]
    changed: dict[str, tuple[tuple[object, object], ...]] = {}
    rows = []
    for ours, theirs in pairs:
        settings = [_flat(store.settings(trial)) for store, trial in ((first, ours), (second, theirs))]
        for name in sorted({*settings[0], *settings[1]}):
            values = (settings[0].get(name), settings[1].get(name))
            if values[0] != values[1] and values not in changed.get(name, ()):
                changed[name] = (*changed.get(name, ()), values)
        measured = [store.metrics(trial) for store, trial in ((first, ours), (second, theirs))]
        numbers = [math.nan if metric is None else float(one.get(metric, math.nan)) for one in measured]
        rows.append({"condition": condition_title(ours.varied), "first": numbers[0], "second": numbers[1]})
    return Comparison(
        equal=len(shared) - len(different),
        different=different,
        changed=changed,
        pairs=len(pairs),
        sides=()
        if metric is None
        else _sides(
            pd.DataFrame(rows, columns=["condition", "first", "second"]),
            estimator(first.study().workload, metric),
        ),
        only_first=len(ones) - len(shared) - len(pairs),
        only_second=len(apart),
        metric=metric,
        programs=_programs(first, second, [(trial, trial) for trial in shared] + pairs),
    )


def _programs(
    first: Store, second: Store, pairs: Sequence[tuple[TrialRecord, TrialRecord]]
) -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for ours, theirs in pairs:
        versions = first.versions(ours), second.versions(theirs)
        for name in sorted({*versions[0]} & {*versions[1]} - {*THIS_PROCESS}):
            pair = versions[0][name], versions[1][name]
            if pair[0] != pair[1] and pair not in found.get(name, ()):
                found[name] = (*found.get(name, ()), pair)
    return found


def _finished(store: Store) -> dict[str, TrialRecord]:
    study: StudyRecord = store.study()
    return {trial.hash: trial for trial in study.trials if store.status(trial) == "finished"}


def _place(trial: TrialRecord) -> tuple[object, ...]:
    return (*sorted(trial.varied.items()), trial.seed)


def _different(first: Store, second: Store, trial: TrialRecord) -> Different | None:
    one, two = first.metrics(trial), second.metrics(trial)
    columns = {
        name: (one.get(name), two.get(name))
        for name in dict.fromkeys([*one, *two])
        if not _same(one.get(name), two.get(name))
    }
    curves = tuple(
        name
        for name in sorted({*first.tables(trial), *second.tables(trial)})
        if not _same_tables(first.table(trial, name), second.table(trial, name))
    )
    return Different(trial, columns, curves) if columns or curves else None


def _same(one: object, two: object) -> bool:
    both_undefined = isinstance(one, float) and isinstance(two, float) and np.isnan(one) and np.isnan(two)
    return both_undefined or one == two


def _same_tables(one: pd.DataFrame | None, two: pd.DataFrame | None) -> bool:
    return one is not None and two is not None and one.equals(two)


def _flat(value: Any, keys: str = "") -> dict[str, str]:
    if isinstance(value, dict) and value:
        return {
            path: leaf
            for key, inner in value.items()
            for path, leaf in _flat(inner, f"{keys}.{key}" if keys else key).items()
        }
    return {keys: json.dumps(value)}


def heading(metric: str, sides: Sequence[Side]) -> str:
    """The heading above the lines of :func:`written`."""
    how, seeds = sides[0].how, [side.seeds for side in sides if side.seeds] or [0]
    middle = "geometric mean of the ratios" if how.geometric else "mean of the differences"
    few = f"; fewer than {ENOUGH} seeds are too few to conclude" if min(seeds) < ENOUGH else ""
    return f"{metric}, {how.name(max(seeds))} first -> second: {middle} by seed{few}"


def written(side: Side, metric: str) -> str:
    """``0.31 -> 0.62: +0.31 (0.29, 0.33)``, or ``x 2.00 (1.95, 2.06)`` for geometric means."""
    left_out = not_finite(side.left_out, side.seeds + side.left_out)
    if not side.seeds:
        return f"nothing to compare, {left_out}"
    kind, ratio = unit(metric), side.how.geometric
    end = f"; {left_out}" if left_out else ""
    first, second = quantity(side.first, kind), quantity(side.second, kind)
    value, low, high = side.difference
    if np.isnan(value):
        return f"{first} -> {second}: no ratio, because a number is not positive{end}"
    missing = no_interval(side.difference, side.seeds, Estimator())
    if not missing:
        text = interval_text(value, low, high, "" if ratio else kind)
    else:
        reason = "" if side.seeds < 2 else f" (the same for all {side.seeds} seeds)"
        text = f"{quantity(value, '' if ratio else kind)}{reason}"
    sign = "x " if ratio else "+" if value >= 0 else ""
    return f"{first} -> {second}: {sign}{text}, {side.seeds} seed{'s' * (side.seeds != 1)}{end}"


def _sides(table: pd.DataFrame, how: Estimator) -> tuple[Side, ...]:
    table = table.astype({"first": float, "second": float})
    sides = []
    for title, everything in table.groupby("condition", sort=False):
        group = everything[np.isfinite(everything["first"]) & np.isfinite(everything["second"])]
        left_out = len(everything) - len(group)
        first, second = (group[name].to_numpy() for name in ("first", "second"))
        if group.empty:
            sides.append(Side(str(title), 0, np.nan, np.nan, Estimate(*[np.nan] * 3), how, left_out))
            continue
        if not how.geometric:
            difference = mean(second - first)
        elif (first > 0).all() and (second > 0).all():
            difference = Estimator(geometric=True)(second / first)
        else:
            difference = Estimate(np.nan, np.nan, np.nan)
        values = how(first).value, how(second).value
        sides.append(Side(str(title), len(group), *values, difference, how, left_out))
    return tuple(sides)
