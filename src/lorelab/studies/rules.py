"""The kinds of claims and their rules: when one is supported, when refuted, and the p-values that say the same."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lorelab.errors import LorelabError
from lorelab.studies.differences import Floats
from lorelab.studies.location import Location

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

    def confidence(self, share: float = 1.0) -> float:
        """Of the interval that decides, when ``share`` of the error rate may be spent."""
        return 1 - 2 * ALPHA * share / self.sides

    def ruling(self, low: ArrayLike, high: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(...) supported, and refuted, of intervals from ``low`` to ``high``."""
        low, high, margin = np.asarray(low), np.asarray(high), self.margin
        if self.kind is Kind.SUPERIORITY:
            return low > margin, high < margin
        if self.kind is Kind.NON_INFERIORITY:
            return low > -margin, high < -margin
        return (low > -margin) & (high < margin), (low > margin) | (high < -margin)

    def verdict(self, low: float, high: float) -> Verdict:
        """Of one interval."""
        supported, refuted = self.ruling(low, high)
        return Verdict.SUPPORTED if supported else Verdict.REFUTED if refuted else Verdict.INCONCLUSIVE

    def p_values(self, where: Location) -> tuple[Floats, Floats]:
        """(...) for supported and for refuted: below ``ALPHA`` exactly when the interval of ``confidence()`` rules so."""
        margin = self.margin
        if self.kind is Kind.SUPERIORITY:
            supported, refuted = where.above(margin), where.below(margin)
        elif self.kind is Kind.NON_INFERIORITY:
            supported, refuted = where.above(-margin), where.below(-margin)
        else:
            supported = np.maximum(where.above(-margin), where.below(margin))
            refuted = np.minimum(where.above(margin), where.below(-margin))
        return np.minimum(1.0, self.sides * supported), np.minimum(1.0, self.sides * refuted)


def holm(p_values: ArrayLike) -> Floats:
    """(claims,) p-values adjusted for reading all of them together (Holm 1979; statsmodels')."""
    values = np.asarray(p_values, float)
    if values.size == 0:
        return values
    from statsmodels.stats.multitest import multipletests

    return np.asarray(multipletests(values, method="holm")[1])
