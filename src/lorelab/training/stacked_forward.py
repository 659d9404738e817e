"""Forward passes written out for all members at once, as products of batched matrices: without ``vmap``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lorelab.nets.charmlp import CharMLP
from lorelab.nets.convnet import ConvNet, Stage
from lorelab.nets.heads import CosineHead, MLPHead, PrejudicedHead
from lorelab.nets.mlp import MLP
from lorelab.training.stacked_draws import Draws

Tensors = Mapping[str, Tensor]
"""Parameters and buffers of all members ``(M, ...)``, by the names that they have in the net."""
Layer = Callable[[Tensors, Tensor], Tensor]
"""All members' inputs ``(M, N, F)`` to their outputs ``(M, N, K)``."""


class Forward(Protocol):
    """A net's ``forward`` and ``features`` for all members at once."""

    def __call__(self, method: str, tensors: Tensors, inputs: Tensor) -> Tensor:
        """``inputs``: of all members, ``(M, ...)``."""
        ...


UNFOLDED_ON = ("cuda",)
"""Devices on which a stack of convolutions is written out; a CPU is faster with grouped ones, and fastest without."""


def forward_of(net: nn.Module, draws: Draws | None) -> Forward | None:
    """The forward pass of ``net`` written out for all members, or None where there is none but ``vmap``'s own.
    ``draws``: of dropout masks; None in evaluation."""
    if type(net) is ConvNet:
        return _convolutional(net, draws) if next(net.parameters()).device.type in UNFOLDED_ON else None
    if type(net) is MLP:
        # Examples last: then the gradients of the weights come out as the weights lie in memory.
        linear = partial(_linear, examples_last=True)
        products = [linear(f"layers.{place}") for place in range(len(net.layers))]
    elif type(net) is CharMLP:
        # Examples first, as embeddings and losses have them: there are many positions and many characters to turn over.
        linear = partial(_linear, examples_last=False)
        products = [_embedded(net), *(linear(f"layers.{place}") for place in range(1, len(net.layers)))]
    else:
        return None
    head = _head(net.head, linear)
    if head is None:
        return None
    activation, per_position = net.activation, type(net) is CharMLP

    def forward(method: str, tensors: Tensors, inputs: Tensor) -> Tensor:
        x = inputs if per_position else inputs.flatten(2)
        for product in products:
            x = activation(product(tensors, x))
            x = x if draws is None else draws.drop_all("dropout", x)
        x = x if method == "features" else head(tensors, x)
        return x.unflatten(1, inputs.shape[1:]) if per_position else x

    return forward


def _convolutional(net: ConvNet, draws: Draws | None) -> Forward | None:
    linear = partial(_linear, examples_last=False)
    hidden, head = linear("hidden"), _head(net.head, linear)
    stages = [stage for stage in net.stages if isinstance(stage, Stage)]
    if head is None:
        return None

    def forward(method: str, tensors: Tensors, inputs: Tensor) -> Tensor:
        x = inputs.transpose(1, 2)  # (M, C, B, H, W): each channel in one piece, as products of patches come out
        for place, stage in enumerate(stages):
            x = _convolved(x, tensors[f"stages.{place}.conv.weight"], tensors[f"stages.{place}.conv.bias"])
            if isinstance(stage.norm, nn.BatchNorm2d):
                x = _normalised(x, stage.norm, tensors, f"stages.{place}.norm")
            x = stage.activation(x)
            x = F.max_pool2d(x.flatten(0, 1), 2).unflatten(0, x.shape[:2])
        x = net.activation(hidden(tensors, x.transpose(1, 2).flatten(2)))
        x = x if draws is None else draws.drop_all("dropout", x)
        return x if method == "features" else head(tensors, x)

    return forward


def _convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``(M, C, B, H, W)`` and 3 × 3 filters ``(M, K, C, 3, 3)`` to ``(M, K, B, H, W)``, padded with zeros: a product of
    filters and patches for each member."""
    patches = F.pad(x, (1, 1, 1, 1)).unfold(-2, 3, 1).unfold(-2, 3, 1)  # (M, C, B, H, W, 3, 3)
    patches = patches.permute(0, 1, 5, 6, 2, 3, 4).flatten(4).flatten(1, 3)  # (M, C * 9, B * H * W)
    return torch.baddbmm(bias.unsqueeze(2), weight.flatten(2), patches).unflatten(2, x.shape[2:])


def _normalised(x: Tensor, norm: nn.BatchNorm2d, tensors: Tensors, name: str) -> Tensor:
    """All members' channels are taken for those of one net."""
    mean, variance, scale, shift = (
        tensors[f"{name}.{part}"].flatten() for part in ("running_mean", "running_var", "weight", "bias")
    )
    if norm.training:
        tensors[f"{name}.num_batches_tracked"].add_(1)
    out = F.batch_norm(
        x.flatten(0, 1).unsqueeze(0), mean, variance, scale, shift, norm.training, norm.momentum or 0.0, norm.eps
    )
    return out.view_as(x)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, *, examples_last: bool) -> Tensor:
    """``(M, N, F)`` and ``(M, K, F)`` to ``(M, N, K)``. ``examples_last``: that is how it lies in memory."""
    if examples_last:
        x = x.transpose(1, 2)
        out = torch.bmm(weight, x) if bias is None else torch.baddbmm(bias.unsqueeze(2), weight, x)
        return out.transpose(1, 2)
    weight = weight.transpose(1, 2)
    return torch.bmm(x, weight) if bias is None else torch.baddbmm(bias.unsqueeze(1), x, weight)


def _linear(name: str, *, examples_last: bool) -> Layer:
    weight, bias = f"{name}.weight", f"{name}.bias"
    return lambda tensors, x: _product(x, tensors[weight], tensors.get(bias), examples_last=examples_last)


def _head(head: nn.Module, linear: Callable[[str], Layer]) -> Layer | None:
    if type(head) in (nn.Linear, PrejudicedHead):
        return linear("head")
    if type(head) is MLPHead:
        hidden, output, activation = linear("head.hidden"), linear("head.output"), head.activation
        return lambda tensors, x: output(tensors, activation(hidden(tensors, x)))
    if type(head) is CosineHead:
        cosine = linear("head")

        def scaled(tensors: Tensors, x: Tensor) -> Tensor:
            directions = {"head.weight": F.normalize(tensors["head.weight"], dim=-1)}
            # A buffer where it is not learned: each member's own either way.
            scale = torch.exp(-tensors["head.log_temperature"])
            return cosine(directions, F.normalize(x, dim=-1)) * scale.view(-1, 1, 1)

        return scaled
    return None


_POSITIONS = 3
"""Positions per character of the vocabulary, from which on ``_embedded`` is faster by sums (measured on a CPU)."""


def _embedded(net: CharMLP) -> Layer:
    """Tokens ``(M, B, T)`` to what the first hidden layer makes of their embeddings, ``(M, B * T, width)``.

    That is a sum over the places within reach, and what a character adds at a place is one of few rows. Where there are
    many positions, the rows are found first, once for each character and place, and then summed up: less work than to
    multiply at every position.
    """
    reach, before = net.reach, net.before

    def layer(tensors: Tensors, tokens: Tensor) -> Tensor:
        table, weight, bias = tensors["tokens.weight"], tensors["layers.0.weight"], tensors["layers.0.bias"]
        (members, characters, _), width = table.shape, weight.shape[1]
        own = torch.arange(members, device=tokens.device).view(-1, 1, 1, 1) * characters
        read = own + F.pad(tokens, (reach - 1, 0), value=before).unfold(-1, reach, 1)
        if tokens[0].numel() < _POSITIONS * characters:
            side_by_side = F.embedding(read, table.flatten(0, 1)).flatten(3).flatten(1, 2)
            return _product(side_by_side, weight, bias, examples_last=False)
        by_place = weight.unflatten(2, (reach, -1)).permute(0, 3, 2, 1).flatten(2)  # (M, embedding, reach * width)
        rows = torch.bmm(table, by_place).view(members * characters * reach, width)
        wanted = (read * reach + torch.arange(reach, device=tokens.device)).flatten(0, 2)
        return F.embedding_bag(wanted, rows, mode="sum").view(members, -1, width) + bias.unsqueeze(1)

    return layer
