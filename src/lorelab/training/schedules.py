"""Learning-rate schedules as pure functions of progress: ``(step, total) -> factor`` on the optimiser's own rate.

``step`` counts optimiser steps from 0, ``total`` is the run's real budget in the same unit. Fractions in the fields
are of that budget, so a schedule means the same thing for every length of run. The formulas are those of
``torch.optim.lr_scheduler``; past the budget the last value holds (torch's cosine would climb again).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Schedule = Callable[[int, int], float]


@dataclass(frozen=True)
class Constant:
    """The optimiser's own rate throughout."""

    def __call__(self, step: int, total: int) -> float:  # noqa: D102
        _clamped(step, total)
        return 1.0


@dataclass(frozen=True)
class Step:
    """Times ``gamma`` at each milestone (``MultiStepLR``), ascending fractions of the budget in (0, 1)."""

    milestones: Sequence[float] = (0.5, 0.75)
    gamma: float = 0.1

    def __post_init__(self) -> None:
        milestones = tuple(self.milestones)
        if list(milestones) != sorted(set(milestones)) or not all(0 < m < 1 for m in milestones):
            raise ValueError(
                f"Step: milestones={list(milestones)}, expected ascending fractions of the budget in (0, 1)"
            )
        _check("Step", "gamma", self.gamma, 0 < self.gamma <= 1, "a number in (0, 1]")
        object.__setattr__(self, "milestones", milestones)

    def __call__(self, step: int, total: int) -> float:  # noqa: D102
        return self.gamma ** bisect_right(self.milestones, _clamped(step, total) / total)


@dataclass(frozen=True)
class Cosine:
    """From 1 to ``final`` along half a cosine (``CosineAnnealingLR``; Loshchilov & Hutter 2017, arXiv:1608.03983)."""

    final: float = 0.0

    def __post_init__(self) -> None:
        _check("Cosine", "final", self.final, 0 <= self.final <= 1, "a factor in [0, 1]")

    def __call__(self, step: int, total: int) -> float:  # noqa: D102
        return _anneal(1.0, self.final, _clamped(step, total) / total)


@dataclass(frozen=True)
class WarmupCosine:
    """Linearly from ``start`` to 1 over the fraction ``warmup`` of the budget, then ``Cosine`` over the rest.

    As ``SequentialLR`` of ``LinearLR`` and ``CosineAnnealingLR``. With ``start=0`` the first step changes no weight.
    """

    warmup: float = 0.05
    start: float = 0.01
    final: float = 0.0

    def __post_init__(self) -> None:
        _check("WarmupCosine", "warmup", self.warmup, 0 <= self.warmup < 1, "a fraction of the budget in [0, 1)")
        _check("WarmupCosine", "start", self.start, 0 <= self.start <= 1, "a factor in [0, 1]")
        _check("WarmupCosine", "final", self.final, 0 <= self.final <= 1, "a factor in [0, 1]")

    def __call__(self, step: int, total: int) -> float:  # noqa: D102
        step = _clamped(step, total)
        rising = round(self.warmup * total)
        if step < rising:
            return self.start + (1.0 - self.start) * step / rising
        return _anneal(1.0, self.final, (step - rising) / max(1, total - rising))


@dataclass(frozen=True)
class OneCycle:
    """Up from ``start`` to 1 at the fraction ``peak_at`` of the budget, then down to ``final``, both half a cosine.

    As ``OneCycleLR`` without its momentum cycle (Smith & Topin 2018, arXiv:1708.07120); ``final`` is relative to the
    peak, which is the optimiser's own rate, and is reached at the last step.
    """

    peak_at: float = 0.3
    start: float = 1 / 25
    final: float = 1 / 250_000

    def __post_init__(self) -> None:
        _check("OneCycle", "peak_at", self.peak_at, 0 <= self.peak_at <= 1, "a fraction of the budget in [0, 1]")
        _check("OneCycle", "start", self.start, 0 <= self.start <= 1, "a factor in [0, 1]")
        _check("OneCycle", "final", self.final, 0 <= self.final <= 1, "a factor in [0, 1]")

    def __call__(self, step: int, total: int) -> float:  # noqa: D102
        step, last = min(_clamped(step, total), total - 1), total - 1
        peak = self.peak_at * total - 1  # torch's own: a step that need not be whole, or even positive
        if peak > 0 and step <= peak:
            return _anneal(self.start, 1.0, step / peak)
        return _anneal(1.0, self.final, (step - peak) / (last - peak)) if last > peak else 1.0


def _anneal(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1.0 + math.cos(math.pi * progress)) / 2.0


def _clamped(step: int, total: int) -> int:
    if total < 1 or step < 0:
        raise ValueError(f"schedule: step={step} of total={total}, expected step >= 0 and total >= 1")
    return min(step, total)


def _check(schedule: str, name: str, value: float, fits: bool, expected: str) -> None:
    if not fits:
        raise ValueError(f"{schedule}: {name}={value}, expected {expected}")
