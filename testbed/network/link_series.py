"""Traffic of each direction over time: intervals whose sums are the traffic of the whole trial."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np

from testbed.network.impairments.rule import REASONS
from testbed.network.traffic import Interval, Traffic

MOST_ROWS = 100_000
"""Most rows of a series, unless that were fewer than ``FEWEST_POINTS`` for each direction."""

FEWEST_POINTS = 64

POINTS = 128
"""Most intervals of a single consensus run."""

_SUMS = ("sent", "duplicated", "delivered", "late", "bytes", "transmitting", "delay")


@dataclass
class _Point:
    """An interval: where it ends, its simulated seconds, sums [directions, columns], longest delays."""

    at: dict[str, float]
    elapsed: float
    sums: np.ndarray
    longest: np.ndarray


class LinkSeries:
    """Intervals between marks, such as the updates of training.

    With more than ``most`` of them, adjacent intervals are merged two by two, and from then on only every
    second mark ends one: every sum stays exact, and the last interval ends at the last mark.
    """

    def __init__(self, traffic: Traffic, most: int | None = None) -> None:
        """``most`` intervals are kept, by default as many as ``MOST_ROWS`` allows."""
        self._traffic = traffic
        self._ways = traffic.ways
        allowed = MOST_ROWS // max(len(self._ways), 1)
        self._most = max(FEWEST_POINTS, allowed) if most is None else most
        self._reasons = list(REASONS)
        self._points: list[_Point] = []
        self._stride, self._marks = 1, 0
        self._since = traffic.now()

    def mark(self, at: Mapping[str, float], *, last: bool = False) -> None:
        """End an interval here, unless intervals are longer by now.

        Args:
            at: columns that say where the interval ends, the same at every mark.
            last: whether no mark follows, so that this interval has to end. It may be at the place of the
                mark before it, whose interval then gets the rest.
        """
        again = last and bool(self._points) and self._points[-1].at == at
        self._marks += not again
        if not last and self._marks % self._stride:
            return
        point = self._take(dict(at))
        if again:
            self._points[-1] = self._merged([self._points[-1], point])
        else:
            self._points.append(point)
        if len(self._points) >= self._most and not last:
            pairs = [self._points[k : k + 2] for k in range(0, len(self._points), 2)]
            self._points = [self._merged(pair) for pair in pairs]
            self._stride *= 2

    def _take(self, at: dict[str, float]) -> _Point:
        now, intervals = self._traffic.now(), self._traffic.take()
        for interval in intervals:
            self._reasons += [reason for reason in interval.dropped if reason not in self._reasons]
        sums = np.array([self._sums(interval) for interval in intervals], dtype=float)
        longest = np.array([interval.delay_max for interval in intervals], dtype=float)
        elapsed, self._since = now - self._since, now
        return _Point(at, elapsed, sums.reshape(len(intervals), len(_SUMS) + len(self._reasons)), longest)

    def _sums(self, interval: Interval) -> list[float]:
        dropped = (interval.dropped.get(reason, 0) for reason in self._reasons)
        return [*(getattr(interval, name) for name in _SUMS), *dropped]

    def _merged(self, points: Sequence[_Point]) -> _Point:
        wide = [self._padded(point.sums) for point in points]
        longest = np.max([point.longest for point in points], axis=0)
        return _Point(points[-1].at, sum(point.elapsed for point in points), np.sum(wide, axis=0), longest)

    def _padded(self, sums: np.ndarray) -> np.ndarray:
        """With zeros for reasons that had not occurred then."""
        more = len(_SUMS) + len(self._reasons) - sums.shape[1]
        return np.pad(sums, ((0, 0), (0, more)))

    def rows(self) -> list[dict[str, float]]:
        """A row per interval and direction: the columns of the mark, ``source``, ``destination``, ``sent``,
        ``duplicated``, ``delivered``, ``dropped``, ``dropped_`` and each reason, ``late``, ``bytes`` accepted
        by the transmitter, ``transmitting`` (s), ``utilisation`` (share of the interval; nan without a rate,
        and left out if no direction has one), ``delay`` and ``delay_max`` (s, nan if nothing was delivered).
        """
        return [row for point in self._points for row in self._rows(point)]

    def newest(self) -> list[dict[str, float]]:
        """The rows of the latest interval; none before the first."""
        return list(self._rows(self._points[-1])) if self._points else []

    def _rows(self, point: _Point) -> Iterable[dict[str, float]]:
        numbers = zip(self._ways, self._padded(point.sums).tolist(), point.longest.tolist(), strict=True)
        for (source, destination, limited), sums, longest in numbers:
            row = dict(zip(_SUMS, sums, strict=False))
            dropped = sums[len(_SUMS) :]
            share = row["transmitting"] / point.elapsed if point.elapsed > 0 else 0.0
            yield {
                **point.at,
                "source": float(source),
                "destination": float(destination),
                "sent": row["sent"],
                "duplicated": row["duplicated"],
                "delivered": row["delivered"],
                "dropped": sum(dropped),
                **{f"dropped_{reason}": one for reason, one in zip(self._reasons, dropped, strict=True)},
                "late": row["late"],
                "bytes": row["bytes"],
                "transmitting": row["transmitting"],
                **({"utilisation": share if limited else nan} if self._traffic.limited else {}),
                "delay": row["delay"] / row["delivered"] if row["delivered"] else nan,
                "delay_max": longest if row["delivered"] else nan,
            }

    def state_dict(self) -> dict[str, Any]:
        """All intervals, as arrays and JSON-able values; the one under way is the state of the network."""
        names = list(self._points[0].at) if self._points else []
        return {
            "names": names,
            "at": np.array([[point.at[name] for name in names] for point in self._points], dtype=float),
            "elapsed": np.array([point.elapsed for point in self._points], dtype=float),
            "sums": np.array([self._padded(point.sums) for point in self._points], dtype=float),
            "longest": np.array([point.longest for point in self._points], dtype=float),
            "reasons": list(self._reasons),
            "stride": self._stride,
            "marks": self._marks,
            "since": self._since,
        }

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """Go on from what `state_dict` gave, in a network whose state has been restored.

        None, from before there were such series: they begin now.
        """
        if state is None:
            self._points, self._stride, self._marks = [], 1, 0
            self._traffic.take()
            self._since = self._traffic.now()
            return
        self._reasons = list(state["reasons"])
        columns = zip(state["at"], state["elapsed"], state["sums"], state["longest"], strict=True)
        self._points = [
            _Point(dict(zip(state["names"], map(float, at), strict=True)), float(elapsed), sums, longest)
            for at, elapsed, sums, longest in columns
        ]
        self._stride, self._marks = int(state["stride"]), int(state["marks"])
        self._since = float(state["since"])
