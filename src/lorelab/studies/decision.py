"""What became of a claim: one frozen record of every number that decided it, decided once and rendered often."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from lorelab.studies.rules import Claim, Kind, Verdict


@dataclass(frozen=True)
class Interval:
    """One way to bound A − B, at the confidence of the decision."""

    method: str
    low: float
    high: float


@dataclass(frozen=True)
class Decision:
    """What became of a claim, on one task or over all. Not a number (NaN) where a field does not apply."""

    kind: Kind
    margin: float
    """In the unit of ``estimate``: the metric's, or over tasks 1, for the margin of each task."""
    verdict: Verdict
    why: str
    statistic: str
    """What ``estimate`` is: mean, median, mean over tasks in margins, …"""
    n: int
    """Seeds (pairs); over tasks: of the task with the fewest. For identities: inputs."""
    tasks: int
    estimate: float
    spread: float
    """Standard deviation of the differences over the seeds; over tasks: of their mean."""
    interval: Interval
    """The one that decided."""
    confidence: float
    p_supported: float
    """By the method that decided; below 5 % is what the interval says. Two-sided for superiority, else one-sided."""
    p_refuted: float
    others: tuple[Interval, ...] = ()
    disagree: tuple[str, ...] = ()
    """The methods of ``others`` that alone would have given another verdict."""
    sign_flip_supported: float = math.nan
    """The same by the sign-flip permutation test; of means on one task only."""
    sign_flip_refuted: float = math.nan
    diverged: tuple[int, int] = (0, 0)
    """Runs of A and of B, over tasks in all."""
    share: float = 1.0
    """Of the error rate that could be spent at this look (``sequential``)."""
    family: int = 1
    """Claims read together."""
    holm_supported: float = math.nan
    """Corrected for ``share`` and the family; NaN before ``read_together``."""
    holm_refuted: float = math.nan
    more_seeds: int | None = None
    """That would probably decide an inconclusive claim; None: it is decided, or no number below 1,000 would."""
    by_dtype: Mapping[str, float] = field(default_factory=dict)
    """Of identities: largest deviation in each number format, in tolerances."""

    @property
    def claim(self) -> Claim:
        """What was declared."""
        return Claim(self.kind, self.margin)
