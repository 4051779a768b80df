"""Lines with a band over the seeds: where they are drawn, how wide the band is, and on what axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from studies.alignment import together
from studies.grouping import grouped
from studies.statistics import interquartile_mean, mean


def over_seeds(table: pd.DataFrame, *, log: bool, middle: bool) -> dict[str, Any]:
    """What seaborn draws of the seeds: their interquartile mean (``middle``) or mean, and its interval.

    On a logarithmic axis it is that of the logarithms, where a mean is geometric. Seaborn's own bootstrap
    takes seconds a figure, and may cross zero on a logarithmic axis.
    """
    there, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
    estimate = interquartile_mean if middle else mean

    def value(values: Any) -> float:
        return float(back(estimate(there(np.asarray(values, dtype=float))).value))

    def interval(values: Any) -> tuple[float, float]:
        _, low, high = estimate(there(np.asarray(values, dtype=float)))
        return float(back(low)), float(back(high))

    return {"estimator": value, "errorbar": interval if table["seed"].nunique() > 1 else None}


def aligned(table: pd.DataFrame, x: str, y: str, groups: list[str], *, log: bool) -> pd.DataFrame:
    """Brings the seeds of each line to the same places on the x axis, so that a band can be drawn."""
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


def logarithmic(axes: Axes) -> None:
    """Makes the y axis logarithmic, with plain numbers where it spans few decades."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high / low < 50:  # powers of ten alone would leave the axis nearly bare
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5) if high / low < 20 else (1, 3)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
