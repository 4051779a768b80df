"""Performance profiles over tasks (Agarwal et al. 2021, arXiv 2108.13264), with their bands.

The profile of a method at tau is the share of its runs whose normalised value exceeds tau, the mean over
tasks and conditions. Runs are normalised per task by the reference: 0 is its mean without a network, 1 its
mean over a perfect ring. A profile hides nothing that an average would: methods may cross.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studies.analysis.bootstrap import PERCENTILES, Array, paired_means
from studies.figures.looks import DASHES, HUES, look
from studies.formatting import counted
from studies.suite.definition import NO_NETWORK, PERFECT

TAUS = np.linspace(-0.25, 1.25, 151)

ALL = "all tasks"

SCALE = "tau = 0: the reference without a network; tau = 1: the reference over a perfect ring"


def normalised(rows: pd.DataFrame, reference: str) -> pd.DataFrame:
    """The rows under conditions other than those of the scale, with ``run``, the normalised value.

    Tasks in which the reference has no gap are left out.

    Args:
        rows: from :func:`studies.suite.rows.gather`.
        reference: the method that sets the scale.
    """
    parts = []
    for _, task in rows.groupby("task", sort=False):
        own = task[task["method"] == reference]
        without, perfect = (own[own["condition"] == c]["value"].mean() for c in (NO_NETWORK, PERFECT))
        if not perfect > without:
            continue
        left = task[~task["condition"].isin([NO_NETWORK, PERFECT])]
        parts.append(left.assign(run=(left["value"] - without) / (perfect - without)))
    return pd.concat(parts) if parts else rows.iloc[:0].assign(run=0.0)


def profile(runs: Sequence[Array]) -> tuple[Array, Array, Array]:
    """The profile at ``TAUS`` and its pointwise 95 % band.

    Args:
        runs: normalised values of each stratum, a task under a condition; at least one.

    Returns:
        [taus] each: share, low, high; the bounds are nan with one seed in a stratum.
    """
    above = [(values[:, None] > TAUS).astype(float) for values in runs]
    share: Array = np.mean([each.mean(axis=0) for each in above], axis=0)
    seeds = min(len(each) for each in above)
    if seeds < 2:
        return share, np.full_like(share, np.nan), np.full_like(share, np.nan)
    # Seeds are shared by the strata, so they are drawn together, as for the shares.
    drawn = paired_means(np.mean([each[:seeds] for each in above], axis=0))
    low, high = np.percentile(drawn, PERCENTILES, axis=0)
    return share, low, high


def draw(rows: pd.DataFrame, reference: str, title: str) -> Figure | None:
    """A panel over all tasks, with the methods that have runs in each of them, and one for each task.

    None if no task has a scale.
    """
    table = normalised(rows, reference)
    if table.empty:
        return None
    tasks = list(dict.fromkeys(table["task"]))
    methods = list(dict.fromkeys(table["method"]))
    everywhere = [m for m in methods if set(table[table["method"] == m]["task"]) == set(tasks)]
    panels = [(ALL, table[table["method"].isin(everywhere)])] if len(tasks) > 1 and everywhere else []
    panels += [(task, table[table["task"] == task]) for task in tasks]
    across = min(len(panels), 3)
    deep = -(-len(panels) // across)
    figure = Figure(figsize=(max(4.2 * across, 7.5), 3.3 * deep + 1.2), layout="constrained")
    figure.suptitle(f"{title}\n{SCALE}", x=0.01, ha="left", fontsize=11)
    grid = figure.subplots(deep, across, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, (name, part) in zip(grid, panels, strict=False):
        for method, own in part.groupby("method", sort=False):
            place = methods.index(str(method))
            strata = [
                g.sort_values("seed")["run"].to_numpy()
                for _, g in own.groupby(["task", "condition"], sort=False)
            ]
            share, low, high = profile(strata)
            colour, dash = look(HUES, place), look(DASHES, place)
            axes.plot(TAUS, share, color=colour, dashes=dash or (None, None), label=str(method), lw=1.6)
            axes.fill_between(TAUS, low, high, color=colour, alpha=0.15, lw=0)
        axes.set_title(f"{name} ({size(part)})", loc="left", fontsize=10)
        axes.axvline(0, color="0.7", lw=0.8)
        axes.axvline(1, color="0.7", lw=0.8)
        axes.grid(color="0.9")
        axes.tick_params(labelsize=8)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[len(panels) - across : len(panels)]:
        axes.set_xlabel("tau", fontsize=9)
        axes.tick_params(labelbottom=True)
    figure.supylabel("share of runs above tau", fontsize=9)
    lines = {
        label: line for axes in grid for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        list(lines.values()), list(lines), loc="outside lower center", ncols=5, fontsize=8, frameon=False
    )
    return figure


def size(part: pd.DataFrame) -> str:
    """``17 cells, 3 seeds``: a cell is a task under a condition."""
    pairs = part[["task", "condition"]].drop_duplicates()
    return f"{counted(len(pairs), 'cell')}, {counted(part['seed'].nunique(), 'seed')}"
