"""Outlier rejection against its definition, and on the mean problem: where it protects and where not."""

from itertools import pairwise
from statistics import median

import numpy as np
import pytest

import topologies
from testbed.consensus.one_way.relaxed_admm import RelaxedAgent
from testbed.consensus.outlier_rejection import OutlierFilter, OutlierRejection
from testbed.consensus.payloads import Payload
from testbed.consensus.problems.mean import MeanProblem, mean_problem
from testbed.consensus.registry import make_consensus
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Network, NetworkSettings, Streams, Trace, first_difference

ALGORITHMS = ("edge_admm", "relaxed_admm")
START = np.random.default_rng(5).standard_normal((6, 3))
RING = topologies.make("ring", 6)
HALF = {"edge_admm": 6.0, "relaxed_admm": 0.8}
"""Simulated seconds after which the agents below have nearly agreed; they go on for about as long."""


def _agreed(algorithm, rejection, faults=(), activations=500, network=None, **chosen):
    """The result, signals [6, 3] and trace of an agreement on a ring, audited if settings are given."""
    settings = ConsensusSettings.model_validate(
        {"algorithm": algorithm, "outlier_rejection": rejection, "curve_every": 500, **chosen}
        | {"budget": {"activations": activations}}
    )
    streams, trace = Streams(0), Trace()
    about = {"audit": bool(chosen), "link": {"delay": 0.005}, "faults": list(faults)} | (network or {})
    simulated = Network(RING, NetworkSettings.model_validate(about), streams, trace=trace)
    result = make_consensus(simulated, settings, streams).agree(mean_problem(START).local)
    return result, np.stack(result.signals), trace


def _lie(behaviour, since):
    return {"fault": "byzantine", "agent": 0, "behaviour": behaviour, "down": since}


def _error(signals):
    """The largest distance of an honest agent's entry from the mean of all."""
    return np.abs(signals[1:] - START.mean(axis=0)).max()


def test_the_bound_is_hampel_s_over_the_last_accepted_innovations():
    numbers = np.random.default_rng(0).exponential(size=200).tolist()
    judge, accepted = OutlierFilter(OutlierRejection(k=5, window=7, warm_up=5)), []
    for number in numbers:
        last = accepted[-7:]
        middle = median(last) if last else 0.0
        deviation = max(median([abs(each - middle) for each in last] or [0.0]), middle / 100)
        beyond = middle + 5 * 1.4826 * deviation
        outlier = len(accepted) >= 5 and number > beyond
        assert judge.rejects(number) == outlier
        accepted += [] if outlier else [number]
    assert 10 < len(numbers) - len(accepted) < 190


def test_changes_no_larger_than_the_floor_are_never_outliers():
    judge = OutlierFilter(OutlierRejection(window=3, warm_up=3, floor=0.5))
    assert [judge.rejects(number) for number in (0.0, 0.0, 0.0, 0.5, 0.51)] == [False] * 4 + [True]


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_a_change_that_is_not_finite_is_an_outlier_even_at_first(number):
    assert OutlierFilter(OutlierRejection()).rejects(number)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_where_nobody_lies_nothing_changes(algorithm, loss):
    link = {"link": {"delay": 0.005, "loss": loss}}
    plain, _, trace = _agreed(algorithm, None, network=link)
    result, _, watched = _agreed(algorithm, {}, network=link)
    assert result.counts.rejected == 0
    assert first_difference(trace, watched) is None
    assert result.flat() == plain.flat()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    ("behaviour", "harm"),
    [
        ({"name": "collude", "target": 5.0}, 1.0),
        ("sign_flip", 0.3),
        ({"name": "scale", "factor": 5.0}, 100.0),
    ],
)
def test_one_that_begins_to_lie_is_rejected_where_plain_admm_goes_with_it(algorithm, behaviour, harm):
    lies = [_lie(behaviour, HALF[algorithm])]
    before = _error(_agreed(algorithm, None)[1])
    assert _error(_agreed(algorithm, None, lies)[1]) > harm
    result, signals, _ = _agreed(algorithm, {}, lies)
    assert result.counts.rejected > 30
    assert _error(signals) < max(10 * before, 1e-3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_that_lies_from_the_first_message_sets_the_scale_and_is_believed(algorithm):
    lies = [_lie({"name": "collude", "target": 5.0}, 0.0)]
    result, signals, trace = _agreed(algorithm, {}, lies)
    assert result.counts.rejected == 0
    assert _error(signals) > 1
    assert first_difference(trace, _agreed(algorithm, None, lies)[2]) is None
    _, limited, _ = _agreed(algorithm, {}, lies, dual_limit=0.25)
    assert _error(limited) < _error(signals) - 0.1  # the dual limit is for these


def test_one_that_moves_slowly_leads_its_neighbour_anywhere():
    agent = RelaxedAgent(0, MeanProblem(START[0]), [1], 2.0, 0.5, outliers=OutlierRejection())
    places = []
    for _ in range(2000):
        payload = Payload(agent.z[1] + 0.1, None, 24, True, None)
        assert not agent.rejects(1, payload)
        agent.receive(1, payload, 0.0)
        places.append(agent.z[1].min())
    assert places[-1] == pytest.approx(100.0)
    assert all(later > earlier for earlier, later in pairwise(places))
    assert agent.rejects(1, Payload(agent.z[1] + 0.3, None, 24, True, None))  # but not all at once


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_honest_agent_that_has_lost_its_state_is_rejected_too(algorithm):
    crash = {"fault": "crash", "agent": 0, "state": "lost", "down": HALF[algorithm], "up": {"lasting": 0.1}}
    result, _, _ = _agreed(algorithm, {}, [crash])
    assert result.counts.rejected > 0
    assert _agreed(algorithm, {"floor": 10.0}, [crash])[0].counts.rejected == 0


def test_an_end_that_rejects_an_answer_leaves_the_exchange_half_committed():
    lies = [_lie({"name": "collude", "target": 5.0}, HALF["edge_admm"])]
    result, _, trace = _agreed("edge_admm", {}, lies, activation="round_robin")
    counts = result.counts
    # In turns the first end of each link begins: agent 0 does on both of its links, and is answered "busy".
    assert counts.rejected == counts.busy > 50
    assert counts.half_committed == 0
    other, _, trace = _agreed("edge_admm", {}, [lies[0] | {"agent": 5}], activation="round_robin")
    assert other.counts.rejected == other.counts.half_committed > 50
    assert sum(event.event == "rejected" for event in trace.events) == other.counts.rejected


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "chosen",
    [
        {"codec": "int8"},
        {"codec": {"name": "top_k", "share": 0.4}, "codec_memory": "error_feedback"},
        {"subset": 0.5},
        {"coupling": 2.0},
        {"dual_limit": 1.0},
    ],
    ids=str,
)
def test_rejection_goes_with_codecs_subsets_and_bounds(algorithm, chosen):
    lies = [_lie({"name": "collude", "target": 50.0}, HALF[algorithm])]
    result, signals, _ = _agreed(algorithm, {}, lies, **chosen)
    assert result.counts.rejected > 20
    assert np.abs(signals).max() < 3


def test_held_back_messages_are_those_last_accepted():
    lies = [_lie({"name": "collude", "target": 50.0}, HALF["relaxed_admm"])]
    result, signals, _ = _agreed("relaxed_admm", {}, lies, trigger={"threshold": 1e-6, "longest_silence": 2})
    assert min(result.counts.rejected, result.counts.held_back) > 10
    assert np.abs(signals).max() < 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"k": 0}, "greater than 0"),
        ({"window": 2, "warm_up": 2}, "greater than or equal to 3"),
        ({"warm_up": 30}, "warm_up 30 must be at most the window 20"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        OutlierRejection.model_validate(wrong)


def test_only_admm_has_it():
    with pytest.raises(ValueError, match=r"outlier_rejection .* with metropolis: must be null"):
        ConsensusSettings.model_validate({"algorithm": "metropolis", "outlier_rejection": {}})
