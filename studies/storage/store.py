"""The results store: one folder per trial, named by the trial's hash.

::

    OUT/
      study.json           the study that was run here last, and its trials by hash
      trials/<hash>/       spec.json      all settings of the trial
                           metrics.parquet, curves_<name>.parquet   <name> as in CURVES, SERIES, TABLES
                           models.pt      of a training run: the learnt models
                           timings.json   wall times: the only file that differs between two runs
                           versions.json  of Python, the libraries and this package, and the commit
                           status.json    finished or failed, and the checksums of the other files; a failed
                                          trial has traceback.txt and no tables
      checkpoints/<hash>   of running trials, with the previous one; <hash>.lock: a process is running it;
                           <hash>.json: its most recently recorded progress
      damaged/             folders of trials that were found damaged, moved here when the trials were repeated
      batches/<hash>       starting points of updates, shared by the trials that start from the same one
      summary.parquet      one row per trial: varied parameters, seed, metrics; also as summary.csv
      statistics.csv       of training runs: each condition over its seeds, and how conditions compare
      reach.csv            of studies with `reach`: the cost to reach each threshold, by trial
      references.json      returns of random and scripted policies, for the lines in the figures
      figures/
      report.html          the page written by `testbed report`

A folder is written under a temporary name, flushed to disk, and renamed once complete, so no partial folder
is ever found, and a trial's checkpoint is removed only when its results would survive a power cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from studies import text
from studies.spec.document import StudyError
from studies.spec.manifest import STUDY_FILE, StoredStudy, StudyRecord, TrialRecord, from_json, to_json
from studies.storage.tables import uniform, write_csv
from studies.storage.trial_folders import TrialFolders
from testbed.common.atomic_files import atomic_write, write_json
from testbed.common.json_files import parsed
from testbed.identity import FORMAT

CURVES = ("consensus", "training")
"""Tables of a trial that are curves: along an agreement, and along a training run."""

SERIES = ("agents", "links")
"""Curves with more than one row at each point: one per agent, along a training run, and one per direction of
a link, along a training run or a consensus run. Earlier versions did not store them."""

TABLES = ("traffic", "faults", "fault_windows", "names")
"""Other tables of a trial."""


def default_folder(name: str, *, quick: bool = False) -> Path:
    """The default results folder of a study: ``runs/<name>``.

    The quick form goes to ``runs/<name>-quick``, so that it never replaces the full study.
    No name leads out of ``runs``; see :func:`studies.text.folder_name`.
    """
    folder = text.folder_name(name)
    return Path("runs") / (f"{folder}-quick" if quick else folder)


class Store(TrialFolders):
    """The results of studies under one folder.

    Args:
        folder: made when the first trial is written.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.batches = folder / "batches"

    def remember(self, study: StudyRecord) -> list[str]:
        """Records which study is run here, so that its results can be read without the study file.

        Returns:
            Warnings about earlier contents of the folder, one line each.

        Raises:
            StudyError: the folder cannot be created or written to, or it has finished trials of another
                study, which would vanish from its tables.
        """
        lines = self._before(study) if (self.folder / STUDY_FILE).exists() else []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self.folder / STUDY_FILE, to_json(study))
        except OSError as error:
            raise StudyError(f"--out {self.folder}: cannot be created: {error.strerror}") from error
        return lines

    def _before(self, study: StudyRecord) -> list[str]:
        """Warnings for a study that replaces the one recorded here; see ``remember``."""
        try:
            before = self.study()
        except StudyError as error:
            return [f"{error}; it is written again"]
        names = {trial.hash for trial in study.trials}
        lost = [t for t in before.trials if t.hash not in names and self.status(t) in ("finished", "damaged")]
        if not lost:
            return []
        places = {_place(trial) for trial in study.trials}
        if before.names < FORMAT and all(_place(trial) in places for trial in before.trials):
            kept = self.folder / f"study.format-{before.names}.json"
            (self.folder / STUDY_FILE).replace(kept)
            counted = f"{len(lost)} trial{'s' * (len(lost) != 1)}"
            return [
                f"{self.folder}: has {counted} of an older format, which will be run again; their folders"
                f" stay under trials/, and {kept.name} says which they are"
            ]
        those = "trial that is" if len(lost) == 1 else "trials that are"
        raise StudyError(
            f"{self.folder}: has {len(lost)} finished {those} not in this study, such as {lost[0].title}:"
            " its tables and figures would lose them; choose another folder (--out)"
        )

    def study(self) -> StoredStudy:
        """The study that was most recently run here.

        Raises:
            StudyError: there is none, or its file is damaged.
        """
        file = self.folder / STUDY_FILE
        try:
            return from_json(parsed(file))
        except FileNotFoundError as error:
            reason = "holds no results of `testbed run`" if self.folder.is_dir() else "no such folder"
            raise StudyError(f"{self.folder}: {reason}") from error
        except NotADirectoryError as error:
            raise StudyError(f"{self.folder}: is a file, not the folder of a study's results") from error
        except (OSError, ValueError) as error:
            raise StudyError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error

    def summary(self, study: StudyRecord) -> pd.DataFrame:
        """The finished trials, one row each.

        Columns: ``trial`` (hash), the varied settings under their paths or names, ``seed``, the metrics.

        Raises:
            StudyError: a varied setting has the name of a metric.
        """
        return self._joined(study, "metrics")

    def summarise(self, study: StudyRecord) -> pd.DataFrame:
        """Writes ``summary`` into ``summary.parquet`` and ``summary.csv``, and returns it."""
        table = self.summary(study)
        self.write_table("summary.parquet", table)
        self.write_table("summary.csv", table)
        return table

    def write_table(self, name: str, table: pd.DataFrame) -> Path:
        """Writes a table about the whole study, as CSV or Parquet by its name's ending; returns the file."""
        place = self.folder / name
        with atomic_write(place) as file:
            if name.endswith(".csv"):
                write_csv(table, file)
            else:
                table.to_parquet(file, index=False)
        return place

    def curve(self, study: StudyRecord, name: str) -> pd.DataFrame:
        """The curves of one name over all finished trials, with the columns that identify the trials."""
        return self._joined(study, f"curves_{name}")

    def having(self, study: StudyRecord, name: str) -> list[TrialRecord]:
        """The finished trials whose curve or other table of this name has rows."""
        found = self._having(study, f"curves_{name}")
        files = (self.trials / trial.hash / f"curves_{name}.parquet" for trial in found)
        return [trial for trial, file in zip(found, files, strict=True) if pq.read_metadata(file).num_rows]

    def _having(self, study: StudyRecord, name: str) -> list[TrialRecord]:
        finished = [trial for trial in study.trials if self.status(trial) == "finished"]
        return [t for t in finished if (self.trials / t.hash / f"{name}.parquet").is_file()]

    def _joined(self, study: StudyRecord, name: str) -> pd.DataFrame:
        """One table of all finished trials that have it, one after the other."""
        having = self._having(study, name)
        return joined(study, having, [self.read_table(trial, name) for trial in having])


def joined(study: StudyRecord, trials: Sequence[TrialRecord], tables: Sequence[pa.Table]) -> pd.DataFrame:
    """One table of each trial, one after the other, with the columns that identify the trials in front."""
    if not trials:
        return pd.DataFrame()
    measured = pa.concat_tables(tables, promote_options="default").to_pandas()
    identities = pd.DataFrame([_identity(trial) for trial in trials])
    rows = np.repeat(np.arange(len(trials)), [table.num_rows for table in tables])
    return uniform(pd.concat([identities.iloc[rows].reset_index(drop=True), measured], axis=1), study.varied)


def _place(trial: TrialRecord) -> tuple[object, ...]:
    """The position of a trial in its study's grid."""
    return (*sorted(trial.varied.items()), trial.seed)


def _identity(trial: TrialRecord) -> dict[str, Any]:
    return {"trial": trial.hash, **trial.varied, "seed": trial.seed}
