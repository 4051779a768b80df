"""Errors of stacked networks with a manual gradient: an autograd graph would double the cost."""

import torch
from torch import Tensor

from policies.nn.mlp import MLP, activate_, chain_


class SquaredErrors:
    """Squared errors of G networks with one output each, at up to B samples of their own at a time.

    The loss of a network is its mean square over the samples; as it depends on no other network's parameters,
    the gradients of all are those of each. Every array as large as an activation is written into reused
    buffers.
    """

    def __init__(self, network: MLP, theta: Tensor, gradient: Tensor, samples: int) -> None:
        """Make room for at most ``samples`` B; ``theta`` and ``gradient`` are [G, D] and are not copied."""
        self.activation = network.activation
        self.layers = network.layers(theta.detach())
        self.gradients = network.layers(gradient)
        shapes = [(len(theta), samples, width) for width in network.sizes[1:]]
        self._outputs = [theta.new_empty(shape) for shape in shapes]
        self._backs = [theta.new_empty(shape) for shape in shapes[:-1]]

    @torch.no_grad()
    def __call__(self, inputs: Tensor, aims: Tensor) -> Tensor:
        """Outputs at inputs [G, M, d] less aims [G, M], valid until the next call; writes the gradient."""
        samples, last = inputs.shape[1], len(self.layers) - 1
        entering = [inputs]
        for index, ((weight, bias), room) in enumerate(zip(self.layers, self._outputs, strict=True)):
            z = room[:, :samples]
            torch.baddbmm(bias.unsqueeze(1), entering[-1], weight.mT, out=z)
            if index < last:
                activate_(self.activation, z)
            entering.append(z)
        errors = entering.pop().squeeze(-1).sub_(aims)
        back = (errors * (2 / samples)).unsqueeze(-1)
        for index in reversed(range(len(self.layers))):
            h, (to_weight, to_bias) = entering[index], self.gradients[index]
            torch.bmm(back.mT, h, out=to_weight)
            torch.sum(back, dim=1, out=to_bias)
            if index:
                room = self._backs[index - 1][:, :samples]
                torch.bmm(back, self.layers[index][0], out=room)
                back = chain_(self.activation, room, h)
        return errors
