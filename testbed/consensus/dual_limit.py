"""A bound on the dual variables: no neighbour pulls harder than it allows, whatever it sends.

With C_i = +1 and C_j = -1 on link e = (i, j) and z_qe = C_qe s_q, exact consensus asks for z_ie + z_je = 0.
With the dual limit lambda the ends may differ at a cost, lambda |z_ie + z_je|_1, and the optimum is that of

    sum_q f_q(s_q) + sum over links (i, j) of lambda |s_i - s_j|_1 ,

which is exact consensus if lambda is at least the largest entry of the duals there. This is the total
variation that Ben-Ameur, Bianchi & Jakubowicz 2016 ("Robust distributed consensus using total variation",
IEEE Trans. Automatic Control 61(6), arXiv 1309.7264) and, for learning, Peng, Li & Ling 2021
("Byzantine-robust decentralized stochastic optimization over static and time-varying networks", Signal
Processing 183) use against stubborn and Byzantine agents: a liar changes the gradient of each honest
neighbour's problem by at most lambda in each coordinate. Gaucher, Dieuleveut & Hendrikx 2024
("Byzantine-robust gossip: insights from a dual approach", arXiv 2405.03449) clip the duals of gossip for the
same reason.

Edge-ADMM (beta the penalty) minimises over z_ie and z_je, with P = p_i + p_j,

    lambda |z_ie + z_je|_1 + sum over q of (-y_qe . z_qe + (beta / 2) |C_qe s_q - z_qe|^2) .

The new dual nu of both ends is a subgradient of the first term at z_ie + z_je = 2 (P - nu) / beta. So nu = P
and the sum is zero where |P| <= lambda; elsewhere nu = lambda sign(P), and the sum has that sign. That is

    nu = clip(P, -lambda, lambda) ,   z_qe = (y_qe - nu) / beta + C_qe s_q .

Relaxed ADMM (rho the penalty) reflects v_ij and v_ji through the minimiser a of
lambda |a_ij - a_ji|_1 + (rho / 2) (|a_ij - v_ij|^2 + |a_ji - v_ji|^2), which keeps their mean and moves their
difference d towards zero by 2 lambda / rho, so that 2 a_ji - v_ji = v_ji + clip(d, +-2 lambda / rho). With
q = rho v, agent j uses q_{j->i} + clip(q_{i->j} - q_{j->i}, +-2 lambda) in place of q_{i->j}.

Together with quadratic coupling (`testbed.consensus.coupling`) the cost of a link is Huber's: quadratic near
zero, linear beyond, and the clip acts on kappa P, or on kappa (q_{i->j} - q_{j->i}).
"""
