"""What a learning-rate range test suggests, as pure functions on its curve of losses over rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Curve = NDArray[np.float64]
_APART = 10.0
"""Two rules that differ by more than this factor do not support each other."""
_CLEAR = 6.0
"""How many standard deviations of the smoothed loss a fall must have to be one."""


@dataclass(frozen=True)
class Suggestion:
    """What the curve says."""

    rates: Mapping[str, float] = field(default_factory=dict)
    """Rate by rule: ``steepest``, ``minimum/10``, ``valley``; empty where the curve has no valley to read."""
    chosen: float | None = None
    reason: str = ""
    """How ``chosen`` came about, or why there is none and what to change."""


def smooth(losses: ArrayLike, window: float) -> Curve:
    """Exponential moving average over about ``window`` values, corrected for its start (Kingma & Ba 2015, section 3).

    ``(N,)`` to ``(N,)``; a value that is not finite is left out, and the average so far stands in its place.
    """
    values = np.asarray(losses, dtype=np.float64)
    series = pd.Series(np.where(np.isfinite(values), values, np.nan))
    return series.ewm(alpha=1 / max(window, 1.0)).mean().to_numpy()


def level(losses: ArrayLike, steps: int) -> float:
    """The loss before anything is learned: the median over the first tenth of the test."""
    return float(np.nanmedian(np.asarray(losses, dtype=np.float64)[: max(1, steps // 10)]))


def has_diverged(losses: ArrayLike, smoothed: Curve, steps: int, factor: float) -> bool:
    """Whether the last smoothed loss exceeds ``factor`` times the best, and has given back half of its fall: near a loss
    of 0 one hard batch does the former. Asked only after the first tenth, whose averages are of a few batches."""
    if len(smoothed) <= steps // 10:
        return False
    before = level(losses, steps)
    best = min(before, float(smoothed[steps // 10 :].min()))
    return bool(smoothed[-1] - best > max((factor - 1) * abs(best), (before - best) / 2))


def suggest(rates: ArrayLike, losses: ArrayLike, *, steps: int, window: float, diverged: bool) -> Suggestion:
    """Reads a curve of ``N`` ``rates`` (ascending) and raw ``losses``, of a test that was to take ``steps``.

    Read is only what comes before the lowest smoothed loss, smoothed once more from the back, so that the average does
    not lag. The three rules are those of fastai's ``lr_find``: the steepest fall over log rate; a tenth of the rate with
    the lowest loss; the middle of the longest valley (the longest falling subsequence). Each alone can be far off on a
    noisy curve, hence the choice: the median of the three, if another lies within a factor of ten of it.

    No rate is chosen if the fall is not clear of the noise, if the loss rises from the beginning, or if it still falls
    at the end of the range.
    """
    x, y = np.asarray(rates, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    skip, average = steps // 10, smooth(losses, window)
    if len(y) <= skip + 2:
        return Suggestion(reason=f"the loss diverged within {len(y)} steps: lower --start")
    lowest = skip + int(average[skip:].argmin())
    before, noise = level(y, steps), _noise(y[: lowest + 1])
    fall = before - float(average[lowest])
    if fall <= _CLEAR * noise / math.sqrt(2 * window - 1):
        return Suggestion(reason=_no_fall(fall, noise, rising=diverged and lowest < 2 * skip))
    if lowest < 2 * skip:
        return Suggestion(reason=f"the loss is lowest after {lowest} steps, at the start of the range: lower --start")
    if not diverged and lowest >= len(y) - 1 - max(1, skip // 2):
        return Suggestion(reason=f"the loss still falls at a rate of {x[lowest]:.2g}, the end of the range: raise --end")
    found = _rules(x[skip : lowest + 1], smooth(average[skip : lowest + 1][::-1], window)[::-1])
    return _chosen(found)


def _rules(rates: Curve, losses: Curve) -> dict[str, float]:
    slopes = np.diff(losses) / np.diff(np.log(rates))
    return {
        "steepest": float(rates[slopes.argmin()]),
        "minimum/10": float(rates[losses.argmin()]) / 10,
        "valley": float(rates[_valley(losses)]),
    }


def _valley(losses: Curve) -> int:
    """The middle of the longest strictly falling subsequence, as an index."""
    length, before = np.ones(len(losses), dtype=int), np.arange(len(losses))
    for i in range(1, len(losses)):
        higher = np.flatnonzero(losses[:i] > losses[i])
        if len(higher):
            before[i] = higher[length[higher].argmax()]
            length[i] = length[before[i]] + 1
    end = start = int(length.argmax())
    while before[start] != start:
        start = int(before[start])
    return (start + end) // 2


def _noise(losses: Curve) -> float:
    """Standard deviation of one raw loss about its trend: of neighbours' differences, robust against outliers."""
    return 1.4826 * float(np.median(np.abs(np.diff(losses)))) / math.sqrt(2)


def _no_fall(fall: float, noise: float, *, rising: bool) -> str:
    if rising:
        return "the loss rises from the start of the range: lower --start"
    return (
        f"the loss falls by {max(fall, 0.0):.2g}, not clear of its noise of {noise:.2g} a batch: raise --steps, or "
        "loader.batch_size"
    )


def _chosen(found: Mapping[str, float]) -> Suggestion:
    low, middle, high = sorted(found.values())
    if min(middle / low, high / middle) > _APART:
        return Suggestion(found, reason="the three rules lie more than a factor of ten apart: raise --steps")
    return Suggestion(found, middle, "the median of the three rules")
