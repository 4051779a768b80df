"""Draws a figure of the findings from the ``curves.csv`` that is kept beside them, without running trials.

    python -m studies.docgen.committed_curves studies/results/combat-network --values "ring,no network"

draws ``return_by_steps.png`` in the folder, with the question of its ``study.yaml`` above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import matplotlib.pyplot as plt
import pandas as pd
import typer

from studies.figures import draw
from studies.figures.plan import FigureData
from studies.spec.loading import load
from studies.spec.presentation import FigureSettings
from testbed.common.atomic_files import atomic_write

CURVES = "curves.csv"


def figure_data(folder: Path, values: Sequence[str] = ()) -> FigureData:
    """The data of figures of the training curves in a folder of findings, whose study varies one setting.

    Args:
        folder: has ``study.yaml``, and ``curves.csv`` with the columns of the training curves, ``seed``,
            ``trial``, and the varied setting.
        values: of the varied setting; empty: all of them.

    Raises:
        ValueError: the study varies several settings, or ``curves.csv`` has no rows of one of the values, or
            has rows without a trial.
        StudyError: ``study.yaml`` is missing or wrong.
    """
    study = load(str(folder / "study.yaml"))
    if len(study.varied) != 1:
        raise ValueError(f"{study.name}: varies {', '.join(study.varied)}, and must vary one setting")
    (varied,) = study.varied
    curves = pd.read_csv(folder / CURVES)
    values = list(values or curves[varied].unique())
    if absent := [value for value in values if value not in set(curves[varied])]:
        raise ValueError(f"{folder / CURVES}: {varied} = {', '.join(absent)}: has no rows")
    rows = curves[curves[varied].isin(values)].copy()
    if rows["trial"].isna().any():
        raise ValueError(f"{folder / CURVES}: trial: is missing in {rows['trial'].isna().sum()} rows")
    rows[varied] = rows[varied].astype(pd.CategoricalDtype(values, ordered=True))
    rows = rows.sort_values([varied, "seed", "update"], ignore_index=True)
    last = rows.groupby("trial", as_index=False).last()
    return FigureData(study.workload, study.question, study.varied, last, {"training": rows})


def draw_curves(folder: Path, x: str, y: str, values: Sequence[str] = ()) -> Path:
    """Draws ``y`` against ``x`` as a PNG in the folder, replacing an earlier one; returns its path.

    The lines differ in colour and in dashes and markers, so that they can be told apart in grey; the band is
    an interval over the seeds. Raises what :func:`figure_data` does, or StudyError if a column is missing.
    """
    results = figure_data(folder, values)
    (varied,) = results.varied
    settings = FigureSettings(name=f"{y}_by_{x}", x=x, y=y, hue=varied, title=True, width="two_columns")
    figure = draw.draw_own(results, settings)
    path = folder / f"{settings.name}.png"
    with atomic_write(path) as part:
        figure.savefig(part, format="png", dpi=140, metadata={"Software": None})
    plt.close(figure)
    return path


def main(
    folder: Path,
    x: Annotated[str, typer.Option(help="Column of the x axis.")] = "steps",
    y: Annotated[str, typer.Option(help="Column of the y axis.")] = "return",
    values: Annotated[str, typer.Option(help="Of the varied setting, with commas; empty: all.")] = "",
) -> None:
    """Draws a figure from the curves.csv of a folder of findings."""
    print(draw_curves(folder, x, y, [value.strip() for value in values.split(",") if value.strip()]))


if __name__ == "__main__":
    typer.run(main)
