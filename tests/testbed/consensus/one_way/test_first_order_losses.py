"""First-order methods on networks that lose messages, with codecs, and settings that do not suit them."""

import numpy as np
import pytest
from first_order_runs import METHODS, quadratics, rounds_of, weights_of

import topologies
from testbed.consensus.one_way.gradient_tracking import GradientTracking
from testbed.consensus.problems.lasso import LassoSettings
from testbed.network import LinkSettings, Streams
from testbed.workloads import ProblemWorkload, TrainingWorkload, UpdateWorkload

RING = topologies.make("ring", 6)
LOSSY = LinkSettings(delay=0.005, loss=0.3)


def sums_of(rounds, link=None, **settings):
    """Sum of trackers less sum of gradients whenever all agents have taken as many steps, and the signals."""
    setting, sums = quadratics(6), []

    def look(run):
        if len({agent.rounds for agent in run.agents}) == 1:
            sums.append(sum(agent.tracker - agent.slope for agent in run.agents))

    history, _ = rounds_of(
        setting.problem, RING, rounds, link, look, algorithm="gradient_tracking", **settings
    )
    return setting, np.stack(sums), history


def test_dgd_ends_at_the_same_point_whatever_is_lost():
    setting = quadratics(6)
    step = 0.3 / setting.smoothness
    history, result = rounds_of(setting.problem, RING, 300, LOSSY, algorithm="dgd", step=step)
    np.testing.assert_allclose(history[-1], setting.end_of_dgd(weights_of(RING), step), atol=1e-10, rtol=0)
    assert result.counts.completed < 0.8 * 300 * 12


@pytest.mark.parametrize("method", ["extra", "gradient_tracking", "nids"])
def test_agents_agree_on_another_point_if_messages_are_lost(method):
    setting = quadratics(6)
    step = 0.15 / setting.smoothness
    history, _ = rounds_of(setting.problem, RING, 600, LOSSY, algorithm=method, step=step, curve_every=100)
    assert np.ptp(history[-1], axis=0).max() < 1e-9
    assert np.abs(history[-1] - setting.problem.optimum).max() > 1e-3
    np.testing.assert_allclose(history[-1], history[-2], atol=1e-6)


def test_the_trackers_keep_the_sum_of_the_gradients():
    _, sums, _ = sums_of(100)
    assert np.abs(sums).max() < 1e-13


def test_losses_move_the_sum_of_the_trackers_and_the_result_by_as_much():
    """When all y are 0, the gradients' sum H (x - optimum) is what the trackers' sum lacks."""
    setting, sums, history = sums_of(500, LOSSY, step=0.2)
    assert np.abs(sums[-1]).max() > 1e-3
    expected = setting.problem.optimum - np.linalg.solve(setting.hessians.sum(axis=0), sums[-1])
    np.testing.assert_allclose(history[-1], np.tile(expected, (6, 1)), atol=1e-9)


@pytest.mark.parametrize("codec", ["int8", {"name": "qsgd", "bits": 4}], ids=str)
def test_codecs_keep_the_sum_of_the_trackers(codec):
    _, sums, _ = sums_of(100, codec=codec)
    assert np.abs(sums).max() < 1e-12


def test_differences_in_one_byte_make_gradient_tracking_exact():
    setting, sums, history = sums_of(200, codec="int8", codec_memory="difference")
    assert np.abs(sums).max() < 1e-12
    assert np.abs(history[-1] - setting.problem.optimum).max() < 1e-4


def test_the_audit_finds_weights_that_do_not_keep_the_sum(monkeypatch):
    plain = GradientTracking.weights

    def lopsided(self, neighbours):
        return {j: weight * (1.01 if j == 0 else 1) for j, weight in plain(self, neighbours).items()}

    monkeypatch.setattr(GradientTracking, "weights", lopsided)
    with pytest.raises(AssertionError, match="the sums of trackers and gradients differ by"):
        rounds_of(quadratics(6).problem, RING, 10, algorithm="gradient_tracking")


@pytest.mark.parametrize("method", METHODS)
def test_what_does_not_suit_them_is_refused_in_one_line(method):
    def refused(match, workload=ProblemWorkload, **chosen):
        consensus = {"algorithm": method} | chosen.pop("consensus", {})
        with pytest.raises(ValueError, match=match):
            workload.model_validate({"consensus": consensus} | chosen)

    only = f"'{method}' applies to smooth convex problems"
    refused(f"{only}, problem lasso is not: choose edge_admm or relaxed_admm", problem={"name": "lasso"})
    refused(f"{only}, policies are not: choose edge_admm or relaxed_admm", workload=UpdateWorkload)
    refused(f"{only}, policies are not", workload=TrainingWorkload)
    fdmarl = {"name": "fdmarl"}
    refused(f"'{method}' does not average vectors", workload=TrainingWorkload, algorithm=fdmarl)
    refused("activation 'gossip' is not available with", consensus={"activation": "gossip"})
    refused(f"subset 0.5 with {method}: must be 1", consensus={"subset": 0.5})
    refused("coupling 1.0 with", consensus={"coupling": 1.0})
    refused("greater than 0", consensus={"step": 0})
    lasso = LassoSettings(agents=6, dimension=3).make(Streams(0))
    with pytest.raises(
        ValueError, match=f"algorithm '{method}' applies to smooth convex problems, which Lasso"
    ):
        rounds_of(lasso, RING, 1, algorithm=method)


def test_batches_of_more_rows_than_agents_have_are_refused():
    chosen = {"consensus": {"algorithm": "dsgd", "batch": 5}}
    with pytest.raises(ValueError, match="batch 5 with problem least_squares: must be at most 4, the rows"):
        ProblemWorkload.model_validate(chosen | {"problem": {"name": "least_squares", "rows": 4}})
    with pytest.raises(ValueError, match="batch 13: must be at most 12, the rows of agent 0"):
        rounds_of(quadratics(6).problem, RING, 1, algorithm="dsgd", batch=13)
    # Other algorithms do not look at it.
    ProblemWorkload.model_validate({"consensus": {"algorithm": "dgd", "batch": 5}})
