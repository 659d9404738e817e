"""The same check in both number formats."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from lorelab.studies.differences import Floats

FORMATS = {"float64": torch.float64, "float32": torch.float32}
Check = Callable[[torch.dtype, Generator], list[Tensor]]
"""Deviations of some quantities, each of any shape, on inputs drawn in one format."""


def in_both(check: Check, seed: int) -> dict[str, Floats]:
    """Format → every deviation, flat. Each format draws from ``seed`` anew."""
    found = {}
    for name, dtype in FORMATS.items():
        parts = check(dtype, torch.Generator().manual_seed(seed))
        found[name] = torch.cat([part.detach().double().abs().flatten() for part in parts]).numpy()
    return found
