"""Bands behind curves while a fault was active, and the lines below a figure that explain them."""

import numpy as np
import pandas as pd
import pytest

from studies.analysis.fault_windows import Window
from studies.figures.curve import Curve
from studies.figures.fault_bands import _places
from studies.figures.plan import FigureData

pytestmark = pytest.mark.usefixtures("closes_figures")

CURVE = Curve("error_by_seconds", "consensus", "seconds", "error")


def drawn(windows):
    """A figure of two losses and two seeds over 10 s; `windows` by loss."""
    rows, faults = [], {}
    for loss in (0.0, 0.5):
        for seed in (0, 1):
            trial = f"{loss}-{seed}"
            faults[trial] = windows.get(loss, ())
            for second in np.linspace(0, 10, 11):
                row = {"trial": trial, "network.link.loss": loss, "seed": seed, "seconds": second}
                rows.append(row | {"activations": second, "error": float(np.exp(-second * (1 + seed / 9)))})
    curves = pd.DataFrame(rows)
    summary = curves.groupby("trial", as_index=False).last()
    data = FigureData("problem", "Why?", ["network.link.loss"], summary, {"consensus": curves}, faults=faults)
    figure = CURVE.draw(data)
    assert figure is not None
    below = [text.get_text() for text in figure.texts if "ctive" in text.get_text()]
    return figure.axes[0], below


def spans(axes):
    """The ends of all bands."""
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]


def test_a_fault_from_start_to_end_has_a_line_and_no_band():
    slow = Window("slow", "slow", 0.0, 1.0)
    axes, below = drawn({0.5: [slow]})
    assert spans(axes) == []
    assert below == ["Active from start to end:\nslow (0.5)"]
    axes, below = drawn({0.0: [slow], 0.5: [slow]})
    assert spans(axes) == []
    assert below == ["Active from start to end:\nslow"]


def test_a_fault_for_some_of_the_time_has_a_band_and_a_letter():
    slow, cut = Window("slow", "slow", 0.0, 1.0), Window("cut", "cut", 2.0, 1.0, 5.0, 1.0)
    late = Window("late", "late", 3.0, 1.0)
    axes, below = drawn({0.0: [cut], 0.5: [cut, slow, late]})
    assert sorted(spans(axes)) == [pytest.approx((2, 5)), pytest.approx((3, 10))]
    assert below == [
        "Shaded while a fault was active in all seeds:\nA: cut\nB: late\n"
        "Active from start to end:\nslow (0.5)"
    ]


def test_a_colour_stands_for_all_of_its_dashes():
    conditions = [(loss, rule) for loss in (0, 0.5) for rule in ("refuse", "wait")]
    assert _places([(0.5, "refuse"), (0.5, "wait")], conditions) == ["0.5"]
    assert _places([(0, "wait"), (0.5, "refuse"), (0.5, "wait")], conditions) == ["0, wait", "0.5"]


def test_many_faults_from_start_to_end_are_counted():
    many = [Window(f"slow {k}", f"slow {k}", 0.0, 1.0) for k in range(9)]
    _, (below,) = drawn({0.5: many})
    assert below.count("slow") == 6
    assert below.endswith("\nand 3 more")
