"""The command ``testbed suite``: the benchmark of what methods lose when their network fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli import next_steps
from studies.cli.options import app, err, out
from studies.formatting import counted
from studies.spec.document import StudyError

if TYPE_CHECKING:
    from studies.suite.definition import Suite
    from studies.suite.methods import Method
    from studies.suite.results import Outcome

CHECK = "check"
"""The word in place of a size that checks submissions instead."""


@app.command()
def suite(
    size: Annotated[
        str,
        typer.Argument(metavar="SIZE", help="lite, standard or full; or check, to check submissions."),
    ],
    submissions: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE|DIR]...", help="After check: submissions, or folders that have some."),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="METHOD",
            help="A method that comes with the testbed, by name (default: all of them); or your own, which"
            " joins them: FILE.py:ATTRIBUTE or MODULE:ATTRIBUTE. This runs the code of that file or module."
            " Repeatable.",
        ),
    ] = None,
    tasks: Annotated[
        list[str] | None, typer.Option("--task", metavar="TASK", help="Only this task. Repeatable.")
    ] = None,
    conditions: Annotated[
        list[str] | None,
        typer.Option(
            "--condition",
            metavar="CONDITION",
            help="Only this condition, besides perfect and no network, to which scores are relative."
            " Repeatable.",
        ),
    ] = None,
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the results; default runs/<version>-<size>."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Concurrent trials; default: one per processor.")
    ] = None,
    on: Annotated[
        str, typer.Option("--on", metavar="BACKEND", help="As for `testbed run`: local, or a Ray cluster.")
    ] = "local",
) -> None:
    """Measure what methods keep when their network fails: a table, figures, a page and submissions.

    A stopped suite continues with the same command. Exit code 1 if trials failed, or a submission is not
    valid.
    """
    if size == CHECK:
        given = {"--method": methods, "--task": tasks, "--condition": conditions, "--out": out_folder}
        for option, value in {**given, "--jobs": jobs, "--on": on if on != "local" else None}.items():
            if value:
                raise StudyError(f"suite {CHECK}: takes files and folders alone, and no {option}")
        _check(submissions or [])
        return
    if submissions:
        raise StudyError(f"{submissions[0]}: only `testbed suite {CHECK}` takes files or folders")
    from studies.execution import fork_server

    with fork_server.first_imports(here=on == "local"):
        from studies.suite import definition, plan, results, running

    version = definition.load()
    chosen = version.size(size)
    folder = out_folder or Path("runs") / f"{version.name}-{size}"
    choice = plan.choose(version, chosen, tasks or (), conditions or ())
    running.refuse_another(folder, version, size)  # before a method's metadata are written there
    listed = _methods(version, methods or [], folder)
    parts = plan.parts(version, chosen, listed)
    running.check(parts, choice)
    running.claim(folder, version, size)
    out.print(f"{version.name}, size {size}: {chosen.about}; hash {version.digest}", markup=False)
    ran = running.run(
        parts,
        choice,
        folder,
        jobs=jobs,
        on=on,
        console=out,
        warn=lambda line: err.print(line, markup=False),
    )
    kept = f", {ran.kept} finished earlier" if ran.kept else ""
    out.print(f"{counted(ran.run, 'trial')} run{kept}")
    _show(results.write(version, size, parts, choice, folder), folder)
    if ran.failed:
        raise typer.Exit(1)


def _methods(version: Suite, given: list[str], folder: Path) -> list[Method]:
    """The methods of ``--method``; code is imported only here."""
    from studies.suite import methods, user_methods

    own = [user_methods.load(each, folder / "methods") for each in given if user_methods.is_reference(each)]
    names = [each for each in given if not user_methods.is_reference(each)]
    return methods.chosen(version, names, own)


def _show(outcome: Outcome, folder: Path) -> None:
    """Prints the kept shares by task and the files."""
    from rich.table import Table

    from studies.cli.options import show
    from studies.suite.results import ENTRY
    from studies.suite.table import pivot

    for task in dict.fromkeys(outcome.table.numbers["task"]):
        headings, rows = pivot(outcome.table.numbers, task)
        lines = Table(title=f"{task}: kept", title_justify="left", box=None)
        for place, heading in enumerate(headings):
            lines.add_column(heading, justify="right" if place else "left")
        for row in rows:
            lines.add_row(*row)
        show(lines)
    for line in outcome.table.notes:
        out.print(line, markup=False)
    for kind, file in outcome.files:
        out.print(f"{kind + ':':<9}{file}", markup=False)
    if any(kind == ENTRY for kind, _ in outcome.files):
        next_steps.show(next_steps.after_suite(folder))


def _check(places: list[Path]) -> None:
    from studies.suite import definition, submission_check

    if not places:
        raise StudyError(f"suite {CHECK}: needs a submission, or a folder that has some")
    version = definition.load()
    wrong = False
    for file in [file for place in places for file in submission_check.files(place)]:
        found = submission_check.check(file, version)
        wrong |= bool(found.wrong)
        for line in found.wrong:
            err.print(f"{file}: {line}", markup=False)
        if not found.wrong:
            cells = f"{counted(found.cells, 'cell')} with values, {found.empty} empty"
            out.print(f"{file}: valid ({cells})", markup=False)
    if wrong:
        raise typer.Exit(1)
