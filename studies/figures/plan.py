"""What a kind of figure is, and what figures are made from.

To add a kind, write a module here with a subclass of ``Plan``, and say in ``studies.figures.catalogue`` which
workloads get it.
"""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from studies import text
from testbed.training.baselines import Baseline

QUESTION = 400
"""Letters of a question that are shown above a figure."""


@dataclass(frozen=True)
class FigureData:
    """What figures are made from.

    Attributes:
        workload: decides which figures there are.
        question: above each figure; may be empty.
        varied: what the study varies; columns of the tables.
        summary: one row per trial.
        curves: name -> rows of all trials, with the varied columns and ``seed``.
        baselines: hash of a trial -> what policies without learning earn in its environment.
        environment_factors: those of ``varied`` that change the environment.
        comparison_factor: the one of ``varied`` whose values are compared with the first of them.
    """

    workload: str
    question: str
    varied: Sequence[str]
    summary: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    baselines: Mapping[str, Sequence[Baseline]] = field(default_factory=dict)
    environment_factors: Sequence[str] = ()
    comparison_factor: str | None = None


class Plan(ABC):
    """A figure that a study may have.

    Attributes:
        name: of its files.
    """

    name: str

    @abstractmethod
    def draw(self, results: FigureData) -> Figure | None:
        """The figure, with ``head`` above it; None where it would show nothing. Whoever takes it closes
        it."""


def head(figure: Figure, question: str, shown: str) -> None:
    """The question, and below it what is drawn, as far apart whatever the height of the figure."""
    width, height = figure.get_size_inches()
    asked = text.shortened(text.visible(" ".join(question.split())), QUESTION)
    wrapped = "\n".join(textwrap.wrap(asked, int(width * 11)))
    # A legend of many entries is higher than the figure.
    tops = [legend.get_window_extent().y1 / figure.dpi / height for legend in figure.legends]
    top = max([1.0, *tops])
    figure.suptitle(wrapped, x=0.02, y=top + 0.1 / height, ha="left", va="bottom", fontsize=13)
    figure.text(0.02, top, shown, ha="left", va="center", fontsize=10, color="0.35")
