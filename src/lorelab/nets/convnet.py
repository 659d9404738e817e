"""A small convolutional net for small images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from lorelab.nets.activations import activation as build_activation
from lorelab.nets.heads import HeadFactory


class _Pool(nn.MaxPool2d):
    """2x2 max-pool. Where no gradient is wanted, PyTorch's on a CPU still notes which value was the largest: maxima of
    neighbours are the same in about half the time."""

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C, H // 2, W // 2)``."""
        if torch.is_grad_enabled() or x.device.type != "cpu":
            return super().forward(x)
        height, width = x.shape[-2] // 2 * 2, x.shape[-1] // 2 * 2
        rows = torch.maximum(x[..., 0:height:2, :], x[..., 1:height:2, :])
        return torch.maximum(rows[..., 0:width:2], rows[..., 1:width:2])


class Stage(nn.Module):
    """3x3 convolution, optional batch norm, activation, 2x2 max-pool: ``(B, C, H, W)`` to ``(B, K, H/2, W/2)``."""

    def __init__(self, in_channels: int, out_channels: int, activation: str, batch_norm: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(out_channels) if batch_norm else nn.Identity()
        self.activation = build_activation(activation)
        self.pool = _Pool(2)

    def forward(self, x: Tensor) -> Tensor:
        """One stage; an odd height or width loses its last row or column in the pool."""
        out: Tensor = self.pool(self.activation(self.norm(self.conv(x))))
        return out


class ConvNet(nn.Module):
    """One ``Stage`` per entry of ``channels``, a hidden linear layer of ``width`` units with dropout, then the head.

    PyTorch's default initialisation, whatever the activation. Raises ``ValueError`` if the input is not an image
    or is too small to be halved once per stage, and for values out of range.
    """

    accepts_inputs: ClassVar[frozenset[str]] = frozenset({"image"})

    def __init__(
        self,
        input_shape: Sequence[int],
        out_features: int,
        head: HeadFactory,
        channels: Sequence[int] = (16, 32),
        width: int = 64,
        activation: str = "relu",
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        planes = (input_shape[0] if input_shape else 0, *channels)
        if width < 1 or not channels or min(channels) < 1:
            raise ValueError(f"ConvNet: channels={tuple(channels)}, width={width}, expected positive numbers")
        if not 0 <= dropout < 1:
            raise ValueError(f"ConvNet: dropout={dropout}, expected a probability in [0, 1)")
        height, wide = _pooled_size(input_shape, stages=len(channels))
        self.stages = nn.Sequential(*(Stage(a, b, activation, batch_norm) for a, b in pairwise(planes)))
        self.hidden = nn.Linear(planes[-1] * height * wide, width)
        self.activation = build_activation(activation)
        self.dropout = nn.Dropout(dropout)
        self.head = head(width, out_features)

    def features(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, width)``."""
        out: Tensor = self.dropout(self.activation(self.hidden(self.stages(x).flatten(1))))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to logits ``(B, out_features)``."""
        out: Tensor = self.head(self.features(x))
        return out


def _pooled_size(input_shape: Sequence[int], stages: int) -> tuple[int, int]:
    if len(input_shape) != 3:
        raise ValueError(
            f"ConvNet: input_shape={tuple(input_shape)}, expected images (channels, height, width); "
            "for other inputs use model=mlp"
        )
    height, width = input_shape[1] >> stages, input_shape[2] >> stages
    if min(height, width) < 1:
        raise ValueError(
            f"ConvNet: images of {input_shape[1]}x{input_shape[2]} are too small to be halved {stages} times, "
            f"expected at least {2**stages}x{2**stages}; give model.channels fewer entries"
        )
    return height, width
