"""Tables of measurements from CSV and Parquet files, checked cell by cell and read column by column.

A CSV file begins with the names of its columns. A quantity with a unit may have it in the name of its column:
`delay_ms`. Every cell has a plain number, or text where a column is of text. Columns of Parquet files have
the same names, and no empty cells. A million rows take less than a second.
"""

import csv
import io
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

LARGEST = 64 * 1024**2
"""Bytes of the largest file that is read."""

MOST_ROWS = 5_000_000
"""Rows of the longest table that is read."""

_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class Column:
    """A column that a table may have.

    Attributes:
        most: largest value, in plain units.
        units: size of each unit that its name may end in.
        needed: whether the table must have it.
        text: whether it has text instead of numbers.
        whole: whether its numbers must be whole.
        least: smallest value, in plain units.
    """

    most: float = np.inf
    units: Mapping[str, Decimal] = field(default_factory=dict)
    needed: bool = False
    text: bool = False
    whole: bool = False
    least: float = 0.0


class Table:
    """The columns of one file, by their plain names; numbers in plain units, shape [rows]."""

    def __init__(self, place: str, names: Mapping[str, str], line: Callable[[int], str]) -> None:
        """``names`` are those in the file, ``line`` gives the place of a row in it."""
        self.columns: dict[str, NDArray[Any]] = {}
        self._place, self._names, self._line = place, names, line

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def error(self, row: int, column: str, reason: str) -> ValueError:
        """An error in one line that names the file, the line and the column."""
        return ValueError(f"{self._place}, {self._line(row)}, column {self._names[column]}: {reason}")

    def refuse(self, bad: NDArray[np.bool_], column: str, reason: Callable[[int], str]) -> None:
        """Raise ValueError for the first row that is bad, if there is one, with ``reason(row)``."""
        if bad.any():
            row = int(bad.argmax())
            raise self.error(row, column, reason(row))

    def refuse_disorder(self, column: str, unit: str, *, strictly: bool = False) -> None:
        """Raise ValueError for the first row with a smaller number than the row before; of ``unit`` in words.

        ``strictly``: also for one with the same number.
        """
        values = self.columns[column]
        steps = np.diff(values, prepend=-np.inf)
        self.refuse(
            steps <= 0 if strictly else steps < 0,
            column,
            lambda row: (
                f"{values[row]:.10g} {unit} is out of order: the row before has {values[row - 1]:.10g}"
            ),
        )


def version(path: Path, what: str) -> tuple[int, int]:
    """The time of the last change of a file, and its size: a key under which to keep what was read from it.

    Raises ValueError, naming ``what`` and the file, if it cannot be read or is not regular.
    """
    place = f"{what} {str(path)!r}"
    try:
        status = path.stat()
    except OSError as error:
        raise ValueError(f"{place} cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(status.st_mode):  # a device or a pipe may never end
        raise ValueError(f"{place} is not a regular file")
    return status.st_mtime_ns, status.st_size


def contents(path: Path, what: str) -> tuple[str, bytes]:
    """How messages name a file, and its bytes. Raises ValueError if it is not regular, or too large."""
    place, (_, size) = f"{what} {str(path)!r}", version(path, what)
    if size > LARGEST:
        raise ValueError(f"{place} has {size / 1024**2:,.0f} MiB: must be at most {LARGEST // 1024**2} MiB")
    try:
        return place, path.read_bytes()
    except OSError as error:
        raise ValueError(f"{place} cannot be read ({error.strerror})") from error


def decoded(place: str, data: bytes) -> str:
    """The text of a file. Raises ValueError, naming the line, if it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{place}, line {line}: is not UTF-8 text") from None


def read_table(
    place: str, data: bytes, columns: Mapping[str, Column], *, header: Sequence[str] = ()
) -> Table:
    """The table in the bytes of a file, CSV or Parquet.

    Args:
        place: how messages name the file.
        data: its bytes.
        columns: those it may have, by name.
        header: the names of its columns, if it is a CSV file that begins with its first row.

    Raises:
        ValueError: it has other columns, lacks one or a value, or has a value out of bounds; one line.
    """
    table, arrays = (
        _from_parquet(place, data, columns)
        if data.startswith(_PARQUET) and not header
        else _from_csv(place, data, columns, list(header))
    )
    for name, values in arrays.items():
        if not columns[name].text:
            values = _checked(table, name, np.asarray(values, dtype=np.float64), columns[name])
        table.columns[name] = values
    return table


def _checked(table: Table, name: str, values: NDArray[np.float64], column: Column) -> NDArray[np.float64]:
    """The values in plain units, within bounds."""
    table.refuse(~np.isfinite(values), name, lambda row: f"{values[row]} is not a finite number")
    unit = _unit(table._names[name], name, column)
    factor = Decimal(1) if unit is None else column.units[unit]
    # Division rounds once where the factor, such as 0.001, is no binary number.
    plain = values * float(factor) if factor >= 1 else values / float(1 / factor)
    bounds = f"from {column.least:g} to {column.most:g}" + ("" if unit is None else " in plain units")
    outside = (plain < column.least) | (plain > column.most)
    table.refuse(outside, name, lambda row: f"{values[row]:g} must be {bounds}")
    if column.whole:
        table.refuse(plain != np.floor(plain), name, lambda row: f"{values[row]:g} must be a whole number")
    return plain


def _unit(given: str, name: str, column: Column) -> str | None:
    """The unit at the end of the name that a column has in a file."""
    return None if given.lower() == name else given.lower().removeprefix(f"{name}_")


def _named(place: str, given: list[str], columns: Mapping[str, Column]) -> dict[str, str]:
    """The names in the file by plain names. Raises ValueError if one is unknown, doubled or missing."""
    found: dict[str, str] = {}
    for each in given:
        lower = each.lower()
        name = next((n for n in columns if lower == n), None) or next(
            (n for n, column in columns.items() if lower.removeprefix(f"{n}_") in column.units), None
        )
        if name is None or lower == f"{name}_":
            with_unit = next((f", or with a unit: {n}_{u}" for n, c in columns.items() for u in c.units), "")
            shown = each if len(each) <= 60 else f"{each[:57]}..."
            raise ValueError(f"{place}: unknown column {shown!r} (allowed: {', '.join(columns)}{with_unit})")
        if name in found:
            raise ValueError(f"{place}: columns {found[name]!r} and {each!r} both give the {name}")
        found[name] = each
    for name, column in columns.items():
        if column.needed and name not in found:
            raise ValueError(f"{place} has no column {name}")
    return found


def _from_parquet(
    place: str, data: bytes, columns: Mapping[str, Column]
) -> tuple[Table, dict[str, NDArray[Any]]]:
    try:
        file = pa.parquet.ParquetFile(pa.BufferReader(data))
        _count(place, file.metadata.num_rows)
        content = file.read()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{place} cannot be read as Parquet ({_first(error)})") from None
    names = _named(place, content.column_names, columns)
    table = Table(place, names, lambda row: f"row {row + 1}")
    arrays: dict[str, NDArray[Any]] = {}
    for name, given in names.items():
        values = content.column(given)
        kind = values.type
        fits = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
        if columns[name].text:
            fits = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if not fits:
            wanted = "text" if columns[name].text else "numbers"
            raise ValueError(f"{place}, column {given}: holds {kind}, must hold {wanted}")
        table.refuse(np.asarray(values.is_null()), name, lambda row: "is empty")
        arrays[name] = np.asarray(values)
    return table, arrays


def _from_csv(
    place: str, data: bytes, columns: Mapping[str, Column], header: list[str]
) -> tuple[Table, dict[str, NDArray[Any]]]:
    text = decoded(place, data)
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = header or [cell.strip() for cell in next((row for row in reader if row), [])]
    except csv.Error as error:
        raise ValueError(f"{place}, line 1: {error}") from None
    if not header:
        raise ValueError(f"{place} is empty")
    names, begins = _named(place, header, columns), reader.line_num
    table = Table(place, names, lambda row: f"line {_line(text, begins, row)}")
    body = text.encode().split(b"\n", begins)[-1] if text.count("\n") >= begins else b""
    kinds = {given: pa.string() if columns[name].text else pa.float64() for name, given in names.items()}
    try:
        content = pa.csv.read_csv(
            pa.BufferReader(body or b"\n"),
            read_options=pa.csv.ReadOptions(column_names=header),
            convert_options=pa.csv.ConvertOptions(column_types=kinds, null_values=[]),
        )
    except pa.ArrowException as error:
        if body.strip():
            _explain(place, text, header, begins, {names[name]: columns[name] for name in names})
            raise ValueError(f"{place} cannot be read ({_first(error)})") from None
        content = None
    _count(place, 0 if content is None else content.num_rows)
    return table, {name: content.column(given).to_numpy() for name, given in names.items()}


def _explain(place: str, text: str, header: list[str], begins: int, columns: Mapping[str, Column]) -> None:
    """Raise ValueError for the first cell that is empty or no number, or line of another length."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            if reader.line_num <= begins or not row:
                continue
            line = f"{place}, line {reader.line_num}"
            if len(row) != len(header):
                raise ValueError(f"{line}: has {len(row)} cells, the header has {len(header)}")
            for name, cell in zip(header, row, strict=True):
                if not cell.strip():
                    raise ValueError(f"{line}, column {name}: is empty")
                if columns[name].text or _NUMBER.fullmatch(cell):
                    continue
                shown = cell if len(cell) <= 60 else f"{cell[:57]}..."
                units = columns[name].units
                hint = f": a unit belongs to the name, as in {name}_{next(iter(units))}" if units else ""
                raise ValueError(f"{line}, column {name}: {shown!r} is not a finite number{hint}")
    except csv.Error as error:
        raise ValueError(f"{place}, line {reader.line_num}: {error}") from None


def _line(text: str, begins: int, row: int) -> int:
    """The line on which a row of the table ends."""
    reader = csv.reader(io.StringIO(text, newline=""))
    rows = (reader.line_num for cells in reader if cells and reader.line_num > begins)
    return next(line for number, line in enumerate(rows) if number == row)


def _count(place: str, rows: int) -> None:
    if rows == 0:
        raise ValueError(f"{place} has no rows")
    if rows > MOST_ROWS:
        raise ValueError(f"{place} has {rows:,} rows: must be at most {MOST_ROWS:,}")


def _first(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
