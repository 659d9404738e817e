"""How often the verdicts of studies are wrong, and how often their intervals hold the truth, by simulation.

    python -m benchmarks.calibration [STUDIES]

Wrong at a true difference of zero: "supported" for superiority, "refuted" for the others. Wrong with the true difference
exactly at the margin, where a claim's truth turns: both. Minutes on one core; replaces the tables in README.md.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.calibration_page import Table, publish
from benchmarks.simulated import BEYOND, JUDGED, MARGIN, Shape, Studies, normal, simulate
from lorelab.studies.bootstrap import bca, mean_of_means, stratified, studentised
from lorelab.studies.differences import Floats
from lorelab.studies.location import mean_over_tasks, student_t
from lorelab.studies.multiplicity import holm
from lorelab.studies.power import more_seeds
from lorelab.studies.rules import ALPHA, Claim, Kind
from lorelab.studies.sequential import looks, shares
from lorelab.studies.signflip import sign_flip

CLAIMS = [Claim(kind, MARGIN) for kind in (Kind.SUPERIORITY, Kind.NON_INFERIORITY, Kind.EQUIVALENCE)]
SEEDS = (5, 10, 20)
LOOKS = looks(5, 20, 5)
AUTO = "auto, 5 to 20"
RESAMPLES = 999
DIVERGING = Shape(normal, diverging=0.1)


@dataclass(frozen=True)
class Outcome:
    """Of many studies of one claim: (studies,) each."""

    supported: Floats
    refuted: Floats
    seeds: Floats


def at_margin(claim: Claim) -> list[float]:
    """The true differences at which the claim turns from true to false."""
    return sorted({bound.threshold for bound in claim.supporting})


def p_values(claim: Claim, studies: Studies, n: int | str) -> tuple[Floats, Floats, Floats]:
    """(looks, studies) for supported and refuted, corrected for the looks, and (looks,) numbers of seeds."""
    counts = LOOKS if n == AUTO else (int(n),)
    pairs = [claim.p_values(studies.where(count)) for count in counts]
    spent = np.array(shares(counts))[:, None]
    return np.array([p for p, _ in pairs]) / spent, np.array([p for _, p in pairs]) / spent, np.array(counts)


def judge(claim: Claim, studies: Studies, n: int | str) -> Outcome:
    """What becomes of one claim read alone: it stops at the first look that decides."""
    supported, refuted, counts = p_values(claim, studies, n)
    last = first_true((supported < ALPHA) | (refuted < ALPHA))
    column = np.arange(supported.shape[1])
    return Outcome(supported[last, column] < ALPHA, refuted[last, column] < ALPHA, counts[last])


def first_true(decided: Floats) -> Floats:
    """(studies,) the first look that decides, else the last; ``decided``: (looks, studies)."""
    return np.where(decided.any(axis=0), decided.argmax(axis=0), len(decided) - 1)


def wrong(shape: Shape, n: int | str, rng: np.random.Generator, studies: int) -> Iterator[tuple[Kind, str, float]]:
    """Kind, which wrong verdict in which world, and how often."""
    most = LOOKS[-1] if n == AUTO else int(n)
    for claim in CLAIMS:
        none = judge(claim, simulate(shape, rng, studies, most, 0.0), n)
        false_there = claim.kind is Kind.SUPERIORITY
        name = "supported at zero" if false_there else "refuted at zero"
        yield claim.kind, name, float(np.mean(none.supported if false_there else none.refuted))
        ends = [judge(claim, simulate(shape, rng, studies, most, end), n) for end in at_margin(claim)]
        yield claim.kind, "supported at the margin", max(float(np.mean(end.supported)) for end in ends)
        yield claim.kind, "refuted at the margin", max(float(np.mean(end.refuted)) for end in ends)


def wrong_together(shape: Shape, n: int | str, rng: np.random.Generator, studies: int) -> tuple[float, float]:
    """How often any of three claims at their margins, one of each kind, is wrongly supported, and wrongly refuted, when
    they are read together (Holm) and seeds are added until all are decided."""
    most = LOOKS[-1] if n == AUTO else int(n)
    worlds = [simulate(shape, rng, studies, most, at_margin(claim)[-1]) for claim in CLAIMS]
    each = [p_values(claim, world, n)[:2] for claim, world in zip(CLAIMS, worlds, strict=True)]
    raw = np.minimum(1.0, np.moveaxis(np.array(each), 0, -1))  # (verdicts, looks, studies, claims)
    decided = holm(raw) < ALPHA
    last = first_true(decided.any(axis=0).all(axis=-1))
    found = decided[:, last, np.arange(studies)].any(axis=-1).mean(axis=-1)
    return float(found[0]), float(found[1])


Method = Callable[[Floats, Floats, float, np.random.Generator], tuple[Floats, Floats]]
METHODS: dict[str, Method] = {
    "decides": lambda d, step, confidence, rng: Studies(d, step).where(d.shape[1]).interval(confidence),
    "Student's t": lambda d, step, confidence, rng: student_t(d).interval(confidence),
    "BCa": lambda d, step, confidence, rng: bca(d, confidence, rng, RESAMPLES),
    "studentised": lambda d, step, confidence, rng: studentised(d, confidence, rng, RESAMPLES),
    "sign flips": lambda d, step, confidence, rng: sign_flip(d, rng).interval(confidence),
}


def coverage(shape: Shape, n: int, rng: np.random.Generator, studies: int, confidence: float) -> dict[str, float]:
    """How often each interval of one task holds the true difference."""
    drawn, hits = simulate(shape, rng, studies, n, 0.0), {name: 0 for name in METHODS}
    for part in np.array_split(np.arange(studies), max(1, studies // 50)):
        for name, method in METHODS.items():
            low, high = method(drawn.values[part], drawn.step[part], confidence, rng)
            hits[name] += int(((low < 1e-9) & (high > -1e-9)).sum())
    return {name: count / studies for name, count in hits.items()}


def coverage_overall(
    shape: Shape, n: int, rng: np.random.Generator, studies: int, confidence: float
) -> dict[str, float]:
    """The same over three tasks, whose differences spread 1, 2 and 4 margins."""
    tasks = [simulate(shape, rng, studies, n, 0.0).scaled(scale) for scale in (1.0, 2.0, 4.0)]
    low, high = mean_over_tasks([task.values for task in tasks], [task.step for task in tasks]).interval(confidence)
    shown = [
        stratified([task.values[i] for task in tasks], mean_of_means, confidence, rng, RESAMPLES)
        for i in range(studies)
    ]
    hits = np.array([(least < 1e-9) & (most > -1e-9) for least, most in shown])
    return {"decides": float(np.mean((low < 1e-9) & (high > -1e-9))), "stratified bootstrap": float(hits.mean())}
