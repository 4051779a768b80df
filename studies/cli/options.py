"""Consoles and options that the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from studies.cli import completion
from studies.formatting import counted
from studies.spec.document import StudyError
from studies.terminal import PlainConsole

if TYPE_CHECKING:
    from studies.spec.study import Study, TrialSpec
    from studies.storage.store import Store

app = typer.Typer(pretty_exceptions_enable=False)


out = PlainConsole(highlight=False, soft_wrap=True, emoji=False)
err = PlainConsole(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


StudyName = Annotated[
    str,
    typer.Argument(
        metavar="STUDY",
        help="A study file, or the name of a built-in study.",
        autocompletion=completion.studies,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="A.B=C",
        help="Replaces one setting, e.g. network.link.loss=0.1. Repeatable.",
        autocompletion=completion.overrides,
    ),
]
Quick = Annotated[bool, typer.Option("--quick", help="The study's short form: its `quick:` block.")]
Trial = Annotated[int, typer.Option("--trial", min=1, help="Number of a trial in the study's grid.")]
ResultsFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A folder that `testbed run --out` wrote.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", help="Folder for the results; default runs/<study>, with --quick runs/<study>-quick."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace existing files.")]


def prepare(
    name: str, folder: Path | None, overrides: list[str] | None, quick: bool, *, here: bool = True
) -> tuple[Study, Store]:
    """Reads and checks a study; returns it with its results store, which is not yet created.

    Args:
        name, folder, overrides, quick: as on the command line.
        here: whether trials will run on this machine, which must then have their devices.
    """
    from studies.execution import requirements
    from studies.spec.loading import load
    from studies.storage.store import Store, default_folder

    study = load(name, overrides=overrides or (), quick=quick)
    if here:
        requirements.check(study)
    place = folder or default_folder(study.name, quick=quick)
    if place.exists() and not place.is_dir():
        raise StudyError(f"--out {place}: is a file, not a folder")
    return study, Store(place)


def refuse_to_replace(option: str, *files: Path, force: bool) -> None:
    """Raises StudyError if a file named by the user exists and may not be replaced."""
    for file in files:
        if file.exists() and not force:
            raise StudyError(f"{option}: {file} already exists; choose another name, or add --force")


def chosen_trial(study: Study, number: int) -> TrialSpec:
    """The trial with this number, counted from 1. Raises StudyError if there is none."""
    if number > len(study.trials):
        raise StudyError(f"--trial {number}: the study has {counted(len(study.trials), 'trial')}")
    return study.trials[number - 1]


def time_of(option: str, text: str | None) -> float | None:
    """The seconds in an option such as ``1.5s``. Raises StudyError if it is not a duration."""
    from testbed.common.units import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise StudyError(f"{option}: {error}") from error


def show(table: Table) -> None:
    """Prints a table, at its full width if there is no terminal to fit it into."""
    (out if out.is_terminal else Console(width=1000, emoji=False)).print(table)
