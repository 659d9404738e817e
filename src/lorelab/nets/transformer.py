"""A decoder-only transformer over tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lorelab.nets.activations import activation as build_activation
from lorelab.nets.heads import HeadFactory

_INITIAL_STD = 0.02


class Attention(nn.Module):
    """Causal multi-head self-attention: ``(B, T, width)`` to the same shape."""

    def __init__(self, width: int, heads: int, dropout: float, bias: bool) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.projection = nn.Linear(width, width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Position ``t`` sees positions up to and including ``t``."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).transpose(-4, -2).unbind(-3)  # each (B, H, T, D)
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout * self.training, is_causal=True)
        out: Tensor = self.projection(mixed.transpose(-3, -2).flatten(-2))
        return out


class Block(nn.Module):
    """Attention and a two-layer net four times as wide, each on the normalised stream and added to it (pre-norm)."""

    def __init__(self, width: int, heads: int, activation: str, dropout: float, bias: bool) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, bias=bias)
        self.attention = Attention(width, heads, dropout, bias)
        self.norm = nn.LayerNorm(width, bias=bias)
        self.hidden = nn.Linear(width, 4 * width, bias=bias)
        self.activation = build_activation(activation)
        self.projection = nn.Linear(4 * width, width, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, T, width)`` to the same shape."""
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        return x + self.dropout(self.projection(self.activation(self.hidden(self.norm(x)))))


class Transformer(nn.Module):
    """Token and position embeddings, ``layers`` pre-norm blocks of ``heads`` heads, a last norm, then the head.

    As GPT-2 (Radford et al. 2019): learned positions, at most ``input_shape[0]`` of them; weights of every linear
    layer and embedding drawn from N(0, 0.02²), those that write to the residual stream from N(0, 0.02² / 2 layers);
    biases 0. A head that is not linear keeps its own first weights. The vocabulary is ``out_features``: what is
    predicted is what is read. ``tie_weights``: the head's matrix is the token embedding itself (Press & Wolf 2017,
    arXiv:1608.05859). Raises ``ValueError`` for an input that is not a row of tokens, and for values out of range.
    """

    accepts_inputs: ClassVar[frozenset[str]] = frozenset({"text"})

    def __init__(
        self,
        input_shape: Sequence[int],
        out_features: int,
        head: HeadFactory,
        layers: int = 4,
        heads: int = 4,
        width: int = 128,
        activation: str = "gelu",
        dropout: float = 0.0,
        bias: bool = False,
        tie_weights: bool = False,
    ) -> None:
        super().__init__()
        _check(input_shape, layers, heads, width, dropout)
        self.context = input_shape[0]
        self.tokens = nn.Embedding(out_features, width)
        self.positions = nn.Embedding(self.context, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, activation, dropout, bias) for _ in range(layers))
        self.norm = nn.LayerNorm(width, bias=bias)
        self.head = head(width, out_features)
        self._initialise()
        if tie_weights:
            self._tie()

    def features(self, x: Tensor) -> Tensor:
        """``(B, T)`` tokens to ``(B, T, width)``; ``T`` up to the context."""
        length = x.shape[-1]
        if length > self.context:
            raise ValueError(f"Transformer: {length} tokens, expected at most the {self.context} it has positions for")
        x = self.dropout(self.tokens(x) + self.positions(torch.arange(length, device=x.device)))
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """``(B, T)`` tokens to logits of the next token ``(B, T, out_features)``."""
        out: Tensor = self.head(self.features(x))
        return out

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=_INITIAL_STD)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        for name, weight in self.blocks.named_parameters():
            if name.endswith("projection.weight"):
                nn.init.normal_(weight, std=_INITIAL_STD / math.sqrt(2 * len(self.blocks)))

    def _tie(self) -> None:
        weight = getattr(self.head, "weight", None)
        if weight is None or weight.shape != self.tokens.weight.shape:
            raise ValueError(
                f"Transformer: tie_weights=True with a head of type {type(self.head).__name__}, expected a head with "
                "one matrix of tokens × width (linear, linear_no_bias, cosine); set model.tie_weights=false"
            )
        self.head.weight = self.tokens.weight


def _check(input_shape: Sequence[int], layers: int, heads: int, width: int, dropout: float) -> None:
    if len(input_shape) != 1 or input_shape[0] < 1:
        raise ValueError(f"Transformer: input_shape={tuple(input_shape)}, expected rows of tokens (T,)")
    if min(layers, heads, width) < 1:
        raise ValueError(f"Transformer: layers={layers}, heads={heads}, width={width}, expected positive numbers")
    if width % heads:
        raise ValueError(f"Transformer: width={width} cannot be shared by heads={heads}, expected a multiple")
    if not 0 <= dropout < 1:
        raise ValueError(f"Transformer: dropout={dropout}, expected a probability in [0, 1)")
