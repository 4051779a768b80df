"""The score: of each task, method and condition the share of the way that is kept, beside its costs.

``kept`` = (value under the condition - value with no network) / (value over the perfect network - value with
no network), all three of the same method: what the method loses when its network fails. ``reached`` has the
same numerator, but from the reference's no network to the reference's perfect network: how far the method
comes at all. A method that keeps everything of little shows it there.

Both are ratios of means over the seeds that all their parts have. The mean of ratios would be at the mercy of
one seed with nearly no gap. Intervals resample seeds, the same for all three values
(:mod:`studies.analysis.bootstrap`), so they are paired. If the interval of the denominator contains 0, or the
network does harm, there is no share, and the note says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from studies.analysis.bootstrap import PERCENTILES, Array, paired_means
from studies.suite.definition import NO_NETWORK, PERFECT

KEYS = ("task", "method", "condition")

NO_GAP = "undefined: no gap"
"""The note on a share whose denominator may be 0."""

NO_OWN = "undefined: not run over both the perfect ring and no network"

NO_REFERENCE = "undefined: the reference was not run"


def scores(rows: pd.DataFrame, reasons: Mapping[Any, str], reference: str) -> pd.DataFrame:
    """A row for each task, method and condition, in the order in which rows and reasons name them.

    Columns: ``KEYS``; ``seeds``; ``value``; ``kept`` and ``reached`` with ``_low`` and ``_high`` (nan where
    undefined); ``bytes`` and ``seconds`` (simulated, means over seeds); ``note`` (why a number is missing).

    Args:
        rows: as :func:`studies.suite.rows.gather` makes them.
        reasons: (task, method, condition) -> why it lacks rows.
        reference: the method to which ``reached`` is relative.
    """
    cells = {key: group.set_index("seed") for key, group in rows.groupby(list(KEYS), sort=False)}
    found = []
    for key in _order(rows, reasons):
        task, method, _ = key
        line: dict[str, Any] = dict(zip(KEYS, key, strict=True)) | {"seeds": 0}
        numbers = dict.fromkeys(("value", *_three("kept"), *_three("reached"), "bytes", "seconds"), math.nan)
        notes = [reasons[key]] if key in reasons else []
        if key in cells:
            here = cells[key]
            line["seeds"] = len(here)
            numbers |= {name: float(here[name].mean()) for name in ("value", "bytes", "seconds")}
            for name, of in (("kept", method), ("reached", reference)):
                without, perfect = (cells.get((task, of, end)) for end in (NO_NETWORK, PERFECT))
                if without is None or perfect is None:
                    notes.append(f"{name} {NO_OWN if name == 'kept' else NO_REFERENCE}")
                    continue
                share = kept_share(here["value"], without["value"], perfect["value"])
                if share is None:
                    notes.append(f"{name} {NO_GAP}")
                else:
                    numbers |= dict(zip(_three(name), share, strict=True))
        found.append({**line, **numbers, "note": "; ".join(notes)})
    return pd.DataFrame(found)


def _three(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _order(rows: pd.DataFrame, reasons: Mapping[Any, str]) -> list[tuple[str, str, str]]:
    """All cells: tasks and methods as they first appear, conditions in their order within the whole."""
    keys = list(dict.fromkeys([*map(tuple, rows[list(KEYS)].to_numpy().tolist()), *reasons]))
    places = [{name: i for i, name in enumerate(dict.fromkeys(key[k] for key in keys))} for k in range(3)]
    return sorted(keys, key=lambda key: tuple(places[k][key[k]] for k in range(3)))


def kept_share(
    here: pd.Series[float], without: pd.Series[float], perfect: pd.Series[float]
) -> tuple[float, float, float] | None:
    """(here - without) / (perfect - without) of the means over the seeds in common, and its interval.

    Args:
        here, without, perfect: values by seed.

    Returns:
        The share and the bounds of its 95 % bootstrap interval, nan with one seed; None where the interval
        of the denominator is not above 0, or no seed is in all three.
    """
    table = pd.concat([here, without, perfect], axis=1, join="inner").sort_index()
    values: Array = table[np.isfinite(table).all(axis=1)].to_numpy(dtype=float)
    if not len(values):
        return None
    gains = np.stack([values[:, 0] - values[:, 1], values[:, 2] - values[:, 1]], axis=1)
    over, under = gains.mean(axis=0)
    if under <= 0:
        return None
    share = float(over / under)
    if len(gains) == 1:
        return share, math.nan, math.nan
    drawn = paired_means(gains)
    if np.percentile(drawn[:, 1], PERCENTILES[0]) <= 0:
        return None
    ratios = drawn[:, 0] / np.where(drawn[:, 1] > 0, drawn[:, 1], np.nan)
    low, high = np.nanpercentile(ratios, PERCENTILES)
    return share, float(low), float(high)
