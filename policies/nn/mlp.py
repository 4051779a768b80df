"""Fully connected networks on flat parameter vectors, so that agents stack along a leading axis."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Activation = Literal["selu", "tanh", "relu"]

_SELU_SCALE = 1.0507009873554805  # Klambauer et al. 2017, arXiv 1706.02515
_SELU_ALPHA = 1.6732632423543772


def activate(name: Activation, z: Tensor) -> Tensor:
    """Apply the named nonlinearity elementwise."""
    if name == "selu":
        return torch.nn.functional.selu(z)
    return torch.tanh(z) if name == "tanh" else torch.relu(z)


def activate_(name: Activation, z: Tensor) -> Tensor:
    """The same in place, where no gradient is needed."""
    if name == "selu":
        return torch.nn.functional.selu(z, inplace=True)
    return z.tanh_() if name == "tanh" else z.relu_()


def chain_(name: Activation, gradient: Tensor, h: Tensor) -> Tensor:
    """Multiply a gradient in place by the derivative at output h, with autograd's own kernels."""
    back = torch.ops.aten
    if name == "selu":
        back.elu_backward.grad_input(gradient, _SELU_ALPHA, _SELU_SCALE, 1.0, True, h, grad_input=gradient)
    elif name == "tanh":
        back.tanh_backward.grad_input(gradient, h, grad_input=gradient)
    else:
        back.threshold_backward.grad_input(gradient, h, 0, grad_input=gradient)
    return gradient


def derivative(name: Activation, h: Tensor) -> Tensor:
    """Derivative of the nonlinearity, written in its *output* h (all three allow it)."""
    if name == "selu":
        return torch.where(h > 0, _SELU_SCALE, h + _SELU_SCALE * _SELU_ALPHA)
    return 1 - h * h if name == "tanh" else (h > 0).to(h.dtype)


@dataclass(frozen=True)
class MLP:
    """A multilayer perceptron as a pure function of a flat parameter vector.

    ``sizes`` are the widths from input to output. Parameters are one vector of length ``parameters``:
    for each layer its weight (out x in, row-major), then its bias (out). Every method accepts leading
    axes on the parameters (one network per agent) if the data carries the same axes.
    """

    sizes: tuple[int, ...]
    activation: Activation = "selu"

    @property
    def parameters(self) -> int:
        """Length D of the parameter vector."""
        return sum(out * (inp + 1) for inp, out in zip(self.sizes, self.sizes[1:], strict=False))

    def layers(self, theta: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Views of ``theta`` [..., D] as (weight [..., out, in], bias [..., out]) for each layer."""
        lead, shapes = theta.shape[:-1], list(zip(self.sizes[1:], self.sizes, strict=False))
        if theta.shape[-1] != self.parameters:
            raise ValueError(
                f"theta: has {theta.shape[-1]} entries after {tuple(lead)}, needs {self.parameters}"
            )
        # One split rather than many slices: autograd joins the parts' gradients in one operation.
        parts = theta.split_with_sizes([size for out, inp in shapes for size in (out * inp, out)], dim=-1)
        return [
            (weight.view(*lead, *shape), bias)
            for weight, bias, shape in zip(parts[::2], parts[1::2], shapes, strict=True)
        ]

    def __call__(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Outputs [..., M, out] for parameters [..., D] and inputs [..., M, in]."""
        layers, h = self.layers(theta), inputs
        for index, (weight, bias) in enumerate(layers):
            z = torch.matmul(h, weight.mT) + bias.unsqueeze(-2)
            h = z if index == len(layers) - 1 else activate(self.activation, z)
        return h

    def initial(self, generator: np.random.Generator, output_gain: float = 0.01) -> np.ndarray:
        """A parameter vector [D] (float64): orthogonal weights, zero biases, a small output layer.

        Hidden layers keep unit gain. Scaling a wide first layer up, to the variance per unit that SELU's
        self-normalisation assumes, makes the policy so sensitive to its observations that sampling noise
        drives agents permanently out of the arena.
        """
        pieces: list[np.ndarray] = []
        last = len(self.sizes) - 2
        for index, (inp, out) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            gain = output_gain if index == last else 1.0
            pieces += [gain * orthogonal(out, inp, generator).ravel(), np.zeros(out)]
        return np.concatenate(pieces)


def orthogonal(rows: int, columns: int, generator: np.random.Generator) -> np.ndarray:
    """A matrix with orthonormal rows or columns, whichever are fewer, uniform over such matrices."""
    q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return q if rows >= columns else q.T


def stack_initial(
    network: MLP, count: int, generator: np.random.Generator, output_gain: float = 0.01
) -> np.ndarray:
    """``count`` independent initial parameter vectors, [count, D] (float64)."""
    return np.stack([network.initial(generator, output_gain) for _ in range(count)])
