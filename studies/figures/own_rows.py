"""The rows of the results that a user-defined figure shows, and the kind of figure that they make."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from studies.figures.plan import FigureData
from studies.spec.document import StudyError
from studies.spec.presentation import SEED, FigureSettings
from studies.spec.synonyms import did_you_mean


def source(results: FigureData, wanted: FigureSettings) -> tuple[str, pd.DataFrame]:
    """The kind of the figure, and the rows of the table with its columns in which these are finite.

    Raises:
        StudyError: the results lack a column, or all its numbers; one line.
    """
    settings = (*results.varied, SEED)
    if wanted.kind == "heatmap":
        return "heatmap", _finite(results.summary, [str(wanted.hue)], settings, "trials")
    names = [wanted.x, wanted.y]
    curves = _curves(results)
    known = dict.fromkeys(str(name) for table in (results.summary, *curves) for name in table)
    for name in names:
        if name not in known:
            raise StudyError(f"these trials have no column {name!r}{did_you_mean(name, known)}")
    curve = next((table for table in curves if {*names} <= {*table.columns}), None)
    if wanted.kind == "points" or (wanted.kind is None and (curve is None or wanted.x in settings)):
        return "points", _finite(results.summary, names, settings, "trials")
    if curve is None:
        _finite(pd.concat(curves) if curves else pd.DataFrame(), names, settings, "curves")
        raise StudyError(f"no curve has both {wanted.x!r} and {wanted.y!r}")
    return "line", _finite(curve, names, settings, "curves")


def _finite(table: pd.DataFrame, names: Sequence[str], settings: Sequence[str], owner: str) -> pd.DataFrame:
    """The rows in which the measured ones of these columns are finite."""
    for name in names:
        if name not in table:
            near = did_you_mean(name, [str(column) for column in table])
            raise StudyError(f"these {owner} have no column {name!r}{near}")
    measured = [name for name in names if name not in settings]
    found: pd.DataFrame = table[np.isfinite(table[measured].to_numpy(float)).all(axis=1)]
    if found.empty:
        raise StudyError(f"these {owner} have no finite {' with '.join(map(repr, measured))}")
    return found


def _curves(results: FigureData) -> list[pd.DataFrame]:
    """The curves, those of training first; of their consensus runs the last update's."""
    found = []
    for name in ("training", "consensus"):
        table = results.curves.get(name)
        if table is None or table.empty:
            continue
        if name == "consensus" and "update" in table:
            table = table[table["update"] == table.groupby("trial")["update"].transform("max")]
        found.append(table)
    return found
