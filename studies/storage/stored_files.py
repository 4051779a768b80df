"""Validation of stored files, in one place for every command and for the Python API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, ValidationError

from testbed.common.json_files import parsed
from testbed.common.validation_messages import first_error

TEXTS = {
    "curves_faults": ("fault",),
    "curves_fault_windows": ("fault", "fault_name"),
    "curves_names": ("name",),
}
"""Columns that hold text, by table; all others hold numbers."""

OURS = ("trial", "seed")
"""Columns added when the tables of all trials are concatenated."""

Number = StrictFloat
"""A float or an integer: JSON does not distinguish them."""
Wall = Annotated[Number, Field(ge=0, allow_inf_nan=False)]


class Damage(ValueError):
    """A trial folder that cannot be used; the message is one line with the file and the fault."""


class _Spec(BaseModel):
    seed: Annotated[StrictInt, Field(ge=0)]
    workload: StrictStr
    topology: dict[str, Any]
    environment: dict[str, Any] | None = None
    identity: dict[str, Any] | None = None


class _Versions(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, StrictStr]


class _Timings(BaseModel):
    model_config = ConfigDict(extra="allow")
    wall_seconds: Wall
    metrics: dict[str, Number] = {}
    __pydantic_extra__: dict[str, list[dict[str, Number]]]


class _Status(BaseModel):
    status: Literal["finished", "failed"]
    files: dict[str, StrictStr] | None = None


MODELS: dict[str, type[BaseModel]] = {
    "spec.json": _Spec,
    "versions.json": _Versions,
    "timings.json": _Timings,
    "status.json": _Status,
}


def read_json(file: Path) -> dict[str, Any]:
    """The mapping in a JSON file, validated if there is one in ``MODELS`` for it. Raises Damage."""
    try:
        found = parsed(file)
    except OSError as error:
        raise Damage(f"{file.name}: {missing(file, error)}") from error
    except ValueError as error:
        raise Damage(f"{file.name}: {error}") from error
    if not isinstance(found, dict):
        raise Damage(f"{file.name}: is not a mapping of keys to values")
    if (model := MODELS.get(file.name)) is not None:
        try:
            model.model_validate(found)
        except ValidationError as error:
            raise Damage(f"{file.name}: {first_error(error)}") from error
    return found


def missing(file: Path, error: OSError) -> str:
    """The reason, in words, why a file cannot be read."""
    return "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"


def check_table(file: Path) -> None:
    """A table of a trial: numbers, except for ``TEXTS``; final numbers have one row. Raises Damage."""
    try:
        with pq.ParquetFile(file) as table:
            rows, schema = table.metadata.num_rows, table.schema_arrow
    except (OSError, pa.ArrowException) as error:
        raise Damage(f"{file.name}: cannot be read as a table") from error
    names = schema.names
    for name in names:
        if name in OURS:
            raise Damage(f"{file.name}: has a column {name!r}, which is reserved for the study's tables")
        if names.count(name) > 1:
            raise Damage(f"{file.name}: has the column {name!r} twice")
        kind = schema.field(name).type
        wanted = "text" if name in TEXTS.get(file.stem, ()) else "numbers"
        if not (pa.types.is_null(kind) or (_text(kind) if wanted == "text" else _number(kind))):
            raise Damage(f"{file.name}: the column {name!r} holds {kind}, not {wanted}")
    if file.stem == "metrics" and rows != 1:
        raise Damage(f"{file.name}: has {rows or 'no'} rows, must have one")


def _text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


FILES: Mapping[str, Mapping[str, str]] = {
    "trials/<hash>/spec.json": {"always": "all settings of the trial"},
    "trials/<hash>/metrics.parquet": {"always": "its final numbers, one row, as in `summary.csv`"},
    "trials/<hash>/curves_consensus.parquet": {
        "always": 'progress of consensus runs by activation; in Python `results.curve("consensus")`'
    },
    "trials/<hash>/curves_training.parquet": {
        "training": 'one row per update; in Python `results.curve("training")`'
    },
    "trials/<hash>/curves_agents.parquet": {
        "training": 'one row per agent and update; in Python `results.curve("agents")`'
    },
    "trials/<hash>/curves_links.parquet": {
        "always": "packets of each direction of each link over time, by update of training or in up to 128"
        ' intervals of a consensus run; in Python `results.curve("links")`'
    },
    "trials/<hash>/curves_traffic.parquet": {
        "always": 'traffic in each direction of each link; in Python `results.table("traffic")`'
    },
    "trials/<hash>/curves_faults.parquet": {
        "faults": 'effect of each fault; in Python `results.table("faults")`'
    },
    "trials/<hash>/curves_fault_windows.parquet": {
        "faults": 'each time that a fault was active; in Python `results.table("fault_windows")`'
    },
    "trials/<hash>/curves_names.parquet": {
        "names": 'name of each agent in the file of the graph; in Python `results.table("names")`'
    },
    "trials/<hash>/models.pt": {"training": "the learnt models"},
    "trials/<hash>/timings.json": {"always": "wall time: the only file that differs between two runs"},
    "trials/<hash>/versions.json": {"always": "versions of Python, the libraries and this package"},
    "trials/<hash>/status.json": {"always": "whether it finished or failed"},
    "study.json": {"always": "the study that was most recently run here, and its trials by hash"},
    "summary.csv": {"always": "one row per finished trial: hash, varied settings, seed, final numbers"},
    "summary.parquet": {"always": "the same, with the exact numbers"},
    "statistics.csv": {"training": "each condition over its seeds, and how conditions compare"},
    "reach.csv": {"reach": "cost to reach each threshold, one row per trial; in Python `results.reach()`"},
}
"""Tables and other files of a study's results -> when they exist (always, for training, with faults, with
``reach``) and their contents."""
