"""The commands that read results: ``testbed status``, ``table``, ``export`` and ``compare``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from studies.cli import completion, next_steps
from studies.cli.options import Force, ResultsFolder, app, err, out, show
from studies.formatting import counted
from studies.spec.document import StudyError

if TYPE_CHECKING:
    import pandas as pd

    from studies.analysis.compare_runs import Comparison, Different
    from studies.spec.manifest import StoredStudy
    from studies.storage.store import Store

UNFINISHED = 3


@app.command()
def status(
    folder: ResultsFolder,
    everything: Annotated[
        bool, typer.Option("--all", help="Print a line for every trial, including finished and missing ones.")
    ] = False,
) -> None:
    """Print how far a study has come. Exit code 0: all finished, 1: some failed, 3: not finished yet."""
    from studies.storage.status import states, status_counts, status_table
    from studies.storage.store import Store

    store = Store(folder)
    study = store.study()
    found = states(study, store)
    out.print(f"{study.name}: {status_counts(found)}", markup=False)
    if (lines := status_table(found, everything=everything)) is not None:
        show(lines)
    done = sum(one.status == "finished" for one in found)
    if found:
        next_steps.show(next_steps.after_status(folder, some=done > 0, every=done == len(found)))
    if any(one.status == "failed" for one in found):
        raise typer.Exit(1)
    if any(one.status != "finished" for one in found):
        raise typer.Exit(UNFINISHED)


@app.command()
def table(
    folder: ResultsFolder,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            metavar="A,B",
            help="Metrics to show; default: the main ones.",
            autocompletion=completion.metrics,
        ),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print every trial with every number as CSV.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as GitHub Markdown.")] = False,
    latex: Annotated[
        bool, typer.Option("--latex", help="Print the table for LaTeX; it needs the package booktabs.")
    ] = False,
    reach: Annotated[
        list[str] | None,
        typer.Option(
            "--reach",
            metavar="COLUMN=A,B",
            help="Print only the cost until a column of the curves reaches a threshold: error=0.1,0.01 in the"
            " direction in which it improves, or error<=0.1, return>=-60. Repeatable."
            " With --csv: a line per trial and threshold.",
        ),
    ] = None,
) -> None:
    """Print the conditions of a study with their numbers over the seeds, or all trials as CSV.

    If the study has `reach`, the costs to reach its thresholds follow. --markdown, --latex and --csv exclude
    each other. In Markdown and LaTeX, columns have the titles that they have in figures, with units, and
    everything that comes from the study is escaped.
    """
    from studies.analysis import conditions
    from studies.analysis.overview import overview
    from studies.analysis.reach_table import reach_overview
    from studies.storage.store import Store
    from studies.storage.tables import write_csv

    formats = {"--csv": csv, "--markdown": markdown, "--latex": latex}
    if len(given := [option for option, wanted in formats.items() if wanted]) > 1:
        raise StudyError(f"{' and '.join(given)} cannot be combined: choose one")
    if csv and metrics is not None:
        raise StudyError("--csv and --metrics cannot be combined: the CSV has every number")
    if reach and metrics is not None:
        raise StudyError("--reach and --metrics cannot be combined")
    store = Store(folder)
    study = store.study()
    summary = store.summary(study)
    for line in store.damages(study):
        err.print(f"damaged: {line}")
    if summary.empty:
        raise StudyError(f"{folder}: none of its {counted(len(study.trials), 'trial')} has finished")
    if csv and not reach:
        write_csv(summary, sys.stdout)
        return
    costs = _costs(study, store, reach)
    if csv:
        write_csv(costs, sys.stdout)
        return
    wanted = metrics.split(",") if metrics is not None else None
    if markdown or latex:
        made = [] if reach else [overview(study, summary, wanted)]
        made += [reach_overview(study, costs)] if len(costs) else []
        sys.stdout.write("\n".join(each.markdown() if markdown else each.latex() for each in made))
    else:
        if study.question:
            out.print(study.question, markup=False)
        if not reach:
            show(conditions.condition_table(study, summary, wanted))
            for line in conditions.notes(study, summary, wanted):
                out.print(line, markup=False)
        if len(costs):
            _show_costs(study, costs, apart=not reach)
    done, all_of_them = len(summary), len(study.trials)
    if done < all_of_them:
        err.print(f"{done} of {counted(all_of_them, 'trial')} have finished")
    if not (markdown or latex):
        next_steps.show(next_steps.after_table(folder))


def _costs(study: StoredStudy, store: Store, options: list[str] | None) -> pd.DataFrame:
    """The costs to reach the thresholds of ``--reach`` or, without it, of the study."""
    from studies.analysis.reach import cost_to_reach
    from studies.spec.manifest import STUDY_FILE
    from studies.spec.presentation import parse_reach, stored_reach

    if options:
        wanted = [each for text in options for each in parse_reach(text, "--reach")]
    else:
        wanted = stored_reach(study.document, f"{store.folder / STUDY_FILE}")
    return cost_to_reach(study, store, list(dict.fromkeys(wanted)))


def _show_costs(study: StoredStudy, costs: pd.DataFrame, *, apart: bool) -> None:
    from studies.analysis.reach_table import reach_note, reach_table

    if apart:
        out.print()
    show(reach_table(costs, study.varied))
    out.print(reach_note(costs, study.varied), markup=False)


@app.command()
def export(
    folder: ResultsFolder,
    target: Annotated[
        Path,
        typer.Argument(metavar="TARGET", help="A folder, or a file ending in .zip, .tar.gz or .tgz."),
    ],
    force: Force = False,
) -> None:
    """Write the results of a study as an archive to share: tables, curves, figures, study file, README.

    The same results give the same bytes. No links out of DIR are followed. With --force, an existing file is
    replaced, and a folder if it is an earlier archive as it was written.
    """
    from studies import archive

    lines = archive.write(folder, target, force=force, option="TARGET")
    out.print(f"archive: {target}", markup=False)
    for line in lines:
        err.print(f"warning: {line}")


@app.command()
def compare(
    first: ResultsFolder,
    second: ResultsFolder,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            help="Metric to compare; default: the first one shown.",
            autocompletion=completion.metric,
        ),
    ] = None,
) -> None:
    """Compare two results folders: check that equal trials agree, and show the effect of other settings.

    Exit code 1 if a trial of the same hash has different results in the second folder.
    """
    from studies.analysis import compare_runs
    from studies.storage.store import Store

    stores = Store(first), Store(second)
    for store in stores:
        for line in store.damages(store.study()):
            err.print(f"damaged: {line}")
    by = compare_runs.metric_of_both(*stores, metric)
    found = compare_runs.compare(*stores, by)
    _tell(found, by)
    if not (found.equal or found.different or found.pairs):
        out.print(_why(*(store.study() for store in stores)), markup=False)
    next_steps.show(next_steps.after_comparing(first, second))
    if found.different:
        raise typer.Exit(1)


def _tell(found: Comparison, metric: str | None) -> None:
    from studies.analysis import compare_runs

    shared = found.equal + len(found.different)
    if shared:
        out.print(f"{counted(shared, 'trial')} in both, by hash: {found.equal} with equal results")
    else:
        out.print("no trial is in both, by hash, so no results need to be equal")
    for one in found.different:
        out.print(
            f"[red]different[/] {escape(one.trial.title)}  {escape(_said(one))}  [dim]{one.trial.hash}[/]"
        )
    for name, versions in found.programs.items():
        pairs = ", ".join(f"{ours} -> {theirs}" for ours, theirs in versions)
        out.print(f"trials in both were played with other versions of {name}: {pairs}", markup=False)
    if found.pairs:
        out.print("the same conditions with other settings:")
        for name, values in found.changed.items():
            out.print(
                f"  {name}: {', '.join(f'{ours} -> {theirs}' for ours, theirs in values)}", markup=False
            )
        if any(side.seeds for side in found.sides) and metric is not None:
            out.print(f"  {compare_runs.heading(metric, found.sides)}:")
            for side in found.sides:
                out.print(f"    {side.title or 'all'}: {compare_runs.written(side, metric)}", markup=False)
        elif found.sides:
            out.print(f"  no seed has a finite {metric} in both", markup=False)
        else:
            out.print(f"  no seed has {metric or 'any of the main metrics'} in both", markup=False)
    if found.only_first or found.only_second:
        out.print(f"only in the first: {found.only_first}, only in the second: {found.only_second}")


def _why(first: StoredStudy, second: StoredStudy) -> str:
    """The reason why two folders have no condition in common."""
    if first.workload != second.workload:
        return f"the workload of the first is {first.workload}, that of the second {second.workload}"
    keys = [", ".join(study.varied) or "nothing" for study in (first, second)]
    if set(first.varied) != set(second.varied):
        return f"no condition is in both: the first varies {keys[0]}, the second {keys[1]}"
    return "no condition with the same seed has finished in both"


def _said(one: Different) -> str:
    names = [f"{name} {ours} -> {theirs}" for name, (ours, theirs) in list(one.columns.items())[:3]]
    more = [f"{len(one.columns) - 3} more"] if len(one.columns) > 3 else []
    return ", ".join([*names, *more, *(f"curve {name}" for name in one.curves)])
