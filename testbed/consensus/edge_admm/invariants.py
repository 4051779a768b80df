"""Invariants between the two ends of every link in edge-ADMM, checked after every event."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from testbed.consensus.edge_admm.agent import EdgeAgent
from testbed.consensus.payloads import Coordinates, as_numpy
from testbed.consensus.problems.base import Signal
from testbed.network import Network
from testbed.network.link_names import Link

_ROUNDINGS = 64.0
"""Allowed error of z_i + z_j in units of rounding: about six operations at each end, generously."""


class LinkAudit:
    """After a completed exchange z_i + z_j = 0 and y_i = y_j, which only half-commits change.

    With a coupling gamma, z_i + z_j = y_i / gamma (``testbed.consensus.coupling``): that holds from the first
    exchange on, or from the start if the duals start at zero.

    With a dual limit, they may differ where y_i is at the limit, by a number with its sign
    (``testbed.consensus.dual_limit``).

    Both hold coordinate by coordinate: the y of the two ends are the same sum and so the same number; the z
    add up except for rounding. The ends of a link may only differ at the coordinates of an exchange that
    is answered and not completed, at those of a recorded half-commit, and, until they agree again,
    anywhere after one of them has lost its state and at the coordinates of an exchange in which one of them
    has lied.
    """

    def __init__(
        self,
        network: Network,
        agents: Sequence[EdgeAgent],
        links: Sequence[Link],
        half: Mapping[Link, Coordinates],
        answered: Callable[[], Iterable[tuple[Link, Coordinates]]],
        coupling: float | None = None,
        limit: float | None = None,
    ) -> None:
        """`half`: coordinates recorded as half-committed, read as they change. `answered()`: the
        links and coordinates of exchanges under way whose answering end has committed. `coupling`: gamma;
        None for exact consensus. `limit`: the dual limit, if there is one."""
        self._network, self._agents, self._links = network, agents, links
        self._half, self._answered, self._coupling = half, answered, coupling
        self._limit = limit
        self._torn: dict[Link, Coordinates] = {}
        if coupling is not None:
            for link in links:
                self._torn[link] = np.arange(agents[link[0]].problem.dimension)
        # Arrays are replaced, never written into: a link with the same array objects has not changed.
        self._seen: dict[Link, list[Signal]] = {}
        self._apart: dict[Link, Coordinates] = {}
        self._largest: dict[Link, float] = dict.fromkeys(links, 0.0)

    def forgotten(self, node: int) -> None:
        """An agent has lost its state."""
        for link in self._agents[node].links:
            self._torn[link] = np.arange(len(self._agents[node].s))

    def misled(self, link: Link, about: Coordinates) -> None:
        """An end of a link has committed an exchange in which one of the two has lied."""
        self._torn[link] = np.union1d(self._torn.get(link, about), about)

    def check(self) -> None:
        """Raise AssertionError if a link's ends differ without a recorded reason.

        Once damaged numbers have been delivered anything may differ, and nothing is checked.
        """
        if self._network.ledger.corrupted:
            return
        answered: dict[Link, Coordinates] = {}
        for link, where in self._answered():
            answered[link] = np.union1d(answered[link], where) if link in answered else where
        for link in self._links:
            self._look_at(link)
            apart, excused = self._apart[link], answered.get(link)
            torn = self._torn.get(link)
            if torn is not None:
                # A late answer of an agent that has lost its state may still make them differ again.
                still = np.intersect1d(torn, apart if excused is None else np.union1d(apart, excused))
                self._torn[link] = still
                if not still.size:
                    del self._torn[link]
            for known in (self._half.get(link), excused, torn):
                if apart.size and known is not None:
                    apart = np.setdiff1d(apart, known, assume_unique=True)
            if apart.size:
                raise AssertionError(
                    f"at {self._network.clock.now} s: the ends of link {link[0]}-{link[1]} differ, and no "
                    "half-commit is pending"
                )

    def _look_at(self, link: Link) -> None:
        """Find the coordinates where the ends differ, if anything has changed."""
        i, j = (self._agents[node] for node in link)
        held = [array for end in (i, j) for array in (end.s, end.y[link], end.z[link])]
        seen = self._seen.get(link)
        if seen is not None and all(now is before for now, before in zip(held, seen, strict=True)):
            return
        self._seen[link] = held
        s_i, y_i, z_i, s_j, y_j, z_j = (as_numpy(array) for array in held)
        # Rounding is relative to all terms of z = (y - nu) / beta + C s, some of which may have cancelled.
        size = max(_largest(s_i), _largest(s_j)) + max(_largest(y_i), _largest(y_j)) / i.beta
        self._largest[link] = max(self._largest[link], size)
        unit = max(float(np.finfo(array.dtype).eps) for array in (s_i, y_i, z_i, s_j, y_j, z_j))
        with np.errstate(over="ignore", invalid="ignore"):  # sums of numbers that are not finite
            apart = 0.0 if self._coupling is None else y_i / self._coupling
            excess = z_i + z_j - apart
            if self._limit is not None:
                limited = (np.abs(y_i) >= self._limit) & (excess * y_i > 0)
                excess = np.where(limited, 0.0, excess)
            gap = np.abs(excess)
            off = np.isfinite(gap) & (gap > _ROUNDINGS * unit * self._largest[link])
        differ = (y_i != y_j) & ~(np.isnan(y_i) & np.isnan(y_j))
        self._apart[link] = np.flatnonzero(off | differ)


def _largest(numbers: NDArray[np.floating]) -> float:
    """The largest finite magnitude."""
    return float(np.abs(numbers[np.isfinite(numbers)]).max(initial=0.0))
