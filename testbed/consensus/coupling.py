"""Quadratic coupling: a cost on each link instead of the constraint that its two ends be equal.

With C_i = +1 and C_j = -1 on link e = (i, j) and z_qe = C_qe s_q, exact consensus asks for z_ie + z_je = 0.
Quadratic coupling lets the ends differ at a cost, (gamma / 2) |z_ie + z_je|^2, and the optimum is that of

    sum_q f_q(s_q) + sum over links (i, j) of (gamma / 2) |s_i - s_j|^2 ,

and exact consensus is the limit of large gamma. Both algorithms then need one more number,
kappa = 2 gamma / (penalty + 2 gamma), which is 1 for exact consensus.

Edge-ADMM (beta the penalty) minimises over z_ie and z_je those terms of the augmented Lagrangian they are in,

    (gamma / 2) |z_ie + z_je|^2 + sum over q of (-y_qe . z_qe + (beta / 2) |C_qe s_q - z_qe|^2) .

Both derivatives are zero where gamma (z_ie + z_je) = y_qe + beta (C_qe s_q - z_qe) = nu, the new dual of both
ends. Adding the two equations with p_q = (y_qe + beta C_qe s_q) / 2 leaves (beta + 2 gamma) (z_ie + z_je) =
2 (p_i + p_j), so that

    nu = kappa (p_i + p_j) ,   z_qe = (y_qe - nu) / beta + C_qe s_q ,   z_ie + z_je = nu / gamma .

Duals that circulate in a cycle of links, which do not affect exact consensus, now have to decay: this takes
about 2 gamma / beta exchanges of each link, so a strong coupling needs a large penalty or many exchanges.

Relaxed ADMM (rho the penalty) is relaxed Peaceman-Rachford splitting on t_ij = z_ij / rho: a solve gives the
reflection v_ij = 2 s_i - t_ij, and the link reflects v_ij and v_ji once more, through the minimiser a of
(gamma / 2) |a_ij - a_ji|^2 + (rho / 2) (|a_ij - v_ij|^2 + |a_ji - v_ji|^2). That keeps the mean of the two
and makes their difference rho / (rho + 2 gamma) = 1 - kappa times as large, so that

    2 a_ji - v_ji = kappa v_ij + (1 - kappa) v_ji .

With q = rho v, agent j uses kappa q_{i->j} + (1 - kappa) q_{j->i} in place of q_{i->j}: the second is its
own, from its last solve, so messages stay one-way and a lost one still means that z_ji is held.
"""


def coupling_share(coupling: float | None, penalty: float) -> float:
    """kappa = 2 gamma / (penalty + 2 gamma) for the coupling gamma; 1 for exact consensus (None)."""
    return 1.0 if coupling is None else 1 / (1 + penalty / (2 * coupling))
