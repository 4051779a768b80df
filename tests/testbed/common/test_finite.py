"""Numbers that nothing can be learnt from: refused where they come from, or where they end up."""

import math

import numpy as np
import pytest
import torch

from policies.algorithms.learner import check_finite
from policies.batch import Batch
from testbed import environments
from testbed.common.errors import WorldError, first_line
from testbed.common.finite import learning_from, named_errors
from testbed.environments import NAMES, OUTSIDE


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OUTSIDE])
@pytest.mark.parametrize("number", [math.nan, math.inf, -1e30])
@pytest.mark.parametrize("what", ["was paid", "observed"])
def test_every_environment_refuses_what_is_no_finite_number(
    monkeypatch: pytest.MonkeyPatch, name: str, number: float, what: str
) -> None:
    env = environments.make(name, batch=3)
    advance, observations = env._advance, env.observations

    def paying(actions):
        rewards, terminations, info = advance(actions)
        rewards[1, 2] = number if what == "was paid" and env._t[0] == 2 else rewards[1, 2]
        return rewards, terminations, info

    def showing():
        seen = observations()
        seen[1, 2, 0] = number if what == "observed" and env._t[0] == 2 else seen[1, 2, 0]
        return seen

    monkeypatch.setattr(env, "_advance", paying)
    monkeypatch.setattr(env, "observations", showing)
    _, info = env.reset(0)
    for step in (1, 2):
        masks = info.get("action_masks", np.ones((3, env.agents, env.action_size)))
        if step == 1:
            *_, info = env.step(masks.argmax(axis=2))
    said = f"^{name}: row 1, step 2: agent 2 {what} {number:g}, must be finite and at most "
    with pytest.raises(WorldError, match=said.replace("+", r"\+")):
        env.step(masks.argmax(axis=2))
    with pytest.raises(RuntimeError, match="no episode has been started"):
        env.step(masks.argmax(axis=2))


def batch():
    """Four steps of two rows and three agents; the largest numbers are at (2, 1, 0) and (3, 0, 2)."""
    seen, paid = np.ones((4, 2, 3, 5), dtype=np.float32), np.ones((4, 2, 3))
    seen[2, 1, 0, 4], paid[3, 0, 2] = -7e17, 5.0
    flags = np.zeros((4, 2, 3), dtype=bool)
    return Batch(seen, seen, np.zeros((4, 2, 3), dtype=int), paid, flags, flags)


@pytest.mark.parametrize(
    ("state", "whose"),
    [
        ({"theta": torch.tensor([[1.0], [math.nan], [0.0]])}, "agent 1: its policy"),
        (
            {"critics": {"optimiser": {"state": {0: {"average": torch.tensor(math.inf)}}}}},
            "the common critic",
        ),
        ({"held": [{"weights": np.array([-math.inf])}]}, "the common held"),
        ({"normaliser": {"sum": math.nan}}, "the common normaliser"),
    ],
)
def test_a_learner_that_holds_no_numbers_any_more_is_found_wherever_it_holds_them(state, whose) -> None:
    with (
        pytest.raises(FloatingPointError) as caught,
        named_errors("itrpo", 7),
        learning_from(batch(), "meeting"),
    ):
        check_finite(state, {}, agents=3)
    said = str(caught.value)
    assert said.startswith(f"itrpo, update 7: {whose} has numbers that are not finite (meeting: ")
    assert "observation of the batch is 7e+17, of agent 0 in row 1 at step 2" in said
    assert said.endswith("largest reward 5, of agent 2 in row 0 at step 3)")


def test_a_learner_of_numbers_is_left_alone() -> None:
    check_finite({"theta": torch.ones(3), "count": 3, "name": "x", "none": None}, {}, agents=3)


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\nsecond"), "ValueError: first"),
        (ValueError(), "ValueError"),
        (ValueError("\n \n x"), "ValueError: x"),
        (ValueError("a\x1b[31mb\x07"), "ValueError: a [31mb"),
        (Mute(), "Mute: its message cannot be read"),
    ],
)
def test_an_error_in_one_line(error, line) -> None:
    assert first_line(error) == line
