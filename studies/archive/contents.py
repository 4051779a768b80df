"""The files of an archive."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pandas as pd

from studies.analysis import baselines
from studies.analysis.overview import overview
from studies.archive import inputs, packing, readme
from studies.figures import draw
from studies.figures.from_store import figure_data, statistics
from studies.formatting import counted
from studies.report import provenance
from studies.spec.document import StudyError
from studies.spec.manifest import STUDY_FILE, StoredStudy
from studies.storage.store import CURVES, TABLES, Store
from studies.storage.tables import write_csv

REPORT = "report.html"


def check_links(folder: Path) -> None:
    """Raises StudyError if a file that would be read lies outside of the results folder, behind a link."""
    home = folder.resolve()
    trials = folder / "trials"
    read = [folder / name for name in (STUDY_FILE, baselines.FILE, REPORT)]
    read += [trials, *trials.glob("*"), *trials.glob("*/*")] if trials.is_dir() else []
    for path in read:
        if path.is_symlink() and not path.resolve().is_relative_to(home):
            raise StudyError(
                f"{path}: links to a place outside {folder}; an export does not follow such links"
            )


def write(study: StoredStudy, store: Store, place: Path) -> list[str]:
    """Writes all files of the archive of a study into an empty folder; returns warnings, one line each.

    Raises:
        StudyError: no trial has finished; one line.
    """
    summary = store.summary(study)
    if summary.empty:
        trials = counted(len(study.trials), "trial")
        raise StudyError(f"{store.folder}: none of its {trials} has finished, so there is nothing to export")
    made_by = provenance.gather(study, store)
    lines = provenance.warnings(study, summary, made_by)
    (place / "study").mkdir()
    document, absent = inputs.copy(study, store, study.document, place / "study", readme.STUDY)
    lines += absent
    moved = StoredStudy(**{**vars(study), "document": document})
    _text(place / "study" / readme.STUDY, provenance.document(moved))
    _table(place / "summary.csv", summary)
    summary.to_parquet(place / "summary.parquet", index=False)
    if study.workload == "training":
        _table(place / "statistics.csv", statistics(study, summary))
    for kind, names in (("curves", CURVES), ("tables", TABLES)):
        for name in names:
            table = store.curve(study, name)
            if not table.empty:
                (place / kind).mkdir(exist_ok=True)
                table.to_parquet(place / kind / f"{name}.parquet", index=False)
    _table(place / "trials.csv", _trials(study, made_by))
    _text(place / "versions.json", _versions(made_by))
    if (store.folder / baselines.FILE).is_file():
        shutil.copyfile(store.folder / baselines.FILE, place / "baselines.json")
    if (store.folder / REPORT).is_file():
        shutil.copyfile(store.folder / REPORT, place / REPORT)
    data = figure_data(study, store, summary, baselines.kept(study, store), lines.append)
    if len(data.reach):
        _table(place / "reach.csv", data.reach)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        draw.draw(data, place / "figures", lines.append)
    lines += [str(one.message) for one in said]
    text = readme.readme(study, made_by, overview(study, summary).markdown(), packing.files(place), place)
    _text(place / "README.md", text)
    packing.write_sums(place)
    return lines


def _trials(study: StoredStudy, made_by: provenance.Provenance) -> pd.DataFrame:
    """A row per trial of the study, finished or not: ``number``, ``trial``, varied settings, ``seed``,
    ``status``."""
    return pd.DataFrame(
        {
            "number": number,
            "trial": one.trial.hash,
            **one.trial.varied,
            "seed": one.trial.seed,
            "status": one.status,
        }
        for number, one in enumerate(made_by.states, start=1)
    )


def _versions(made_by: provenance.Provenance) -> str:
    found = [{"trials": count, "versions": versions} for versions, count in made_by.versions]
    return json.dumps(found, indent=2) + "\n"


def _table(file: Path, table: pd.DataFrame) -> None:
    write_csv(table, file)


def _text(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="\n")
