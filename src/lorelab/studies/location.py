"""Where the differences lie: an estimate whose intervals and p-values are the same statement, read both ways.

Everything works on many studies at once: leading axes are studies, the last axis are the seeds of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lorelab.studies.differences import SAME, Floats, exceeds
from lorelab.studies.signflip import SignFlip, sign_flip

FEW = 10
"""Below this many seeds Student's t alone is not calibrated on tied scores (benchmarks/README.md, calibration)."""


class Tails(Protocol):
    """One-sided p-values."""

    def above(self, threshold: float) -> Floats:
        """(...) against "it is at most ``threshold``"."""
        ...

    def below(self, threshold: float) -> Floats:
        """(...) against "it is at least ``threshold``"."""
        ...


class Location(Tails, Protocol):
    """``above(t) < tail`` says the same as: the interval of confidence ``1 - 2 * tail`` lies above ``t``."""

    @property
    def estimate(self) -> Floats:
        """(...) of the mean or median."""
        ...

    def interval(self, confidence: float) -> tuple[Floats, Floats]:
        """(...) lower and upper ends, two-sided and equal-tailed."""
        ...


@dataclass(frozen=True)
class TMean:
    """Mean with Student's t. Equal values say little about a score that moves in steps: all of n being equal happens
    with probability (1 − q)ⁿ when a share q of them is a step away, so an interval is never narrower than that allows.
    """

    estimate: Floats
    error: Floats
    """(...) Standard error."""
    df: Floats
    step: Floats
    """(...) See ``Differences.step``."""
    n: int

    def interval(self, confidence: float) -> tuple[Floats, Floats]:
        """(...) ends; symmetric."""
        tail = (1 - confidence) / 2
        half = np.maximum(stats.t.isf(tail, self.df) * self.error, self.step * (1 - tail ** (1 / self.n)))
        return self.estimate - half, self.estimate + half

    def above(self, threshold: float) -> Floats:
        """(...) One-sided p-value."""
        return self._tail(self.estimate - threshold)

    def below(self, threshold: float) -> Floats:
        """(...) One-sided p-value."""
        return self._tail(threshold - self.estimate)

    def _tail(self, distance: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(distance == 0, 0.0, distance / self.error)
            share = np.where(distance > 0, np.clip(distance / self.step, 0, 1), 0.0)
        return np.maximum(stats.t.sf(t, self.df), np.minimum((1 - share) ** self.n, 0.5))


@dataclass(frozen=True)
class SmallMean:
    """Mean of few seeds: the wider of the t and the sign-flip interval, the latter at the nominal confidence or the
    largest it can have (at n = 5: 93.75 %, from the least to the greatest difference)."""

    t: TMean
    flips: SignFlip

    @property
    def estimate(self) -> Floats:
        """(...) mean."""
        return self.t.estimate

    def interval(self, confidence: float) -> tuple[Floats, Floats]:
        """(...) ends."""
        low, high = self.t.interval(confidence)
        least, most = self.flips.interval(min(confidence, 1 - 2 * self._least_p))
        return np.minimum(low, least), np.maximum(high, most)

    def above(self, threshold: float) -> Floats:
        """(...) One-sided p-value."""
        return self._larger(self.t.above(threshold), self.flips.above(threshold))

    def below(self, threshold: float) -> Floats:
        """(...) One-sided p-value."""
        return self._larger(self.t.below(threshold), self.flips.below(threshold))

    @property
    def _least_p(self) -> float:
        return 1 / (self.flips.means.shape[-1] + 1)

    def _larger(self, t: Floats, flips: Floats) -> Floats:
        return np.where(flips > self._least_p, np.maximum(t, flips), t)


@dataclass(frozen=True)
class Median:
    """Median by order statistics (the sign test): holds for every distribution, infinite differences included."""

    ordered: Floats
    """(..., n) ascending."""

    @property
    def estimate(self) -> Floats:
        """(...) median; NaN between −inf and inf."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.median(self.ordered, axis=-1))

    def interval(self, confidence: float) -> tuple[Floats, Floats]:
        """(...) ends; infinite where n is too small for the confidence (five at 95 %)."""
        n = self.ordered.shape[-1]
        rank = int((stats.binom.cdf(np.arange(n), n, 0.5) <= (1 - confidence) / 2 * (1 + SAME)).sum())
        if rank == 0:
            nothing = np.full(self.ordered.shape[:-1], np.inf)
            return -nothing, nothing
        return self.ordered[..., rank - 1], self.ordered[..., n - rank]

    def above(self, threshold: float) -> Floats:
        """(...) One-sided p-value."""
        return self._sign(exceeds(self.ordered, threshold))

    def below(self, threshold: float) -> Floats:
        """(...) One-sided p-value."""
        return self._sign(exceeds(-self.ordered, -threshold))

    def _sign(self, beyond: NDArray[np.bool_]) -> Floats:
        n = beyond.shape[-1]
        return np.asarray(stats.binom.cdf((~beyond).sum(axis=-1), n, 0.5))


def student_t(values: Floats, step: ArrayLike = 0.0) -> TMean:
    """``values``: (..., n), n at least 2."""
    n = values.shape[-1]
    error = values.std(axis=-1, ddof=1) / np.sqrt(n)
    return TMean(values.mean(axis=-1), error, np.asarray(n - 1.0), np.asarray(step, float), n)


def mean_of(values: Floats, step: ArrayLike = 0.0) -> TMean | SmallMean:
    """What decides about a mean: t from ten seeds on, below the wider of t and sign-flip. ``values``: (..., n)."""
    t = student_t(values, step)
    return t if values.shape[-1] >= FEW else SmallMean(t, sign_flip(values))


def median_of(values: Floats) -> Median:
    """``values``: (..., n)."""
    return Median(np.sort(values, axis=-1))


def mean_over_tasks(strata: Sequence[Floats], steps: Sequence[ArrayLike]) -> TMean:
    """Mean over tasks of their means, each task weighing the same; the tasks are fixed, not drawn. Standard error
    from the errors within the tasks, degrees of freedom after Satterthwaite (1946). ``strata``: (..., n) per task."""
    parts = [student_t(values) for values in strata]
    count, squares = len(parts), np.stack([part.error**2 for part in parts])
    dfs = np.array([values.shape[-1] - 1.0 for values in strata]).reshape(-1, *[1] * (squares.ndim - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        df = squares.sum(axis=0) ** 2 / (squares**2 / dfs).sum(axis=0)
    df = np.where(np.isfinite(df), df, dfs.min())
    estimate = np.mean([part.estimate for part in parts], axis=0)
    # All values equal within every task: the largest unseen shift of the mean is one step in an equal share of each.
    step = np.max([np.asarray(step, float) for step in steps], axis=0)
    return TMean(estimate, np.sqrt(squares.sum(axis=0)) / count, df, step, count * min(len(v.T) for v in strata))
