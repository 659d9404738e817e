"""Wrong training targets, put in on purpose: a share of them, drawn anew for each seed. Other splits stay clean."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import torch
from torch import Generator, Tensor

from lorelab.data.splits import DataSplits
from lorelab.errors import DataError
from lorelab.records import DataSpec
from lorelab.seeds import derive_seed


class Corruption(Protocol):
    """Takes targets ``(N,)`` as a split holds them and returns new ones; what it draws depends on the generator."""

    accepts_targets: frozenset[str]

    def __call__(self, targets: Tensor, spec: DataSpec, generator: Generator) -> Tensor:
        """A new tensor of the same shape and type."""
        ...


class SwapTargets:
    """Passes the targets of a ``fraction`` of the examples around among them: wrong values, or classes, that are as
    frequent as the right ones.

    Raises:
        ValueError: ``fraction`` is not in [0, 1].
    """

    accepts_targets = frozenset({"real", "class"})

    def __init__(self, fraction: float = 0.2) -> None:
        self.fraction = _share(fraction)

    def __call__(self, targets: Tensor, spec: DataSpec, generator: Generator) -> Tensor:
        """Each of those drawn gets the target of another one of them."""
        rows, changed = _drawn(targets, self.fraction, generator), targets.clone()
        changed[rows] = targets[rows.roll(1)]
        return changed


class ScaleTargets:
    """Multiplies the targets of a ``fraction`` of the examples, in their own unit: a decimal point out of place.

    Raises:
        ValueError: ``fraction`` is not in [0, 1], or ``factor`` is not above 0.
    """

    accepts_targets = frozenset({"real"})

    def __init__(self, fraction: float = 0.05, factor: float = 10.0) -> None:
        self.fraction = _share(fraction)
        if not factor > 0:
            raise ValueError(f"factor is {factor}; expected a number above 0")
        self.factor = factor

    def __call__(self, targets: Tensor, spec: DataSpec, generator: Generator) -> Tensor:
        """Targets are held standardised, by the mean and spread of the clean ones."""
        rows, changed = _drawn(targets, self.fraction, generator), targets.clone()
        wrong = self.factor * (targets[rows] * spec.target_std + spec.target_mean)
        changed[rows] = (wrong - spec.target_mean) / spec.target_std
        return changed


def corrupted(splits: DataSplits, corruption: Corruption, seed: int) -> DataSplits:
    """``splits`` with the targets of the training split corrupted; facts and record stay those of the clean data.

    Raises:
        DataError: a corruption of targets of another kind.
    """
    if splits.spec.target_kind not in corruption.accepts_targets:
        expected = " or ".join(f"'{kind}'" for kind in sorted(corruption.accepts_targets))
        raise DataError(
            f"corruption: the targets of {splits.spec.name} are of kind '{splits.spec.target_kind}'; this corruption "
            f"expects {expected}. Use corruption=none."
        )
    generator = torch.Generator().manual_seed(derive_seed(seed, "corruption"))
    targets = corruption(splits.train.targets, splits.spec, generator)
    said = f"{type(corruption).__name__} {vars(corruption)}, seed {seed}"
    return replace(splits, train=replace(splits.train, targets=targets), altered=said)


def _share(fraction: float) -> float:
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction is {fraction}; expected a share from 0 to 1")
    return fraction


def _drawn(targets: Tensor, fraction: float, generator: Generator) -> Tensor:
    """Rows, in random order."""
    return torch.randperm(len(targets), generator=generator)[: round(fraction * len(targets))]
