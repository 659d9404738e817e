"""Simulated studies: scores of two arms over seeds, of several shapes, whose true difference is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lorelab.studies.differences import Differences, Floats, paired
from lorelab.studies.location import Median, SmallMean, TMean, mean_of, median_of

Noise = Callable[[np.random.Generator, tuple[int, int]], Floats]
MARGIN = 1.0
"""In standard deviations of the difference."""


def normal(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    return rng.normal(size=size)


def skewed(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Exponential downwards: most runs near the best, some far below. Skewness −2."""
    return 1 - rng.exponential(size=size)


def very_skewed(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Lognormal downwards, skewness −6."""
    return (np.exp(0.5) - rng.lognormal(size=size)) / np.sqrt(np.e * (np.e - 1))


def heavy(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Student's t with three degrees of freedom: no fourth moment."""
    return rng.standard_t(3, size) / np.sqrt(3)


@dataclass(frozen=True)
class Shape:
    """Each arm's score: what the seed does to both, and noise of its own; the difference has standard deviation 1."""

    noise: Noise
    grid: float = 0.0
    """Scores are rounded to multiples of it."""
    lopsided: bool = False
    """Only arm B has the noise; A's is small and normal."""
    diverging: float = 0.0
    """Share of the runs of either arm that diverge."""

    def study(self, rng: np.random.Generator, studies: int, n: int, difference: float) -> tuple[Floats, Floats]:
        """Scores (studies, n) of A and of B."""
        size = (studies, n)
        parts = (0.3, np.sqrt(1 - 0.3**2)) if self.lopsided else (np.sqrt(0.5), np.sqrt(0.5))
        seeds = rng.normal(size=size)
        a = seeds + difference + parts[0] * (normal if self.lopsided else self.noise)(rng, size)
        b = seeds + parts[1] * self.noise(rng, size)
        scores = np.stack([a, b])
        if self.grid:
            scores = np.round(scores / self.grid) * self.grid
        scores[rng.random(scores.shape) < self.diverging] = np.nan
        return scores[0], scores[1]


JUDGED = {
    "normal": Shape(normal),
    "skewed": Shape(skewed),
    "heavy tails": Shape(heavy),
    "tied": Shape(normal, grid=1.0),
}
"""Held to the bar."""
BEYOND = {
    "very skewed": Shape(very_skewed),
    "tied on a finer grid": Shape(normal, grid=0.5),
    "tied on a coarser grid": Shape(normal, grid=2.0),
    "one arm skewed": Shape(skewed, lopsided=True),
    "one arm very skewed": Shape(very_skewed, lopsided=True),
}
"""Shown, to know where it ends."""


@dataclass(frozen=True)
class Studies:
    """Differences of many studies, made by the function that real ones go through."""

    values: Floats
    """(studies, n)"""
    step: Floats
    """(studies,)"""

    def scaled(self, scale: float) -> Studies:
        """The same, spread wider."""
        return Studies(self.values * scale, self.step * scale)

    def where(self, n: int) -> TMean | SmallMean | Median:
        """What decides after ``n`` seeds."""
        if not np.isfinite(self.values).all():
            return median_of(self.values[:, :n])
        return mean_of(self.values[:, :n], self.step)


def simulate(shape: Shape, rng: np.random.Generator, studies: int, n: int, difference: float) -> Studies:
    a, b = shape.study(rng, studies, n, difference)
    each: list[Differences] = [paired(a[i], b[i], "max") for i in range(studies)]
    return Studies(np.array([d.values for d in each]), np.array([d.step for d in each]))
