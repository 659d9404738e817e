"""The sign-flip permutation test of paired differences, and its interval.

If neither arm is better than the other by ``t``, each difference minus ``t`` is as likely to be positive as negative.
Flipping the signs of a subset keeps the sum at least as large exactly when the subset's mean is at most ``t``, so test
and interval both read off the means of the subsets (Hartigan 1969, "Using subsample values as typical values").
Exact for symmetric differences of any shape; ties make it conservative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lorelab.studies.differences import SAME, Floats, exceeds

EXACT = 16
"""Up to this many differences all 2ⁿ subsets are taken; beyond, 2¹⁶ − 1 random ones and the observed one."""


def subset_means(values: Floats, rng: np.random.Generator | None = None) -> Floats:
    """(..., subsets) ascending means of the non-empty subsets of ``values`` (..., n). ``rng`` is needed for n > 16."""
    n = values.shape[-1]
    if n <= EXACT:
        members = ((np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1).astype(float)
    elif rng is None:
        raise ValueError(f"{n} differences: found no generator; expected one, as more than {EXACT} are sampled")
    else:
        members = rng.integers(0, 2, (2**EXACT - 1, n)).astype(float)
        members = members[members.any(axis=1)]
    return np.sort(values @ (members / members.sum(axis=1, keepdims=True)).T, axis=-1)


@dataclass(frozen=True)
class SignFlip:
    """The centre of symmetry of the differences."""

    means: Floats
    """(..., subsets) ascending means of subsets."""

    def interval(self, confidence: float) -> tuple[Floats, Floats]:
        """(...) ends: the thresholds that the test does not reject; infinite where n is too small for the confidence
        (five at 95 %)."""
        size = self.means.shape[-1]
        rank = int((1 - confidence) / 2 * (size + 1) * (1 + SAME))
        if rank == 0:
            nothing = np.full(self.means.shape[:-1], np.inf)
            return -nothing, nothing
        return self.means[..., rank - 1], self.means[..., size - rank]

    def above(self, threshold: float) -> Floats:
        """(...) One-sided p-value, never below 1 / 2ⁿ."""
        return self._p(exceeds(self.means, threshold))

    def below(self, threshold: float) -> Floats:
        """(...) One-sided p-value, never below 1 / 2ⁿ."""
        return self._p(exceeds(-self.means, -threshold))

    def _p(self, beyond: NDArray[np.bool_]) -> Floats:
        # Of Monte Carlo the observed signs are one draw more (Phipson and Smyth 2010); of all 2ⁿ they are one.
        return np.asarray((1 + (~beyond).sum(axis=-1)) / (beyond.shape[-1] + 1))


def sign_flip(values: Floats, rng: np.random.Generator | None = None) -> SignFlip:
    """``values``: (..., n), finite. ``rng`` is needed for n > 16."""
    return SignFlip(subset_means(values, rng))
