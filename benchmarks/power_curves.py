"""What simulated studies can decide: power, what looking again and again costs, whether the advised seeds decide."""

from __future__ import annotations

import numpy as np
from scipy import stats

from benchmarks.calibration import AUTO, CLAIMS, LOOKS, SEEDS, first_true, judge
from benchmarks.calibration_page import Table
from benchmarks.simulated import JUDGED, simulate
from lorelab.studies.differences import Floats
from lorelab.studies.location import student_t
from lorelab.studies.power import chance, more_seeds
from lorelab.studies.rules import ALPHA, Claim, Kind
from lorelab.studies.sequential import shares

BEYOND_MARGIN = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
WITHIN_MARGIN = (0.25, 0.5, 0.75, 1.0, 1.5)


def power(rng: np.random.Generator, studies: int) -> list[Table]:
    """Normal differences. Superiority over how far the truth lies beyond the margin, equivalence of equal arms over
    the margin, both in standard deviations of the difference."""
    normal, most = JUDGED["normal"], LOOKS[-1]
    superiority, rows, equal = CLAIMS[0], [], []
    for n in (*SEEDS, AUTO):
        found = [
            judge(superiority, simulate(normal, rng, studies, most, superiority.margin + x), n) for x in BEYOND_MARGIN
        ]
        seeds = f" (n = {np.mean(found[3].seeds):.1f} at 1.0)" if n == AUTO else ""
        rows.append((f"{n}{seeds}", *(100 * float(each.supported.mean()) for each in found)))
        claims = [Claim(Kind.EQUIVALENCE, margin) for margin in WITHIN_MARGIN]
        same = [judge(claim, simulate(normal, rng, studies, most, 0.0), n) for claim in claims]
        equal.append((str(n), *(100 * float(each.supported.mean()) for each in same)))
        if n in SEEDS:
            said = [100 * chance(superiority, superiority.margin + x, 1.0, int(n))[0] for x in BEYOND_MARGIN]
            rows.append((f"{n}, as `chance` says", *said))
    heads = [tuple(f"{x} sd" for x in row) for row in (BEYOND_MARGIN, WITHIN_MARGIN)]
    return [
        Table(
            "Supported, % of studies: superiority, by the true difference beyond the margin",
            ("seeds", *heads[0]),
            tuple(rows),
        ),
        Table("Supported, % of studies: equivalence of equal arms, by the margin", ("seeds", *heads[1]), tuple(equal)),
    ]


def spending(rng: np.random.Generator, studies: int) -> Table:
    """Ways to look at 5, 10, 15, 20 seeds, for one one-sided claim at 5 %: errors at its bound and what it finds."""
    spent = np.array(shares(LOOKS)) * ALPHA
    ways = {
        "the whole 5 % at each look (wrong)": np.full(len(LOOKS), ALPHA),
        "shares by Bonferroni (ours)": spent,
        "shares by the joint normal (Lan and DeMets)": _lan_demets(spent, rng),
        "20 seeds, one look": np.array([0, 0, 0, ALPHA]),
    }
    rows = []
    for name, levels in ways.items():
        cells: list[float] = []
        for shape, effect in (("normal", 0.0), ("tied", 0.0), ("normal", 0.6), ("normal", 1.0)):
            values = simulate(JUDGED[shape], rng, studies, LOOKS[-1], effect).values
            hits = np.array([student_t(values[:, :n]).above(0.0) for n in LOOKS]) < levels[:, None]
            cells.append(100 * float(hits.any(axis=0).mean()))
            if effect:
                cells.append(float(np.array(LOOKS)[first_true(hits)].mean()))
        rows.append((name, *cells))
    columns = ("look", "wrong, normal", "wrong, tied", "found at 0.6 sd", "seeds", "found at 1 sd", "seeds")
    return Table("Repeated looks, % of studies (Student's t throughout)", columns, tuple(rows))


def _lan_demets(spent: Floats, rng: np.random.Generator, draws: int = 400_000) -> Floats:
    """(looks,) p-value levels at which the joint normal distribution of the looks spends exactly ``spent``."""
    z = np.cumsum(rng.normal(size=(draws, LOOKS[-1])), axis=1)[:, np.array(LOOKS) - 1] / np.sqrt(LOOKS)
    going, levels = np.ones(draws, bool), []
    for k, share in enumerate(spent):
        bound = np.sort(z[going, k])[-int(share * draws)]
        levels.append(stats.norm.sf(bound))
        going &= z[:, k] < bound
    return np.array(levels)


def advised(rng: np.random.Generator, studies: int) -> Table:
    """How often the seeds that an inconclusive study was told to add decide it; ten seeds before."""
    rows, normal = [], JUDGED["normal"]
    for kind, margin, truth in (
        (Kind.SUPERIORITY, 1.0, 1.6),
        (Kind.NON_INFERIORITY, 0.6, 0.0),
        (Kind.EQUIVALENCE, 0.6, 0),
    ):
        claim = Claim(kind, margin)
        first = simulate(normal, rng, studies, 10, truth).values
        p_values = np.array(claim.p_values(student_t(first)))
        still_open = np.flatnonzero((p_values >= ALPHA).all(axis=0))
        advice = [more_seeds(claim, *map(float, p_values[:, i]), n=10) for i in still_open]
        named = [(i, more) for i, more in zip(still_open, advice, strict=True) if more is not None]
        decided = []
        for i, more in named:
            values = np.append(first[i], simulate(normal, rng, 1, max(more, 2), truth).values[0, :more])
            decided.append(min(map(float, claim.p_values(student_t(values)))) < ALPHA)
        median = int(np.median([more for _, more in named]))
        shares_of = (len(still_open) / studies, len(named) / len(still_open), float(np.mean(decided)))
        rows.append((kind.value, *(100 * share for share in shares_of), median))
    columns = (
        "claim, 0.6 sd from its bound",
        "inconclusive",
        "of these, given a number",
        "of these, then decided",
        "median number",
    )
    return Table("More seeds, as advised after ten, % of studies (normal)", columns, tuple(rows))
