"""Losses that are functions of one number: the probability p that softmax gives to the right class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

LossName = Literal["cross_entropy", "one_minus_p", "one_minus_p_squared"]


def one_minus_p(logits: Tensor, targets: Tensor) -> Tensor:
    """1 − p of each example: logits ``(B, C)``, classes ``(B,)`` to ``(B,)``; the expected share of errors of a
    classifier that draws its answer."""
    # Where p is close to 1, keeps the digits that subtracting it from 1 would lose.
    return -torch.expm1(-F.cross_entropy(logits, targets, reduction="none"))


def one_minus_p_squared(logits: Tensor, targets: Tensor) -> Tensor:
    """(1 − p)² of each example, ``(B,)``. Not the Brier score, which also counts the other classes (with two classes it
    is half of it)."""
    return one_minus_p(logits, targets).square()


LOSSES: Mapping[LossName, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": lambda logits, targets: F.cross_entropy(logits, targets, reduction="none"),
    "one_minus_p": one_minus_p,
    "one_minus_p_squared": one_minus_p_squared,
}
"""Each by the name that it has in a config."""
