"""What a learning-rate range test suggests, as pure functions on its curve of losses over rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import median_filter

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


def has_diverged(losses: ArrayLike, *, steps: int, window: float, factor: float) -> bool:
    """Whether the last smoothed loss exceeds ``factor`` times the best, by half of the fall and clear of the noise.

    Near a loss of 0, or with a few examples a batch, one hard batch does the first alone. Never in the first tenth of
    the test, whose averages are of a few batches.
    """
    values, average = np.asarray(losses, dtype=np.float64), smooth(losses, window)
    if len(average) <= steps // 10:
        return False
    lowest = _lowest(average, steps)
    best = min(average[lowest], _level(values, steps))
    rise, fall = average[-1] - best, _level(values, steps) - best
    return bool(rise > max((factor - 1) * abs(best), fall / 2, _clear(values[: lowest + 1], window)))


def suggest(rates: ArrayLike, losses: ArrayLike, *, steps: int, window: float, diverged: bool) -> Suggestion:
    """Reads a curve of ``N`` ``rates`` (ascending) and raw ``losses``, of a test that was to take ``steps``.

    Read is only what comes before the lowest smoothed loss, without single odd batches (a running median of three: the
    last batch of an epoch may be smaller) and smoothed once more from the back, so that it does not lag.

    The three rules are those of fastai's ``lr_find``: the steepest fall over log rate; a tenth of the rate with the
    lowest loss; the middle of the longest valley (the longest falling subsequence). Each alone can be far off on a
    noisy curve, hence the choice: the median of the three, if another lies within a factor of ten of it.

    No rate is chosen if the fall is not clear of the noise, if the loss rises from the beginning, or if it still falls
    at the end of the range.
    """
    x, y = np.asarray(rates, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    steady, skip = median_filter(y, 3, mode="nearest"), steps // 10
    average = smooth(steady, window)
    if len(y) <= skip + 2:
        return Suggestion(reason=f"the loss diverged within {len(y)} steps: lower --start")
    lowest, level = _lowest(average, steps), _level(steady, steps)
    fall, needed = level - float(average[lowest]), _clear(y[: lowest + 1], window)
    if lowest < 2 * skip and (diverged or average[-1] - level > needed):
        return Suggestion(reason="the loss rises from the start of the range on: lower --start")
    if fall <= needed:
        advice = "raise --steps or loader.batch_size" if diverged else "raise --end"
        return Suggestion(reason=f"the loss falls by {max(fall, 0.0):.2g}, within its noise ({needed:.2g}): {advice}")
    if not diverged and lowest >= len(y) - 1 - max(1, skip // 2):
        return Suggestion(
            reason=f"the loss still falls at a rate of {x[lowest]:.2g}, the end of the range: raise --end"
        )
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
    """The middle of the longest strictly falling subsequence, as an index; of equals, that which spans the least."""
    length, before = np.ones(len(losses), dtype=int), np.arange(len(losses))
    for i in range(1, len(losses)):
        higher = np.flatnonzero(losses[:i] > losses[i])[::-1]
        if len(higher):
            before[i] = higher[length[higher].argmax()]
            length[i] = length[before[i]] + 1
    end = start = int(length.argmax())
    while before[start] != start:
        start = int(before[start])
    return (start + end) // 2


def _level(losses: Curve, steps: int) -> float:
    """The loss before anything is learned: the mean over the first tenth of the test."""
    return float(np.nanmean(losses[: max(1, steps // 10)]))


def _lowest(average: Curve, steps: int) -> int:
    """Where the smoothed loss is lowest; its first tenth does not count."""
    return steps // 10 + int(average[steps // 10 :].argmin())


def _clear(losses: Curve, window: float) -> float:
    """How far an average must move to move at all: several of its standard deviations, for independent noise.

    That of one loss is estimated from the differences of neighbours, which know no trend, by their 90 % quantile (1.645
    for a standard normal), which single spikes do not move. A loss is a float32: its rounding is no movement either.
    """
    noise = float(np.quantile(np.abs(np.diff(losses)), 0.9)) / (1.645 * math.sqrt(2))
    return _CLEAR * noise / math.sqrt(2 * window - 1) + float(np.finfo(np.float32).eps * np.abs(losses).max())


def _chosen(found: Mapping[str, float]) -> Suggestion:
    low, middle, high = sorted(found.values())
    if min(middle / low, high / middle) > _APART:
        return Suggestion(found, reason="the three rules lie more than a factor of ten apart: raise --steps")
    return Suggestion(found, middle, "the median of the three rules")
