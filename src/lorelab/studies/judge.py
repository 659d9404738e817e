"""From the table of a study's runs to its verdicts: decided here once, rendered elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lorelab.errors import LorelabError
from lorelab.studies.decision import Decision
from lorelab.studies.differences import Differences, paired
from lorelab.studies.multiplicity import read_together
from lorelab.studies.plain import from_plain, to_plain
from lorelab.studies.ranges import widths
from lorelab.studies.rules import ALPHA, Kind, Verdict
from lorelab.studies.sequential import shares
from lorelab.studies.spec import Study, StudyClaim
from lorelab.studies.table import Row, scores
from lorelab.studies.verdict import decide, decide_overall

SEED = 20_261_124
"""Of the bootstrap intervals that are shown beside those that decide."""


@dataclass(frozen=True)
class Judged:
    """One claim with its verdicts."""

    claim: StudyClaim
    overall: Decision
    by_task: Mapping[str, Decision]

    @property
    def hidden(self) -> tuple[str, ...]:
        """The tasks that made the overall verdict inconclusive (``none_hidden``), where it was they and not Holm."""
        whole = self.overall
        if whole.verdict is not Verdict.INCONCLUSIVE or whole.holm_supported >= ALPHA:
            return ()
        alone = whole.claim.verdict(whole.interval.low, whole.interval.high)
        return _against(whole.kind, self.by_task) if alone is Verdict.SUPPORTED else ()

    def to_plain(self) -> dict[str, Any]:
        """For verdict.json."""
        return {
            "says": self.claim.says,
            "kind": str(self.claim.kind),
            "a": self.claim.a,
            "b": self.claim.b or self.claim.against,
            "verdict": str(self.overall.verdict),
            "overall": to_plain(self.overall),
            "tasks": {task: to_plain(decision) for task, decision in self.by_task.items()},
        }


def judge(study: Study, rows: Sequence[Row], count: int) -> tuple[Judged, ...]:
    """The verdicts at the look with ``count`` seeds. Of the overall verdicts all claims are read together, and so are
    those of all claims on all tasks (Holm).

    Raises:
        LorelabError: runs are missing, doubled or of several versions of the data, or it is no look.
    """
    if count not in study.looks:
        raise LorelabError(f"study {study.name}: found a verdict at {count} seeds; expected one at {study.looks}.")
    share = dict(zip(study.looks, shares(study.looks), strict=True))[count]
    overall, single = [], []
    for claim in study.claims:
        differences = {task: _differences(study, claim, task, rows, count) for task in claim.tasks}
        rules = {task: claim.rule(task) for task in claim.tasks}
        overall.append(decide_overall(rules, differences, np.random.default_rng(SEED), share))
        single += [decide(rules[task], differences[task], np.random.default_rng(SEED), share) for task in claim.tasks]
    together, apart = read_together(overall), iter(read_together(single))
    found = []
    for claim, whole in zip(study.claims, together, strict=True):
        by_task = {task: next(apart) for task in claim.tasks}
        found.append(Judged(claim, none_hidden(whole, by_task), by_task))
    return tuple(found)


def none_hidden(whole: Decision, by_task: Mapping[str, Decision]) -> Decision:
    """No difference on average must not hide a task that differs, nor "no worse" one that is worse: if the interval of
    one task refutes the claim (uncorrected), "supported" over all becomes inconclusive."""
    against = _against(whole.kind, by_task)
    if whole.verdict is not Verdict.SUPPORTED or not against:
        return whole
    why = f"{whole.why} On average it would be supported, but {', '.join(against)} alone refutes it."
    return replace(whole, verdict=Verdict.INCONCLUSIVE, why=why, more_seeds=None)


def _against(kind: Kind, by_task: Mapping[str, Decision]) -> tuple[str, ...]:
    """The tasks that refute a claim of no difference, or of none for the worse, by their own interval."""
    if kind not in (Kind.EQUIVALENCE, Kind.NON_INFERIORITY):
        return ()
    return tuple(
        task for task, each in by_task.items()
        if each.claim.verdict(each.interval.low, each.interval.high) is Verdict.REFUTED
    )  # fmt: skip


def from_dict(study: Study, plain: Mapping[str, Mapping[str, Any]]) -> tuple[Judged, ...]:
    """What ``Judged.to_plain`` gave, back; ``plain`` is by the claim's name.

    Raises:
        LorelabError: it is not of the claims that the study declares.
    """
    if set(plain) != {claim.name for claim in study.claims}:
        raise LorelabError(
            f"study {study.name}: found verdicts on {', '.join(plain) or 'nothing'}; expected them on "
            f"{', '.join(claim.name for claim in study.claims)}, which it declares. Run it again."
        )
    return tuple(
        Judged(
            claim,
            from_plain(plain[claim.name]["overall"]),
            {task: from_plain(decision) for task, decision in plain[claim.name]["tasks"].items()},
        )
        for claim in study.claims
    )


def _differences(study: Study, claim: StudyClaim, name: str, rows: Sequence[Row], count: int) -> Differences:
    task, seeds = study.tasks[name], study.seeds[:count]
    measure = claim.measured(task)
    if claim.grid is not None:
        a, b = (widths(rows, name, arm, claim.grid, task.margin, seeds) for arm in (claim.a, claim.b))
    else:
        a = scores(rows, name, claim.a, measure.metric, seeds)
        b = scores(rows, name, claim.b or claim.a, claim.against or measure.metric, seeds)
    return paired(a, b, measure.mode, measure.worst)
