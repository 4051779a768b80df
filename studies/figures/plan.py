"""The base class of kinds of figures, and the data from which figures are drawn.

To add a kind, write a module here with a subclass of ``Plan``, and list it in ``studies.figures.catalogue``
for the workloads that get it.
"""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from studies import text
from studies.analysis.fault_windows import Window
from studies.spec.presentation import FigureSettings
from testbed.training.baselines import Baseline

LINE = 0.17
"""Inches from one line of a description to the next."""

QUESTION = 400
"""Maximum number of characters of the question above a figure."""


@dataclass(frozen=True)
class FigureData:
    """The data of a study's figures.

    Attributes:
        workload: determines the figures.
        question: shown above each figure; may be empty.
        varied: varied settings, which are columns of the tables.
        summary: one row per trial.
        curves: name -> rows of all trials, with the varied columns and ``seed``; those of ``agents`` and
            ``links`` are thinned, see :mod:`studies.analysis.series`.
        baselines: hash of a trial -> baselines of policies without learning in its environment.
        environment_factors: those of ``varied`` that change the environment.
        comparison_factor: the one of ``varied`` whose values are compared with the first of them.
        faults: hash of a trial -> when its faults were active; bands behind the curves.
        reach: costs to reach the study's thresholds, from :func:`studies.analysis.reach.cost_to_reach`.
        own: the figures that the study file describes.
        names: of the agents, from the file of the graph; empty if it has none.
        fastest_penalty: hash of a trial -> the penalty with which ADMM agrees fastest on its graph, where the
            closed form applies; see :mod:`studies.analysis.fastest_penalty`.
    """

    workload: str
    question: str
    varied: Sequence[str]
    summary: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    baselines: Mapping[str, Sequence[Baseline]] = field(default_factory=dict)
    environment_factors: Sequence[str] = ()
    comparison_factor: str | None = None
    faults: Mapping[str, Sequence[Window]] = field(default_factory=dict)
    reach: pd.DataFrame = field(default_factory=pd.DataFrame)
    own: Sequence[FigureSettings] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    fastest_penalty: Mapping[str, float] = field(default_factory=dict)


class Plan(ABC):
    """A figure that a study may have.

    Attributes:
        name: of its files.
    """

    name: str

    @property
    def formats(self) -> tuple[str, ...]:
        """Formats of its files."""
        return ("svg", "png")

    @property
    def exact_size(self) -> bool:
        """Whether the size of its files is that of the figure, instead of what is drawn on it."""
        return False

    @abstractmethod
    def draw(self, results: FigureData) -> Figure | None:
        """The figure, with ``head`` above it; None if it would be empty. The caller closes it."""


def head(figure: Figure, question: str, shown: str) -> None:
    """The question and, below it, the description, at the same distance whatever the figure's height."""
    width, height = figure.get_size_inches()
    wrapped = title_lines(question, int(width * 11))
    # A legend of many entries is higher than the figure.
    tops = [legend.get_window_extent().y1 / figure.dpi / height for legend in figure.legends]
    top = max([1.0, *tops])
    lines = textwrap.wrap(shown, max(int(width * 15), 60))  # a longer one would make the file wider
    more = 0.5 * LINE * (len(lines) - 1) / height
    figure.suptitle(wrapped, x=0.02, y=top + 0.1 / height + 2 * more, ha="left", va="bottom", fontsize=13)
    figure.text(0.02, top + more, "\n".join(lines), ha="left", va="center", fontsize=10, color="0.35")


def title_lines(question: str, letters: int) -> str:
    """A question, shortened, in lines with a maximum number of letters."""
    asked = text.shortened(text.visible(" ".join(question.split())), QUESTION)
    return "\n".join(textwrap.wrap(asked, letters))


def fitted(title: str, inches: float, font: float = 12) -> str:
    """The title of an axis, with each line broken at a maximum length; ``font`` in points."""
    letters = max(int(inches * 72 / (0.58 * font)), 12)
    return "\n".join(part for line in title.split("\n") for part in textwrap.wrap(line, letters))
