"""First-order methods on perfect networks: against recursions in matrices, and their published behaviour."""

import numpy as np
import pytest
from first_order_runs import METHODS, quadratics, rounds_of, smooth, weights_of

import topologies
from testbed.consensus.problems.logistic import LogisticSettings
from testbed.consensus.problems.mean import mean_problem
from testbed.network import Streams

SQUARE, RING, BARBELL = (topologies.make(*kind) for kind in (("ring", 4), ("ring", 6), ("barbell", 6)))
EXACT = ["extra", "gradient_tracking", "nids"]


# --- dense references -----------------------------------------------------------------------------------


def dgd(x, weights, gradients, step, rounds, decay=0.0):
    """Yuan, Ling & Yin 2016, Eq. 2."""
    found = [x]
    for k in range(1, rounds + 1):
        found.append(weights @ found[-1] - step / k**decay * gradients(found[-1]))
    return found


def extra(x, weights, gradients, step, rounds):
    """Shi, Ling, Wu & Yin 2015, Algorithm 1."""
    second = (np.eye(len(x)) + weights) / 2
    found = [x, weights @ x - step * gradients(x)]
    while len(found) <= rounds:
        before, now = found[-2:]
        change = gradients(now) - gradients(before)
        found.append((np.eye(len(x)) + weights) @ now - second @ before - step * change)
    return found


def gradient_tracking(x, weights, gradients, step, rounds):
    """Nedic, Olshevsky & Shi 2017, Algorithm 1; the first round only sends x(0) and y(0)."""
    found, y = [x, x], gradients(x)
    while len(found) <= rounds:
        x = weights @ found[-1] - step * y
        y = weights @ y + gradients(x) - gradients(found[-1])
        found.append(x)
    return found


def nids(x, weights, gradients, step, rounds):
    """Li, Shi & Yan 2019, Algorithm 1 without a second objective, with c = 1 / (2 step)."""
    second = np.eye(len(x)) - (np.eye(len(x)) - weights) / 2
    found = [x, x - step * gradients(x)]
    while len(found) <= rounds:
        before, now = found[-2:]
        found.append(second @ (2 * now - before + step * (gradients(before) - gradients(now))))
    return found


DENSE = {"dgd": dgd, "extra": extra, "gradient_tracking": gradient_tracking, "nids": nids}


@pytest.mark.parametrize("method", DENSE)
def test_on_a_perfect_network_it_is_its_recursion(method):
    setting = quadratics(6)
    step = 0.3 / setting.smoothness
    history, result = rounds_of(setting.problem, BARBELL, 40, algorithm=method, step=step)
    dense = DENSE[method](np.zeros((6, 3)), weights_of(BARBELL), setting.gradients, step, 40)
    np.testing.assert_allclose(history, dense, atol=1e-12, rtol=0)
    # A header and three float64, or six, over seven links each way.
    assert result.bytes == 40 * 14 * (16 + 24 * (1 + (method == "gradient_tracking")))


@pytest.mark.parametrize("method", DENSE)
def test_logistic_regression_is_its_recursion_with_the_derived_step(method):
    problem = LogisticSettings(agents=6, dimension=3).make(Streams(1))
    least = np.linalg.eigvalsh(weights_of(RING))[0]
    largest = max(local.smoothness for local in smooth(problem))
    step = {"nids": 1, "gradient_tracking": (1 + least) ** 2 / 4}.get(method, (1 + least) / 2) / largest
    history, _ = rounds_of(problem, RING, 40, algorithm=method)

    def gradients(x):
        return np.stack([local.gradient(s) for local, s in zip(smooth(problem), x, strict=True)])

    dense = DENSE[method](np.zeros((6, 3)), weights_of(RING), gradients, step, 40)
    np.testing.assert_allclose(history, dense, atol=1e-12, rtol=0)


def test_dgd_with_a_falling_step_is_its_recursion():
    setting = quadratics(6)
    step = 0.5 / setting.smoothness
    history, _ = rounds_of(setting.problem, BARBELL, 40, algorithm="dgd", step=step, step_decay=0.5)
    dense = dgd(np.zeros((6, 3)), weights_of(BARBELL), setting.gradients, step, 40, 0.5)
    np.testing.assert_allclose(history, dense, atol=1e-12, rtol=0)


def test_dsgd_is_the_recursion_of_dgd_with_the_drawn_rows():
    setting = quadratics(6)
    draws = [Streams(0).generator("mini-batch", i) for i in range(6)]

    def gradients(x):
        chosen = [draw.choice(12, 4, replace=False) for draw in draws]
        local = smooth(setting.problem)
        return np.stack([p.batch_gradient(s, k) for p, s, k in zip(local, x, chosen, strict=True)])

    step = 0.3 / setting.smoothness
    history, _ = rounds_of(setting.problem, BARBELL, 40, algorithm="dsgd", step=step, batch=4)
    dense = dgd(np.zeros((6, 3)), weights_of(BARBELL), gradients, step, 40)
    np.testing.assert_allclose(history, dense, atol=1e-12, rtol=0)


# --- published behaviour --------------------------------------------------------------------------------


def test_the_bias_of_dgd_is_in_proportion_to_its_step():
    setting, ends = quadratics(4), []
    for share in (0.1, 0.05):
        step = share / setting.smoothness
        history, _ = rounds_of(
            setting.problem, SQUARE, round(40 / share), algorithm="dgd", step=step, curve_every=10**6
        )
        end = setting.end_of_dgd(weights_of(SQUARE), step)
        np.testing.assert_allclose(history[-1], end, atol=1e-6, rtol=0)
        ends.append(np.linalg.norm(history[-1] - setting.problem.optimum))
    assert ends[0] / ends[1] == pytest.approx(2, rel=0.05)


def test_a_falling_step_takes_the_bias_of_dgd_away():
    setting, ends = quadratics(4), {}
    for decay in (0, 0.5):
        history, _ = rounds_of(
            setting.problem, SQUARE, 300, algorithm="dgd", step_decay=decay, curve_every=50
        )
        ends[decay] = np.linalg.norm(history - setting.problem.optimum, axis=(1, 2))
    assert ends[0.5][-1] < 0.2 * ends[0][-1]
    assert (np.diff(ends[0.5]) < 0).all()


@pytest.mark.parametrize(("method", "share"), [("extra", 0.6), ("gradient_tracking", 0.15), ("nids", 1.8)])
def test_exact_methods_converge_linearly(method, share):
    """Steps near the ends of their ranges: EXTRA's is 2/3 on this ring, NIDS's is 2."""
    setting = quadratics(6)
    step = share / setting.smoothness
    history, _ = rounds_of(setting.problem, RING, 400, algorithm=method, step=step)
    error = np.linalg.norm(history - setting.problem.optimum, axis=(1, 2))
    assert error[-1] < 1e-10
    # A straight line in the logarithm, until rounding: every 25 rounds the error falls by a factor.
    falling = error[error > 1e-10]
    assert (falling[25::25] < 0.6 * falling[:-25:25]).all()


@pytest.mark.parametrize("method", EXACT)
def test_only_nids_allows_steps_up_to_2_over_l_on_any_network(method):
    """For the mean L is 1; on a ring EXTRA needs a step below 1, and gradient tracking below 2/9."""
    start = np.random.default_rng(0).standard_normal((6, 2))
    error = {}
    for step in (0.1, 1.8):
        history, _ = rounds_of(mean_problem(start), RING, 260, algorithm=method, step=step)
        error[step] = np.linalg.norm(history - start.mean(axis=0), axis=(1, 2))
    assert error[0.1][-1] < 1e-6 * error[0.1][0]
    assert (error[1.8][-1] < 1e-10) == (method == "nids")
    assert (error[1.8][-1] > 1e3 * error[1.8][0]) == (method != "nids")


def test_the_noise_of_dsgd_falls_with_its_step_and_not_with_time():
    setting, noise = quadratics(4), {}
    for share in (0.2, 0.1):
        step = share / setting.smoothness
        end = setting.end_of_dgd(weights_of(SQUARE), step)
        history, _ = rounds_of(setting.problem, SQUARE, 700, algorithm="dsgd", step=step, batch=3)
        apart = np.sum((history - end) ** 2, axis=(1, 2))
        noise[share] = apart[100:].mean()
        assert apart[400:].mean() == pytest.approx(apart[100:400].mean(), rel=0.5)
    assert noise[0.2] / noise[0.1] == pytest.approx(2, rel=0.35)


def test_dsgd_with_all_rows_is_dgd():
    setting = quadratics(6)
    whole, _ = rounds_of(setting.problem, RING, 60, algorithm="dsgd", batch=12)
    exact, _ = rounds_of(setting.problem, RING, 60, algorithm="dgd")
    np.testing.assert_allclose(whole, exact, atol=1e-12, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bytes(method):
    setting = quadratics(6)
    first, second = (rounds_of(setting.problem, RING, 20, algorithm=method)[0].tobytes() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("method", METHODS)
def test_an_agent_without_neighbours_has_its_own_optimum(method):
    graph = topologies.make("path", 3)
    graph.remove_edge(1, 2)
    setting = quadratics(3)
    history, _ = rounds_of(setting.problem, graph, 5, algorithm=method)
    own = np.linalg.solve(setting.hessians[2], setting.linear[2])
    np.testing.assert_allclose(history[-1][2], own, atol=1e-10)
