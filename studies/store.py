"""Where results are kept: one folder per trial, named by the trial's hash.

::

    OUT/
      study.json           the study that was run here last, and its trials by hash
      trials/<hash>/       spec.json      all settings of the trial
                           metrics.parquet, curves_<name>.parquet   <name> as in CURVES and TABLES
                           models.pt      of a training run: what was learnt
                           timings.json   what the machine took: the only file that differs between two runs
                           versions.json  of Python, the libraries and this package, and the commit
                           status.json    finished or failed; a failed trial has traceback.txt and no tables
      checkpoints/<hash>   of trials under way, and the one before; <hash>.lock: a process runs it now;
                           <hash>.json: how far it had come when it was last looked at
      batches/<hash>       what updates start from, for the trials that start from the same
      summary.parquet      one row per trial: varied parameters, seed, metrics; also as summary.csv
      statistics.csv       of training runs: each condition over its seeds, and how conditions compare
      references.json      what random and scripted policies earn, for the lines in the figures
      figures/
      report.html          what `testbed report` makes of all this

A folder is written beside its place and renamed when it is whole, so that nothing half-written is ever found.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from studies import text
from studies.document import StudyError
from studies.outline import StoredStudy, StudyOutline, TrialOutline, from_json, to_json
from studies.spec import TrialSpec
from studies.under_way import UnderWay
from testbed import checkpoints
from testbed.files import beside

Row = Mapping[str, float | int | str]

STUDY = "study.json"

CURVES = ("consensus", "training")
"""Tables of a trial that are curves: along an agreement, and along a training run."""

TABLES = ("traffic", "faults")
"""Other tables of a trial."""


class Store:
    """The results of studies under one folder.

    Args:
        folder: made when the first trial is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trials = folder / "trials"
        self.batches = folder / "batches"
        self.under_way = UnderWay(folder / "checkpoints")

    def remember(self, study: StudyOutline) -> None:
        """Writes down which study is run here, so that its results can be read without its file.

        Raises:
            StudyError: the folder cannot be made, or not written into.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with beside(self.folder / STUDY) as file:
                _write_json(file, to_json(study))
        except OSError as error:
            raise StudyError(f"--out {self.folder}: cannot be made: {error.strerror}") from error

    def study(self) -> StoredStudy:
        """The study that was run here last.

        Raises:
            StudyError: there is none, or its file is damaged.
        """
        file = self.folder / STUDY
        try:
            return from_json(json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            reason = "holds no results of `testbed run`" if self.folder.is_dir() else "no such folder"
            raise StudyError(f"{self.folder}: {reason}") from error
        except NotADirectoryError as error:
            raise StudyError(f"{self.folder}: is a file, not the folder of a study's results") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StudyError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error

    def status(self, trial: TrialOutline) -> str:
        """``finished``, ``failed`` or ``missing``."""
        file = self.trials / trial.hash / "status.json"
        return str(json.loads(file.read_text())["status"]) if file.is_file() else "missing"

    def versions(self, trial: TrialOutline) -> dict[str, str]:
        """What made a stored trial."""
        found: dict[str, str] = json.loads((self.trials / trial.hash / "versions.json").read_text())
        return found

    def models(self, trial: TrialOutline) -> Path | None:
        """What a trial has learnt: when it finished or else, if it is under way, until now; None: nothing.

        Either file is one for :func:`testbed.checkpoints.load`, with the learner's state under ``learner``.
        """
        places = (self.trials / trial.hash / "models.pt", self.under_way.checkpoint(trial))
        return next((place for place in places if place.is_file()), None)

    def write(
        self,
        trial: TrialSpec,
        metrics: Row,
        curves: Mapping[str, Sequence[Row]],
        versions: Mapping[str, str],
        wall_seconds: float,
        models: Mapping[str, object] | None = None,
    ) -> None:
        """Stores a finished trial, with the state of its learner in ``models`` if it has one.

        Columns that begin with ``wall_`` go to ``timings.json``.
        """
        timings: dict[str, Any] = {"wall_seconds": wall_seconds, "metrics": _only(metrics, wall=True)}
        tables = {"metrics": _table([metrics])}
        for name, rows in curves.items():
            tables[f"curves_{name}"] = _table(rows)
            timings[name] = [timing for row in rows if (timing := _only(row, wall=True))]
        folder = self._begin(trial, versions)
        for name, table in tables.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)
        _write_json(folder / "timings.json", timings)
        if models is not None:
            checkpoints.save(folder / "models.pt", {"learner": models}, trial.hash)
        self._end(trial, folder, "finished")

    def write_failure(self, trial: TrialSpec, versions: Mapping[str, str], trace: str) -> None:
        """Stores why a trial failed. It will be run again when the study is."""
        with self.under_way.claim(trial) as mine:
            if mine:  # or else whoever runs it now will see for himself
                folder = self._begin(trial, versions)
                (folder / "traceback.txt").write_text(trace, encoding="utf-8")
                self._end(trial, folder, "failed")

    def traceback(self, trial: TrialOutline) -> Path:
        """The file that tells why a trial failed."""
        return self.trials / trial.hash / "traceback.txt"

    def summary(self, study: StudyOutline) -> pd.DataFrame:
        """The finished trials, a row each.

        Columns: ``trial`` (hash), what is varied under its dotted path or name, ``seed``, then the metrics.

        Raises:
            StudyError: something varied has the name of a metric.
        """
        return self._joined(study, "metrics")

    def summarise(self, study: StudyOutline) -> pd.DataFrame:
        """Writes ``summary`` into ``summary.parquet`` and ``summary.csv``, and returns it."""
        table = self.summary(study)
        self.write_table("summary.parquet", table)
        self.write_table("summary.csv", table)
        return table

    def write_table(self, name: str, table: pd.DataFrame) -> Path:
        """Writes a table about the whole study, as CSV or Parquet by its name's ending; returns the file."""
        place = self.folder / name
        with beside(place) as file:
            if name.endswith(".csv"):
                csv(table, file)
            else:
                table.to_parquet(file, index=False)
        return place

    def curve(self, study: StudyOutline, name: str) -> pd.DataFrame:
        """The curves of one name over all finished trials, with the columns that identify the trials."""
        return self._joined(study, f"curves_{name}")

    def settings(self, trial: TrialOutline) -> dict[str, Any]:
        """All settings of a stored trial, as plain data."""
        found: dict[str, Any] = json.loads((self.trials / trial.hash / "spec.json").read_text("utf-8"))
        return found

    def timings(self, trial: TrialOutline) -> dict[str, Any]:
        """What a finished trial took: ``wall_seconds``, and by table what begins with ``wall_``."""
        found: dict[str, Any] = json.loads((self.trials / trial.hash / "timings.json").read_text("utf-8"))
        return found

    def metrics(self, trial: TrialOutline) -> dict[str, Any]:
        """The final numbers of a finished trial."""
        (row,) = self._read(trial, "metrics").to_dict("records")
        return {str(name): value for name, value in row.items()}

    def tables(self, trial: TrialOutline) -> list[str]:
        """The names of the curves and other tables of a finished trial."""
        found = (self.trials / trial.hash).glob("curves_*.parquet")
        return sorted(path.stem.removeprefix("curves_") for path in found)

    def table(self, trial: TrialOutline, name: str) -> pd.DataFrame | None:
        """One of them; None if it has none of that name."""
        return self._read(trial, f"curves_{name}") if name in self.tables(trial) else None

    def wall_seconds(self, trial: TrialOutline) -> float:
        """What a finished trial took, before it was resumed as well, as far as its updates tell."""
        timings = self.timings(trial)
        phases = sum(sum(row.values()) for row in timings.get("training", ()))
        return max(float(timings["wall_seconds"]), phases)

    def _joined(self, study: StudyOutline, name: str) -> pd.DataFrame:
        """One table of all trials that have it, one after the other."""
        having = [t for t in study.trials if (self.trials / t.hash / f"{name}.parquet").is_file()]
        if not having:
            return pd.DataFrame()
        tables = [self._arrow(trial, name) for trial in having]
        measured = pa.concat_tables(tables, promote_options="default").to_pandas()
        identities = pd.DataFrame([_identity(trial) for trial in having])
        rows = np.repeat(np.arange(len(having)), [table.num_rows for table in tables])
        return _uniform(pd.concat([identities.iloc[rows].reset_index(drop=True), measured], axis=1), study)

    def _read(self, trial: TrialOutline, table: str) -> pd.DataFrame:
        read: pd.DataFrame = self._arrow(trial, table).to_pandas()
        return read

    def _arrow(self, trial: TrialOutline, table: str) -> pa.Table:
        # Arrow's own reader: pandas' takes several times as long for each of many small files.
        read = pq.ParquetFile(self.trials / trial.hash / f"{table}.parquet").read(use_threads=False)
        for name in trial.varied:
            if name in read.column_names:
                raise StudyError(f"vary.{name}: {name!r} is a column of the results; choose another name")
        return read

    def _begin(self, trial: TrialSpec, versions: Mapping[str, str]) -> Path:
        self.trials.mkdir(parents=True, exist_ok=True)
        for left_over in self.trials.glob(f".{trial.hash}.*"):  # by a run that was killed while writing
            shutil.rmtree(left_over)
        folder = self.trials / f".{trial.hash}.{os.getpid()}"
        folder.mkdir()
        _write_json(folder / "spec.json", trial.resolved)
        _write_json(folder / "versions.json", versions)
        return folder

    def _end(self, trial: TrialSpec, folder: Path, status: str) -> None:
        _write_json(folder / "status.json", {"status": status})
        place = self.trials / trial.hash
        if place.exists():  # a failed attempt
            shutil.rmtree(place)
        folder.rename(place)
        if status == "finished":
            self.under_way.clear(trial)


def _table(rows: Sequence[Row]) -> pd.DataFrame:
    """All numbers as floats, so that a column's type never depends on the values it happens to hold."""
    table = pd.DataFrame([_only(row, wall=False) for row in rows])
    return table.astype(dict.fromkeys(table.select_dtypes("number"), float))


def _identity(trial: TrialOutline) -> dict[str, Any]:
    return {"trial": trial.hash, **trial.varied, "seed": trial.seed}


def _only(row: Row, *, wall: bool) -> dict[str, float | int | str]:
    return {key: value for key, value in row.items() if key.startswith("wall_") == wall}


def _uniform(table: pd.DataFrame, study: StudyOutline) -> pd.DataFrame:
    """Varied columns that mix numbers and text become text: a column has one type."""
    for path in study.varied:
        if path in table and table[path].map(type).nunique() > 1:
            numeric = table[path].map(
                lambda value: isinstance(value, int | float) and not isinstance(value, bool)
            )
            table[path] = table[path].astype(float if numeric.all() else str)
    first = ["trial", *study.varied, "seed"]
    return table[[*first, *(column for column in table if column not in first)]] if len(table) else table


def csv(table: pd.DataFrame, file: Path | TextIO) -> None:
    """Writes a table as CSV, in which control characters of labels are escaped: a line is a row."""
    shown = table.copy()
    for name in table.select_dtypes(exclude="number"):
        shown[name] = table[name].map(_visible)
    shown.rename(columns=text.visible).to_csv(file, index=False, float_format="%.12g")


def _visible(value: Any) -> Any:
    return text.visible(value) if isinstance(value, str) else value


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, allow_nan=True) + "\n", encoding="utf-8")
