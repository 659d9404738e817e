"""Decides claims: differences in, one frozen decision out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lorelab.errors import LorelabError
from lorelab.studies.bootstrap import bca, interquartile_mean, mean_of_means, stratified, studentised
from lorelab.studies.decision import Decision, Interval
from lorelab.studies.differences import Differences, Floats
from lorelab.studies.location import FEW, Location, mean_of, mean_over_tasks, median_of, student_t
from lorelab.studies.power import more_seeds
from lorelab.studies.rules import Claim, Kind, Verdict
from lorelab.studies.signflip import SignFlip, sign_flip

T = "Student's t"
WIDER = "the wider of Student's t and sign flips"
ORDER = "order statistics"
OVERALL = "mean over tasks, in margins"


def decide(claim: Claim, differences: Differences, rng: np.random.Generator, share: float = 1.0) -> Decision:
    """The verdict on one task. ``rng`` draws the bootstrap intervals that are shown beside; it decides nothing.
    ``share`` of the error rate may be spent (``sequential``: 1 for a number of seeds fixed beforehand)."""
    values, confidence = differences.values, claim.confidence(share)
    median = median_of(values)
    if not differences.has_mean:
        return _decision(claim, differences, median, _interval(ORDER, median, confidence), share, "median")
    where, flips = mean_of(values, differences.step), sign_flip(values, rng)
    others = (
        *([] if differences.n >= FEW else [_interval(T, student_t(values, differences.step), confidence)]),
        Interval("BCa bootstrap", *map(float, bca(values, confidence, rng))),
        Interval("studentised bootstrap", *map(float, studentised(values, confidence, rng))),
        _interval("sign flips", flips, confidence),
        _interval("median by order statistics", median, confidence),
    )
    deciding = _interval(WIDER if differences.n < FEW else T, where, confidence)
    tests = dict(zip(("sign_flip_supported", "sign_flip_refuted"), map(float, claim.p_values(flips)), strict=True))
    spread = float(values.std(ddof=1))
    return _decision(claim, differences, where, deciding, share, "mean", others, spread=spread, **tests)


def decide_overall(
    claims: Mapping[str, Claim], differences: Mapping[str, Differences], rng: np.random.Generator, share: float = 1.0
) -> Decision:
    """The verdict over all tasks (task → claim, task → differences): each task's differences in units of its margin,
    and each task counts the same. It speaks of these tasks, not of others that might have been chosen.

    Raises LorelabError when the kinds differ or a task has no claim."""
    kinds = {claim.kind for claim in claims.values()}
    if claims.keys() != differences.keys() or len(kinds) != 1:
        raise LorelabError(
            f"Verdict over all tasks: found claims for {sorted(claims)} of kinds {sorted(kinds)} and scores for "
            f"{sorted(differences)}; expected one kind and the same tasks. Judge claims of different kinds apart."
        )
    claim = Claim(kinds.pop(), 1.0)
    parts = [differences[task].in_units_of(claims[task].margin) for task in claims]
    if len(parts) == 1:
        return replace(decide(claim, parts[0], rng, share), statistic="mean, in margins")
    strata, confidence = [part.values for part in parts], claim.confidence(share)
    counts = tuple(sum(part.diverged[arm] for part in parts) for arm in (0, 1))
    step = max(part.step for part in parts)
    has_mean = all(part.has_mean for part in parts)
    pooled = Differences(np.concatenate(strata), step, (counts[0], counts[1]), has_mean)
    median = median_of(pooled.values)
    n = min(part.n for part in parts)
    if not pooled.has_mean:
        deciding, statistic = _interval(ORDER, median, confidence), "median over tasks, in margins"
        return _decision(claim, pooled, median, deciding, share, statistic, tasks=len(parts), n=n)
    where = mean_over_tasks(strata, [part.step for part in parts])
    others = (
        Interval("stratified bootstrap", *stratified(strata, mean_of_means, confidence, rng)),
        Interval("interquartile mean, stratified bootstrap", *stratified(strata, interquartile_mean, confidence, rng)),
        _interval("median by order statistics", median, confidence),
    )
    deciding, spread = _interval(T, where, confidence), float(where.error) * math.sqrt(n)
    return _decision(claim, pooled, where, deciding, share, OVERALL, others, tasks=len(parts), n=n, spread=spread)


def decide_exact(deviations: Mapping[str, Floats], tolerances: Mapping[str, float]) -> Decision:
    """The verdict on an identity: supported if no deviation exceeds its tolerance, else refuted; NaN exceeds it.

    ``deviations``: number format → absolute deviations on random inputs, any shape. Raises LorelabError unless there
    are some for float32 and float64, and tolerances for the same formats."""
    missing = {"float32", "float64"} - {name for name, found in deviations.items() if np.size(found)}
    if missing or deviations.keys() != tolerances.keys():
        raise LorelabError(
            f"Identity: found deviations in {sorted(deviations)} and tolerances for {sorted(tolerances)}; expected "
            "both for float32 and float64, none empty. Compute both sides of the identity in both formats."
        )
    worst = {name: _in_tolerances(found, tolerances[name]) for name, found in deviations.items()}
    name = max(worst, key=lambda name: math.inf if math.isnan(worst[name]) else worst[name])
    none = math.nan
    return Decision(
        kind=Kind.EXACT,
        margin=1.0,
        verdict=Verdict.SUPPORTED if all(ratio <= 1 for ratio in worst.values()) else Verdict.REFUTED,
        why=f"The largest deviation is {worst[name]:.2g} of the tolerance, in {name}.",
        statistic="largest deviation, in tolerances",
        n=min(np.size(found) for found in deviations.values()),
        tasks=1,
        estimate=worst[name],
        spread=none,
        interval=Interval("none", none, none),
        confidence=none,
        p_supported=none,
        p_refuted=none,
        by_dtype=worst,
    )


def _in_tolerances(deviations: Floats, tolerance: float) -> float:
    largest = float(np.max(np.abs(deviations)))
    return 0.0 if largest == 0 else largest / tolerance if tolerance > 0 else math.inf


def _interval(method: str, where: Location | SignFlip, confidence: float) -> Interval:
    low, high = where.interval(confidence)
    return Interval(method, float(low), float(high))


def _decision(
    claim: Claim,
    differences: Differences,
    where: Location,
    deciding: Interval,
    share: float,
    statistic: str,
    others: tuple[Interval, ...] = (),
    **rest: Any,
) -> Decision:
    verdict = claim.verdict(deciding.low, deciding.high)
    p_supported, p_refuted = map(float, claim.p_values(where))
    given = {"n": differences.n, "tasks": 1, "spread": math.nan} | rest
    open_yet = verdict is Verdict.INCONCLUSIVE
    return Decision(
        kind=claim.kind,
        margin=claim.margin,
        verdict=verdict,
        why=_why(claim, deciding, verdict, statistic, share, differences),
        statistic=statistic,
        estimate=float(where.estimate),
        interval=deciding,
        confidence=claim.confidence(share),
        others=others,
        disagree=tuple(other.method for other in others if _differs(claim, other, verdict)),
        p_supported=p_supported,
        p_refuted=p_refuted,
        diverged=differences.diverged,
        share=share,
        more_seeds=more_seeds(claim, p_supported, p_refuted, given["n"], share) if open_yet else None,
        **given,
    )


def _differs(claim: Claim, other: Interval, verdict: Verdict) -> bool:
    bounded = math.isfinite(other.low) or math.isfinite(other.high)
    return bounded and claim.verdict(other.low, other.high) is not verdict


def _why(
    claim: Claim, interval: Interval, verdict: Verdict, statistic: str, share: float, differences: Differences
) -> str:
    bounds = " and ".join(f"{bound.threshold:+.4g}" for bound in claim.supporting)
    place = {
        Verdict.SUPPORTED: "between" if claim.kind is Kind.EQUIVALENCE else "wholly above",
        Verdict.REFUTED: "wholly outside" if claim.kind is Kind.EQUIVALENCE else "wholly below",
        Verdict.INCONCLUSIVE: "neither clear of nor within" if claim.kind is Kind.EQUIVALENCE else "on both sides of",
    }[verdict]
    why = (
        f"The {100 * claim.confidence(share):.4g} % interval of the {statistic} ({interval.method}), "
        f"{interval.low:.4g} to {interval.high:.4g}, lies {place} {bounds}."
    )
    if not any(differences.diverged):
        return why
    became = "count as the worst possible value" if differences.has_mean else "have no worst value, so ranks decide"
    return f"Diverged runs ({sum(differences.diverged)}) {became}. {why}"
