"""Activations by the name they have in a config."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lorelab.errors import nearest


class Abs(nn.Module):
    """Absolute value, elementwise: the one activation here that PyTorch has as a function only."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape in, the same shape out."""
        return torch.abs(x)


# None has parameters or draws random numbers, so two nets that differ in the activation only start from equal weights.
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "abs": Abs,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}


def activation(name: str) -> nn.Module:
    """The elementwise activation called ``name``, with PyTorch's default settings and never in place.

    Raises ``ValueError`` for an unknown name, naming the nearest valid ones.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation='{name}' is unknown: {nearest(name, ACTIVATIONS)}")
    return ACTIVATIONS[name]()
