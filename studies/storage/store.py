"""Where results are kept: one folder per trial, named by the trial's hash.

::

    OUT/
      study.json           the study that was run here last, and its trials by hash
      trials/<hash>/       spec.json      all settings of the trial
                           metrics.parquet, curves_<name>.parquet   <name> as in CURVES and TABLES
                           models.pt      of a training run: what was learnt
                           timings.json   what the machine took: the only file that differs between two runs
                           versions.json  of Python, the libraries and this package, and the commit
                           status.json    finished or failed, and the checksums of the other files; a failed
                                          trial has traceback.txt and no tables
      checkpoints/<hash>   of trials under way, and the one before; <hash>.lock: a process runs it now;
                           <hash>.json: how far it had come when it was last looked at
      damaged/             folders of trials that were found damaged when these were run again
      batches/<hash>       what updates start from, for the trials that start from the same
      summary.parquet      one row per trial: varied parameters, seed, metrics; also as summary.csv
      statistics.csv       of training runs: each condition over its seeds, and how conditions compare
      references.json      what random and scripted policies earn, for the lines in the figures
      figures/
      report.html          what `testbed report` makes of all this

A folder is written beside its place, brought to the disk, and renamed when it is whole, so that nothing
half-written is ever found, and the checkpoint of a trial goes only when its results survive a power cut.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from studies import text
from studies.spec.document import StudyError
from studies.spec.manifest import StoredStudy, StudyRecord, TrialRecord, from_json, to_json
from studies.spec.study import TrialSpec
from studies.storage import soundness
from studies.storage.claims import TrialLocks
from studies.storage.stored_files import Damage, parsed, read_json
from testbed.common import checkpoints
from testbed.common.atomic_files import atomic_write, settle, settle_all, write_json
from testbed.identity import FORMAT

Row = Mapping[str, float | int | str]

STUDY = "study.json"

CURVES = ("consensus", "training")
"""Tables of a trial that are curves: along an agreement, and along a training run."""

TABLES = ("traffic", "faults")
"""Other tables of a trial."""


def default_folder(name: str, *, quick: bool = False) -> Path:
    """Where the results of a study go unless it is said: ``runs/<name>``.

    A short form goes to ``runs/<name>-quick``: it never takes the place of the whole.
    No name leads out of ``runs``; see :func:`studies.text.folder_name`.
    """
    folder = text.folder_name(name)
    return Path("runs") / (f"{folder}-quick" if quick else folder)


class Store:
    """The results of studies under one folder.

    Args:
        folder: made when the first trial is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trials = folder / "trials"
        self.batches = folder / "batches"
        self.damaged = folder / "damaged"
        self.claims = TrialLocks(folder / "checkpoints")
        self._sound: set[str] = set()
        """Trials that have been found finished and undamaged: they are looked at once."""

    def remember(self, study: StudyRecord) -> list[str]:
        """Writes down which study is run here, so that its results can be read without its file.

        Returns:
            What must be said of what was here before, a line each.

        Raises:
            StudyError: the folder cannot be made, or not written into; or it has finished trials of another
                study, which would vanish from its tables.
        """
        lines = self._before(study) if (self.folder / STUDY).exists() else []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self.folder / STUDY, to_json(study))
        except OSError as error:
            raise StudyError(f"--out {self.folder}: cannot be made: {error.strerror}") from error
        return lines

    def _before(self, study: StudyRecord) -> list[str]:
        """What must be said when a study takes the place of what was run here before; see ``remember``."""
        try:
            before = self.study()
        except StudyError as error:
            return [f"{error}; it is written anew"]
        names = {trial.hash for trial in study.trials}
        lost = [t for t in before.trials if t.hash not in names and self.status(t) in ("finished", "damaged")]
        if not lost:
            return []
        places = {_place(trial) for trial in study.trials}
        if before.names < FORMAT and all(_place(trial) in places for trial in before.trials):
            kept = self.folder / f"study.format-{before.names}.json"
            (self.folder / STUDY).replace(kept)
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
        """The study that was run here last.

        Raises:
            StudyError: there is none, or its file is damaged.
        """
        file = self.folder / STUDY
        try:
            return from_json(parsed(file))
        except FileNotFoundError as error:
            reason = "holds no results of `testbed run`" if self.folder.is_dir() else "no such folder"
            raise StudyError(f"{self.folder}: {reason}") from error
        except NotADirectoryError as error:
            raise StudyError(f"{self.folder}: is a file, not the folder of a study's results") from error
        except (OSError, ValueError) as error:
            raise StudyError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error

    def status(self, trial: TrialRecord) -> str:
        """``finished``, ``failed``, ``missing``, or ``damaged``: see :meth:`damage`."""
        try:
            return self._status(trial)
        except Damage:
            return "damaged"

    def damage(self, trial: TrialRecord) -> str | None:
        """The damage to the folder of a trial, if any: a line that names the file."""
        try:
            self._status(trial)
        except Damage as error:
            return f"{self.trials / trial.hash}: {error}"
        return None

    def damages(self, study: StudyRecord) -> list[str]:
        """A line for each trial whose folder is damaged."""
        damaged = ((trial, self.damage(trial)) for trial in study.trials)
        return [f"{trial.title}: {line}" for trial, line in damaged if line is not None]

    def _status(self, trial: TrialRecord) -> str:
        place = self.trials / trial.hash
        if trial.hash in self._sound:
            return "finished"
        if not os.path.lexists(place):
            return "missing"
        found = soundness.status(place, trial)
        if found == "finished":
            self._sound.add(trial.hash)
        return found

    def _json(self, trial: TrialRecord, name: str) -> dict[str, Any]:
        return read_json(self.trials / trial.hash / name)

    def versions(self, trial: TrialRecord) -> dict[str, str]:
        """What made a stored trial."""
        return self._json(trial, "versions.json")

    def models(self, trial: TrialRecord) -> Path | None:
        """What a trial has learnt: when it finished or else, if it is under way, until now; None: nothing.

        Either file is one for :func:`testbed.common.checkpoints.load`, with the learner's state under
        ``learner``.
        """
        places = (self.trials / trial.hash / "models.pt", self.claims.checkpoint(trial))
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
        with self._replacing(trial, versions, "finished") as folder:
            for name, table in tables.items():
                table.to_parquet(folder / f"{name}.parquet", index=False)
            _write_json(folder / "timings.json", timings)
            if models is not None:
                checkpoints.save(folder / "models.pt", {"learner": models}, trial.hash)
        self.claims.clear(trial)

    def write_failure(self, trial: TrialSpec, versions: Mapping[str, str], trace: str) -> None:
        """Stores why a trial failed. It will be run again when the study is."""
        with self.claims.claim(trial) as mine:
            if mine:  # or else whoever runs it now will see for himself
                with self._replacing(trial, versions, "failed") as folder:
                    (folder / "traceback.txt").write_text(trace, encoding="utf-8")

    def traceback(self, trial: TrialRecord) -> Path:
        """The file that tells why a trial failed."""
        return self.trials / trial.hash / "traceback.txt"

    def summary(self, study: StudyRecord) -> pd.DataFrame:
        """The finished trials, a row each.

        Columns: ``trial`` (hash), what is varied under its dotted path or name, ``seed``, then the metrics.

        Raises:
            StudyError: something varied has the name of a metric.
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

    def settings(self, trial: TrialRecord) -> dict[str, Any]:
        """All settings of a stored trial, as plain data."""
        found = self._json(trial, "spec.json")
        found.pop("identity", None)
        return found

    def identity(self, trial: TrialRecord) -> dict[str, Any] | None:
        """What the name of a stored trial is made of; None if it did not say."""
        found: dict[str, Any] | None = self._json(trial, "spec.json").get("identity")
        return found

    def timings(self, trial: TrialRecord) -> dict[str, Any]:
        """What a finished trial took: ``wall_seconds``, and by table what begins with ``wall_``."""
        return self._json(trial, "timings.json")

    def metrics(self, trial: TrialRecord) -> dict[str, Any]:
        """The final numbers of a finished trial."""
        (row,) = self._read(trial, "metrics").to_dict("records")
        return {str(name): value for name, value in row.items()}

    def tables(self, trial: TrialRecord) -> list[str]:
        """The names of the curves and other tables of a finished trial."""
        found = (self.trials / trial.hash).glob("curves_*.parquet")
        return sorted(path.stem.removeprefix("curves_") for path in found)

    def table(self, trial: TrialRecord, name: str) -> pd.DataFrame | None:
        """One of them; None if it has none of that name."""
        return self._read(trial, f"curves_{name}") if name in self.tables(trial) else None

    def wall_seconds(self, trial: TrialRecord) -> float:
        """What a finished trial took, before it was resumed as well, as far as its updates tell."""
        timings = self.timings(trial)
        phases = sum(sum(row.values()) for row in timings.get("training", ()))
        return max(float(timings["wall_seconds"]), phases)

    def _joined(self, study: StudyRecord, name: str) -> pd.DataFrame:
        """One table of all finished trials that have it, one after the other."""
        finished = [trial for trial in study.trials if self.status(trial) == "finished"]
        having = [t for t in finished if (self.trials / t.hash / f"{name}.parquet").is_file()]
        if not having:
            return pd.DataFrame()
        tables = [self._arrow(trial, name) for trial in having]
        measured = pa.concat_tables(tables, promote_options="default").to_pandas()
        identities = pd.DataFrame([_identity(trial) for trial in having])
        rows = np.repeat(np.arange(len(having)), [table.num_rows for table in tables])
        return _uniform(pd.concat([identities.iloc[rows].reset_index(drop=True), measured], axis=1), study)

    def _read(self, trial: TrialRecord, table: str) -> pd.DataFrame:
        read: pd.DataFrame = self._arrow(trial, table).to_pandas()
        return read

    def _arrow(self, trial: TrialRecord, table: str) -> pa.Table:
        # Arrow's own reader: pandas' takes several times as long for each of many small files.
        read = pq.ParquetFile(self.trials / trial.hash / f"{table}.parquet").read(use_threads=False)
        for name in trial.varied:
            if name in read.column_names:
                raise StudyError(f"vary.{name}: {name!r} is a column of the results; choose another name")
        return read

    @contextmanager
    def _replacing(self, trial: TrialSpec, versions: Mapping[str, str], status: str) -> Iterator[Path]:
        """A folder to fill, which then takes the place of the trial's; or else nothing has changed."""
        self.trials.mkdir(parents=True, exist_ok=True)
        for left_over in self.trials.glob(f".{trial.hash}.*"):  # by a run that was killed while writing
            shutil.rmtree(left_over)
        folder = self.trials / f".{trial.hash}.{os.getpid()}"
        try:
            folder.mkdir()
            _write_json(folder / "spec.json", {**trial.resolved, "identity": trial.identity})
            _write_json(folder / "versions.json", versions)
            yield folder
            _write_json(folder / soundness.STATUS, {"status": status, "files": soundness.sums(folder)})
            settle_all(folder)
            self._make_room(trial)
            folder.rename(self.trials / trial.hash)
            settle(self.trials)
        except OSError:  # such as a full disk, on which what was written would only be in the way
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _make_room(self, trial: TrialRecord) -> None:
        """Removes a failed attempt, and sets aside what is damaged: it may be another trial's."""
        place = self.trials / trial.hash
        if self.status(trial) == "damaged":
            self.damaged.mkdir(exist_ok=True)
            tried = (self.damaged / f"{trial.hash}-{number}" for number in itertools.count(1))
            place.rename(next(aside for aside in tried if not os.path.lexists(aside)))
        elif place.exists():
            shutil.rmtree(place)
        self._sound.discard(trial.hash)


def _table(rows: Sequence[Row]) -> pd.DataFrame:
    """All numbers as floats, so that a column's type never depends on the values it happens to hold."""
    table = pd.DataFrame([_only(row, wall=False) for row in rows])
    return table.astype(dict.fromkeys(table.select_dtypes("number"), float))


def _place(trial: TrialRecord) -> tuple[object, ...]:
    """Where a trial is in the grid of its study."""
    return (*sorted(trial.varied.items()), trial.seed)


def _identity(trial: TrialRecord) -> dict[str, Any]:
    return {"trial": trial.hash, **trial.varied, "seed": trial.seed}


def _only(row: Row, *, wall: bool) -> dict[str, float | int | str]:
    return {key: value for key, value in row.items() if key.startswith("wall_") == wall}


def _uniform(table: pd.DataFrame, study: StudyRecord) -> pd.DataFrame:
    """Varied columns that mix numbers and text become text: a column has one type."""
    for path in study.varied:
        if path in table and table[path].map(type).nunique() > 1:
            numeric = table[path].map(
                lambda value: isinstance(value, int | float) and not isinstance(value, bool)
            )
            table[path] = table[path].astype(float if numeric.all() else str)
    first = ["trial", *study.varied, "seed"]
    return table[[*first, *(column for column in table if column not in first)]] if len(table) else table


def write_csv(table: pd.DataFrame, file: Path | TextIO) -> None:
    """Writes a table as CSV, in which control characters of labels are escaped: a line is a row."""
    shown = table.copy()
    for name in table.select_dtypes(exclude="number"):
        shown[name] = table[name].map(_visible)
    shown.rename(columns=text.visible).to_csv(file, index=False, float_format="%.12g")


def _visible(value: Any) -> Any:
    return text.visible(value) if isinstance(value, str) else value


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, allow_nan=True) + "\n", encoding="utf-8")
