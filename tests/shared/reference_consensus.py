"""The algorithms as plain sequential code on a perfect network: what the simulation is held against."""

from collections.abc import Iterable, Iterator, Sequence

from testbed.consensus.coupling import coupling_share
from testbed.consensus.problems.base import LocalProblem, Signal

Link = tuple[int, int]


def edge_admm(
    problems: Sequence[LocalProblem],
    links: Sequence[Link],
    order: Iterable[Link],
    penalty: float,
    coupling: float | None = None,
    initial_dual: float = 0.0,
) -> Iterator[list[Signal]]:
    """The signals of all agents after each exchange, exchanges happening on ``order``'s links in turn.

    Li & He 2020 (arXiv 2010.07916), Algorithm 1; Wei & Ozdaglar 2013 (arXiv 1307.8254).
    On link (i, j) with C_i = +1, C_j = -1, z at each endpoint starting at zero and y at ``initial_dual``:

        s_q  = solve(sum over links e at q of C_qe (beta z_qe - y_qe), beta degree(q))
        nu   = kappa (p_i + p_j)   with   p_q = (y_qe + beta C_qe s_q) / 2
        z_qe = (y_qe - nu) / beta + C_qe s_q ,   y_qe = nu

    with kappa = 2 gamma / (beta + 2 gamma) for the ``coupling`` gamma, and 1 without one.
    """
    beta, kappa = penalty, coupling_share(coupling, penalty)
    at: list[list[Link]] = [[link for link in links if q in link] for q in range(len(problems))]
    z = {(q, link): problems[q].zeros() for link in links for q in link}
    y = {(q, link): problems[q].zeros() + initial_dual for link in links for q in link}
    s = [problem.zeros() for problem in problems]
    for link in order:
        p = {}
        for q in link:
            pull = problems[q].zeros()
            for e in at[q]:
                c = 1.0 if q == e[0] else -1.0
                pull = pull + c * (beta * z[q, e] - y[q, e])
            s[q] = problems[q].solve(pull, beta * len(at[q]))
            c = 1.0 if q == link[0] else -1.0
            p[q] = (y[q, link] + beta * c * s[q]) / 2
        nu = kappa * (p[link[0]] + p[link[1]])
        for q in link:
            c = 1.0 if q == link[0] else -1.0
            z[q, link] = (y[q, link] - nu) / beta + c * s[q]
            y[q, link] = nu
        yield list(s)


def relaxed_admm(
    problems: Sequence[LocalProblem],
    links: Sequence[Link],
    rounds: int,
    penalty: float,
    relaxation: float,
    coupling: float | None = None,
) -> Iterator[list[Signal]]:
    """The signals of all agents after each synchronous round.

    Bastianello, Carli, Schenato & Todescato 2021. With z_ij at agent i for each neighbour j starting at zero:

        s_i  = solve(sum_j z_ij, rho degree(i))
        q_ij = -z_ij + 2 rho s_i
        z_ji = (1 - alpha) z_ji + alpha (kappa q_ij + (1 - kappa) q_ji)

    with kappa = 2 gamma / (rho + 2 gamma) for the ``coupling`` gamma, and 1 without one.
    """
    kappa = coupling_share(coupling, penalty)
    neighbours: list[list[int]] = [[] for _ in problems]
    for i, j in links:
        neighbours[i].append(j)
        neighbours[j].append(i)
    ways = [(i, j) for i, around in enumerate(neighbours) for j in around]
    z = {(i, j): problems[i].zeros() for i, j in ways}
    for _ in range(rounds):
        s = []
        for i, problem in enumerate(problems):
            pull = problem.zeros()
            for j in neighbours[i]:
                pull = pull + z[i, j]
            s.append(problem.solve(pull, penalty * len(neighbours[i])))
        q = {(i, j): -z[i, j] + 2 * penalty * s[i] for i, j in ways}
        mixed = q if coupling is None else {(i, j): kappa * q[i, j] + (1 - kappa) * q[j, i] for i, j in ways}
        z = {(j, i): (1 - relaxation) * z[j, i] + relaxation * mixed[i, j] for i, j in ways}
        yield s
