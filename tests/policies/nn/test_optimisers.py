"""Optimisers without PyTorch's compiler are PyTorch's."""

import copy

import pytest
import torch

from policies.nn.optimisers import SGD, Adam


def steps(kind, **options):
    """Parameters after some steps, and the states half-way and in the end."""
    parameters = torch.linspace(-2.0, 2.0, 60).reshape(3, 20).requires_grad_(True)
    optimiser = kind([parameters], lr=0.01, **options)
    states = []
    for step in range(1, 11):
        optimiser.zero_grad()
        (step * parameters.sin().square().sum()).backward()
        optimiser.step()
        if step % 5 == 0:
            states.append(copy.deepcopy(optimiser.state_dict()))
            optimiser = kind([parameters], lr=0.5)
            optimiser.load_state_dict(copy.deepcopy(states[-1]))
    return parameters.detach(), states


@pytest.mark.parametrize(
    ("kind", "options"),
    [(Adam, {}), (Adam, {"fused": True}), (Adam, {"eps": 1e-5}), (SGD, {})],
    ids=["Adam", "fused", "with another epsilon", "SGD"],
)
def test_steps_and_states_are_those_of_pytorch_to_the_bit(kind, options):
    parameters, states = steps(kind, **options)
    theirs, their_states = steps(getattr(torch.optim, kind.__name__), **options)
    assert torch.equal(parameters, theirs)
    torch.testing.assert_close(states, their_states, rtol=0, atol=0)
