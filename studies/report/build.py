"""A study's results as one page: ``testbed report``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from studies import columns, text
from studies.analysis import agent_names, baselines, fault_windows
from studies.analysis import series as stored_series
from studies.analysis.bootstrap import ENOUGH
from studies.analysis.finding import decisive, findings
from studies.analysis.reach import cost_to_reach
from studies.columns import column_title, format_value
from studies.formatting import duration, minus
from studies.report import answer, final_values, page, provenance, series, tables
from studies.report.conditions import Arrangement, arrange
from studies.report.curves import budget_unit, lines
from studies.report.fault_bands import fault_bands
from studies.report.numbers import exact
from studies.report.replayed import Replayed, Wanted, run_again
from studies.spec.document import StudyError
from studies.spec.manifest import STUDY_FILE, StudyRecord
from studies.spec.presentation import stored_reach
from studies.storage.provenance import OWN
from studies.storage.store import CURVES, Store
from testbed.common.atomic_files import write_text


@dataclass(frozen=True)
class Report:
    """A written report: its file, what its replay shows and of which trial, warnings, and the findings."""

    file: Path
    replayed: str
    warnings: tuple[str, ...]
    found: tuple[str, ...] = ()
    """See :func:`studies.analysis.finding.findings`."""
    trial: int | None = None
    """Number of the trial that was run again, from 1; None without a replay."""
    update: int | None = None
    """Policy update of it on which the page opens, from 1; None unless it is a training trial."""


def write(
    folder: Path,
    file: Path | None = None,
    *,
    number: int | None = None,
    updates: Sequence[int] = (),
    replayed: bool = True,
    trust: bool = False,
    force: bool = False,
    say: Callable[[str], None] | None = None,
) -> Report:
    """Writes the report of a results folder.

    The same results give the same bytes.

    Args:
        folder: the results folder.
        file: the file to write; None: ``report.html`` in the results folder.
        number: trial whose network is replayed, from 1; None: the one that lost the most messages.
        updates: policy updates of a training trial that are replayed in any case, from 1; the page opens on
            the first of them. Empty: it opens on the one in which most faults were active. See
            :mod:`studies.report.update_choice`.
        replayed: whether to include a replay, for which that trial is run again.
        trust: whether code from outside the testbed that the trial names may be run for the replay.
        force: whether an existing file that is not a report may be replaced.
        say: called with a line before a trial is run again, if that takes long.

    Raises:
        StudyError: there are no results, no such trial or update, or the file cannot be written; one line.
    """
    store = Store(folder)
    study = store.study()
    place = _checked(file or folder / "report.html", force=force)
    made_by = provenance.gather(study, store)
    summary = store.summary(study)
    conditions = arrange(study)
    curves = {name: store.curve(study, name) for name in CURVES}
    windows = fault_windows.by_trial(study, store, curves["training"])
    shown = Replayed(None, "", ())
    if replayed:
        wanted = Wanted(number, tuple(updates), trust=trust)
        shown = run_again(study, store, summary, made_by, conditions, windows, wanted, say)
    warned = [*provenance.warnings(study, summary, made_by), *shown.warnings]
    if (damage := baselines.damage(store)) is not None:
        warned.append(f"the baselines of policies without learning are missing: {damage}")
    plans, first = final_values.plans(study.workload, summary), decisive(study.workload, summary)
    statistics = final_values.statistics(study, summary, conditions)
    name = text.label(study.name)
    finished = [trial for trial in study.trials if store.status(trial) == "finished"]
    settings = [store.settings(trial) for trial in finished]
    names = agent_names.shared(study, store)
    if not names and shown.names and len({repr(each.get("topology")) for each in settings}) == 1:
        names = dict(enumerate(shown.names))  # earlier versions stored no names
    over_time = {
        "agents": series.agents(study, stored_series.agents(study, store), conditions),
        "links": series.links(study, stored_series.links(study, store), conditions, names),
    }
    budget = budget_unit(settings)
    data = {
        "trials": [trial.hash for trial in study.trials],
        "titles": [trial.title for trial in study.trials],
        **conditions.as_data(),
        "curves": lines(study, curves, conditions, first, budget),
        "faults": fault_bands(study, curves, conditions, windows),
        "finals": final_values.finals(study, summary, conditions),
        "references": _baselines(study, store, set(summary["trial"]) if len(summary) else set(), conditions),
        "series": over_time,
        "names": names,
        "replay": shown.data,
    }
    found = findings(study, summary)
    numbers = [plan.y for plan in plans] + [name for name in columns.shown("report") if name in summary]
    link, section = page.replay(shown.note)
    series_link, series_section = page.series(over_time)
    parts = {
        "heading": escape(text.visible(" ".join(study.question.split())) or name),
        "facts": escape(_facts(study, conditions)),
        "progress": escape(provenance.progress(made_by)),
        "unfinished": " unfinished" if len(summary) < len(study.trials) else "",
        "warnings": page.notes(warned),
        "answer": page.paragraphs(
            [
                *(minus(f"{line[0].upper()}{line[1:]}.") for line in found),
                *answer.answer(study, summary, conditions),
            ]
        ),
        "statistics": _statistics(statistics, study, summary, conditions) + _reach(study, store),
        "trials": tables.trials(study, conditions.seen, made_by, summary, numbers),
        "series_link": series_link,
        "series": series_section,
        "replay_link": link,
        "replay": section,
        "document": escape(provenance.document(study)),
        "name": escape(f"{name}.yaml"),
        "commands": escape(_commands(study)),
        "versions": _versions(made_by),
        "took": escape(_took(made_by)),
    }
    _write(place, page.page(f"{name}: report", parts, data))
    again = None if shown.data is None else shown.data["trial"] + 1
    return Report(place, shown.note, tuple(warned), tuple(found), again, shown.update)


def _checked(place: Path, *, force: bool) -> Path:
    if place.is_dir():
        raise StudyError(f"--out {place}: is a folder, not a file")
    if not place.parent.is_dir():
        raise StudyError(f"--out {place}: there is no folder {place.parent}")
    if place.exists() and not force and not page.is_page(place.read_text("utf-8", errors="replace")):
        raise StudyError(
            f"--out: {place} already exists and is not a report; choose another name, or add --force"
        )
    return place


def _write(place: Path, html: str) -> None:
    try:
        write_text(place, html)
    except OSError as error:
        raise StudyError(f"--out {place}: cannot be written: {error.strerror}") from error


def _facts(study: StudyRecord, conditions: Arrangement) -> str:
    seeds = len({trial.seed for trial in study.trials})
    varied = " × ".join(column_title(name) for name in conditions.seen)
    count = len(conditions.conditions)
    parts = [f"{count} condition{'s' * (count != 1)}" + (f" of {varied}" if varied else "")]
    parts.append(f"{seeds} seed{'s' * (seeds != 1)} each")
    return f"{study.workload} study “{text.label(study.name)}”: {', '.join(parts)}."


def _commands(study: StudyRecord) -> str:
    """Shell commands that reproduce the results."""
    file = text.path_argument(f"{text.visible(study.name)}.yaml")
    lines = [["testbed", "run", file, "--out", "again"], ["testbed", "report", "again"]]
    return "\n".join(map(text.command, lines))


def _statistics(
    data: pd.DataFrame, study: StudyRecord, summary: pd.DataFrame, conditions: Arrangement
) -> str:
    if not len(data):
        return "<p>There are no statistics until a trial has finished.</p>"
    places = final_values.by_values(study, summary, conditions)
    rows = [places.get(tuple(row[name] for name in study.varied)) for row in data.to_dict("records")]
    caption = "Each condition over its seeds"
    if study.workload == "training":
        caption += "; interquartile means (IQM), or means with fewer than four seeds"
    seeds = data["seeds"].dropna()
    if "reference" in data and study.comparison_factor is not None:
        first = data["reference"].dropna()
        if len(first):
            level = format_value(study.comparison_factor, first.iloc[0])
            caption += f", and compared with {level} on the same seeds"
    if len(seeds) and seeds.min() < ENOUGH:
        caption += f". Fewer than {ENOUGH} seeds are too few to conclude from"
    return tables.statistics(data, study, conditions.seen, rows, caption)


def _reach(study: StudyRecord, store: Store) -> str:
    """The costs to reach the study's thresholds; a note if the results do not allow it."""
    try:
        costs = cost_to_reach(study, store, stored_reach(study.document, f"{store.folder / STUDY_FILE}"))
    except StudyError as error:
        return page.paragraphs([str(error)])
    return f"<h3>Cost to reach thresholds</h3>{tables.reach(costs, study.varied)}" if len(costs) else ""


def _baselines(
    study: StudyRecord, store: Store, finished: set[str], conditions: Arrangement
) -> list[dict[str, Any]]:
    """Baselines of policies without learning, for panels whose finished trials share them."""
    kept = baselines.kept(study, store)
    found = []
    for number in range(len(conditions.panels)):
        members = [i for c in conditions.conditions if c.panel == number for i in c.trials]
        of_each = [kept.get(study.trials[i].hash, ()) for i in members if study.trials[i].hash in finished]
        if of_each and all(list(one) == list(of_each[0]) for one in of_each):
            for reference in of_each[0]:
                means = {name: exact(mean) for name, mean in reference.means.items()}
                found.append({"panel": number, "policy": reference.policy, "means": means})
    return found


def _versions(made_by: provenance.Provenance) -> str:
    every = dict.fromkeys(name for versions, _ in made_by.versions for name in versions)
    names = [
        *(name for name in OWN if name in every),
        *(name for name in every if name not in OWN),
    ]
    rows = [
        ("", [tables.number(count), *(tables.Cell(versions.get(name, "")) for name in names)])
        for versions, count in made_by.versions
    ]
    return tables.html_table("versions", "Versions of the code", ["trials", *names], rows) if rows else ""


def _took(made_by: provenance.Provenance) -> str:
    seconds = [each for each in made_by.seconds if each is not None]
    if not seconds:
        return "No trial has finished yet."
    return (
        f"The finished trials took {duration(sum(seconds))} of one process"
        f" ({duration(sum(seconds) / len(seconds))} each on average)."
    )
