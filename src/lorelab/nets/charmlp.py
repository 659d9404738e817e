"""A multilayer perceptron over the last few characters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from lorelab.nets.activations import activation as build_activation
from lorelab.nets.heads import HeadFactory


class CharMLP(nn.Module):
    """At every position, the embeddings of the last ``reach`` tokens side by side, through ``depth`` hidden layers.

    The feed-forward language model of Bengio et al. 2003 (JMLR 3) without its direct connections. Positions before
    the window's start read a learned embedding of their own. PyTorch's default initialisation. The vocabulary is
    ``out_features``. Raises ``ValueError`` for an input that is not a row of tokens, and for values out of range.
    """

    accepts_inputs: ClassVar[frozenset[str]] = frozenset({"text"})

    def __init__(
        self,
        input_shape: Sequence[int],
        out_features: int,
        head: HeadFactory,
        reach: int = 8,
        embedding: int = 16,
        width: int = 256,
        depth: int = 1,
        activation: str = "tanh",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if len(input_shape) != 1 or input_shape[0] < 1:
            raise ValueError(f"CharMLP: input_shape={tuple(input_shape)}, expected rows of tokens (T,)")
        if min(reach, embedding, width, depth) < 1:
            raise ValueError(
                f"CharMLP: reach={reach}, embedding={embedding}, width={width}, depth={depth}, "
                "expected positive numbers"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"CharMLP: dropout={dropout}, expected a probability in [0, 1)")
        self.reach, self.before = reach, out_features
        self.tokens = nn.Embedding(out_features + 1, embedding)
        sizes = [reach * embedding] + [width] * depth
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.activation = build_activation(activation)
        self.dropout = nn.Dropout(dropout)
        self.head = head(width, out_features)

    def features(self, x: Tensor) -> Tensor:
        """``(B, T)`` tokens to ``(B, T, width)``; any ``T``."""
        padded = F.pad(x, (self.reach - 1, 0), value=self.before)
        out: Tensor = self.tokens(padded.unfold(-1, self.reach, 1)).flatten(-2)
        for layer in self.layers:
            out = self.dropout(self.activation(layer(out)))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """``(B, T)`` tokens to logits of the next token ``(B, T, out_features)``."""
        out: Tensor = self.head(self.features(x))
        return out
