"""The command ``testbed report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studies.cli import next_steps
from studies.cli.options import Force, ResultsFolder, app, err, out
from studies.spec.document import StudyError
from testbed.common.garbage import not_collected


@app.command()
def report(
    folder: ResultsFolder,
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File for the page; default DIR/report.html.")
    ] = None,
    trial: Annotated[
        int | None,
        typer.Option(
            "--trial",
            min=1,
            help="Trial whose network is replayed; default: the one that lost the most messages.",
        ),
    ] = None,
    update: Annotated[
        list[int] | None,
        typer.Option(
            "--update",
            metavar="NUMBER",
            min=1,
            help="Policy update of a training trial to replay in any case, counted from 1; the page opens on"
            " the first one given. Repeatable, at most 8. Default: the one in which most faults were active;"
            " if there are several, the one that lost the most messages.",
        ),
    ] = None,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust",
            help="For the replay, also run code from outside the testbed that the results name: a PettingZoo"
            " environment, or the interpreter of StarCraft.",
        ),
    ] = False,
    no_replay: Annotated[
        bool, typer.Option("--no-replay", help="Omit the replay; nothing is run again.")
    ] = False,
    force: Force = False,
) -> None:
    """Write the results of a study, finished or not, as one self-contained HTML page."""
    with not_collected():
        from studies.report import write
        from studies.storage.store import Store

    if no_replay and trial is not None:
        raise StudyError("--trial and --no-replay cannot be combined: --trial chooses what is replayed")
    if no_replay and update:
        raise StudyError("--update and --no-replay cannot be combined: --update chooses what is replayed")
    if no_replay and trust:
        raise StudyError("--trust and --no-replay cannot be combined: without a replay nothing is run")
    written = write(
        folder,
        file,
        number=trial,
        updates=update or (),
        replayed=not no_replay,
        trust=trust,
        force=force,
        say=lambda line: out.print(line, markup=False),
    )
    if written.replayed:
        out.print(f"replay:  {written.replayed}", markup=False)
    for line in written.found:
        out.print(f"found:   {line}", markup=False)
    out.print(f"report:  {written.file}", markup=False)
    for line in written.warnings:
        err.print(f"warning: {line}")
    replayed = (written.trial, written.update)
    next_steps.show(next_steps.after_report(folder, written.file, Store(folder).study(), *replayed))
