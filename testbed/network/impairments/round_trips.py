"""Measured round-trip times from a CSV file, halved into delays each way.

The file has a column `rtt` or `round_trip`: durations such as "12.5ms", plain numbers being seconds; or with
the unit in its name, such as `rtt_ms`. A file without a header has that one column only. Lines whose cell is
empty are skipped: those packets never came back.
"""

import csv
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from testbed.common.measurements import version
from testbed.common.units import DURATIONS, parse_duration

_NAMES = ("rtt", "round_trip")


def one_way_delays(path: Path) -> NDArray[np.float64]:
    """Half of each round-trip time in the file: seconds, shape [measurements], sorted, read-only.

    Halving assumes that both ways take equally long; a measurement at one end cannot distinguish them.
    Raises ValueError, naming the file and the line, if it is missing or not as described above.
    """
    return _read(path, *version(path, "round_trips"))


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int, _size: int) -> NDArray[np.float64]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"round_trips {str(path)!r} cannot be read ({error})") from error
    if not rows:
        raise ValueError(f"round_trips {str(path)!r} is empty")
    column, unit, headed = _column(rows[0][1], path)
    times = []
    for line, row in rows[headed:]:
        if len(row) <= column:
            raise ValueError(f"round_trips {str(path)!r}, line {line}: there is no column {column + 1}")
        if row[column]:
            try:
                times.append(parse_duration(_number(row[column]) if unit is None else row[column] + unit))
            except ValueError as error:
                raise ValueError(f"round_trips {str(path)!r}, line {line}: {_short(str(error))}") from None
    if not times:
        raise ValueError(f"round_trips {str(path)!r} has no measurements")
    delays = np.sort(np.array(times)) / 2
    delays.setflags(write=False)
    return delays


def _column(first: Sequence[str], path: Path) -> tuple[int, str | None, bool]:
    """Which column holds the times, their unit if its name says so, and whether there is a header."""
    for index, name in enumerate(first):
        for known in _NAMES:
            stem, _, unit = name.lower().rpartition("_")
            if name.lower() == known:
                return index, None, True
            if stem == known and unit in DURATIONS:
                return index, unit, True
    if len(first) == 1 and first[0][:1].isdigit():
        return 0, None, False
    raise ValueError(
        f"round_trips {str(path)!r} has no column rtt, rtt_ms or round_trip: the first line is "
        f"{_short(', '.join(first))!r}"
    )


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:100]} ... {text[-90:]}"
