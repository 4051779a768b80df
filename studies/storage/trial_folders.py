"""Trial folders: one per trial, named by its hash, written completely or not at all; see ``store``."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from studies.spec.document import StudyError
from studies.spec.manifest import MODELS_FILE, StudyRecord, TrialRecord
from studies.spec.study import TrialSpec
from studies.storage import soundness
from studies.storage.claims import TrialLocks
from studies.storage.stored_files import Damage, read_json
from studies.storage.tables import Row, float_table, wall_columns, wall_times
from testbed.common import checkpoints
from testbed.common.atomic_files import settle, settle_all


class TrialFolders:
    """The stored trials under one folder.

    Args:
        folder: made when the first trial is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trials = folder / "trials"
        self.damaged = folder / "damaged"
        self.claims = TrialLocks(folder / "checkpoints")
        self._sound: set[str] = set()
        """Trials already found finished and intact; each is checked once."""

    def status(self, trial: TrialRecord) -> str:
        """``finished``, ``failed``, ``missing``, or ``damaged``: see :meth:`damage`."""
        try:
            return self._status(trial)
        except Damage:
            return "damaged"

    def damage(self, trial: TrialRecord) -> str | None:
        """The damage to a trial's folder, if any, as one line that names the file."""
        try:
            self._status(trial)
        except Damage as error:
            return f"{self.trials / trial.hash}: {error}"
        return None

    def damages(self, study: StudyRecord) -> list[str]:
        """One line for each trial whose folder is damaged."""
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
        timings: dict[str, Any] = {"wall_seconds": wall_seconds, "metrics": wall_columns(metrics)}
        tables = {"metrics": float_table([metrics])}
        for name, rows in curves.items():
            tables[f"curves_{name}"] = float_table(rows)
            timings[name] = wall_times(rows)
        with self._replacing(trial, versions, "finished") as folder:
            for name, table in tables.items():
                pq.write_table(table, folder / f"{name}.parquet")  # pandas takes several times as long
            _write_json(folder / "timings.json", timings)
            if models is not None:
                checkpoints.save(folder / MODELS_FILE, {"learner": models}, trial.hash)
        self.claims.clear(trial)

    def write_failure(self, trial: TrialSpec, versions: Mapping[str, str], trace: str) -> None:
        """Stores why a trial failed. The trial is repeated when the study is next run."""
        with self.claims.claim(trial) as mine:
            if mine:  # otherwise the process that runs it now will find out itself
                with self._replacing(trial, versions, "failed") as folder:
                    (folder / "traceback.txt").write_text(trace, encoding="utf-8")

    def traceback(self, trial: TrialRecord) -> Path:
        """The path of a failed trial's traceback."""
        return self.trials / trial.hash / "traceback.txt"

    def versions(self, trial: TrialRecord) -> dict[str, str]:
        """The versions of the code that produced a stored trial."""
        return self._json(trial, "versions.json")

    def models(self, trial: TrialRecord) -> Path | None:
        """The file with a trial's learnt models, current ones if it is unfinished; None if there are none.

        Either file can be read by :func:`testbed.common.checkpoints.load`, with the learner's state under
        ``learner``.
        """
        places = (self.trials / trial.hash / MODELS_FILE, self.claims.checkpoint(trial))
        return next((place for place in places if place.is_file()), None)

    def settings(self, trial: TrialRecord) -> dict[str, Any]:
        """All settings of a stored trial, as plain data."""
        found = self._json(trial, "spec.json")
        found.pop("identity", None)
        return found

    def identity(self, trial: TrialRecord) -> dict[str, Any] | None:
        """The data that a stored trial's name is derived from; None if it was not recorded."""
        found: dict[str, Any] | None = self._json(trial, "spec.json").get("identity")
        return found

    def timings(self, trial: TrialRecord) -> dict[str, Any]:
        """Wall times of a finished trial: ``wall_seconds``, and the ``wall_`` columns by table."""
        return self._json(trial, "timings.json")

    def metrics(self, trial: TrialRecord) -> dict[str, Any]:
        """The final numbers of a finished trial."""
        (row,) = self.read_table(trial, "metrics").to_pylist()
        return {name: math.nan if value is None else value for name, value in row.items()}

    def tables(self, trial: TrialRecord) -> list[str]:
        """The names of the curves and other tables of a finished trial."""
        found = (self.trials / trial.hash).glob("curves_*.parquet")
        return sorted(path.stem.removeprefix("curves_") for path in found)

    def table(self, trial: TrialRecord, name: str) -> pd.DataFrame | None:
        """The curve or table of this name; None if the trial has none."""
        if name not in self.tables(trial):
            return None
        found: pd.DataFrame = self.read_table(trial, f"curves_{name}").to_pandas()
        return found

    def wall_seconds(self, trial: TrialRecord) -> float:
        """Wall seconds of a finished trial, with those before it was resumed, as its updates record them."""
        timings = self.timings(trial)
        phases = sum(sum(row.values()) for row in timings.get("training", ()))
        return max(float(timings["wall_seconds"]), phases)

    def _json(self, trial: TrialRecord, name: str) -> dict[str, Any]:
        return read_json(self.trials / trial.hash / name)

    def read_table(self, trial: TrialRecord, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A table of a trial, such as ``metrics``, or some of its columns.

        Raises:
            StudyError: it has a column with a factor's name.
        """
        # Arrow's own reader: pandas' takes several times as long for each of many small files.
        file = pq.ParquetFile(self.trials / trial.hash / f"{table}.parquet")
        read = file.read(columns=None if columns is None else list(columns), use_threads=False)
        for name in trial.varied:
            if name in read.column_names:
                raise StudyError(f"vary.{name}: {name!r} is a column of the results; choose another name")
        return read

    @contextmanager
    def _replacing(self, trial: TrialSpec, versions: Mapping[str, str], status: str) -> Iterator[Path]:
        """A folder to fill that then replaces the trial's; if filling it fails, nothing changes."""
        self.trials.mkdir(parents=True, exist_ok=True)
        for left_over in self.trials.glob(f".{trial.hash}.*"):  # left by a run that was killed while writing
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
        except OSError:  # such as a full disk, where the partial folder would only take up space
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _make_room(self, trial: TrialRecord) -> None:
        """Removes a failed attempt, and moves a damaged folder aside: it may belong to another trial."""
        place = self.trials / trial.hash
        if self.status(trial) == "damaged":
            self.damaged.mkdir(exist_ok=True)
            tried = (self.damaged / f"{trial.hash}-{number}" for number in itertools.count(1))
            place.rename(next(aside for aside in tried if not os.path.lexists(aside)))
        elif place.exists():
            shutil.rmtree(place)
        self._sound.discard(trial.hash)


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, allow_nan=True) + "\n", encoding="utf-8")
