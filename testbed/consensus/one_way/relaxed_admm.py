"""Relaxed ADMM by one-way messages: no handshake, and a lost message means that z is held.

Bastianello, Carli, Schenato & Todescato 2021, "Asynchronous distributed optimization over lossy networks via
relaxed ADMM: stability and linear convergence" (IEEE Trans. Automatic Control 66(6)), Algorithm 2. It reaches
the optimum at any loss below 1; replacing a lost message by zero instead would bias the result. A message
that arrives twice or late is used each time: that changes the speed, never the result.
"""

import math
from collections.abc import Iterable, Sequence

from testbed.consensus.coupling import coupling_share
from testbed.consensus.measures import mean_square, mean_squares, unwarned
from testbed.consensus.one_way.base import OneWay, OneWayAgent
from testbed.consensus.outlier_rejection import OutlierFilter, OutlierRejection
from testbed.consensus.payloads import Payload, updated
from testbed.consensus.problems.base import LocalProblem, Signal


class RelaxedAgent(OneWayAgent):
    """Agent i with its signal s and one variable z_ij [m] for each neighbour j, all zero at first.

    Arrays are replaced, never written into, so that they may travel as payloads.
    """

    __slots__ = (
        "_asked",
        "_filters",
        "_solved",
        "alpha",
        "coupling",
        "kappa",
        "limit",
        "problem",
        "rho",
        "s",
        "z",
    )

    def __init__(
        self,
        index: int,
        problem: LocalProblem,
        neighbours: Sequence[int],
        rho: float,
        alpha: float,
        coupling: float | None = None,
        dual_limit: float | None = None,
        outliers: OutlierRejection | None = None,
    ) -> None:
        """``rho`` is the penalty, ``alpha`` the relaxation.

        ``coupling`` is the gamma of quadratic coupling (None: exact consensus; see
        ``testbed.consensus.coupling``), ``dual_limit`` the bound lambda on the dual of each link (None: no
        bound; see ``testbed.consensus.dual_limit``), ``outliers`` the rule that rejects messages (None: all
        count; see ``testbed.consensus.outlier_rejection``).
        """
        super().__init__(index, neighbours)
        self.problem, self.rho, self.alpha = problem, rho, alpha
        self.coupling, self.kappa, self.limit = coupling, coupling_share(coupling, rho), dual_limit
        self.s: Signal = problem.zeros()
        self.z: dict[int, Signal] = {j: problem.zeros() for j in self.neighbours}
        self._filters = {} if outliers is None else {j: OutlierFilter(outliers) for j in self.neighbours}
        self.start_round()
        self._solved = self._asked
        """The z_ij from which ``s`` was solved; the next solve may have begun from others."""

    def start_round(self) -> None:
        """Keep the z_ij that the solve starts from."""
        self._asked = dict(self.z)

    def solve(self, to: Sequence[int]) -> None:
        """s_i = solve(sum_j z_ij, rho degree(i))."""
        pull = self.problem.zeros()
        for j in self.neighbours:
            pull = pull + self._asked[j]
        self.s = self.problem.solve(pull, self.rho * len(self.neighbours))
        self._solved = self._asked

    def offer(self, neighbour: int) -> Signal:
        """q_{i->j} = -z_ij + 2 rho s_i, with the z_ij of the last solve."""
        return -self._solved[neighbour] + 2 * self.rho * self.s

    @unwarned
    def rejects(self, neighbour: int, payload: Payload) -> bool:
        """Whether a message asks for an outlying change of z_ji, before any dual limit."""
        if neighbour not in self._filters:
            return False
        asked = payload.values
        if self.coupling is not None:
            asked = self._coupled(asked, self._at(self.offer(neighbour), payload))
        change = asked - self._at(self.z[neighbour], payload)
        return self._filters[neighbour].rejects(math.sqrt(mean_square(change)))

    def receive(self, neighbour: int, payload: Payload, extra: float) -> None:
        """z_ji <- (1 - alpha) z_ji + alpha q_{i->j}, at the coordinates the message covers.

        With quadratic coupling kappa q_{i->j} + (1 - kappa) q_{j->i} replaces q_{i->j}, and with a dual limit
        its distance from q_{j->i} is at most 2 lambda.
        """
        held = self.z[neighbour]
        old = self._at(held, payload)
        heard = self._heard(payload.values, self._offered(neighbour, payload))
        new = (1 - self.alpha) * old + self.alpha * heard
        self.z[neighbour] = updated(held, payload.where, new)

    def _offered(self, neighbour: int, payload: Payload) -> Signal | None:
        """q_{j->i} at the coordinates of a message, where it is needed."""
        if self.coupling is None and self.limit is None:
            return None
        return self._at(self.offer(neighbour), payload)

    @staticmethod
    def _at(signal: Signal, payload: Payload) -> Signal:
        """The coordinates of a signal that a message covers."""
        return signal if payload.where is None else signal[payload.where]

    def _coupled(self, heard: Signal, own: Signal) -> Signal:
        """kappa q_{i->j} + (1 - kappa) q_{j->i}."""
        return self.kappa * heard + (1 - self.kappa) * own

    def _heard(self, heard: Signal, own: Signal | None) -> Signal:
        """The signal that a message asks z_ji to become, given one's own q_{j->i}."""
        if own is None:
            return heard
        if self.coupling is not None:
            heard = self._coupled(heard, own)
        if self.limit is not None:
            heard = own + (heard - own).clip(-2 * self.limit, 2 * self.limit)
        return heard

    def residual(self, others: Sequence[OneWayAgent]) -> Iterable[float]:
        """s_i against (z_ij + z_ji) / (2 rho), which it equals once all agree.

        That is half the change 2 rho s_i - z_ij - z_ji of z_ji which a message would now ask for, over rho;
        with quadratic coupling it asks for less by the part 1 - kappa of i's message less j's own.
        """
        gaps = []
        for j in self.neighbours:
            other = others[j]
            if isinstance(other, RelaxedAgent):
                gap = self.s - (self.z[j] + other.z[self.index]) / (2 * self.rho)
                if self.coupling is not None:
                    gap = self.kappa * gap + (1 - self.kappa) * (other.s - other.z[self.index] / self.rho)
                gaps.append(gap)
        return mean_squares(gaps)


class RelaxedADMM(OneWay):
    """Relaxed ADMM: Bastianello, Carli, Schenato & Todescato 2021, Algorithm 2.

    One-way messages; it reaches the optimum at any loss below 1.
    """

    name = "relaxed_admm"
    codec_memories = frozenset({"error_feedback", "difference"})
    options = frozenset(
        {"penalty", "relaxation", "coupling", "dual_limit", "outlier_rejection", "trigger", "tokens"}
    )

    @classmethod
    def signals(cls, links: int, agents: int) -> int:
        """z_ij at each end of a link, the value that the last solve started from, and a message each way."""
        return 6 * links + 5 * agents

    def agent(self, index: int, problem: LocalProblem, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent at the beginning of an agreement."""
        settings = self.settings
        return RelaxedAgent(
            index,
            problem,
            neighbours,
            settings.penalty,
            settings.relaxation,
            settings.coupling,
            settings.dual_limit,
            settings.outlier_rejection,
        )
