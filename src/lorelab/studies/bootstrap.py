"""Bootstrap intervals: of a mean (BCa, studentised) and over tasks (stratified). Shown beside the one that decides.

Equal generators give equal intervals. Leading axes are studies; they share the resampled positions.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from lorelab.studies.differences import Floats

RESAMPLES = 9_999


def bca(
    values: Floats, confidence: float, rng: np.random.Generator, resamples: int = RESAMPLES
) -> tuple[Floats, Floats]:
    """(...) ends of the bias-corrected and accelerated interval of the mean (Efron 1987; scipy's). Where all values
    are equal, both ends are that value. ``values``: (..., n)."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        interval = stats.bootstrap(
            (values,), np.mean, axis=-1, n_resamples=resamples, confidence_level=confidence, method="BCa", rng=rng
        ).confidence_interval
    mean = values.mean(axis=-1)
    ends = [np.where(np.isnan(end), mean, end) for end in interval]
    return ends[0], ends[1]


def studentised(
    values: Floats, confidence: float, rng: np.random.Generator, resamples: int = RESAMPLES
) -> tuple[Floats, Floats]:
    """(...) ends of the bootstrap-t interval of the mean (Efron and Tibshirani 1993, chapter 12). ``values``: (..., n).
    An end is infinite where too many resamples have no spread, as with ties."""
    n = values.shape[-1]
    drawn = values[..., rng.integers(0, n, (resamples, n))]
    mean, error = values.mean(axis=-1), values.std(axis=-1, ddof=1) / np.sqrt(n)
    shift = drawn.mean(axis=-1) - mean[..., None]
    spread = drawn.std(axis=-1, ddof=1) / np.sqrt(n)
    tiny = 1e-9 * np.abs(values).max(axis=-1)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(spread > tiny, shift / spread, np.where(np.abs(shift) > tiny, np.sign(shift) * np.inf, 0.0))
    low, high = np.quantile(t, [(1 - confidence) / 2, (1 + confidence) / 2], axis=-1, method="inverted_cdf")
    with np.errstate(invalid="ignore"):
        return np.where(error > 0, mean - high * error, mean), np.where(error > 0, mean - low * error, mean)


def stratified(
    strata: Sequence[Floats],
    statistic: Callable[[Sequence[Floats]], Floats],
    confidence: float,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """Percentile interval of ``statistic`` with the seeds resampled within each task (the design of rliable, Agarwal
    et al. 2021, "Deep RL at the edge of the statistical precipice"). ``strata``: (n,) per task; ``statistic`` is
    given (resamples, n) per task."""
    drawn = [values[rng.integers(0, len(values), (resamples, len(values)))] for values in strata]
    low, high = np.quantile(statistic(drawn), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def mean_of_means(strata: Sequence[Floats]) -> Floats:
    """(...) mean over tasks of their means; (..., n) per task."""
    return np.asarray(np.mean([values.mean(axis=-1) for values in strata], axis=0))


def interquartile_mean(strata: Sequence[Floats]) -> Floats:
    """(...) mean of the middle half of the values of all tasks together; (..., n) per task. Robust to outliers, and
    blind to one task where everything went wrong if there are four or more."""
    return np.asarray(stats.trim_mean(np.concatenate(strata, axis=-1), 0.25, axis=-1))
