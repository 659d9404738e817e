"""How often the verdicts of studies are wrong, and how often their intervals hold the truth, by simulation.

    python -m benchmarks.calibration [STUDIES]

Wrong at a true difference of zero: "supported" for superiority, "refuted" for the others. Wrong with the true
difference exactly at the margin, where a claim's truth turns: both.
Minutes on one core; replaces the tables in README.md.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.calibration_page import Table, publish
from benchmarks.simulated import BEYOND, JUDGED, MARGIN, Shape, Studies, normal, simulate
from lorelab.studies.bootstrap import bca, mean_of_means, stratified, studentised
from lorelab.studies.differences import Floats
from lorelab.studies.location import mean_over_tasks, student_t
from lorelab.studies.multiplicity import holm
from lorelab.studies.rules import ALPHA, Claim, Kind
from lorelab.studies.sequential import looks, shares
from lorelab.studies.signflip import sign_flip

CLAIMS = [Claim(kind, MARGIN) for kind in (Kind.SUPERIORITY, Kind.NON_INFERIORITY, Kind.EQUIVALENCE)]
SEEDS = (5, 10, 20)
LOOKS = looks(5, 20, 5)
AUTO = "auto, 5 to 20"
SPREADS = (1.0, 2.0, 4.0)
"""Of the differences on three tasks, in margins."""
RESAMPLES = 999
CONFIDENCES = (0.95, 0.9)
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


def wrong_over_tasks(shape: Shape, n: int | str, rng: np.random.Generator, studies: int) -> tuple[float, float]:
    """How often the verdict over three tasks, whose differences spread 1, 2 and 4 margins, is wrongly supported, and
    wrongly refuted, with each task's true difference at the margin; of the three kinds of claims the worst."""
    counts = LOOKS if n == AUTO else (int(n),)
    found, spent = [], np.array(shares(counts))
    for claim in CLAIMS:
        for end in at_margin(claim):
            tasks = [simulate(shape, rng, studies, counts[-1], 0.0).scaled(spread) for spread in SPREADS]
            steps = [task.step for task in tasks]
            looked = [mean_over_tasks([task.values[:, :count] + end for task in tasks], steps) for count in counts]
            pairs = [claim.p_values(each) for each in looked]
            found.append([[p[side] / share < ALPHA for p, share in zip(pairs, spent, strict=True)] for side in (0, 1)])
    decided = np.array(found).any(axis=2).mean(axis=-1)  # (claims, verdicts, looks, studies): wrong at any look
    supported, refuted = decided.max(axis=0)
    return float(supported), float(refuted)


Ends = Callable[[float], tuple[Floats, Floats]]
METHODS: dict[str, Callable[[Floats, Floats, np.random.Generator], Ends]] = {
    "decides": lambda d, step, rng: Studies(d, step).where(d.shape[1]).interval,
    "Student's t": lambda d, step, rng: student_t(d).interval,
    "BCa": lambda d, step, rng: partial(bca, d, rng=rng, resamples=RESAMPLES),
    "studentised": lambda d, step, rng: partial(studentised, d, rng=rng, resamples=RESAMPLES),
    "sign flips": lambda d, step, rng: sign_flip(d, rng).interval,
}


def hits(ends: Ends) -> Floats:
    """(confidences,) how many intervals hold zero, the true difference."""
    intervals = [ends(confidence) for confidence in CONFIDENCES]
    return np.array([np.sum((low < 1e-9) & (high > -1e-9)) for low, high in intervals])


def coverage(shape: Shape, n: int, rng: np.random.Generator, studies: int) -> dict[str, Floats]:
    """(confidences,) how often each interval of one task holds the true difference."""
    drawn = simulate(shape, rng, studies, n, 0.0)
    parts = np.array_split(np.arange(studies), max(1, studies // 50))
    return {
        name: sum(hits(method(drawn.values[part], drawn.step[part], rng)) for part in parts) / studies
        for name, method in METHODS.items()
    }


def coverage_overall(shape: Shape, n: int, rng: np.random.Generator, studies: int) -> dict[str, Floats]:
    """The same over three tasks, whose differences spread 1, 2 and 4 margins."""
    tasks = [simulate(shape, rng, studies, n, 0.0).scaled(scale) for scale in SPREADS]
    decides = mean_over_tasks([task.values for task in tasks], [task.step for task in tasks]).interval
    shown = sum(
        hits(partial(stratified, [t.values[i] for t in tasks], mean_of_means, rng=rng, resamples=RESAMPLES))
        for i in range(studies)
    )
    return {"decides": hits(decides) / studies, "stratified bootstrap": shown / studies}


def wrong_tables(rng: np.random.Generator, studies: int) -> tuple[list[Table], list[str]]:
    """Wrong verdicts of every shape, and which of those held to the bar exceed it."""
    bar = 100 * (ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / studies))
    shapes, exceeding, cells, rows = JUDGED | BEYOND | {"10 % diverge (median)": DIVERGING}, [], 0, []
    heads = [f"{kind} {what}" for kind in ("sup.", "non-inf.", "equiv.") for what in ("0", "S", "R")]
    for name, shape in shapes.items():
        for n in (*SEEDS, AUTO):
            found = [(f"{kind}, {what}", 100 * share) for kind, what, share in wrong(shape, n, rng, studies)]
            together = [100 * share for share in wrong_together(shape, n, rng, studies)]
            found += zip(("Holm, any supported", "Holm, any refuted"), together, strict=True)
            if shape is not DIVERGING:  # its verdict over tasks is on the median of all, which is another test
                over = [100 * share for share in wrong_over_tasks(shape, n, rng, studies)]
                found += zip(("three tasks, supported", "three tasks, refuted"), over, strict=True)
            shown = [share for _, share in found]
            rows.append((f"{name}, {n}", *shown, *["–"] * (len(heads) + 4 - len(shown))))
            if name not in BEYOND:
                cells += len(found)
                exceeding += [f"{name}, {n}: {what} {share:.1f}" for what, share in found if share > bar]
            print(rows[-1], flush=True)
    note = (
        f"The bar is {bar:.2f} %. Above it, of {cells} cells held to it: {'; '.join(exceeding) or 'none'}. "
        "Of a test that is exact at 5 % (Student's t on normal scores) one cell in 44 exceeds it by chance."
    )
    title = (
        "Wrong verdicts, % of studies (0: supported or refuted at no difference; S, R: supported, refuted at the "
        "margin, of equivalence the worse of both margins; Holm: any of three claims, each at its margin; "
        "tasks: the verdict over three tasks, of the worst kind)"
    )
    return [Table(title, ("scores, seeds", *heads, "Holm S", "Holm R", "tasks S", "tasks R"), tuple(rows))], [note]


def coverage_table(rng: np.random.Generator, studies: int) -> Table:
    """Coverage of every interval at 95 and 90 %, on one task and over three."""
    rows = []
    for name, shape in (JUDGED | BEYOND).items():
        for n in SEEDS:
            found = coverage(shape, n, rng, studies) | {
                f"three tasks: {name}": share for name, share in coverage_overall(shape, n, rng, studies).items()
            }
            rows.append((f"{name}, {n}", *(f"{100 * wide:.1f} / {100 * slim:.1f}" for wide, slim in found.values())))
            print(rows[-1], flush=True)
    columns = ("scores, seeds", *found)
    return Table("Intervals that hold the truth, % of studies, nominal 95 / 90", columns, tuple(rows))


def main(studies: int) -> None:
    from benchmarks.power_curves import advised, power, spending

    begun, rng = time.monotonic(), np.random.default_rng(20_26)
    tables, notes = wrong_tables(rng, studies)
    tables += [coverage_table(rng, studies), spending(rng, 10 * studies), *power(rng, studies), advised(rng, studies)]
    print(publish(tables, [*notes, f"({time.monotonic() - begun:.0f} s)"], studies))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
