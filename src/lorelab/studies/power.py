"""What a design can detect, and how many seeds an open claim still needs."""

from __future__ import annotations

import math

from scipy import optimize, stats

from lorelab.studies.rules import Bound, Claim

PROBABLY = 0.8
"""The chance of a decision that "probably" stands for."""
HOPELESS = 1_000
"""More seeds than this are not worth naming: the difference lies at the bound, as far as anyone can tell."""


def chance(claim: Claim, effect: float, spread: float, n: int, share: float = 1.0) -> tuple[float, float]:
    """Probability of "supported" and of "refuted" when A − B is ``effect`` on average, with standard deviation
    ``spread`` (> 0) over ``n`` seeds. Of normal differences, by the noncentral t distribution; that of equivalence to
    within Bonferroni's bound. Below ten seeds, where the wider interval decides, it is a little less."""

    def clears(bound: Bound) -> float:
        return _one_sided(bound.side * (effect - bound.threshold) / spread, n, claim.tail(share))

    missed = sum(1 - clears(bound) for bound in claim.supporting)
    return max(0.0, 1 - missed), min(1.0, sum(clears(bound) for bound in claim.refuting))


def detectable(claim: Claim, spread: float, n: int, share: float = 1.0) -> float:
    """The smallest effect that probably (80 %) ends in a verdict. Superiority and non-inferiority: how far A − B must
    lie from the bound, on either side. Equivalence: the smallest margin that two equal arms would be shown to keep.

    ``spread`` is the standard deviation of the differences; from the spread s of the runs of one arm take √2 s, which
    is too large where pairing by seed helps. In the unit of ``spread``."""
    each, tail = 1 - (1 - PROBABLY) / len(claim.supporting), claim.tail(share)
    # At the boundary of the test itself the chance is about one half; a few of them are more than enough.
    enough = 10 * stats.t.isf(tail, n - 1) / math.sqrt(n)
    return spread * float(optimize.brentq(lambda size: _one_sided(size, n, tail) - each, 0.0, enough))


def more_seeds(claim: Claim, p_supported: float, p_refuted: float, n: int, share: float = 1.0) -> int | None:
    """How many more seeds would probably (80 %) decide the claim if the differences went on as they began; None for
    more than a thousand. ``p_supported`` and ``p_refuted`` are those of the claim at ``n`` seeds.

    The normal score of the one-sided p-value grows with the square root of n, whichever statistic it comes from. What
    was seen by chance goes into it: a guide, no promise (benchmarks/README.md, calibration, says how often it held).
    """
    seen = stats.norm.isf(min(p_supported, p_refuted) / claim.sides)
    wanted = stats.norm.isf(claim.tail(share)) + stats.norm.ppf(1 - (1 - PROBABLY) / len(claim.supporting))
    if seen <= 0 or (needed := n * (wanted / seen) ** 2 - n) > HOPELESS:
        return None
    return max(1, math.ceil(needed))


def _one_sided(size: float, n: int, tail: float) -> float:
    """Power of the one-sided, one-sample t test at level ``tail``; ``size``: mean in standard deviations."""
    return float(stats.nct.sf(stats.t.isf(tail, n - 1), n - 1, size * math.sqrt(n)))
