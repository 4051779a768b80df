"""Figures of a study: chosen by its workload and by what it varies."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # figures go to files; a study also runs where there is no screen

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from studies import text
from studies.columns import column_title, format_value
from studies.figures.catalogue import PLANS
from studies.figures.cost import CostToReach
from studies.figures.own import OwnFigure
from studies.figures.plan import FigureData, Plan
from studies.spec.document import StudyError
from studies.spec.presentation import FigureSettings
from testbed.common.atomic_files import atomic_write
from topologies import fonts

Warn = Callable[[str], None]
Style = Callable[[], AbstractContextManager[None]]


def draw(results: FigureData, folder: Path, warn: Warn | None = None) -> list[Path]:
    """Draws all figures as PNG and SVG, those of the study file in their formats; returns a file of each.

    The file is the PNG if there is one.

    Args:
        results: the results to draw.
        folder: the folder for the files.
        warn: receives a line for each figure that cannot be drawn, whose files are removed, and one if
            characters are in no font; without it, the exception of such a figure is raised.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    style, missing = _style(results)
    for plan in plans(results):
        open_before = plt.get_fignums()
        try:
            with style():
                figure = plan.draw(results)
                if figure is not None:
                    drawn.append(_save(figure, folder, plan))
        except Exception as error:  # one figure must not prevent the others and the tables
            if warn is None:
                raise
            for ending in plan.formats:
                (folder / f"{plan.name}.{ending}").unlink(missing_ok=True)
            kind = "" if isinstance(error, StudyError) else f"{type(error).__name__}: "
            reason = text.visible(" ".join(f"{kind}{error}".split()))
            warn(f"figure {plan.name} could not be drawn: {text.shortened(reason, 200)}")
            for number in set(plt.get_fignums()) - set(open_before):
                plt.close(number)
    if missing is not None and warn is not None:
        warn(missing)
    return drawn


def drawings(results: FigureData, wanted: str | None = None) -> Generator[tuple[str, Figure], None, None]:
    """Yields the name and the figure of each figure that the results allow; the caller must close it.

    With ``wanted``, only the figure of that name, if there is one.
    """
    style, _ = _style(results)
    for plan in plans(results):
        if wanted in (None, plan.name):
            with style():
                figure = plan.draw(results)
            if figure is not None:
                yield plan.name, _saved_as_drawn(figure, style, _box(plan))


def plans(results: FigureData) -> list[Plan]:
    """The figures of a study: those of its workload, those of its ``reach``, and its own.

    One of its own takes the place of another one of the same name.
    """
    metrics = dict.fromkeys(results.reach["metric"]) if len(results.reach) else ()
    own = [OwnFigure(settings) for settings in results.own]
    taken = {plan.name for plan in own}
    others: list[Plan] = [*PLANS[results.workload], *map(CostToReach, metrics)]
    return [*(plan for plan in others if plan.name not in taken), *own]


def draw_own(results: FigureData, settings: FigureSettings) -> Figure:
    """One figure that is in no study file. Raises StudyError, one line, if the results do not allow it."""
    style, _ = _style(results)
    with style():
        plan = OwnFigure(settings)
        return _saved_as_drawn(plan.draw(results), style, _box(plan))


def _box(plan: Plan) -> str | None:
    return None if plan.exact_size else "tight"


def _saved_as_drawn(figure: Figure, style: Style, box: str | None) -> Figure:
    """The figure, of which ``savefig`` by default writes what the study's own files show, titles included."""
    save = figure.savefig

    def savefig(*arguments: Any, **settings: Any) -> None:
        with style():
            save(*arguments, **{"bbox_inches": box, **settings})

    figure.savefig = savefig  # type: ignore[method-assign]
    return figure


def _style(results: FigureData) -> tuple[Style, str | None]:
    """Context with the settings for drawing figures, and a line on characters that no font has."""
    texts = [text.visible(results.question), *map(column_title, results.varied)]
    texts += [format_value(path, value) for path in results.varied for value in results.summary.get(path, ())]
    texts += results.names.values()

    @contextmanager
    def style() -> Iterator[None]:
        look = {**sns.plotting_context("notebook"), **sns.axes_style("whitegrid"), **_FIXED}
        with mpl.rc_context(look), fonts.fitting(texts):
            yield

    return style, fonts.complaint(texts)


_UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def _save(figure: Figure, folder: Path, plan: Plan) -> Path:
    dots = 300 if plan.exact_size else 150
    box = _laid_out(figure, dots, plan)
    for ending in plan.formats:
        with atomic_write(folder / f"{plan.name}.{ending}") as part:
            figure.savefig(part, format=ending, dpi=dots, bbox_inches=box, metadata=_UNDATED.get(ending))
    plt.close(figure)
    return folder / f"{plan.name}.{'png' if 'png' in plan.formats else plan.formats[0]}"


def _laid_out(figure: Figure, dots: int, plan: Plan) -> Bbox | None:
    """The part of a figure that its files show, in inches, after its last layout; None: all of it.

    Measured once for all formats: ``savefig`` with an engine for the layout, or with a tight box, would go
    through the whole figure once more for each.
    """
    figure.dpi = dots
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)
    if plan.exact_size:
        return None
    return figure.get_tightbbox().padded(mpl.rcParams["savefig.pad_inches"])


_FIXED: Any = {
    "svg.hashsalt": "testbed",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # fonts that journals accept
    "text.usetex": False,  # labels are text, never formulas
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "grid.color": "0.9",
    "axes.spines.top": False,
    "axes.spines.right": False,
}
