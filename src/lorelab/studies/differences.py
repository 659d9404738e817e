"""Scores of two arms, paired by seed, as oriented differences; what becomes of runs that diverged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lorelab.errors import LorelabError

Floats = NDArray[np.float64]

SAME = 1e-9
"""Relative to the largest value: what lies closer than this differs by rounding only (0.97 − 0.95 and 0.02)."""


@dataclass(frozen=True)
class Differences:
    """A − B by seed, oriented so that larger is better for A."""

    values: Floats
    """(n,). ±inf where one arm alone diverged and the metric has no worst value; 0 where both did."""
    step: float
    """The smallest gap between two different scores of the arms: what one example more or less is worth. 0 if all
    scores are one."""
    diverged: tuple[int, int]
    """Runs of A and of B whose score was not finite."""
    has_mean: bool = True
    """False when a score is infinite: only the order of the differences has a meaning then."""

    @property
    def n(self) -> int:
        """Pairs."""
        return len(self.values)

    def in_units_of(self, unit: float) -> Differences:
        """The same on another scale, as in margins."""
        return replace(self, values=self.values / unit, step=self.step / unit)


def paired(
    a: Sequence[float] | Floats, b: Sequence[float] | Floats, mode: Literal["max", "min"], worst: float | None = None
) -> Differences:
    """``a[i]`` and ``b[i]`` are the scores of one seed. A score that is not finite is that of a diverged run and
    becomes ``worst``: the worst possible value of the metric, by default −inf (``mode`` max) or inf (min).

    Raises LorelabError when the arms differ in length, are shorter than two, or ``worst`` lies on the wrong side.
    """
    raw = np.array([np.asarray(a, float), np.asarray(b, float)]) if len(a) == len(b) else np.empty((2, 0))
    if raw.shape[1] < 2:
        raise LorelabError(
            f"Paired differences: found {len(a)} scores of one arm and {len(b)} of the other; expected the same "
            "number, two at least, one per seed in the same order. Run the missing seeds first."
        )
    sign = 1.0 if mode == "max" else -1.0
    lowest = -math.inf if worst is None else sign * worst
    scores = np.where(np.isfinite(raw), sign * raw, lowest)
    finite = raw[np.isfinite(raw)]
    if finite.size and (sign * finite).min() < lowest - SAME * abs(lowest):
        raise LorelabError(
            f"Paired differences: found a score of {sign * (sign * finite).min():g}, which is worse than the worst "
            f"possible value {worst:g} (mode {mode}). Correct `worst`, or leave it out if the metric has no bound."
        )
    with np.errstate(invalid="ignore"):
        values = np.where(scores[0] == scores[1], 0.0, scores[0] - scores[1])
    counts = (~np.isfinite(raw)).sum(axis=1)
    has_mean = bool(np.isfinite(scores).all())
    return Differences(values, resolution(finite), (int(counts[0]), int(counts[1])), has_mean)


def resolution(scores: Floats) -> float:
    """The smallest gap between two different values, in the unit of the scores; 0 if there are no two."""
    if scores.size == 0:
        return 0.0
    gaps = np.diff(np.sort(scores, axis=None))
    different = gaps[gaps > SAME * np.abs(scores).max()]
    return float(different.min()) if different.size else 0.0


def exceeds(values: Floats, threshold: float) -> NDArray[np.bool_]:
    """``values > threshold``, where a difference by rounding alone counts as none. Last axis: one study's values."""
    size = np.abs(np.where(np.isfinite(values), values, 0.0)).max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return values > threshold + SAME * np.maximum(size, abs(threshold))
