"""A study's results as one page: ``testbed report``."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from studies import columns, text
from studies.analysis import baselines
from studies.analysis import series as stored_series
from studies.analysis.bootstrap import ENOUGH
from studies.columns import column_title, format_value
from studies.formatting import duration
from studies.report import answer, final_values, page, provenance, series, tables
from studies.report.conditions import Arrangement, arrange
from studies.report.curves import lines
from studies.report.numbers import exact
from studies.report.recording import record
from studies.report.replay import AGENTS, described, differences, replay
from studies.report.rerun import outside_code, stored_trial
from studies.spec.document import StudyError
from studies.spec.manifest import StoredStudy, StudyRecord
from studies.storage.provenance import OWN
from studies.storage.store import CURVES, Store
from studies.text import isolated
from testbed.common.atomic_files import write_text


@dataclass(frozen=True)
class Report:
    """A written report: its file, what its replay shows, and warnings for the reader."""

    file: Path
    replayed: str
    warnings: tuple[str, ...]


def write(
    folder: Path,
    file: Path | None = None,
    *,
    number: int | None = None,
    replayed: bool = True,
    trust: bool = False,
    force: bool = False,
) -> Report:
    """Writes the report of a results folder.

    The same results give the same bytes.

    Args:
        folder: the results folder.
        file: the file to write; None: ``report.html`` in the results folder.
        number: trial whose network is replayed, from 1; None: the one that lost the most messages.
        replayed: whether to include a replay, for which that trial is run again.
        trust: whether code from outside the testbed that the trial names may be run for the replay.
        force: whether an existing file that is not a report may be replaced.

    Raises:
        StudyError: there are no results, no such trial, or the file cannot be written; one line.
    """
    store = Store(folder)
    study = store.study()
    place = _checked(file or folder / "report.html", force=force)
    made_by = provenance.gather(study, store)
    summary = store.summary(study)
    conditions = arrange(study)
    shown, note, differing = (
        _replay(study, store, summary, made_by, conditions, number, trust=trust)
        if replayed
        else (None, "", [])
    )
    warned = [*provenance.warnings(study, summary, made_by), *differing]
    if (damage := baselines.damage(store)) is not None:
        warned.append(f"the baselines of policies without learning are missing: {damage}")
    plans, first = final_values.plans(study.workload, summary), final_values.decisive(study.workload, summary)
    statistics = final_values.statistics(study, summary, conditions)
    name = text.label(study.name)
    over_time = {
        "agents": series.agents(study, stored_series.agents(study, store), conditions),
        "links": series.links(study, stored_series.links(study, store), conditions),
    }
    data = {
        "trials": [trial.hash for trial in study.trials],
        "titles": [trial.title for trial in study.trials],
        **conditions.as_data(),
        "curves": lines(study, {name: store.curve(study, name) for name in CURVES}, conditions, first),
        "finals": final_values.finals(study, summary, conditions),
        "references": _baselines(study, store, set(summary["trial"]) if len(summary) else set(), conditions),
        "series": over_time,
        "replay": shown,
    }
    numbers = [plan.y for plan in plans] + [name for name in columns.shown("report") if name in summary]
    link, section = page.replay(note)
    series_link, series_section = page.series(over_time)
    parts = {
        "heading": escape(text.visible(" ".join(study.question.split())) or name),
        "facts": escape(_facts(study, conditions)),
        "progress": escape(provenance.progress(made_by)),
        "unfinished": " unfinished" if len(summary) < len(study.trials) else "",
        "warnings": page.notes(warned),
        "answer": page.paragraphs(answer.answer(study, summary, conditions)),
        "statistics": _statistics(statistics, study, summary, conditions),
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
    return Report(place, note, tuple(warned))


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


def _replay(
    study: StoredStudy,
    store: Store,
    summary: pd.DataFrame,
    made_by: provenance.Provenance,
    conditions: Arrangement,
    number: int | None,
    *,
    trust: bool,
) -> tuple[dict[str, Any] | None, str, list[str]]:
    """The replay, a note on what it shows or why there is none, and a warning if the results differ."""
    place = _chosen(study, summary, made_by, number)
    if place is None:
        return None, "There is no replay: no finished trial sent a message.", []
    trial = study.trials[place]
    label = conditions.conditions[conditions.of[trial.hash]].label
    label = f"{isolated(label)}, " if label else ""
    named = f"trial {place + 1} ({label}seed {trial.seed})"
    if not trust and (code := outside_code(store, trial)) is not None:
        reason = "runs code from outside the testbed: `testbed report --trust` runs it"
        return None, f"There is no replay: {named} names {code}, which {reason}.", []
    try:
        again = stored_trial(store, trial)
    except StudyError as error:
        if number is not None:  # the user asked for this one
            raise
        return None, f"There is no replay: {error}.", []
    if again.settings.agents > AGENTS:
        return None, f"There is no replay: {named} has more than {AGENTS} agents.", []
    recording = record(again, batches=store.batches if store.batches.is_dir() else None)
    if not recording.trace.events:
        return None, f"There is no replay: nothing happens on the network of {named}.", []
    other = differences(recording, _stored(study, store, place)) if recording.complete else []
    lines = [
        f"run again for its replay, {named} gave different results: {', '.join(other[:3])}"
        + (f", and {len(other) - 3} other numbers" if len(other) > 3 else "")
    ]
    words = f"T{named[1:]}, run again: {described(recording)}."
    return {**replay(recording), "trial": place}, words, lines if other else []


def _chosen(
    study: StoredStudy, summary: pd.DataFrame, made_by: provenance.Provenance, number: int | None
) -> int | None:
    if number is not None:
        if number > len(study.trials):
            raise StudyError(f"--trial {number}: the study has {len(study.trials)} trials")
        state = made_by.states[number - 1]
        if state.status != "finished":
            reason = f"is {state.status}; only finished trials can be replayed"
            raise StudyError(f"--trial {number}: {state.trial.title} {reason}")
        return number - 1
    sent = summary[summary["messages_sent"] > 0] if "messages_sent" in summary else summary[:0]
    if sent.empty:
        return None
    worst = str(sent["trial"].iloc[int(sent["messages_dropped"].to_numpy().argmax())])  # the first of several
    return [trial.hash for trial in study.trials].index(worst)


def _stored(study: StoredStudy, store: Store, place: int) -> dict[str, Any]:
    """The results of a trial, or of the first update of a training run."""
    one = StoredStudy(**{**study.__dict__, "trials": (study.trials[place],)})
    table = store.curve(one, "training") if study.workload == "training" else store.summary(one)
    return {str(name): value for name, value in table.iloc[0].items()}


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
