"""One agent's part in edge-ADMM: its signal, its variables on each link, and the three equations."""

import math
from collections.abc import Sequence

from testbed.consensus.coupling import coupling_share
from testbed.consensus.measures import mean_square, mean_squares, unwarned
from testbed.consensus.outlier_rejection import OutlierFilter, OutlierRejection
from testbed.consensus.payloads import Payload, updated
from testbed.consensus.problems.base import LocalProblem, Signal
from testbed.network.link_names import Link


class EdgeAgent:
    """Agent q with its signal s and, on every link e = (i, j) at q, its variable z_qe and dual y_qe.

    Li & He 2020 (arXiv 2010.07916), Algorithm 1, with C_i = +1 and C_j = -1. All variables are [m]; s and z
    start at zero, and every entry of y at one number, the same at both ends because y_ie = y_je after every
    exchange. Arrays are replaced, never written into, so that they may travel as payloads.
    """

    __slots__ = ("_filters", "beta", "index", "kappa", "limit", "links", "problem", "s", "sign", "y", "z")

    def __init__(
        self,
        index: int,
        problem: LocalProblem,
        links: Sequence[Link],
        beta: float,
        coupling: float | None = None,
        initial_dual: float = 0.0,
        dual_limit: float | None = None,
        outliers: OutlierRejection | None = None,
    ) -> None:
        """Take part in those of the given links that end here.

        ``beta`` is the penalty, ``coupling`` the gamma of quadratic coupling (None: exact consensus; see
        ``testbed.consensus.coupling``), ``initial_dual`` the initial value of every entry of y,
        ``dual_limit`` the bound lambda on every entry of nu (None: no bound; see
        ``testbed.consensus.dual_limit``), ``outliers`` the rule that rejects messages (None: all count; see
        ``testbed.consensus.outlier_rejection``).
        """
        self.index, self.problem, self.beta = index, problem, beta
        self.kappa, self.limit = coupling_share(coupling, beta), dual_limit
        self.links = [link for link in links if index in link]
        self.sign = {link: 1.0 if index == link[0] else -1.0 for link in self.links}
        self.s: Signal = problem.zeros()
        self.z: dict[Link, Signal] = {link: problem.zeros() for link in self.links}
        self.y: dict[Link, Signal] = {link: problem.zeros() for link in self.links}
        if initial_dual:
            self.y = {link: zeros + initial_dual for link, zeros in self.y.items()}
        self._filters = {} if outliers is None else {link: OutlierFilter(outliers) for link in self.links}

    def solve(self) -> None:
        """s = solve(sum over links e of C_qe (beta z_qe - y_qe), beta degree(q))."""
        pull = self.problem.zeros()
        for e in self.links:
            pull = pull + self.sign[e] * (self.beta * self.z[e] - self.y[e])
        self.s = self.problem.solve(pull, self.beta * len(self.links))

    def offer(self, e: Link) -> Signal:
        """The offer sent over e: p_q = (y_qe + beta C_qe s_q) / 2."""
        return (self.y[e] + self.beta * self.sign[e] * self.s) / 2

    def commit(self, e: Link, offers: Signal) -> None:
        """With nu = kappa (p_i + p_j), clipped: z_qe <- (y_qe - nu) / beta + C_qe s_q and y_qe <- nu.

        ``offers`` is p_i + p_j.
        """
        nu = self._dual(offers)
        self.z[e] = (self.y[e] - nu) / self.beta + self.sign[e] * self.s
        self.y[e] = nu

    @unwarned
    def rejects(self, e: Link, own: Payload, other: Payload) -> bool:
        """Whether the other end's message is an outlier, given one's own for the same exchange.

        A message that is none counts as accepted from then on: ask once, and then commit.
        """
        if e not in self._filters:
            return False
        held = self.y[e] if own.where is None else self.y[e][own.where]
        change = self.kappa * (own.values + other.values) - held
        return self._filters[e].rejects(math.sqrt(mean_square(change)))

    def commit_payloads(self, e: Link, own: Payload, other: Payload) -> None:
        """``commit`` with the actual content of both messages, at the coordinates they cover.

        An agent whose own numbers were rounded takes C_qe s_q from the p_q that the other end has read, as
        (2 p_q - y_qe) / beta: then z_qe <- ((2 - kappa) p_q - kappa p_other) / beta, and both ends still
        agree on the link: their z add up to 2 (1 - kappa) (p_i + p_j) / beta, which is nu / gamma.
        """
        if own.exact and other.exact:
            self.commit(e, own.values + other.values)
            return
        nu = self._dual(own.values + other.values)
        if self.limit is None:  # the same number but for rounding, by which earlier results are kept
            z = ((2 - self.kappa) * own.values - self.kappa * other.values) / self.beta
        else:
            z = (2 * own.values - nu) / self.beta
        self.z[e] = updated(self.z[e], own.where, z)
        self.y[e] = updated(self.y[e], own.where, nu)

    def _dual(self, offers: Signal) -> Signal:
        nu = self.kappa * offers
        return nu if self.limit is None else nu.clip(-self.limit, self.limit)


@unwarned
def primal_residual(agents: Sequence[EdgeAgent]) -> float:
    """Root mean square of C_qe s_q - z_qe over link ends and coordinates; zero without links."""
    gaps = mean_squares([agent.sign[e] * agent.s - agent.z[e] for agent in agents for e in agent.links])
    return math.sqrt(sum(gaps) / len(gaps)) if gaps else 0.0
