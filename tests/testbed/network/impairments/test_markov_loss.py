"""Loss by a Markov chain of four states against its closed form."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from testbed.network import LinkSettings, Message, Streams
from testbed.network.impairments.losses.markov import FourStateLoss, FourStates
from testbed.network.impairments.rule import LOSS, Fate

COUNT = 60_000
NOTHING = Message(0, 1, "x", None, 1, 0.0, 0)

MODELS: list[dict[str, float]] = [
    {"p13": 0.1},
    {"p13": 0.05, "p31": 0.3},
    {"p13": 0.05, "p31": 0.3, "p32": 0.4, "p23": 0.5},
    {"p13": 0.02, "p31": 0.5, "p32": 0.2, "p23": 0.8, "p14": 0.1},
    {"p13": 0.0, "p31": 1.0, "p14": 0.2},
]


def _met(model: FourStates, count: int = COUNT, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The states that packets meet, and whether each is lost."""
    rule = FourStateLoss(model, Streams(seed).fresh)
    states, lost = [], []
    for _ in range(count):
        fate = Fate(0.0)
        rule.decide(NOTHING, fate)
        states.append(rule.state)
        lost.append(fate.reason == LOSS)
    return np.array(states), np.array(lost)


@pytest.mark.parametrize("given", MODELS)
def test_the_shares_of_the_states_are_those_of_the_eigenvector(given: dict[str, float]) -> None:
    model = FourStates(**given)
    changes = np.array(model.changes)
    np.testing.assert_allclose(changes.sum(axis=1), 1)
    np.testing.assert_allclose(np.array(model.stationary) @ changes, model.stationary, atol=1e-12)
    assert sum(model.stationary) == pytest.approx(1)
    states, lost = _met(model)
    shares = [np.mean(states == state) for state in (1, 2, 3, 4)]
    assert shares == pytest.approx(model.stationary, abs=0.015)
    assert lost.mean() == pytest.approx(model.mean_loss, abs=0.015)
    for before in {1, 2, 3, 4} & {*states[:-1].tolist()}:
        after = states[1:][states[:-1] == before]
        found = [np.mean(after == state) for state in (1, 2, 3, 4)]
        assert found == pytest.approx(changes[before - 1], abs=6 / np.sqrt(len(after)))


def test_the_loss_is_the_closed_form_of_the_paper() -> None:
    # Salsano et al. 2012: (p13 p23 + p14 p23 p31) / (p13 p23 + p23 p31 + p14 p23 p31 + p13 p32).
    p13, p31, p32, p23, p14 = 0.02, 0.5, 0.2, 0.8, 0.1
    expected = (p13 * p23 + p14 * p23 * p31) / (p13 * p23 + p23 * p31 + p14 * p23 * p31 + p13 * p32)
    assert FourStates(p13=p13, p31=p31, p32=p32, p23=p23, p14=p14).mean_loss == pytest.approx(expected)
    assert FourStates(p13=0.1).mean_loss == pytest.approx(0.1)  # netem's default p31 makes it independent


def test_the_first_packet_meets_the_stationary_law() -> None:
    model = FourStates(p13=0.001, p31=0.003)
    assert np.mean([_met(model, 1, seed)[1][0] for seed in range(2000)]) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "Field required"),
        ({"p13": 1.5}, "less than or equal to 1"),
        ({"p13": 0.6, "p14": 0.6}, "p13 0.6 and p14 0.6 leave one state: must add up to at most 1"),
        (
            {"p13": 0.1, "p31": 0.8, "p32": 0.3},
            "p31 0.8 and p32 0.3 leave one state: must add up to at most 1",
        ),
        ({"p13": 0.1, "p31": 0.2, "p32": 0.3, "p23": 0}, "p23 is 0 with p32 above 0"),
        ({"p13": 0, "p31": 0}, "p13 and p31 are both 0"),
    ],
)
def test_chains_that_make_no_sense_are_refused(state: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        LinkSettings(loss={"state": state})
    assert message in str(caught.value)
