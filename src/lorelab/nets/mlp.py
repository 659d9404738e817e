"""The multilayer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from lorelab.nets.activations import activation as build_activation
from lorelab.nets.heads import HeadFactory


class MLP(nn.Module):
    """``depth`` hidden layers of ``width`` units (linear, activation, dropout) on the flattened input, then the head.

    ``depth=0`` leaves the head alone on the inputs: with a linear head, the linear model. The weights come from
    PyTorch's default initialisation whatever the activation, so arms of one seed that differ in it start equal.
    Raises ``ValueError`` for a width, depth, dropout or shape out of range and for an unknown activation.
    """

    accepts_inputs: ClassVar[frozenset[str]] = frozenset({"image", "table", "points"})

    def __init__(
        self,
        input_shape: Sequence[int],
        out_features: int,
        head: HeadFactory,
        width: int = 64,
        depth: int = 2,
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not input_shape or min(input_shape) < 1:
            raise ValueError(f"MLP: input_shape={tuple(input_shape)}, expected one or more positive sizes")
        if width < 1 or depth < 0:
            raise ValueError(f"MLP: width={width}, depth={depth}, expected width at least 1 and depth at least 0")
        if not 0 <= dropout < 1:
            raise ValueError(f"MLP: dropout={dropout}, expected a probability in [0, 1)")
        sizes = [math.prod(input_shape)] + [width] * depth
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.activation = build_activation(activation)
        self.dropout = nn.Dropout(dropout)
        self.head = head(sizes[-1], out_features)

    def features(self, x: Tensor) -> Tensor:
        """``(B, *input_shape)`` to ``(B, width)``."""
        x = x.flatten(1)
        for layer in self.layers:
            x = self.dropout(self.activation(layer(x)))
        return x

    def forward(self, x: Tensor) -> Tensor:
        """``(B, *input_shape)`` to logits ``(B, out_features)``."""
        out: Tensor = self.head(self.features(x))
        return out
