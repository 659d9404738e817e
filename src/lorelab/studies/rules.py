"""The kinds of claims and their rules: when one is supported, when refuted, and the p-values that say the same."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lorelab.errors import LorelabError
from lorelab.studies.differences import Floats
from lorelab.studies.location import Tails

ALPHA = 0.05
"""Every claim's error rate. A superiority claim splits it over both ends of its interval (95 %); the others are
one-sided tests at this level, hence 90 %."""


class Kind(StrEnum):
    """What a claim says of A − B, larger being better."""

    SUPERIORITY = "superiority"
    """A beats B by at least the margin."""
    NON_INFERIORITY = "non-inferiority"
    """A is at most the margin worse."""
    EQUIVALENCE = "equivalence"
    """They differ by less than the margin."""
    EXACT = "exact"
    """An identity holds to a stated tolerance; no statistics."""


class Verdict(StrEnum):
    """What became of a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"


class Bound(NamedTuple):
    """A − B lies beyond ``threshold``: above it (``side`` 1) or below it (−1)."""

    threshold: float
    side: int

    def clears(self, low: ArrayLike, high: ArrayLike) -> NDArray[np.bool_]:
        """(...) whether the whole interval does."""
        return np.asarray(low) > self.threshold if self.side > 0 else np.asarray(high) < self.threshold

    def p_value(self, where: Tails) -> Floats:
        """(...) one-sided."""
        return where.above(self.threshold) if self.side > 0 else where.below(self.threshold)


@dataclass(frozen=True)
class Claim:
    """What was declared beforehand. Raises LorelabError for a margin that is not a positive number."""

    kind: Kind
    margin: float
    """The smallest difference that would matter, in the unit of the metric."""

    def __post_init__(self) -> None:
        if self.kind is not Kind.EXACT and not 0 < self.margin < np.inf:
            raise LorelabError(
                f"Margin of a claim of {self.kind}: found {self.margin}; expected a positive number in the unit of the "
                "metric. Name the smallest difference that would matter to someone who uses the result."
            )

    @property
    def sides(self) -> int:
        """Ends of the interval over which the error rate is split."""
        return 2 if self.kind is Kind.SUPERIORITY else 1

    @property
    def supporting(self) -> tuple[Bound, ...]:
        """Supported when all of these hold. Raises LorelabError for an identity."""
        if self.kind is Kind.EXACT:
            raise LorelabError("A claim of kind exact: found scores; expected deviations. Judge it with decide_exact.")
        if self.kind is Kind.EQUIVALENCE:
            return Bound(-self.margin, 1), Bound(self.margin, -1)
        return (Bound(self.margin if self.kind is Kind.SUPERIORITY else -self.margin, 1),)

    @property
    def refuting(self) -> tuple[Bound, ...]:
        """Refuted when one of these holds."""
        return tuple(Bound(bound.threshold, -bound.side) for bound in self.supporting)

    def tail(self, share: float = 1.0) -> float:
        """Error rate of one end of the interval that decides, when ``share`` of the whole may be spent."""
        return ALPHA * share / self.sides

    def confidence(self, share: float = 1.0) -> float:
        """Of the interval that decides."""
        return 1 - 2 * self.tail(share)

    def ruling(self, low: ArrayLike, high: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(...) supported, and refuted, of intervals from ``low`` to ``high``."""
        supported = np.all([bound.clears(low, high) for bound in self.supporting], axis=0)
        return supported, np.any([bound.clears(low, high) for bound in self.refuting], axis=0)

    def verdict(self, low: float, high: float) -> Verdict:
        """Of one interval."""
        supported, refuted = self.ruling(low, high)
        return Verdict.SUPPORTED if supported else Verdict.REFUTED if refuted else Verdict.INCONCLUSIVE

    def p_values(self, where: Tails) -> tuple[Floats, Floats]:
        """(...) for supported and for refuted: below ``ALPHA`` when the interval of ``confidence()`` rules so."""
        supported = np.max([bound.p_value(where) for bound in self.supporting], axis=0)
        refuted = np.min([bound.p_value(where) for bound in self.refuting], axis=0)
        return np.minimum(1.0, self.sides * supported), np.minimum(1.0, self.sides * refuted)
