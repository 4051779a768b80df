"""Edge-ADMM as plain sequential code on a perfect network: what the simulation is held against.

Li & He 2020 (arXiv 2010.07916), Algorithm 1; Wei & Ozdaglar 2013 (arXiv 1307.8254).
"""

from collections.abc import Iterable, Sequence

from testbed.consensus.problem import LocalProblem, Signal

Link = tuple[int, int]


def edge_admm(
    problems: Sequence[LocalProblem], links: Sequence[Link], order: Iterable[Link], penalty: float
) -> list[list[Signal]]:
    """The signals of all agents after each exchange, exchanges happening on ``order``'s links in turn.

    On link (i, j) with C_i = +1, C_j = -1, and z, y at each endpoint starting at zero:

        s_q  = solve(sum over links e at q of C_qe (beta z_qe - y_qe), beta degree(q))
        nu   = p_i + p_j   with   p_q = (y_qe + beta C_qe s_q) / 2
        z_qe = (y_qe - nu) / beta + C_qe s_q ,   y_qe = nu
    """
    beta = penalty
    at: list[list[Link]] = [[link for link in links if q in link] for q in range(len(problems))]
    z = {(q, link): problems[q].zeros() for link in links for q in link}
    y = {(q, link): problems[q].zeros() for link in links for q in link}
    s = [problem.zeros() for problem in problems]
    history = []
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
        nu = p[link[0]] + p[link[1]]
        for q in link:
            c = 1.0 if q == link[0] else -1.0
            z[q, link] = (y[q, link] - nu) / beta + c * s[q]
            y[q, link] = nu
        history.append(list(s))
    return history
