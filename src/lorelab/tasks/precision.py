"""How precise a number must be before a loss is made of it."""

from __future__ import annotations

import torch
from torch import Tensor


def precise(values: Tensor) -> Tensor:
    """At least float32: half-precision outputs are too coarse for a softmax, a small error or a log-density. Float64
    stays what it is."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
