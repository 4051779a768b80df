"""Lines with a band over the seeds: their x values, and the interval of the band."""

from __future__ import annotations

from typing import Any

import pandas as pd

from studies.analysis.bootstrap import Estimator
from studies.analysis.conditions import grouped
from studies.analysis.resampling import together


def over_seeds(table: pd.DataFrame, how: Estimator) -> dict[str, Any]:
    """The estimate over seeds and its interval, in seaborn's form.

    Seaborn's own bootstrap takes seconds a figure, and may cross zero on a logarithmic axis.
    """

    def value(values: Any) -> float:
        return how(values).value

    def interval(values: Any) -> tuple[float, float]:
        _, low, high = how(values)
        return low, high

    return {"estimator": value, "errorbar": interval if table["seed"].nunique() > 1 else None}


def aligned(table: pd.DataFrame, x: str, y: str, groups: list[str], *, log: bool) -> pd.DataFrame:
    """Resamples the seeds of each line to common x values, so that a band can be drawn."""
    parts = []
    for _, line in grouped(table, groups):
        seeds = [one for _, one in line.groupby("seed")]
        places, matrix = together(
            [one[x].to_numpy() for one in seeds], [one[y].to_numpy() for one in seeds], log=log
        )
        for one, values in zip(seeds, matrix.T, strict=True):
            constants = {column: one[column].iloc[0] for column in [*groups, "seed"]}
            parts.append(pd.DataFrame({x: places, y: values, **constants}))
    return pd.concat(parts, ignore_index=True)
