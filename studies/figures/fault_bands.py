"""Bands behind curves that show where faults were active, each with a letter that a line below explains.

A fault that all trials of a panel share is a grey band over its height; those of single conditions are bars
at the bottom of the panel in the colours of their conditions. Letters and vertical lines also tell them apart
without colours.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from string import ascii_uppercase
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from studies import text
from studies.analysis.fault_windows import Band, Spans, bands
from studies.figures.encoding import Encoding

GREY = "0.35"
MOST = len(ascii_uppercase)
"""Most faults with a band; a figure with more would be unreadable."""
BAR = 0.045
"""Height of a condition's bar, as a share of the panel's."""


def draw_fault_bands(
    grid: sns.FacetGrid, table: pd.DataFrame, x: str, encoding: Encoding, spans: Mapping[str, Spans]
) -> None:
    """Draws the bands of all panels, and below the figure the faults that their letters stand for.

    A fault that lasts from one end of a curve to the other has a line below the figure and no band.

    Args:
        grid: the figure, with its curves drawn.
        table: rows of the trials shown, named in ``trial``, with ``x`` and the columns of ``encoding``.
        x: the column on the x axis.
        encoding: of the varied columns.
        spans: hash of a trial -> where its faults were active on the x axis.
    """
    letters: dict[str, str] = {}
    left_out: set[str] = set()
    throughout: dict[str, dict[Any, None]] = {}
    conditions = list(_members(table, encoding, spans))
    for axes, shown in encoding.panels(grid, table):
        found = []
        for band in bands(_members(shown, encoding, spans)):
            if _lasts(band, shown, x, encoding):
                named = throughout.setdefault(band.fault, {})
                if band.condition is not None:
                    named[band.condition] = None
            else:
                found.append(band)
        for band in found:
            if band.fault not in letters and len(letters) < MOST:
                letters[band.fault] = ascii_uppercase[len(letters)]
        left_out |= {band.fault for band in found} - set(letters)
        _draw(axes, [band for band in found if band.fault in letters], letters, encoding)
    if letters or throughout:
        places = {fault: _places(list(named), conditions) for fault, named in throughout.items()}
        _explain(grid, letters, len(left_out), places)


def _members(
    shown: pd.DataFrame, encoding: Encoding, spans: Mapping[str, Spans]
) -> dict[Any, Sequence[Spans]]:
    """Condition (values of colour and dashes) -> the spans of each of its trials."""
    columns = [column for column in (encoding.hue, encoding.style) if column]
    trials = shown.drop_duplicates("trial")
    keys = trials[columns].itertuples(index=False, name=None) if columns else [()] * len(trials)
    members: dict[Any, list[Spans]] = {}
    for trial, key in zip(trials["trial"], keys, strict=True):
        members.setdefault(tuple(key), []).append(spans.get(trial, {}))
    return dict(members)


def _places(named: Sequence[Any], conditions: Sequence[Any]) -> list[str]:
    """Conditions in words; colours alone stand for all their dashes."""
    whole = {
        colour
        for colour, *_ in named
        if all(condition in named for condition in conditions if condition[0] == colour)
    }
    words = [str(each[0]) if each[0] in whole else ", ".join(_words(each)) for each in named]
    return list(dict.fromkeys(words))


def _lasts(band: Band, shown: pd.DataFrame, x: str, encoding: Encoding) -> bool:
    """Whether a band covers all of the curves of its condition, but for a hundredth at each end."""
    if band.condition is not None:
        columns = [column for column in (encoding.hue, encoding.style) if column]
        for column, value in zip(columns, band.condition, strict=True):  # type: ignore[call-overload]
            shown = shown[shown[column] == value]
    curves = shown.groupby("trial")[x]
    low, high = curves.min().max(), curves.max().min()
    slack = (high - low) / 100
    return bool(band.low <= low + slack and band.high >= high - slack)


def _draw(axes: Axes, found: Sequence[Band], letters: Mapping[str, str], encoding: Encoding) -> None:
    low, high = axes.get_xlim()
    rows = {fault: row for row, fault in enumerate(dict.fromkeys(band.fault for band in found))}
    own = list(dict.fromkeys((b.condition, b.fault) for b in found if b.condition is not None))
    bar = min(BAR, 0.4 / max(len(own), 1))
    for whole in found:
        band = replace(whole, low=max(whole.low, low), high=min(whole.high, high))
        if not band.high > band.low:
            continue
        if band.condition is None:
            _shared(axes, band, letters[band.fault], rows[band.fault])
        else:
            bottom = bar * own.index((band.condition, band.fault))
            colour = _colour(band.condition, encoding)
            words = f"{letters[band.fault]} {text.shortened(', '.join(_words(band.condition)), 40)}"
            # Words that begin in the right part end at the bar's end, so as not to leave the panel.
            right = band.low - low > 0.5 * (high - low)
            _bar(axes, band, words, bottom, bar, colour, right=right)
    axes.set_xlim(low, high)


def _words(condition: Any) -> list[str]:
    """The values of colour and dashes of a condition."""
    return [str(value) for value in condition]


def _shared(axes: Axes, band: Band, letter: str, row: int) -> None:
    axes.axvspan(band.low, band.high, facecolor="0.5", alpha=0.16, linewidth=0, zorder=0.5)
    for x in (band.low, band.high):
        axes.axvline(x, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0.6)
    # Letters of bands that overlap are below each other.
    axes.annotate(
        letter,
        (band.low, 1.0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(3, -3 - 14 * (row % 12)),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=10,
        fontweight="bold",
        color="0.15",
        bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.75},
    )


def _bar(
    axes: Axes, band: Band, words: str, bottom: float, height: float, colour: Any, *, right: bool
) -> None:
    axes.axvspan(
        band.low,
        band.high,
        bottom,
        bottom + 0.9 * height,
        facecolor=colour,
        edgecolor=GREY,
        alpha=0.45,
        linewidth=0.8,
        zorder=0.5,
    )
    axes.annotate(
        words,
        (band.high if right else band.low, bottom + 0.45 * height),
        xycoords=axes.get_xaxis_transform(),
        xytext=(-3 if right else 3, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        va="center",
        fontsize=8,
        fontweight="bold",
        color="0.1",
    )


def _colour(condition: Any, encoding: Encoding) -> Any:
    """The colour of a condition's line; grey if colours encode nothing."""
    if not encoding.hue:
        return "0.5"
    return encoding.palette()[encoding.levels(encoding.hue).index(condition[0])]


MOST_LINES = 6
"""Most faults listed that lasted from start to end."""


def _explain(
    grid: sns.FacetGrid,
    letters: Mapping[str, str],
    left_out: int,
    throughout: Mapping[str, Sequence[str]],
) -> None:
    width, height = grid.figure.get_size_inches()
    lines = ["Shaded while a fault was active in all seeds:"] if letters else []
    lines += [f"{letter}: {text.shortened(text.visible(fault), 200)}" for fault, letter in letters.items()]
    lines += [f"{left_out} more without a band"] * bool(left_out)
    lines += ["Active from start to end:"] * bool(throughout)
    for fault, conditions in list(throughout.items())[:MOST_LINES]:
        where = f" ({text.shortened('; '.join(conditions), 100)})" if conditions else ""
        lines.append(f"{text.shortened(text.visible(fault), 200)}{where}")
    lines += [f"and {len(throughout) - MOST_LINES} more"] * (len(throughout) > MOST_LINES)
    wrapped = "\n".join(
        part for line in lines for part in textwrap.wrap(line, int(width * 12), subsequent_indent="    ")
    )
    grid.figure.text(0.02, -0.08 / height, wrapped, ha="left", va="top", fontsize=10, color=GREY)
