"""``seeds=auto``: looking at the claims again and again without fooling oneself.

The looks (numbers of seeds) are fixed beforehand. The error rate is spent over them: until n of at most N seeds, the
share (n / N)² of it (the spending function of Kim and DeMets 1987, exponent 2; Lan and DeMets 1983), and what a look
adds is all that this look may use. By Bonferroni's inequality the whole stays within the error rate whatever the looks
have to do with each other, so it holds for means and medians, for each claim of a study whatever the others make it
wait for, and under Holm; a p-value at a look is just divided by its share. Boundaries from the joint normal
distribution of the looks would be less cautious; with t at 5 to 20 seeds they spend 5.3 % instead of 5, and give no
p-value that Holm could correct (benchmarks/README.md, calibration, compares both).

An estimate at which a study stopped early tends to be too far from zero; its interval is as honest as its verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from lorelab.errors import LorelabError
from lorelab.studies.decision import Decision
from lorelab.studies.rules import Verdict

EXPONENT = 2
"""Of the spending function: 1 spends early, 3 late."""


def looks(minimum: int, maximum: int, block: int) -> tuple[int, ...]:
    """The numbers of seeds at which the claims are judged: ``minimum``, then ``block`` more each time, the last at
    ``maximum``. Few looks cost little: 5, 10, 15, 20 decides sooner than every number from 5 to 20.

    Raises LorelabError unless 2 ≤ minimum ≤ maximum and block ≥ 1."""
    if not (2 <= minimum <= maximum and block >= 1):
        raise LorelabError(
            f"seeds=auto: found minimum {minimum}, maximum {maximum}, block {block}; expected 2 ≤ minimum ≤ maximum "
            "and a block of at least 1. Try 5 to 20 seeds in blocks of 5."
        )
    return (*range(minimum, maximum, block), maximum)


def shares(counts: Sequence[int]) -> tuple[float, ...]:
    """What each look may spend of the error rate; together 1. ``counts``: ascending, from ``looks``."""
    spent = [0.0, *((count / counts[-1]) ** EXPONENT for count in counts)]
    return tuple(after - before for before, after in pairwise(spent))


def next_look(counts: Sequence[int], done: int, decisions: Sequence[Decision]) -> int | None:
    """The number of seeds to go on to, or None to stop: after the last look, or when ``decisions`` (those at ``done``
    seeds, after ``read_together``) leave nothing open."""
    later = [count for count in counts if count > done]
    decided = done in counts and all(decision.verdict is not Verdict.INCONCLUSIVE for decision in decisions)
    return None if decided or not later else later[0]
