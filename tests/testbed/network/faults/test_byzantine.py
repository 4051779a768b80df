"""Agents that lie: each behaviour by itself, faults that overlap, and a saved network that goes on lying."""

import json
from typing import Any

import network_plans
import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.network import Behaviour, FalseMessage, Network, NetworkSettings, Streams, Trace
from testbed.network.faults.behaviour import BEHAVIOURS
from testbed.network.faults.byzantine import Byzantine

NUMBERS = np.array([1.0, -2.0, 3.0, 0.0])


def _behaviour(given: Any) -> Behaviour:
    fault = {"fault": "byzantine", "agent": 0, "down": 0.0, "behaviour": given}
    settings = NetworkSettings.model_validate({"faults": [fault]})
    found: Behaviour = settings.faults[0].behaviour  # type: ignore[attr-defined]
    return found


def _network(*faults: dict[str, Any], seed: int = 0) -> Network:
    settings = NetworkSettings.model_validate({"faults": list(faults)})
    return Network(nx.path_graph(3), settings, Streams(seed), trace=Trace())


def _lie(given: Any, numbers: Any = NUMBERS, seed: int = 0) -> np.ndarray:
    message = FalseMessage(np.random.default_rng(seed), {}, len(numbers), None)
    return _behaviour(given).falsify(numbers.copy(), message)


def test_each_behaviour_is_in_the_fuzzers_plans_and_is_named_alone_where_it_needs_no_more() -> None:
    drawn = {each if isinstance(each, str) else each["name"] for each in network_plans.LIES}
    assert drawn == set(BEHAVIOURS.builtin())
    assert _behaviour("sign_flip") == _behaviour({"name": "sign_flip"})


def test_numbers_are_flipped_scaled_or_one_target() -> None:
    np.testing.assert_array_equal(_lie("sign_flip"), -NUMBERS)
    np.testing.assert_array_equal(_lie({"name": "scale", "factor": -3}), -3 * NUMBERS)
    np.testing.assert_array_equal(_lie({"name": "collude", "target": 7}), np.full(4, 7.0))


def test_noise_and_random_numbers_have_the_size_asked_for() -> None:
    numbers = np.full(20_000, 4.0)
    noise = _lie({"name": "noise", "std": 0.5}, numbers) - numbers
    assert (noise.mean(), noise.std()) == (pytest.approx(0, abs=0.06), pytest.approx(2.0, rel=0.03))
    assert _lie("random", numbers).std() == pytest.approx(4.0, rel=0.03)
    assert _lie({"name": "random", "std": 9.0}, numbers).std() == pytest.approx(9.0, rel=0.03)


def test_a_stuck_agent_repeats_each_coordinate_as_first_sent() -> None:
    behaviour, memory = _behaviour("stuck"), dict[str, Any]()

    def send(numbers: list[float], where: list[int]) -> list[float]:
        message = FalseMessage(np.random.default_rng(0), memory, 4, np.array(where))
        sent: list[float] = behaviour.falsify(np.array(numbers), message).tolist()
        return sent

    assert send([1.0, 2.0], [0, 2]) == [1.0, 2.0]
    assert send([5.0, 6.0], [2, 3]) == [2.0, 6.0]
    assert send([7.0, 8.0, 9.0], [0, 1, 3]) == [1.0, 8.0, 6.0]


@given(st.permutations([0, 1, 2]))
def test_several_lies_of_an_agent_apply_in_an_order_that_does_not_depend_on_their_beginnings(
    order: list[int],
) -> None:
    network = _network()
    faults = [
        network.lie(1, _behaviour({"name": "scale", "factor": 2.0})),
        network.lie(1, _behaviour({"name": "collude", "target": 5.0})),
        network.lie(1, _behaviour("sign_flip")),
    ]
    for number in order:
        faults[number].begin()
    assert list(network.liars(1)) == faults
    assert network.liars(0) == ()
    faults[1].lift()
    assert list(network.liars(1)) == [faults[0], faults[2]]


def test_there_must_be_such_an_agent() -> None:
    with pytest.raises(ValueError, match="node 9 is not in this network"):
        _network().lie(9, _behaviour("sign_flip"))


@pytest.mark.parametrize(
    ("false", "reason"), [(np.zeros(3), r"gave \(3,\) for 4 numbers"), (np.full(4, np.nan), "NaN")]
)
def test_a_behaviour_must_give_as_many_numbers_and_none_that_is_no_number(
    false: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour = _behaviour("sign_flip")
    monkeypatch.setattr(type(behaviour), "falsify", lambda *_: false)
    fault = _network().lie(0, behaviour)
    with pytest.raises(ValueError, match=reason):
        fault.falsify(NUMBERS, FalseMessage(fault.generator(), {}, 4, None))


def test_its_window_is_traced_and_what_changed_nothing_is_not_counted() -> None:
    plan = {"fault": "byzantine", "agent": 1, "behaviour": "sign_flip", "down": 1.0, "up": 2.0}
    network = _network(plan)
    liars: list[Any] = []
    for time in (0.5, 1.5, 2.5):
        network.clock.schedule(time, lambda: liars.append(network.liars(1)))
    network.clock.run(3.0)
    assert [len(found) for found in liars] == [0, 1, 0]
    (fault,) = liars[1]
    fault.falsify(np.zeros(2), FalseMessage(fault.generator(), {}, 2, None))
    fault.falsify(NUMBERS, FalseMessage(fault.generator(), {}, 4, None))
    (report,) = network.faults_report()
    assert (report.falsified, report.touched) == (1, 1)
    assert network.trace is not None
    rows = [event.row() for event in network.trace.events]
    assert [(row["event"], row["agent"], row["behaviour"]) for row in rows] == [
        ("fault_begun", 1, "sign_flip"),
        ("fault_lifted", 1, "sign_flip"),
    ]


@pytest.mark.parametrize("behaviour", network_plans.LIES, ids=str)
def test_a_network_that_is_saved_while_an_agent_lies_goes_on_with_the_same_lies(behaviour: Any) -> None:
    plan = {"fault": "byzantine", "agent": 1, "behaviour": behaviour, "down": 1.0, "up": 9.0}

    def next_lie(network: Network) -> list[float]:
        (fault,) = network.liars(1)
        assert isinstance(fault, Byzantine)
        message = FalseMessage(fault.generator(), {}, 4, None)
        lie: list[float] = fault.falsify(NUMBERS, message).tolist()
        return lie

    through, again = _network(plan), _network(plan)
    through.clock.run(2.0)
    next_lie(through)
    again.load_state_dict(json.loads(json.dumps(through.state_dict())))
    assert next_lie(through) == next_lie(again)
    for network in (through, again):
        network.clock.run(10.0)
        assert network.liars(1) == ()
    assert through.state_dict() == again.state_dict()
