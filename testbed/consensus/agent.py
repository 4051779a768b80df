"""One agent's part in edge-ADMM: its signal, its variables on each link, and the three equations."""

from collections.abc import Sequence

from testbed.consensus.codecs import Parcel, updated
from testbed.consensus.problem import LocalProblem, Signal

Link = tuple[int, int]


class EdgeAgent:
    """Agent q with its signal s and, on every link e = (i, j) at q, its variable z_qe and dual y_qe.

    Li & He 2020 (arXiv 2010.07916), Algorithm 1, with C_i = +1 and C_j = -1. All variables are [m] and
    start at zero. Arrays are replaced, never written into, so that they may travel as payloads.
    """

    __slots__ = ("beta", "index", "links", "problem", "s", "sign", "y", "z")

    def __init__(self, index: int, problem: LocalProblem, links: Sequence[Link], beta: float) -> None:
        """Take part in those of the given links that end here; ``beta`` is the penalty."""
        self.index, self.problem, self.beta = index, problem, beta
        self.links = [link for link in links if index in link]
        self.sign = {link: 1.0 if index == link[0] else -1.0 for link in self.links}
        self.s: Signal = problem.zeros()
        self.z: dict[Link, Signal] = {link: problem.zeros() for link in self.links}
        self.y: dict[Link, Signal] = {link: problem.zeros() for link in self.links}

    def solve(self) -> None:
        """s = solve(sum over links e of C_qe (beta z_qe - y_qe), beta degree(q))."""
        pull = self.problem.zeros()
        for e in self.links:
            pull = pull + self.sign[e] * (self.beta * self.z[e] - self.y[e])
        self.s = self.problem.solve(pull, self.beta * len(self.links))

    def offer(self, e: Link) -> Signal:
        """What is sent over e: p_q = (y_qe + beta C_qe s_q) / 2."""
        return (self.y[e] + self.beta * self.sign[e] * self.s) / 2

    def commit(self, e: Link, nu: Signal) -> None:
        """With nu = p_i + p_j: z_qe <- (y_qe - nu) / beta + C_qe s_q and y_qe <- nu."""
        self.z[e] = (self.y[e] - nu) / self.beta + self.sign[e] * self.s
        self.y[e] = nu

    def commit_parcels(self, e: Link, own: Parcel, other: Parcel) -> None:
        """``commit`` with what both messages really said, at the coordinates they said it of.

        An agent whose own numbers were rounded takes C_qe s_q from what the other end has read, p_q, as
        (2 p_q - y_qe) / beta: then z_qe <- (p_q - p_other) / beta, and both ends still agree on the link.
        """
        if own.exact and other.exact:
            self.commit(e, own.values + other.values)
            return
        self.z[e] = updated(self.z[e], own.where, (own.values - other.values) / self.beta)
        self.y[e] = updated(self.y[e], own.where, own.values + other.values)
